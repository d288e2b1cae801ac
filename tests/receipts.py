"""Receipts as the controller asks for them, what is wrong with them, and those that a holder of the key forges."""

import json
from typing import Any

import jsonschema_rs
from werkzeug.test import TestResponse

from app.api_keys import Scope
from app.ledger import verifier
from app.ledger.signing import LogSigner, sign
from app.ledger.verifier import Finding, Key
from tests.commands import ROOT
from tests.service import Service

SCHEMA = jsonschema_rs.validator_for(
    json.loads((ROOT / "docs/receipt.schema.json").read_text(encoding="utf-8")), validate_formats=True
)
KEY = Key.of("subscribe.example.org", bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"))
"""Of the seed that tests sign with: the bytes 0 to 31."""
SIGNER = LogSigner.of(KEY.name, bytes(range(32)))


def subscription(service: Service, newsletter: str = "weekly") -> str:
    (row,) = service.rows(f"SELECT DISTINCT subscription_id FROM consent_events WHERE newsletter = '{newsletter}'")
    return str(row.subscription_id)


def ask(service: Service, identity: str, accept: str = "application/json") -> TestResponse:
    headers = {**service.key(Scope.RECEIPTS_READ), "Accept": accept}
    return service.get(f"/api/v1/subscriptions/{identity}/receipt", headers=headers)


def receipt_text(service: Service, newsletter: str = "weekly") -> str:
    """The controller's, once all is sealed; of whatever shape the schema says."""
    service.work()
    answer = ask(service, subscription(service, newsletter))
    assert answer.status_code == 200
    SCHEMA.validate(answer.get_json())
    return answer.text


def receipt(service: Service, newsletter: str = "weekly") -> dict[str, Any]:
    return dict(json.loads(receipt_text(service, newsletter)))


def state(found: dict[str, Any]) -> tuple[str, list[str]]:
    """Where the consent stands, and where it stood after each event."""
    return found["record"]["consent_state"], [each["event_state"] for each in found["record"]["events"]]


def wrong(findings: list[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.holds is False]


def signed_anew(receipt: dict[str, Any]) -> str:
    """As only the holder of the log's own key could: a forger of another kind, whom the log must stop."""
    return json.dumps({**receipt, "signature": sign(verifier.receipt_text(receipt), [SIGNER])})
