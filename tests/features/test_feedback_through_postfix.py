"""Mails that a real Postfix hands over by LMTP, once Jawel can store them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from config import FeedbackChannels, Settings
from tests import machine
from tests.commands import Jawel, eventually, free_port
from tests.engines import on_sqlite
from tests.lmtp import NOBODY, listening
from tests.postfix import running_postfix
from tests.returned_mails import returned
from tests.service import ADA, Service

pytestmark = on_sqlite


@pytest.fixture
def program() -> Path:
    if os.geteuid() != 0:
        machine.leave_out("the Postfix tests, as it starts for root alone. Remedy: run them as root")
    return machine.require(machine.POSTFIX)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, feedback=FeedbackChannels(NOBODY, None, None, None, None))


def status(service: Service) -> str:
    found = service.status()
    assert found
    return str(found["weekly"]["status"])


def test_a_bounce_comes_by_way_of_postfix(service: Service, jawel: Jawel, program: Path, tmp_path: Path) -> None:
    service.subscribe()
    letter = service.letter()
    mail = returned(letter).replace(letter.delivered.raw, b"")
    with (
        listening(jawel, tmp_path / "log") as lmtp,
        running_postfix(program, NOBODY, lmtp=lmtp.port, relay=service.mail.port) as postfix,
    ):
        postfix.accept(mail, letter.delivered.sender)
        eventually(lambda: status(service) == "bounced")
        eventually(lambda: postfix.waiting() == 0)
    assert [line["outcome"] for line in lmtp.lines()] == ["taken"]


def test_while_the_database_is_away_postfix_keeps_the_mail_and_bounces_nothing(
    service: Service, jawel: Jawel, program: Path, tmp_path: Path
) -> None:
    service.confirmed()
    found = service.status()
    assert found
    to = str(found["weekly"]["headers"]["List-Unsubscribe"]).partition("mailto:")[2].partition("?")[0]
    port, away = free_port(), replace(jawel, environment={**jawel.environment, "DATABASE_URL": "sqlite:////no/where"})
    with running_postfix(program, NOBODY, lmtp=port, relay=service.mail.port) as postfix:
        with listening(away, tmp_path / "away", port) as lmtp:
            postfix.accept(b"Subject: unsubscribe\r\n\r\n", to, sender=ADA)
            eventually(postfix.has_deferred)
        assert [line["event"] for line in lmtp.lines()] == ["feedback.postponed"]
        assert status(service) == "confirmed"
        before = len(service.mail.letters)
        with listening(jawel, tmp_path / "log", port):
            postfix.try_again()
            eventually(lambda: status(service) == "unsubscribed")
            eventually(lambda: postfix.waiting() == 0)
    assert len(service.mail.letters) == before
