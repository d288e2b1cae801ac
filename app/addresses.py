"""E-mail addresses: parsed once, written to as typed, compared in canonical form, shown masked.

Invariant: every `EmailAddress` conforms to RFC 5321 and 6531 and is safe to put into a header.
"""

import hmac
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from app.errors import JawelError

REPLACEMENT = "\ufffd"
"""Stands for bytes that were not UTF-8, as from a form in Latin-1: the original address is lost."""


_ONE_PROVIDER = {"googlemail.com": "gmail.com", "protonmail.com": "proton.me", "pm.me": "proton.me"}
"""Domains under which a local part belongs to the same person as under another."""
_IGNORED = {"gmail.com": ".", "proton.me": ".-_"}
"""Characters that these providers ignore in a local part, by their own account."""


class InvalidAddress(JawelError):
    """The text is not an address that mail can be sent to. It is not repeated in the error: it may be personal."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Keyed digests for where an address must not be kept: of the address and of its probable mailbox."""

    address: str
    """`EmailAddress.digest`."""
    mailbox: str
    """The same for all addresses that probably lead to one mailbox; never equal to the digest of any address."""
    budget: str
    """The one of the two that keys the address's recipient limit: most addresses share their mailbox's row."""


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """`typed` goes on the envelope; `canonical` is the same for all spellings of one mailbox."""

    typed: str
    canonical: str

    @classmethod
    def parse(cls, text: str) -> "EmailAddress":
        """Accept RFC 5321 and 6531 syntax and lengths; an internationalised domain becomes A-labels (RFC 5891).

        `+tag` and dots are kept: they are the person's choice, and not every provider ignores them.
        """
        try:
            if REPLACEMENT in text:
                raise EmailNotValidError("not what was typed")
            valid = validate_email(text, check_deliverability=False, strict=True)
        except EmailNotValidError as error:
            raise InvalidAddress("not an e-mail address that mail can be sent to") from error
        typed = f"{valid.local_part}@{(valid.ascii_domain or valid.domain).lower()}"
        return cls.of(typed)

    @classmethod
    def of(cls, typed: str) -> "EmailAddress":
        """From an address that was parsed before it was stored."""
        return cls(typed=typed, canonical=typed.lower())

    @staticmethod
    def canonical_of(text: str) -> str:
        """The canonical form of a text that may not be an address, for looking up many at once.

        Only an internationalised domain needs the parser; plain ASCII is put into lower case.
        """
        if text.isascii():
            return text.strip().lower()
        try:
            return EmailAddress.parse(text).canonical
        except InvalidAddress:
            return text

    @property
    def needs_smtputf8(self) -> bool:
        """A local part beyond ASCII can only be written to through a relay that offers SMTPUTF8 (RFC 6531)."""
        return not self.typed.isascii()

    @property
    def domain(self) -> str:
        return self.canonical.rpartition("@")[2]

    @property
    def masked(self) -> str:
        """Enough for the owner to recognise, too little for anyone else: `a••@e••.org`."""
        local, _, domain = self.canonical.partition("@")
        name, _, ending = domain.rpartition(".")
        return f"{local[0]}••@{name[0]}••.{ending}"

    @property
    def probable_mailbox(self) -> str:
        """The same for all addresses that probably lead to one mailbox: for counting together, never for sending.

        Without a `+tag` (RFC 5233) and the characters that the provider ignores. A guess: on some servers a plus means
        nothing. So it never identifies a subscriber.
        """
        local, _, domain = self.canonical.rpartition("@")
        domain = _ONE_PROVIDER.get(domain, domain)
        base = local.partition("+")[0]
        for sign in _IGNORED.get(domain, ""):
            base = base.replace(sign, "")
        return f"{base or local}@{domain}"

    @property
    def is_plain(self) -> bool:
        """Whether the address is its own probable mailbox: no tag and no ignored characters."""
        return self.canonical == self.probable_mailbox

    def digest(self, key: str) -> str:
        """HMAC-SHA-256 of the canonical form, in hex: identifies an address where it must not be kept.

        Addresses can be guessed, so an unkeyed hash of one is still personal data (EDPB 01/2025).
        """
        return hmac.digest(key.encode(), self.canonical.encode(), "sha256").hex()

    def digests(self, key: str) -> Digests:
        """Both under one key. The mailbox's prefix keeps them apart, because no address contains a line break."""
        probable = self.probable_mailbox
        address = self.digest(key)
        mailbox = hmac.digest(key.encode(), f"jawel/mailbox/v1\n{probable}".encode(), "sha256").hex()
        return Digests(address, mailbox, mailbox if probable == self.canonical else address)
