"""Signup forms: what the page shows, what is answered to one without the work, and what the evidence says of it."""

import json
import re
from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from tests.service import ADA, BROWSER, Service

EVE = "eve@example.org"
NOW = "2026-11-23 20:00:00+00:00"
READ = timedelta(seconds=3)
"""What it takes to fill in a form."""


def rendered(page: TestResponse) -> str:
    (token,) = re.findall('<input type="hidden" name="rendered" value="([a-z0-9]+)">', page.text)
    return str(token)


def opened(service: Service, path: str = "/newsletters/weekly") -> str:
    """The token of our own page, opened just now."""
    return rendered(service.get(f"{path}?language=en", headers=BROWSER))


def checks(service: Service) -> list[dict[str, Any]]:
    found = service.rows(
        "SELECT evidence FROM consent_events WHERE type = 'subscription.requested' ORDER BY occurred_at"
    )
    return [json.loads(row.evidence)["checks"] for row in found]


def unproven(service: Service) -> list[bool]:
    return [bool(row.is_unproven) for row in service.rows("SELECT is_unproven FROM letters ORDER BY due_at")]


def errors(answer: TestResponse) -> dict[str, list[str]]:
    assert answer.status_code == 422, answer.text
    return dict(answer.get_json()["errors"])


def assert_asks_once_more(answer: TestResponse, email: str = ADA) -> None:
    """Our own page, with what was typed, and one sentence."""
    assert answer.status_code == 422
    assert f'value="{email}"' in answer.text
    (told,) = re.findall(r'<div class="problem" role="alert".*?</div>', answer.text, re.DOTALL)
    assert told.count("<p>") == 1
    assert "press the button once more." in told
    assert "jawel-signup.js" in answer.text
