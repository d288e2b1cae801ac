"""`jawel feedback`: one mail on standard input, as a mail server pipes it, and what the mail server is told."""

import json
import subprocess
import sys
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from app.feedback.parsers import limits
from app.feedback_mail import processor_time
from config import FeedbackChannels, Settings
from tests.commands import ROOT, Jawel
from tests.costly_mails import COSTLY
from tests.engines import on_sqlite
from tests.returned_mails import absence, complained, returned
from tests.service import ADA, Service

MAILBOX = "bounces@example.net"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, feedback=FeedbackChannels(MAILBOX, None, None, None, None))


def status(service: Service) -> str | None:
    found = service.status()
    return found["weekly"]["status"] if found else None


def lines(output: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_bounce_ends_what_was_pending_and_says_so_in_one_line(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    letter = service.letter()
    result = jawel.fed(returned(letter), "feedback")
    assert (result.exit_code, result.stderr) == (0, "")
    (line,) = lines(result.stdout)
    assert (line["event"], line["kind"], line["source"], line["outcome"]) == (
        "feedback.taken",
        "hard_bounce",
        "dsn",
        "taken",
    )
    assert status(service) == "bounced"
    assert service.post(letter.link).status_code == 410


def test_the_same_bounce_twice_is_one(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    letter = service.letter()
    for outcome in ("taken", "repeated"):
        (line,) = lines(jawel.fed(returned(letter), "feedback").stdout)
        assert line["outcome"] == outcome
    assert service.events().count("subscription.bounced") == 1


@on_sqlite
def test_the_envelope_recipient_is_believed_before_any_header(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    ada = service.letter()
    service.subscribe("grace@example.org")
    grace = service.letter()
    mail = returned(ada).replace(ada.delivered.raw, b"")
    assert jawel.fed(mail, "feedback", "--to", grace.delivered.sender).exit_code == 0
    assert status(service) == "pending"
    found = service.status("grace@example.org")
    assert found
    assert found["weekly"]["status"] == "bounced"


@on_sqlite
@pytest.mark.parametrize("header", ["X-Original-To", "Delivered-To", "Envelope-To"])
def test_else_a_header_tells_the_recipient(service: Service, jawel: Jawel, header: str) -> None:
    service.subscribe()
    letter = service.letter()
    mail = returned(letter).replace(letter.delivered.raw, b"").replace(letter.delivered.sender.encode(), b"list@x")
    jawel.fed(f"{header}: <{letter.delivered.sender}>\r\n".encode() + mail, "feedback")
    assert status(service) == "bounced"


@on_sqlite
def test_a_bounce_to_any_address_is_known_by_the_letter_that_it_returns(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    letter = service.letter()
    mail = returned(letter).replace(letter.delivered.sender.encode(), b"news@example.org")
    jawel.fed(mail, "feedback")
    assert status(service) == "bounced"


@on_sqlite
def test_what_is_forged_changes_nothing(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    service.subscribe("grace@example.org")
    letter = service.letter()
    before = service.counts()
    token = letter.delivered.sender
    (row,) = service.rows("SELECT id FROM letters WHERE state = 'sent' ORDER BY created_at DESC LIMIT 1")
    unknown = returned(letter).replace(str(UUID(str(row.id))).encode(), b"5f0c1ddc-8e0b-4d3c-9a3e-2f4b6c8d0e1f")
    changed = token.replace("+b", "+ba")[:-14] + token[-13:]
    for to in (changed, ADA):
        forged = unknown.replace(token.encode(), to.encode())
        assert jawel.fed(forged, "feedback").exit_code == 0
        assert jawel.fed(complained(letter).replace(letter.delivered.raw, b""), "feedback", "--to", to).exit_code == 0
    assert service.counts() == before
    assert status(service) == "confirmed"


@on_sqlite
@pytest.mark.parametrize(
    "mail",
    [
        b"",
        b"Subject: hello\r\n\r\nhow are you",
        b"Content-Type: multipart/report; report-type=delivery-status\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\nContent-Type: multipart/mixed\r\n\r\n" * 3000,
        b"\xff\xfe\x00" * 1000,
        b"To: " + b"a" * 2_000_000,
    ],
)
def test_whatever_comes_the_mail_server_is_told_that_it_is_done_with(jawel: Jawel, mail: bytes) -> None:
    result = jawel.fed(mail, "feedback")
    assert (result.exit_code, result.stderr) == (0, "")
    assert {line["event"] for line in lines(result.stdout)} <= {"feedback.ignored", "feedback.unreadable"}


@on_sqlite
def test_a_mail_that_takes_too_long_is_done_with_in_one_line(
    service: Service, jawel: Jawel, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.subscribe()
    mail = returned(service.letter())
    before = service.counts()
    with monkeypatch.context() as hasty:
        hasty.setattr(processor_time, "READING_SECONDS", 0.001)
        result = jawel.fed(COSTLY["many long recipients"](limits.MAX_BYTES // 2) + mail, "feedback")
    assert (result.exit_code, result.stderr) == (0, "")
    (line,) = lines(result.stdout)
    assert (line["event"], line["error"]) == ("feedback.unreadable", "Exceeded")
    assert service.counts() == before
    jawel.fed(mail, "feedback")
    assert status(service) == "bounced"


@on_sqlite
def test_a_letter_with_more_than_is_read_is_known_all_the_same(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    letter = service.letter()
    mail = returned(letter)
    jawel.fed(mail.replace(b"\r\n--b--", b"\r\n" + b"boundary " * 100 + b"\n" * 5000 + b"\r\n--b--"), "feedback")
    assert status(service) == "bounced"


@on_sqlite
def test_an_absence_changes_nothing(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    letter = service.letter()
    jawel.fed(absence(letter), "feedback")
    assert status(service) == "pending"


@on_sqlite
@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_did_not_fail_changes_nothing(service: Service, jawel: Jawel, action: str) -> None:
    service.subscribe()
    jawel.fed(returned(service.letter(), action=action), "feedback")
    assert status(service) == "pending"
    assert service.counts()["feedback_reports"] == 0


@on_sqlite
def test_a_full_mailbox_is_shown_and_ends_nothing(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    letter = service.letter()
    jawel.fed(returned(letter, "5.2.2"), "feedback")
    found = service.status()
    assert found
    assert (found["weekly"]["status"], found["weekly"]["confirmation_mail"]["state"]) == ("pending", "failed")
    assert service.post(letter.link).status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    ("said", "expected"),
    [("abuse", "complained"), ("fraud", "complained"), ("opt-out", "unsubscribed"), ("not-spam", "confirmed")],
)
def test_a_complaint_does_what_it_says(service: Service, jawel: Jawel, said: str, expected: str) -> None:
    letter = service.confirmed()
    jawel.fed(complained(letter, said), "feedback")
    assert status(service) == expected
    # Whoever complains is not written to any more; whoever leaves is told, once.
    assert len(service.deliver()) == (1 if expected == "unsubscribed" else 0)


def unsubscribe_address(service: Service) -> str:
    found = service.status()
    assert found
    return str(found["weekly"]["headers"]["List-Unsubscribe"]).partition("mailto:")[2].partition("?")[0]


def test_a_mail_to_the_unsubscribe_address_leaves_and_is_acknowledged(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    address = unsubscribe_address(service)
    mail = f"From: {ADA}\r\nTo: {address}\r\nMessage-ID: <1@example.org>\r\n\r\n".encode()
    (line,) = lines(jawel.fed(mail, "feedback").stdout)
    assert (line["kind"], line["outcome"]) == ("unsubscribe", "taken")
    found = service.status()
    assert found
    assert (found["weekly"]["status"], found["weekly"]["reason"]) == ("unsubscribed", "mailto")
    assert service.letter().delivered.recipient == ADA
    assert lines(jawel.fed(mail, "feedback").stdout)[0]["outcome"] == "repeated"
    assert service.work() == []


@on_sqlite
def test_a_reply_of_a_program_to_it_leaves_nothing(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    mail = f"To: {unsubscribe_address(service)}\r\nAuto-Submitted: auto-replied\r\n\r\n".encode()
    jawel.fed(mail, "feedback")
    assert status(service) == "confirmed"


@on_sqlite
def test_nothing_of_the_mail_is_in_the_output(service: Service, jawel: Jawel) -> None:
    letter = service.confirmed()
    for mail in (returned(letter), complained(letter), absence(letter), b"To: ada@example.org\r\n\r\nada"):
        output = jawel.fed(mail, "feedback").output
        assert "ada" not in output
        assert letter.delivered.sender[5:20] not in output


@on_sqlite
@pytest.mark.parametrize("url", ["sqlite:////nowhere/jawel.sqlite", "postgresql://jawel:open-sesame@127.0.0.1:1/jawel"])
def test_while_the_database_is_away_the_mail_server_is_to_try_again(service: Service, jawel: Jawel, url: str) -> None:
    service.subscribe()
    mail = returned(service.letter())
    result = jawel.fed(mail, "feedback", DATABASE_URL=url)
    assert result.exit_code == 75
    assert "sesame" not in result.output
    assert jawel.fed(mail, "feedback").exit_code == 0
    assert status(service) == "bounced"


@on_sqlite
def test_a_fault_of_ours_is_no_reason_to_lose_the_mail(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    mail = returned(service.letter())
    with service.database.transaction() as session:
        session.execute(text("UPDATE newsletters SET terms = '{'"))
    result = jawel.fed(mail, "feedback")
    assert (result.exit_code, result.stderr) == (75, "")
    (line,) = lines(result.stdout)
    assert (line["event"], line["error"]) == ("feedback.failed", "JSONDecodeError")


@on_sqlite
def test_settings_that_are_wrong_are_no_reason_to_send_the_mail_back(jawel: Jawel) -> None:
    result = jawel.fed(b"", "feedback", SECRET_KEYS="too short")
    assert result.exit_code == 75
    assert "SECRET_KEYS" in result.stderr


@on_sqlite
def test_as_a_process_of_its_own_it_reads_to_the_end(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    mail = returned(service.letter()) + b"x" * 3 * limits.MAX_BYTES
    process = subprocess.run(
        [sys.executable, "-m", "app", "feedback"],
        cwd=ROOT,
        env={**jawel.environment, "PATH": "/usr/bin"},
        input=mail,
        capture_output=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, b"")
    assert status(service) == "bounced"
