"""The controller and its newsletters, as validated values.

Read from the structure of the catalogue file (`[[newsletter]]` tables), which is also what the database stores. Each
error is a `Problem` with the path of the key; all of them are collected before the file is rejected.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.utils import parseaddr
from functools import cached_property

from app.errors import JawelError

LANGUAGES = ("nl", "fr", "de", "en")
EEA = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
        "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip
"""The 27 states of the Union, and Iceland, Liechtenstein and Norway, where the GDPR is in force too."""
TRACES_KEPT_FOR = timedelta(days=30)
"""How long traces of an unconfirmed or declined request are kept, without the address."""


@dataclass(frozen=True, slots=True)
class Processor:
    """Who processes data on the controller's behalf (GDPR Art. 4(8))."""

    name: str
    role: Mapping[str, str]
    """By language: what they do."""
    country: str
    """ISO 3166-1 alpha-2."""
    contract: date | None
    """The day of the contract (GDPR Art. 28(3))."""
    safeguard: Mapping[str, str]
    """By language: the ground of a transfer to a country outside the EEA (GDPR Art. 45, 46). May be empty."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The controller (GDPR Art. 4(7)), as notices and letters name it."""

    name: str
    address: str
    email: str
    url: str
    jurisdiction: str
    authority: str
    representative: str | None
    """Representative in the Union of a controller outside it (GDPR Art. 27)."""
    dpo: str | None
    """How to reach the data protection officer (GDPR Art. 37)."""
    recipients: Mapping[str, tuple[str, ...]]
    """By language; empty if the controller has named none."""
    transfers: Mapping[str, str]
    """By language: the countries outside the EEA and the safeguard, or that there are none. Empty: nothing is said."""
    tracking: Mapping[str, str]
    """By language: what the program that sends the newsletters measures. Empty: nothing is said."""
    processors: tuple[Processor, ...] = ()

    @property
    def identity(self) -> str:
        """Who asks for consent (GDPR recital 42), in the form of RFC 8785. Evidence cites it by its SHA-256."""
        known = {name: getattr(self, name) for name in _IDENTITY}
        given = {name: value for name, value in known.items() if value}
        return json.dumps(given, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


_IDENTITY = ("name", "address", "email", "url", "jurisdiction", "representative", "dpo")


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of a newsletter in one language."""

    title: str
    purpose: str
    consent: str


@dataclass(frozen=True)
class Newsletter:
    slug: str
    sender: str
    languages: tuple[str, ...]
    frequency: str
    allowed_origins: tuple[str, ...]
    redirects: tuple[str, ...]
    confirmed_redirect: str | None
    confirm_within: timedelta
    purge_pending_after: timedelta
    """Counted from when the link stopped working."""
    keep_evidence: timedelta
    """Counted from the withdrawal."""
    acknowledge_unsubscribe: bool
    proof_of_work: str
    """`never`, `when attacked`, `always`."""
    role_addresses: str
    """`accept`, or `ignore`: addresses such as abuse@ and postmaster@, which are no person's own, get no mail."""
    disposable_domains: str
    """`accept`, or `ignore`: disposable addresses get no mail."""
    reply_to: str | None
    provider_lists: tuple[str, ...]
    """Its lists at mail providers, such as `sendgrid/10`: to leave one is to leave the newsletter."""
    title: Mapping[str, str]
    purpose: Mapping[str, str]
    consent: Mapping[str, str]
    is_retired: bool = False
    notices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By language, the SHA-256 of each privacy notice that people were shown, newest first."""
    asked_by: str | None = None
    """SHA-256 of the controller's identity."""

    def language_for(self, preferred: Sequence[str]) -> str:
        """The first of the reader's languages that the newsletter supports, else its own first one."""
        spoken = (tag.partition("-")[0].lower() for tag in preferred)
        return next((language for language in spoken if language in self.languages), self.languages[0])

    def words(self, preferred: Sequence[str]) -> Words:
        language = self.language_for(preferred)
        return Words(self.title[language], self.purpose[language], self.consent[language])

    def wording_digests(self, language: str) -> Mapping[str, str]:
        """SHA-256, in hex, of the exact words shown in one of the newsletter's languages, and of who asked.

        Without `notice` or `controller` if the catalogue was last applied before these were kept: a cited text must be
        stored.
        """
        return self._digests[language]

    @cached_property
    def _digests(self) -> dict[str, dict[str, str]]:
        return {
            language: {
                "title": sha256(self.title[language]),
                "purpose": sha256(self.purpose[language]),
                "consent": sha256(self.consent[language]),
                **({"notice": self.notices[language][0]} if language in self.notices else {}),
                **({"controller": self.asked_by} if self.asked_by else {}),
            }
            for language in self.languages
        }

    @cached_property
    def mailbox(self) -> str:
        """The address of the sender, without a name."""
        return parseaddr(self.sender)[1]

    @property
    def sender_domain(self) -> str:
        return self.sender.rpartition("@")[2].rstrip("> ")

    @property
    def list_id(self) -> str:
        """RFC 2919: a name for people, an identifier that never changes for programs."""
        return f"{self.slug} <{self.slug}.{self.sender_domain}>"

    def texts(self) -> Iterable[str]:
        for words in (self.title, self.purpose, self.consent):
            yield from words.values()


class CatalogueIsBehind(JawelError):
    """A row names a newsletter added after this process read the catalogue, which it rereads within a second."""


class BySlug(dict[str, Newsletter]):
    def __missing__(self, slug: str) -> Newsletter:
        raise CatalogueIsBehind(slug)


@dataclass(frozen=True)
class Catalogue:
    controller: Controller | None
    newsletters: Mapping[str, Newsletter] = field(default_factory=BySlug)
    """By slug; includes retired ones, whose subscribers can still leave."""
    attacked: frozenset[str] = frozenset()
    """Slugs of newsletters whose breaker had tripped when this was read."""

    def on_list(self, provider_list: str) -> list[str]:
        """The slugs of the newsletters that a list such as `sendgrid/10` belongs to."""
        return [slug for slug, each in self.newsletters.items() if provider_list in each.provider_lists]

    @cached_property
    def open(self) -> dict[str, Newsletter]:
        """Newsletters that take signups."""
        return {slug: each for slug, each in self.newsletters.items() if not each.is_retired}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
