"""How Mandrill proves that a post is its own: by a signature over the URL of the webhook and the fields of the form."""

import base64
import hmac
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from app.feedback.providers.post import Forged
from tests.feedback_samples import posted, sample
from tests.proofs import CHANNELS, URL, read

KEY = "key-of-the-webhook-for-tests"
WITH_MANDRILL = replace(CHANNELS, mandrill_webhook_key=KEY)
EVENTS = sample("mandrill/hard_bounce").filled_in()
BODY = posted("mandrill", EVENTS).encode()


def signed(text: str, key: str = KEY) -> dict[str, str]:
    return {"X-Mandrill-Signature": base64.b64encode(hmac.digest(key.encode(), text.encode(), "sha1")).decode()}


GENUINE = signed(f"{URL}mandrill_events{EVENTS}")


def test_mandrill_signs_the_url_and_the_fields() -> None:
    assert read("mandrill", BODY, GENUINE, WITH_MANDRILL)


def test_the_fields_are_signed_by_name() -> None:
    body = urlencode({"mandrill_events": EVENTS, "a": "first"}).encode()
    assert read("mandrill", body, signed(f"{URL}afirstmandrill_events{EVENTS}"), WITH_MANDRILL)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Mandrill-Signature": ""},
        {"X-Mandrill-Signature": "\u00e9"},
        signed(f"{URL}mandrill_events{EVENTS}", key="another"),
        signed(f"https://elsewhere.example.org/mandrill_events{EVENTS}"),
        signed(f"{URL}mandrill_events[]"),
    ],
)
def test_nobody_else_can(headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        read("mandrill", BODY, headers, WITH_MANDRILL)


def test_where_no_key_is_set_the_secret_path_is_proof_enough() -> None:
    assert read("mandrill", BODY)
