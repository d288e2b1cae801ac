"""Consent receipts: what they say, to whom, in which form."""

import json
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.test import TestResponse

from app.keys import Scope
from tests.commands import ROOT
from tests.service import Service

SCHEMA = Draft202012Validator(
    json.loads((ROOT / "docs/receipt.schema.json").read_text(encoding="utf-8")), format_checker=FormatChecker()
)


def subscription(service: Service, newsletter: str = "weekly") -> str:
    (row,) = service.rows(f"SELECT DISTINCT subscription_id FROM consent_events WHERE newsletter = '{newsletter}'")
    return str(row.subscription_id)


def ask(service: Service, identity: str, accept: str = "application/json") -> TestResponse:
    headers = {**service.key(Scope.RECEIPTS_READ), "Accept": accept}
    return service.get(f"/api/v1/subscriptions/{identity}/receipt", headers=headers)


def receipt_text(service: Service, newsletter: str = "weekly") -> str:
    """The controller's, once all is sealed; of whatever shape the schema says."""
    service.deliver()
    answer = ask(service, subscription(service, newsletter))
    assert answer.status_code == 200
    SCHEMA.validate(answer.get_json())
    return answer.text


def receipt(service: Service, newsletter: str = "weekly") -> dict[str, Any]:
    return dict(json.loads(receipt_text(service, newsletter)))
