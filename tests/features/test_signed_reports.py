"""Reports that a provider signs: what it has not signed changes nothing."""

import base64
import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests import sns as servers
from tests.features.conftest import OpenService
from tests.feedback_samples import posted, sample
from tests.providers import CHANNELS, SECRET, about, post, weekly
from tests.service import ADA, Service, everything


@pytest.fixture
def service(open_service: OpenService) -> Service:
    return open_service(feedback=CHANNELS)


def test_amazon_reports_by_way_of_a_topic(
    open_service: OpenService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service(feedback=replace(CHANNELS, ses_topic=servers.TOPIC))
    service.subscribe()
    letter = service.letter()
    with servers.running(tmp_path, monkeypatch) as sns:
        sns.pages[f"/?Action=ConfirmSubscription&TopicArn={servers.TOPIC}&Token=2336412f37fb687f"] = b"<Confirmed/>"
        plain = {"content_type": "text/plain; charset=UTF-8"}
        asked = post(service, "ses", servers.body(sns.subscription_confirmation()), **plain)
        assert (asked.status_code, asked.json) == (200, {"reports": 0})
        assert sns.asked[-1].startswith("/?Action=ConfirmSubscription")

        # Without the original headers, and of somebody else's address: the envelope sender alone leads to the letter.
        bounce = about(letter, sample("ses/hard_bounce-suppressed")).replace(ADA, "list@example.net")
        genuine = sns.notification(bounce, SignatureVersion="2")
        forged = {**genuine, "Message": genuine["Message"].replace("2026", "2027")}
        before = everything(service)
        assert post(service, "ses", servers.body(forged), **plain).status_code == 403
        assert everything(service) == before
        assert weekly(service)["status"] == "pending"

        assert post(service, "ses", servers.body(genuine), **plain).status_code == 200
        assert weekly(service)["status"] == "bounced"
        assert weekly(service)["confirmation_mail"]["state"] == "bounced"
        before = everything(service)
        assert post(service, "ses", servers.body(genuine), **plain).status_code == 200
        assert everything(service) == before


def test_amazon_is_to_post_again_while_its_certificate_is_out_of_reach(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.running(tmp_path, monkeypatch) as sns:
        message = sns.notification(sample("ses/hard_bounce").filled_in())
        sns.pages.clear()
        answer = post(service, "ses", servers.body(message))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_with_the_key_of_mailgun_what_it_has_not_signed_changes_nothing(open_service: OpenService) -> None:
    service = open_service(feedback=replace(CHANNELS, mailgun_signing_key="the key of mailgun"))
    letter = service.confirmed()
    body = about(letter, sample("mailgun/complaint"))
    before = everything(service)
    assert post(service, "mailgun", body).status_code == 403
    assert everything(service) == before
    block = json.loads(body)["signature"]
    signature = hmac.digest(b"the key of mailgun", (block["timestamp"] + block["token"]).encode(), "sha256").hex()
    assert post(service, "mailgun", body.replace("SIGNATURE", signature)).status_code == 200
    assert weekly(service)["status"] == "complained"


def test_with_the_key_of_mandrill_what_it_has_not_signed_changes_nothing(open_service: OpenService) -> None:
    service = open_service(feedback=replace(CHANNELS, mandrill_webhook_key="the key of mandrill"))
    service.confirmed()
    events = sample("mandrill/complaint").filled_in()
    before = everything(service)
    assert post(service, "mandrill", posted("mandrill", events)).status_code == 403
    assert everything(service) == before
    signed = f"https://subscribe.example.org/feedback/mandrill/{SECRET}mandrill_events{events}"
    signature = base64.b64encode(hmac.digest(b"the key of mandrill", signed.encode(), "sha1")).decode()
    headers = {"X-Mandrill-Signature": signature}
    form = {"content_type": "application/x-www-form-urlencoded"}
    answer = post(service, "mandrill", posted("mandrill", events), headers=headers, **form)
    assert (answer.status_code, answer.json) == (200, {"reports": 1})
    assert weekly(service)["status"] == "complained"


def test_with_the_key_of_sendgrid_what_it_has_not_signed_changes_nothing(open_service: OpenService) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    service = open_service(feedback=replace(CHANNELS, sendgrid_public_key=base64.b64encode(der).decode()))
    letter = service.confirmed()
    body = about(letter, sample("sendgrid/complaint")).encode()
    signature = base64.b64encode(key.sign(b"1795186434" + body, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": "1795186434",
    }
    before = everything(service)
    assert post(service, "sendgrid", body).status_code == 403
    assert post(service, "sendgrid", body + b"\n", headers=headers).status_code == 403
    assert everything(service) == before
    assert post(service, "sendgrid", body, headers=headers).status_code == 200
    assert weekly(service)["status"] == "complained"
