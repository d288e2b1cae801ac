"""How Amazon SNS and Mailgun prove that a post is theirs, and that nothing else will do."""

import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.feedback.providers.post import Forged, ProofOutOfReach
from tests import sns as servers
from tests.feedback_samples import sample
from tests.proofs import CHANNELS, read
from tests.sns import DAY, HOST, TOPIC, Sns

ANOTHER = "arn:aws:sns:eu-west-1:999999999999:bounces"


@pytest.fixture
def sns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sns]:
    with servers.running(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def bounce() -> str:
    return sample("ses/hard_bounce").filled_in()


# Amazon SNS


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_message_that_sns_has_signed_is_read(sns: Sns, version: str) -> None:
    message = sns.notification(bounce(), SignatureVersion=version)
    assert [report.code for report in read("ses", servers.body(message))] == ["5.1.1"]


def test_a_subject_is_signed_where_there_is_one(sns: Sns) -> None:
    message = sns.notification(bounce(), Subject="Amazon SES Email Event Notification")
    assert read("ses", servers.body(message))
    with pytest.raises(Forged):
        read("ses", servers.body({**message, "Subject": "Another"}))


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "TopicArn", "SignatureVersion", "Signature"])
def test_a_message_that_was_changed_on_its_way_is_forged(sns: Sns, name: str) -> None:
    message = sns.notification(bounce())
    with pytest.raises(Forged):
        read("ses", servers.body({**message, name: "2" if name == "SignatureVersion" else message[name] + "0"}))


def test_a_message_without_a_signature_is_forged(sns: Sns) -> None:
    message = sns.notification(bounce())
    for name in message:
        with pytest.raises(Forged):
            read("ses", servers.body({key: value for key, value in message.items() if key != name}))
    with pytest.raises(Forged):
        read("ses", bounce().encode())


def test_a_certificate_is_fetched_once(sns: Sns) -> None:
    url = sns.certificate()
    for _again in range(3):
        assert read("ses", servers.body(sns.notification(bounce(), SigningCertURL=url)))
    assert len(sns.asked) == 1


@pytest.mark.parametrize("name", ["sns-signing.me-south-1.amazonaws.com", "sns-cn-north-1.amazonaws.com.cn"])
def test_some_regions_sign_by_another_name(sns: Sns, name: str) -> None:
    assert read("ses", servers.body(sns.notification(bounce(), SigningCertURL=sns.certificate(name))))


@pytest.mark.parametrize(
    "name", ["s3.amazonaws.com", "sns.amazonaws.com.example.org", "sns.example.org", "*.amazonaws.com"]
)
def test_a_certificate_for_another_name_is_none_of_sns(sns: Sns, name: str) -> None:
    with pytest.raises(Forged):
        read("ses", servers.body(sns.notification(bounce(), SigningCertURL=sns.certificate(name))))


def test_a_certificate_that_is_out_of_date_is_none_either(sns: Sns) -> None:
    with pytest.raises(Forged):
        read("ses", servers.body(sns.notification(bounce(), SigningCertURL=sns.certificate(until=-DAY))))


HOSTILE = [
    "",
    "https://example.org/SimpleNotificationService-0123456789abcdef.pem",
    f"http://{HOST}/SimpleNotificationService-0123456789abcdef.pem",
    f"https://{HOST}:8443/SimpleNotificationService-0123456789abcdef.pem",
    f"https://{HOST}.example.org/SimpleNotificationService-0123456789abcdef.pem",
    f"https://{HOST}@example.org/SimpleNotificationService-0123456789abcdef.pem",
    f"https://user@{HOST}/SimpleNotificationService-0123456789abcdef.pem",
    f"https://example.org#{HOST}/SimpleNotificationService-0123456789abcdef.pem",
    f"https://example.org\\@{HOST}/SimpleNotificationService-0123456789abcdef.pem",
    f"https://{HOST}/../SimpleNotificationService-0123456789abcdef.pem",
    f"https://{HOST}/bucket/SimpleNotificationService-0123456789abcdef.pem",
    f"https://{HOST}/SimpleNotificationService-0123456789abcdef.pem?x=1",
    f"https://{HOST}/SimpleNotificationService-0123456789abcdef.pem\n",
    f"https://{HOST}\t/SimpleNotificationService-0123456789abcdef.pem",
    "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem",
    "https://evil.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    "https://sns.evil.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    "https://snsxeu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    "https://sns.\uff45u-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    "https://127.0.0.1/SimpleNotificationService-0123456789abcdef.pem",
    "https://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_nothing_is_fetched_from_anywhere_but_sns(sns: Sns, url: str) -> None:
    with pytest.raises(Forged):
        read("ses", servers.body(sns.notification(bounce(), SigningCertURL=url)))
    assert sns.asked == []


def test_nor_by_way_of_a_redirect(sns: Sns) -> None:
    url, elsewhere = sns.certificate(), sns.certificate()
    sns.redirect = elsewhere
    with pytest.raises(ProofOutOfReach):
        read("ses", servers.body(sns.notification(bounce(), SigningCertURL=url)))
    assert len(sns.asked) == 1


def test_nor_from_a_server_that_only_says_it_is_sns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        servers.running(tmp_path, monkeypatch, name="elsewhere.example.org") as impostor,
        pytest.raises(ProofOutOfReach),
    ):
        read("ses", servers.body(impostor.notification(bounce())))
    assert impostor.asked == []


@pytest.mark.parametrize(("content", "error"), [(b"x" * 70_000, ProofOutOfReach), (b"no certificate", Forged)])
def test_nor_is_anything_else_taken_for_a_certificate(sns: Sns, content: bytes, error: type[Exception]) -> None:
    url = sns.certificate()
    sns.pages[url.removeprefix(f"https://{HOST}")] = content
    with pytest.raises(error):
        read("ses", servers.body(sns.notification(bounce(), SigningCertURL=url)))


def test_a_certificate_that_cannot_be_fetched_now_is_asked_for_again(sns: Sns) -> None:
    url = sns.certificate()
    path = url.removeprefix(f"https://{HOST}")
    kept = sns.pages.pop(path)
    message = servers.body(sns.notification(bounce(), SigningCertURL=url))
    with pytest.raises(ProofOutOfReach):
        read("ses", message)
    sns.pages[path] = kept
    assert read("ses", message)


def test_another_topic_is_refused_before_anything_is_fetched(sns: Sns) -> None:
    ours = replace(CHANNELS, ses_topic=TOPIC)
    assert read("ses", servers.body(sns.notification(bounce())), channels=ours)
    asked = len(sns.asked)
    with pytest.raises(Forged):
        read("ses", servers.body(sns.notification(bounce(), TopicArn=ANOTHER)), channels=ours)
    assert len(sns.asked) == asked


def test_a_topic_that_asks_is_confirmed(sns: Sns) -> None:
    sns.pages[f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f"] = b"<ConfirmSubscription/>"
    assert read("ses", servers.body(sns.subscription_confirmation())) == []
    assert [path for path in sns.asked if "ConfirmSubscription" in path]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/?Action=ConfirmSubscription&Token=1",
        f"https://{HOST}:8443/?Action=ConfirmSubscription&Token=1",
        f"https://{HOST}/?Action=DeleteTopic&Action=ConfirmSubscription",
        f"https://{HOST}@example.org/?Action=ConfirmSubscription&Token=1",
        f"http://{HOST}/?Action=ConfirmSubscription&Token=1",
    ],
)
def test_a_topic_that_wants_to_be_confirmed_elsewhere_is_not(sns: Sns, url: str, logs: list[EventDict]) -> None:
    assert read("ses", servers.body(sns.subscription_confirmation(SubscribeURL=url))) == []
    assert not [path for path in sns.asked if "Confirm" in path]
    assert [(line["event"], line["topic"]) for line in logs] == [("feedback.topic_to_be_confirmed_by_hand", TOPIC)]


def test_nobody_else_s_topic_is_confirmed(sns: Sns) -> None:
    message = sns.subscription_confirmation(TopicArn=ANOTHER)
    with pytest.raises(Forged):
        read("ses", servers.body(message), channels=replace(CHANNELS, ses_topic=TOPIC))
    with pytest.raises(Forged):
        read("ses", servers.body({**message, "TopicArn": TOPIC}), channels=replace(CHANNELS, ses_topic=TOPIC))
    assert not [path for path in sns.asked if "Confirm" in path]


def test_that_a_topic_ends_is_no_report(sns: Sns) -> None:
    assert read("ses", servers.body(sns.subscription_confirmation(Type="UnsubscribeConfirmation"))) == []
    assert not [path for path in sns.asked if "Confirm" in path]


# Mailgun

SIGNING_KEY = "key-of-mailgun-for-tests"
WITH_MAILGUN = replace(CHANNELS, mailgun_signing_key=SIGNING_KEY)


def from_mailgun(key: str = SIGNING_KEY, **different: str) -> bytes:
    posted = json.loads(sample("mailgun/hard_bounce").filled_in())
    block = posted["signature"]
    block["signature"] = hmac.digest(key.encode(), (block["timestamp"] + block["token"]).encode(), "sha256").hex()
    block.update(different)
    return json.dumps(posted).encode()


def test_mailgun_signs_with_its_key() -> None:
    assert read("mailgun", from_mailgun(), channels=WITH_MAILGUN)


def test_mailgun_signs_for_a_subaccount_with_the_key_of_the_account_beside() -> None:
    (fits,) = (json.loads(from_mailgun())["signature"]["signature"],)
    posted = from_mailgun(key="the subaccount's", **{"parent-signature": fits})
    assert read("mailgun", posted, channels=WITH_MAILGUN)


@pytest.mark.parametrize(
    "different", [{"signature": "0" * 64}, {"token": "1" * 50}, {"timestamp": "1"}, {"signature": "é"}, {"token": ""}]
)
def test_without_the_key_nobody_can(different: dict[str, str]) -> None:
    with pytest.raises(Forged):
        read("mailgun", from_mailgun(**different), channels=WITH_MAILGUN)
    with pytest.raises(Forged):
        read("mailgun", sample("mailgun/hard_bounce").filled_in().encode(), channels=WITH_MAILGUN)


def test_a_text_that_has_no_utf8_is_as_wrong_as_any_other(sns: Sns) -> None:
    with pytest.raises(Forged):
        read("mailgun", from_mailgun(token="\ud800"), channels=WITH_MAILGUN)
    with pytest.raises(Forged):
        read("mailgun", from_mailgun().replace(b'"signature": "', b'"signature": "\\ud800'), channels=WITH_MAILGUN)
    with pytest.raises(Forged):
        read("ses", servers.body({**sns.notification(bounce()), "Message": "\ud800"}))


def test_where_no_key_is_set_the_secret_path_is_proof_enough() -> None:
    assert read("mailgun", sample("mailgun/hard_bounce").filled_in().encode())
