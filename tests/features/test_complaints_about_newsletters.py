"""Complaints about newsletters that another tool sent: they are known by the List-Unsubscribe that the API gave it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from config import FeedbackChannels, Settings
from tests.commands import Jawel
from tests.engines import on_sqlite
from tests.service import ADA, Service

MAILBOX = "bounces@example.net"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, feedback=FeedbackChannels(MAILBOX, None, None, None, None))


def minted(service: Service) -> str:
    found = service.status()
    assert found
    return str(found["weekly"]["headers"]["List-Unsubscribe"])


def newsletter(unsubscribe: str) -> str:
    """As the provider passes it on, with addresses blotted out."""
    return (
        "Return-Path: <redacted@example.net>\nFrom: News <news@example.net>\nTo: redacted@redacted.invalid\n"
        f"Message-ID: <campaign.1@sender.example>\nList-Unsubscribe: {unsubscribe}\nSubject: Weekly letter\n\nHello\n"
    )


def report(kind: str, original: str, number: int = 1) -> bytes:
    return (
        f"From: feedback@provider.example\nTo: abuse@example.org\nMessage-ID: <{number}@provider.example>\n"
        "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        f"--b\nContent-Type: text/plain\n\nA report.\n\n--b\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: {kind}\nUser-Agent: Feedback/1.0\nVersion: 1\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{original}\n--b--\n"
    ).encode()


def jmrp(original: str) -> bytes:
    return (
        "From: staff@hotmail.example\nTo: abuse@example.org\nSubject: complaint about message from 192.0.2.1\n"
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
        f"X-HmXmrOriginalRecipient: redacted@hotmail.example\n{original}\n--b--\n"
    ).encode()


def status(service: Service) -> str:
    found = service.status()
    assert found
    return str(found["weekly"]["status"])


@pytest.mark.parametrize("shape", ["report", "jmrp"])
def test_a_complaint_about_a_newsletter_ends_it_and_nobody_is_asked_again(
    service: Service, jawel: Jawel, shape: str
) -> None:
    service.confirmed()
    original = newsletter(minted(service))
    mail = report("abuse", original) if shape == "report" else jmrp(original)
    assert jawel.fed(mail, "feedback").exit_code == 0
    assert status(service) == "complained"
    service.subscribe()
    assert service.deliver() == []
    assert '"repeated"' in jawel.fed(mail, "feedback").stdout


@on_sqlite
@pytest.mark.parametrize(
    "kept",
    [
        lambda header: header.partition(", <mailto:")[0],
        lambda header: "<mailto:" + header.partition("<mailto:")[2],
        lambda header: header.replace("127.0.0.1", "redacted.invalid").replace("localhost", "redacted.invalid"),
        lambda header: header.replace("/unsubscribe/", "/unsubscribe/\n "),
    ],
    ids=["the link alone", "the address alone", "another host", "folded"],
)
def test_either_half_of_the_header_is_enough(service: Service, jawel: Jawel, kept: Callable[[str], str]) -> None:
    service.confirmed()
    jawel.fed(report("abuse", newsletter(kept(minted(service)))), "feedback")
    assert status(service) == "complained"


@on_sqlite
def test_a_link_that_a_limited_key_was_handed_is_known_too(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    found = service.get(f"/api/v1/subscribers/{ADA}", headers=service.key(newsletters=["weekly"])).get_json()
    (subscription,) = found["subscriptions"]
    jawel.fed(report("abuse", newsletter(subscription["headers"]["List-Unsubscribe"])), "feedback")
    assert status(service) == "complained"


@on_sqlite
def test_an_opt_out_leaves_that_newsletter(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    jawel.fed(report("opt-out", newsletter(minted(service))), "feedback")
    assert status(service) == "unsubscribed"


@on_sqlite
@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "virus"])
def test_what_is_no_complaint_changes_nothing(service: Service, jawel: Jawel, kind: str) -> None:
    service.confirmed()
    jawel.fed(report(kind, newsletter(minted(service))), "feedback")
    assert status(service) == "confirmed"


@on_sqlite
def test_a_forged_link_changes_nothing(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    header = minted(service)
    token = header.partition("/unsubscribe/")[2].partition(">")[0]
    forged = header.replace(token, token[:-8] + "aaaaaaaa").partition(", <mailto:")[0]
    jawel.fed(report("abuse", newsletter(forged)), "feedback")
    assert status(service) == "confirmed"


@on_sqlite
def test_a_newsletter_that_bounces_is_no_complaint(service: Service, jawel: Jawel) -> None:
    """Its envelope sender is another tool's, and so is the bounce."""
    service.confirmed()
    mail = report("abuse", newsletter(minted(service))).replace(b"feedback-report", b"delivery-status")
    jawel.fed(mail.replace(b"From: feedback@", b"From: MAILER-DAEMON@"), "feedback")
    assert status(service) == "confirmed"
