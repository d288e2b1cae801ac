"""Leaving by a mail to the signed unsubscribe address: who asks for it, and which programs only answer."""

from dataclasses import replace

import pytest

from config import FeedbackChannels, Settings
from tests.commands import Jawel
from tests.engines import on_sqlite
from tests.service import ADA, Service

MAILBOX = "bounces@example.net"
APPLE = "X-Apple-Unsubscribe: true\nAuto-Submitted: auto-replied\nSubject: unsubscribe"
REQUESTS = {
    "Apple Mail": APPLE,
    "Apple Mail, of before": "Auto-Submitted: auto-replied\nSubject: unsubscribe",
    "Apple Mail, generated": "Auto-Submitted: auto-generated\nSubject: Unsubscribe",
    "Gmail": "Subject: unsubscribe\nX-Gm-Message-State: abc",
    "a provider's button": "Auto-Submitted: no\nSubject: unsubscribe",
    "a person": "Subject: please stop\nUser-Agent: Mail 1.0",
    "a person without a word": "",
}
ANSWERS = {
    "an absence": "Auto-Submitted: auto-replied\nSubject: Out of office",
    "an absence with a null sender": "Return-Path: <>\nAuto-Submitted: auto-replied\nSubject: unsubscribe",
    "an absence of Exchange": "X-Auto-Response-Suppress: All\nSubject: unsubscribe",
    "an absence of an old program": "Precedence: bulk\nSubject: unsubscribe",
    "an absence of a panel": "X-Autorespond: unsubscribe\nSubject: unsubscribe",
    "a challenge": "Precedence: junk\nAuto-Submitted: auto-replied\nSubject: unsubscribe",
    "a bounce": "From: MAILER-DAEMON@example.com\nSubject: unsubscribe",
    "a bounce in Apple's name": f"Return-Path: <>\n{APPLE}",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, feedback=FeedbackChannels(MAILBOX, None, None, None, None))


def mailed(service: Service, jawel: Jawel, head: str) -> str:
    """Their status after a mail with that head to the address that the API gives out."""
    service.confirmed()
    found = service.status()
    assert found
    to = str(found["weekly"]["headers"]["List-Unsubscribe"]).partition("mailto:")[2].partition("?")[0]
    author = "" if "From:" in head else f"From: {ADA}\n"
    mail = f"{author}To: {to}\nMessage-ID: <1@example.org>\n{head}".rstrip() + "\n\nBye.\n"
    assert jawel.fed(mail.encode(), "feedback").exit_code == 0
    found = service.status()
    assert found
    return str(found["weekly"]["status"])


@on_sqlite
@pytest.mark.parametrize("who", REQUESTS)
def test_whoever_asks_has_left(service: Service, jawel: Jawel, who: str) -> None:
    assert mailed(service, jawel, REQUESTS[who]) == "unsubscribed"


@on_sqlite
@pytest.mark.parametrize("who", ANSWERS)
def test_who_only_answers_has_not(service: Service, jawel: Jawel, who: str) -> None:
    assert mailed(service, jawel, ANSWERS[who]) == "confirmed"
