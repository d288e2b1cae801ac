"""Consent receipts: what they say, to whom, in which form."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import rfc8785
import time_machine
from jsonschema import Draft202012Validator, FormatChecker
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.keys import Scope
from tests.commands import ROOT
from tests.service import ADA, BROWSER, COOL_DOWN, Service

SCHEMA = Draft202012Validator(
    json.loads((ROOT / "docs/receipt.schema.json").read_text(encoding="utf-8")), format_checker=FormatChecker()
)


def subscription(service: Service, newsletter: str = "weekly") -> str:
    (row,) = service.rows(f"SELECT DISTINCT subscription_id FROM consent_events WHERE newsletter = '{newsletter}'")
    return str(row.subscription_id)


def ask(service: Service, identity: str, accept: str = "application/json") -> TestResponse:
    headers = {**service.key(Scope.RECEIPTS_READ), "Accept": accept}
    return service.get(f"/api/v1/subscriptions/{identity}/receipt", headers=headers)


def receipt(service: Service) -> dict[str, Any]:
    """The controller's, once all is sealed; of whatever shape the schema says."""
    service.deliver()
    answer = ask(service, subscription(service))
    assert answer.status_code == 200
    SCHEMA.validate(answer.get_json())
    return dict(answer.get_json())


def test_it_tells_the_whole_story_in_the_exact_words(service: Service) -> None:
    service.confirmed(language="en")
    found = receipt(service)
    print(json.dumps(found, indent=1))
