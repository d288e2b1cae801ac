"""How Resend proves that a post is its own: by a signature over an id, the time and the body, as Svix makes it."""

import base64
import hmac
from dataclasses import replace

import pytest

from app.feedback.providers.post import Forged
from tests.feedback_samples import sample
from tests.proofs import CHANNELS, read

KEY = b"a key of 24 random bytes"
WITH_RESEND = replace(CHANNELS, resend_signing_secret=f"whsec_{base64.b64encode(KEY).decode()}")
BODY = sample("resend/hard_bounce").filled_in().encode()


def signature(body: bytes = BODY, key: bytes = KEY) -> str:
    return base64.b64encode(hmac.digest(key, b"msg_1.1795186434." + body, "sha256")).decode()


def headers(signatures: str) -> dict[str, str]:
    return {"svix-id": "msg_1", "svix-timestamp": "1795186434", "svix-signature": signatures}


def test_resend_signs_the_body_as_it_came() -> None:
    assert read("resend", BODY, headers(f"v1,{signature()}"), WITH_RESEND)


def test_while_a_secret_is_exchanged_one_of_the_signatures_fits() -> None:
    both = f"v1,{signature(key=b'the one before')} v1,{signature()}"
    assert read("resend", BODY, headers(both), WITH_RESEND)


@pytest.mark.parametrize(
    "different",
    [
        {"svix-signature": ""},
        {"svix-signature": "v1,\u00e9"},
        {"svix-signature": signature()},
        {"svix-signature": f"v2,{signature()}"},
        {"svix-signature": f"v1,{signature(key=b'another')}"},
        {"svix-signature": f"v1,{signature(BODY + b' ')}"},
        {"svix-id": "msg_2"},
        {"svix-timestamp": "1795186435"},
    ],
)
def test_nobody_else_can(different: dict[str, str]) -> None:
    with pytest.raises(Forged):
        read("resend", BODY, headers(f"v1,{signature()}") | different, WITH_RESEND)


def test_without_its_headers_it_is_nobody_s() -> None:
    with pytest.raises(Forged):
        read("resend", BODY, {}, WITH_RESEND)


def test_where_no_secret_is_set_the_secret_path_is_proof_enough() -> None:
    assert read("resend", BODY)
