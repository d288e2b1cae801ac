"""The receipt as JSON: names of ISO/IEC TS 27560, states and terms of the W3C Data Privacy Vocabulary.

Data that the controller has not given, such as server locations, is an empty list, never a guess.
docs/receipt.schema.json defines each name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

from app.consent import duration, timestamp
from app.ledger.verifier import GIVEN, PROFILE, RENEWED, encode, standing, states
from app.links import Links
from app.newsletters import data_recipients
from app.newsletters.definitions import Catalogue, Controller, Newsletter
from app.receipts import parties
from app.receipts.history import Entry, History

SCHEMA_VERSION = "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
RIGHTS = ("A7-3", "A13", "A15", "A16", "A17", "A18", "A20", "A21", "A77")
"""GDPR articles, in the vocabulary's names. A7-3 is withdrawal."""

CONTEXT: Mapping[str, Any] = {
    "@vocab": "urn:jawel:receipt:",
    "jawel": "urn:jawel:",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "pd": "https://w3id.org/dpv/pd#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "schema_version": {"@id": "dct:conformsTo", "@type": "@id"},
    "receipt_id": "dct:identifier",
    "receipt_created": {"@id": "dct:created", "@type": "xsd:dateTime"},
    "record": "dpv:hasRecordOfActivity",
    "record_id": "dct:identifier",
    "language": "dct:language",
    "jurisdiction": "dpv:hasJurisdiction",
    "consent_state": {"@id": "dpv:hasConsentStatus", "@type": "@id"},
    "privacy_notice": "dpv:hasNotice",
    "purposes": "dpv:hasPurpose",
    "purpose_type": {"@id": "dct:type", "@type": "@id"},
    "lawful_basis": {"@id": "dpv:hasLegalBasis", "@type": "@id"},
    "pii_information": "dpv:hasPersonalData",
    "pii_type": {"@id": "dct:type", "@type": "@id"},
    "pii_controllers": "dpv:hasDataController",
    "retention_period": "dpv:hasStorageCondition",
    "recipient_third_parties": "dpv:hasRecipient",
    "event_state": {"@id": "dpv:hasConsentStatus", "@type": "@id"},
    "event_type": {"@id": "dct:type", "@type": "@id"},
    "event_time": {"@id": "dpv:isIndicatedAtTime", "@type": "xsd:dateTime"},
    "entity_id": "dpv:isIndicatedBy",
    "method": "dpv:hasIndicationMethod",
    "validity_duration": "dpv:hasDuration",
}


class Reader(Enum):
    """The receipt's reader: the controller has the address anyway, but PERSON omits it, because their link may leak."""

    CONTROLLER = auto()
    ONE_NEWSLETTER = auto()
    """On the controller's behalf, but without access to the person's other subscriptions."""
    PERSON = auto()


@dataclass(frozen=True, slots=True)
class ReceiptIssue:
    """Data of one receipt, besides the history that all receipts of the subscription share."""

    receipt_id: UUID
    created: datetime
    reader: Reader
    catalogue: Catalogue
    links: Links


def build(history: History, issue: ReceiptIssue) -> dict[str, Any]:
    """The receipt without its signature."""
    newsletter = issue.catalogue.newsletters[history.newsletter]
    controller = issue.catalogue.controller
    assert controller is not None
    return {
        "@context": CONTEXT,
        "@type": "dpv:ConsentReceipt",
        "schema_version": SCHEMA_VERSION,
        "profile": PROFILE,
        "receipt_id": str(issue.receipt_id),
        "receipt_created": timestamp(issue.created),
        "record": {
            "@type": "dpv:ConsentRecord",
            "record_id": str(history.subscription_id),
            **_principal(history, issue),
            **_asked(history, newsletter, issue),
            **_processing(newsletter, controller, history),
            **_rights(history, controller, issue),
            "events": _events(history),
            **parties.of(history.asked_by, controller),
        },
        "wordings": [{"sha256": digest, "text": text} for digest, text in sorted(history.wordings.items())],
        "log_keys": list(history.log_keys),
        "consistency_proofs": [
            {"from": each.older, "to": each.newer, "proof": [*map(encode, each.hashes)]} for each in history.growth
        ],
        "timestamp_tokens": [
            {"type": "rfc3161", "checkpoint": note, "token": encode(response)} for note, response in history.anchors
        ],
    }


def _principal(history: History, issue: ReceiptIssue) -> dict[str, Any]:
    person = history.resident
    shown = person if issue.reader is not Reader.PERSON else None
    return {
        "pii_principal_id": str(history.subscriber_id),
        "pii_principal_hint": person.address.masked if person else None,
        "pii_principal_email": shown.address.typed if shown else None,
        "address_commitment_key": shown.commitment_key if shown else None,
    }


def _asked(history: History, newsletter: Newsletter, issue: ReceiptIssue) -> dict[str, Any]:
    """The exact texts that the person was shown and agreed to."""
    basis = history.basis
    details = basis.details if basis else {}
    cited = details.get("wordings", {})
    language = details.get("language", history.language)
    state = standing(history.steps)
    shown = f"privacy/{newsletter.slug}/{cited['notice']}" if "notice" in cited else f"newsletters/{newsletter.slug}"
    return {
        "language": language,
        "consent_state": state,
        "service": history.wordings.get(cited.get("title", "")),
        "privacy_notice": {
            "language": language,
            "presented_at": timestamp(history.presented_at) if history.presented_at else None,
            # Evidence from before notices were kept cites the purpose as the information given to the person.
            "sha256": cited.get("notice", cited.get("purpose")),
            "url": f"{issue.links.public_url}/{shown}?language={language}",
        },
        "consent_text": {"sha256": cited.get("consent"), "text": history.wordings.get(cited.get("consent", ""))},
        "purposes": [
            {
                "id": newsletter.slug,
                "name": history.wordings.get(cited.get("purpose", "")),
                "purpose_type": "dpv:DirectMarketing",
                "channel": "email",
                "frequency": newsletter.frequency,
                "granted": state in (GIVEN, RENEWED),
                "control": details.get("control"),
            }
        ],
        "collection_method": f"{details.get('method', 'unknown')}, then double opt-in by e-mail",
    }


def _processing(newsletter: Newsletter, controller: Controller, history: History) -> dict[str, Any]:
    return {
        "jurisdiction": [(history.asked_by or {}).get("jurisdiction", controller.jurisdiction)],
        "applicable_law": ["Regulation (EU) 2016/679", "Directive 2002/58/EC, Art. 13"],
        "lawful_basis": "eu-gdpr:A6-1-a",
        "pii_information": [
            _pii("pd:EmailAddress", is_optional=False),
            _pii("pd:Language", is_optional=True),
        ],
        "processing_method": ["dpv:Store", "dpv:Use"],
        "automated_decision_making": False,
        "storage_locations": [],
        "processing_locations": [],
        "geographic_restrictions": [],
        "recipient_third_parties": list(data_recipients.named(controller, history.language)),
        "retention_period": {
            "active": "until withdrawal",
            "evidence_after_withdrawal": duration(newsletter.keep_evidence),
            "unconfirmed": duration(newsletter.confirm_within + newsletter.purge_pending_after),
            "reason": "GDPR Art. 7(1) and 17(3)(e)",
        },
    }


def _pii(kind: str, *, is_optional: bool) -> dict[str, Any]:
    return {
        "pii_type": kind,
        "pii_optional": is_optional,
        "sensitive_pii_category": False,
        "special_pii_category": False,
    }


def _rights(history: History, controller: Controller, issue: ReceiptIssue) -> dict[str, Any]:
    """Includes only links that still work."""
    links, is_about_one = issue.links, issue.reader is Reader.ONE_NEWSLETTER
    unsubscribe = links.unsubscribe_one if is_about_one else links.unsubscribe
    return {
        "withdrawal_method": {
            "url": unsubscribe(history.subscription_id) if history.person else None,
            "one_click": True,
        },
        "privacy_rights": {
            "url": links.preferences(history.subscriber_id) if history.person and not is_about_one else None,
            "contact": controller.email,
            "rights": [f"eu-gdpr:{article}" for article in RIGHTS],
        },
        "authority_party": "party:authority",
    }


def _events(history: History) -> list[dict[str, Any]]:
    found = zip(history.entries, states(history.steps), strict=True)
    return [_event(each, state) for each, state in found]


def _event(entry: Entry, state: str) -> dict[str, Any]:
    given = state in (GIVEN, RENEWED)
    return {
        "event_id": str(entry.id),
        "event_time": timestamp(entry.occurred_at),
        "event_state": state,
        "event_type": "dpv:ExplicitlyExpressedConsent" if given else "dpv:ExpressedConsent",
        "validity_duration": "until withdrawal" if given else None,
        "entity_id": entry.details.get("actor"),
        "method": entry.details.get("method"),
        "type": entry.type,
        "position": entry.proof.index if entry.proof else None,
        "evidence": entry.evidence,
        "salt": entry.salt,
        "evidence_hash": entry.evidence_hash,
        "tlog_proof": str(entry.proof) if entry.proof else None,
    }
