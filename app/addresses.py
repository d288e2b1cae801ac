"""E-mail addresses: parsed once, written to as typed, compared in canonical form, shown masked.

Invariant: an `EmailAddress` that exists keeps to RFC 5321 and 6531 and is safe to put into a header.
"""

import hmac
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from app.errors import JawelError

REPLACEMENT = "\ufffd"
"""What decoding leaves of bytes that are not UTF-8, as from a form in Latin-1: the address behind it is lost."""


_ONE_PROVIDER = {"googlemail.com": "gmail.com", "protonmail.com": "proton.me", "pm.me": "proton.me"}
"""Domains under which a name is the same person's as under another."""
_IGNORED = {"gmail.com": ".", "proton.me": ".-_"}
"""What these providers pass over in a local part, as they say themselves."""


class InvalidAddress(JawelError):
    """The text is not an address that mail can be sent to. It is not repeated in the error: it may be personal."""


@dataclass(frozen=True, slots=True)
class Digests:
    """How an address is known where it must not be kept: by itself, and by the mailbox that it probably leads to."""

    address: str
    """`EmailAddress.digest`."""
    mailbox: str
    """The same for all addresses that probably lead to one mailbox; never equal to the digest of any address."""
    budget: str
    """Under which of the two the mail budget of the address is kept: one row for both of most addresses."""


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """`typed` is what goes on the envelope; `canonical` is what two spellings of one mailbox share."""

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
        """Of what was parsed before it was kept."""
        return cls(typed=typed, canonical=typed.lower())

    @staticmethod
    def canonical_of(text: str) -> str:
        """The canonical form of what may or may not be an address, for looking many of them up at once.

        Only an internationalised domain needs the parser; for plain ASCII lower case is all there is to it.
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
        """The same for all addresses that probably lead to one mailbox: to be counted together, never to be written to.

        Without a `+tag` (RFC 5233), and without what the provider ignores. A guess: there are servers on which a plus
        means nothing. So nobody is taken for the same subscriber because of it.
        """
        local, _, domain = self.canonical.rpartition("@")
        domain = _ONE_PROVIDER.get(domain, domain)
        base = local.partition("+")[0]
        for sign in _IGNORED.get(domain, ""):
            base = base.replace(sign, "")
        return f"{base or local}@{domain}"

    @property
    def is_plain(self) -> bool:
        """Whether this is what its probable mailbox is called by, with no tag and nothing that is passed over."""
        return self.canonical == self.probable_mailbox

    def digest(self, key: str) -> str:
        """HMAC-SHA-256 of the canonical form, in hex: how an address is known where it must not be kept.

        Addresses can be guessed, so an unkeyed hash of one is still personal data (EDPB 01/2025).
        """
        return hmac.digest(key.encode(), self.canonical.encode(), "sha256").hex()

    def digests(self, key: str) -> Digests:
        """Both under one key, and told apart by what is put before the mailbox: no address holds the end of a line."""
        probable = self.probable_mailbox
        address = self.digest(key)
        mailbox = hmac.digest(key.encode(), f"jawel/mailbox/v1\n{probable}".encode(), "sha256").hex()
        return Digests(address, mailbox, mailbox if probable == self.canonical else address)
