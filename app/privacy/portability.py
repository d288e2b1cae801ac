"""Portability (GDPR Art. 20): the data about a person as a machine-readable file.

The same file covers Art. 15(1)(a) to (h) and (2): purposes, source, recipients, retention, rights. Invariant: within
one version of the format names may be added, but none changes its meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.consent import duration, timestamp
from app.newsletters import data_recipients
from app.newsletters.definitions import TRACES_KEPT_FOR, Catalogue, Controller, Newsletter
from app.privacy.access import Holdings

FORMAT = "jawel-personal-data/1"
RIGHTS = {
    "access": "GDPR Art. 15",
    "rectification": "GDPR Art. 16",
    "erasure": "GDPR Art. 17",
    "restriction": "GDPR Art. 18",
    "notification of recipients": "GDPR Art. 19",
    "portability": "GDPR Art. 20",
    "objection": "GDPR Art. 21",
    "withdrawal of consent": "GDPR Art. 7(3)",
    "complaint to a supervisory authority": "GDPR Art. 77",
}
CATEGORIES = (
    "e-mail address",
    "language",
    "subscriptions and what became of them",
    "evidence of consent: words, times, form, family of the browser, part of the client's address where that is kept",
    "letters sent: kind, state, times",
    "newsletters left, objections, mail budget, and what mail systems reported, under a keyed digest of the address",
)


@dataclass(frozen=True, slots=True)
class ExportIssue:
    """Inputs of one export besides the stored data."""

    created: datetime
    catalogue: Catalogue
    language: str
    """The person's."""


def build(holdings: Holdings, issue: ExportIssue) -> dict[str, Any]:
    parts = {name: [_plain(row) for row in rows] for name, rows in holdings.parts.items()}
    return {
        "format": FORMAT,
        "created": timestamp(issue.created),
        "about": _about(holdings, issue),
        "digests": dict(holdings.digests),
        **parts,
        "wordings": [{"sha256": digest, "text": text} for digest, text in sorted(holdings.wordings.items())],
    }


def newsletters_of(holdings: Holdings, catalogue: Catalogue) -> list[Newsletter]:
    """Newsletters that any of the stored data refers to."""
    named = {row.get("newsletter") for rows in holdings.parts.values() for row in rows}
    return [each for slug, each in catalogue.newsletters.items() if slug in named]


def _about(holdings: Holdings, issue: ExportIssue) -> dict[str, Any]:
    controller, language = issue.catalogue.controller, issue.language
    assert controller is not None
    newsletters = newsletters_of(holdings, issue.catalogue)
    return {
        "controller": _controller(controller),
        "purposes": [_purpose(each, language) for each in newsletters],
        "categories": list(CATEGORIES),
        "recipients": list(data_recipients.recipients(controller, language)),
        "transfers_to_third_countries": list(data_recipients.transfers(controller, language)),
        "measured_by_newsletters": data_recipients.tracking(controller, language),
        "retention": {each.slug: _retention(each) for each in newsletters},
        "rights": RIGHTS,
        "complaint_to": {"authority": controller.authority, "jurisdiction": controller.jurisdiction},
        "source": {
            "from": "the person, or whoever filled in a form with the address",
            "forms": holdings.sources,
            "services": holdings.stated_sources,
        },
        "automated_decisions": False,
    }


def _controller(controller: Controller) -> dict[str, str | None]:
    return {
        "name": controller.name,
        "address": controller.address,
        "email": controller.email,
        "url": controller.url,
        "representative": controller.representative,
        "data_protection_officer": controller.dpo,
    }


def _purpose(newsletter: Newsletter, language: str) -> dict[str, str]:
    words = newsletter.words([language])
    return {
        "newsletter": newsletter.slug,
        "title": words.title,
        "purpose": words.purpose,
        "frequency": newsletter.frequency,
        "sender": newsletter.sender,
        "legal_basis": "consent, GDPR Art. 6(1)(a)",
        "legal_basis_of_evidence": "GDPR Art. 7(1), 17(3)(e)",
    }


def _retention(newsletter: Newsletter) -> dict[str, str]:
    return {
        "unconfirmed_request": duration(newsletter.confirm_within + newsletter.purge_pending_after),
        "its_evidence": duration(TRACES_KEPT_FOR),
        "subscription": "until it ends",
        "evidence_after_the_end": duration(newsletter.keep_evidence),
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return timestamp(value)
    return value.isoformat() if isinstance(value, date) else value
