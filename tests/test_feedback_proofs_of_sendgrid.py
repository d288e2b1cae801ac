"""How SendGrid proves that a post is its own: by a signature over the time and the body."""

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.feedback.providers.post import Forged
from config import FeedbackChannels
from tests.feedback_samples import sample
from tests.proofs import CHANNELS, read


@pytest.fixture(scope="module")
def sendgrid_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def with_sendgrid(key: ec.EllipticCurvePrivateKey) -> FeedbackChannels:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return replace(CHANNELS, sendgrid_public_key=base64.b64encode(der).decode())


def signed_by_sendgrid(key: ec.EllipticCurvePrivateKey, body: bytes) -> dict[str, str]:
    signature = key.sign(b"1795186434" + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": "1795186434",
    }


def test_sendgrid_signs_the_body_as_it_came(sendgrid_key: ec.EllipticCurvePrivateKey) -> None:
    body = sample("sendgrid/hard_bounce").filled_in().encode()
    headers = signed_by_sendgrid(sendgrid_key, body)
    ours = with_sendgrid(sendgrid_key)
    assert read("sendgrid", body, headers, ours)
    for other in (body + b" ", body.replace(b"ada@", b"eve@")):
        with pytest.raises(Forged):
            read("sendgrid", other, headers, ours)


def test_nobody_else_can(sendgrid_key: ec.EllipticCurvePrivateKey) -> None:
    body = sample("sendgrid/hard_bounce").filled_in().encode()
    genuine = signed_by_sendgrid(sendgrid_key, body)
    ours = with_sendgrid(sendgrid_key)
    forgeries: list[dict[str, str]] = [
        {},
        signed_by_sendgrid(ec.generate_private_key(ec.SECP256R1()), body),
        *({**genuine, name: value} for name in genuine for value in ("", "1", "not base64 \u00e9")),
    ]
    for headers in forgeries:
        with pytest.raises(Forged):
            read("sendgrid", body, headers, ours)


def test_where_no_key_of_sendgrid_is_set_the_secret_path_is_proof_enough() -> None:
    assert read("sendgrid", sample("sendgrid/hard_bounce").filled_in().encode())
