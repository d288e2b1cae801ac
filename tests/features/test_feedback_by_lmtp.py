"""`jawel feedback listen`: mails that a mail server hands over by LMTP, and what it is answered."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.feedback.parsers import limits
from app.resources import resources_of
from config import FeedbackChannels, Settings
from tests.commands import Jawel
from tests.concurrency import holding
from tests.costly_mails import COSTLY
from tests.engines import on_postgresql, on_sqlite
from tests.lmtp import NOBODY, Listening, listening
from tests.returned_mails import absence, complained, returned
from tests.service import ADA, GRACE, Service


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, feedback=FeedbackChannels(NOBODY, None, None, None, None))


@pytest.fixture
def lmtp(service: Service, jawel: Jawel, tmp_path: Path) -> Iterator[Listening]:
    with listening(jawel, tmp_path / "log") as running:
        yield running


def status(service: Service, email: str = ADA) -> str | None:
    found = service.status(email)
    return found["weekly"]["status"] if found else None


def unsubscribe_address(service: Service, email: str = ADA) -> str:
    found = service.status(email)
    assert found
    return str(found["weekly"]["headers"]["List-Unsubscribe"]).partition("mailto:")[2].partition("?")[0]


def test_a_bounce_has_ended_what_was_pending_when_it_is_answered(service: Service, lmtp: Listening) -> None:
    service.subscribe()
    mail = returned(service.letter())
    with lmtp.client() as client:
        assert client.hand_over(mail, NOBODY) == [250]
        assert status(service) == "bounced"
        assert client.hand_over(mail, NOBODY) == [250]
    first, second = lmtp.lines()
    assert (first["event"], first["kind"], first["source"], first["outcome"]) == (
        "feedback.taken",
        "hard_bounce",
        "dsn",
        "taken",
    )
    assert second["outcome"] == "repeated"


def test_each_recipient_has_a_reply_and_an_effect_of_its_own(service: Service, lmtp: Listening) -> None:
    service.confirmed()
    service.confirmed(GRACE)
    addresses = [unsubscribe_address(service), NOBODY, unsubscribe_address(service, GRACE)]
    assert lmtp.hand_over(b"Subject: unsubscribe\r\n\r\n", *addresses, sender=ADA) == [250, 250, 250]
    assert [status(service), status(service, GRACE)] == ["unsubscribed", "unsubscribed"]
    assert [line["event"] for line in lmtp.lines()] == ["feedback.taken", "feedback.ignored", "feedback.taken"]
    assert {letter.delivered.recipient for letter in service.deliver()} == {ADA, GRACE}


@on_sqlite
def test_what_comes_from_no_sender_answers_and_asks_for_nothing(service: Service, lmtp: Listening) -> None:
    service.confirmed()
    address = unsubscribe_address(service)
    assert lmtp.hand_over(b"Subject: unsubscribe\r\n\r\n", address) == [250]
    assert status(service) == "confirmed"
    assert lmtp.hand_over(b"Subject: unsubscribe\r\n\r\n", address, sender="<>x@example.org") == [250]
    assert status(service) == "confirmed"
    assert lmtp.hand_over(b"Subject: unsubscribe\r\n\r\n", address, sender=ADA) == [250]
    assert status(service) == "unsubscribed"


@on_postgresql
def test_whoever_cannot_be_stored_is_to_come_again_and_nobody_else(
    service: Service, jawel: Jawel, tmp_path: Path
) -> None:
    service.confirmed()
    service.confirmed(GRACE)
    addresses = [unsubscribe_address(service), unsubscribe_address(service, GRACE)]
    hasty = replace(jawel, environment={**jawel.environment, "DATABASE_URL": hastily(service)})
    of_ada = f"SELECT id FROM subscriptions WHERE subscriber_id = (SELECT id FROM subscribers WHERE address = '{ADA}')"
    with listening(hasty, tmp_path / "log") as lmtp, holding(service, f"{of_ada} FOR UPDATE"):
        assert lmtp.hand_over(b"\r\n", *addresses, sender=ADA) == [451, 250]
    assert [status(service), status(service, GRACE)] == ["confirmed", "unsubscribed"]
    assert [line["event"] for line in lmtp.lines()] == ["feedback.postponed", "feedback.taken"]


def hastily(service: Service) -> str:
    """The address of its database, where nobody waits long for a lock."""
    return f"{resources_of(service.app).settings.database_url}&options=-clock_timeout%3D200ms"


@on_sqlite
@pytest.mark.parametrize("url", ["sqlite:////nowhere/jawel.sqlite", "postgresql://jawel:open-sesame@127.0.0.1:1/jawel"])
def test_while_the_database_is_away_a_mail_is_to_come_again(
    service: Service, jawel: Jawel, tmp_path: Path, url: str
) -> None:
    service.subscribe()
    mail = returned(service.letter())
    away = replace(jawel, environment={**jawel.environment, "DATABASE_URL": url})
    with listening(away, tmp_path / "away") as lmtp:
        assert lmtp.hand_over(mail) == [451]
    assert [line["event"] for line in lmtp.lines()] == ["feedback.postponed"]
    assert "sesame" not in lmtp.output.read_text()
    with listening(jawel, tmp_path / "log") as lmtp:
        assert lmtp.hand_over(mail) == [250]
    assert status(service) == "bounced"


@on_sqlite
def test_whatever_comes_is_answered_as_done_with(lmtp: Listening) -> None:
    mails = [
        b"",
        b"Subject: hello\r\n\r\nhow are you",
        b"Content-Type: multipart/report; report-type=delivery-status\r\n\r\n",
        b"\xff\xfe\x00" * 1000,
        b"To: " + b"a" * 3 * limits.MAX_BYTES,
        b"a line that ends early\n.\nand one\r.\r" * 100,
        *(COSTLY[name](limits.MAX_BYTES) for name in ("nested messages", "many parts", "recipients and words")),
    ]
    with lmtp.client() as client:
        for mail in mails:
            assert client.hand_over(mail, NOBODY) == [250]
    assert {line["event"] for line in lmtp.lines()} <= {"feedback.ignored", "feedback.unreadable"}


MAILS = [
    b"",
    b"\r\n",
    b".\r\n.\r\n",
    b"\r\n.\r\n\r\n..\r\nhello\r\n",
    b"Subject: \xc3\xbc\r\n\r\n" + b"..\r\n.\r.\n.x\r\n" * 1000,
    # Longer than what is read at a time.
    *(b"x" * shift + b"\r\n" + (b"." * 500 + b"\r\n.\r\n") * 400 for shift in range(8)),
    # And longer than what is kept.
    b"y" * 500 + b"\r\n" + (b"z" * 500 + b"\r\n") * 4000,
]


@on_sqlite
def test_a_mail_arrives_as_it_was_handed_over(service: Service, jawel: Jawel, lmtp: Listening) -> None:
    """A mail without Message-ID is told from others by the digest of its bytes."""
    service.confirmed()
    address = unsubscribe_address(service)
    with lmtp.client(sender=ADA) as client:
        for number, mail in enumerate(MAILS):
            assert jawel.fed(mail, "feedback", "--to", address).exit_code == 0
            assert client.hand_over(mail, address) == [250]
            assert client.hand_over(b"%d" % number + mail, address) == [250]
    assert [line["outcome"] for line in lmtp.lines()] == ["repeated", "taken"] * len(MAILS)


@on_sqlite
def test_what_is_forged_changes_nothing_by_lmtp_either(service: Service, lmtp: Listening) -> None:
    service.confirmed()
    service.subscribe(GRACE)
    letter = service.letter()
    before = service.counts()
    token = letter.delivered.sender
    changed = token.replace("+b", "+ba")[:-14] + token[-13:]
    bare = returned(letter).replace(letter.delivered.raw, b"").replace(token.encode(), ADA.encode())
    assert lmtp.hand_over(bare, changed, ADA, "", "<>", "x" * 400) == [250] * 5
    assert service.counts() == before
    assert lmtp.hand_over(bare, token) == [250]
    assert status(service, GRACE) == "bounced"


@on_sqlite
def test_nothing_of_a_mail_is_in_the_log(service: Service, lmtp: Listening) -> None:
    letter = service.confirmed()
    mails = [returned(letter), complained(letter), absence(letter), b"To: ada@example.org\r\n\r\nada"]
    with lmtp.client() as client:
        for mail in mails:
            assert client.hand_over(mail, letter.delivered.sender, ADA) == [250, 250]
        client.docmd("VRFY", ADA)
        client.docmd(ADA)
    log = lmtp.output.read_text()
    assert len(lmtp.lines()) == 2 * len(mails)
    assert "ada" not in log
    assert letter.delivered.sender[5:20] not in log
