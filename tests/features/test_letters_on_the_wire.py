"""Letters as bytes: what a mail server is handed, and what a mail program makes of it."""

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import time_machine

from tests import smtp
from tests.catalogues import catalogue, titled
from tests.features.conftest import OpenService
from tests.service import ADA, COOL_DOWN, Letter, Service
from tests.wire import Links, header

FORM = {"Origin": "https://example.org", "Referer": "https://example.org/books?utm=1"}


@pytest.fixture
def engine() -> str:
    """What is on the wire does not depend on the database."""
    return "sqlite"


@pytest.mark.parametrize("length", [5, 60, 86, 400, 850])
def test_one_click_is_legible_at_any_length_of_the_address(open_service: OpenService, length: int) -> None:
    base = f"https://subscribe.example.org/{'x' * length}"
    service = open_service(public_url=base)
    service.subscribe()
    (letter,) = service.deliver()
    uri = re.fullmatch(r"(?:\r\n )?<(https://[!-;=?-~]+)>", header(letter, "List-Unsubscribe"))
    assert uri is not None
    assert uri[1].startswith(f"{base}/confirm/")
    assert header(letter, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    assert str(letter.delivered.message["List-Unsubscribe"]).strip() == f"<{uri[1]}>"
    assert service.post(uri[1].removeprefix(base), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert service.status() is None


def test_every_line_is_short_enough_for_every_server(open_service: OpenService) -> None:
    service = open_service(
        catalogue(
            title=dict.fromkeys(("nl", "fr", "de", "en"), "word " * 250),
            purpose=dict.fromkeys(("nl", "fr", "de", "en"), "A sentence that never ends. " * 100),
        )
    )
    service.subscribe()
    raw = service.letter().delivered.raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)


def test_a_word_that_never_ends_is_folded_too(open_service: OpenService) -> None:
    service = open_service(titled("w" * 1500))
    service.subscribe()
    letter = service.letter()
    assert max(len(line) for line in letter.delivered.raw.split(b"\r\n")) <= 998
    assert letter.subject.count("w") == 1500


def test_letters_say_what_list_they_are_of_and_that_no_person_wrote_them(service: Service) -> None:
    confirmation = service.confirmed()
    service.post(confirmation_unsubscribe(service))
    acknowledgement = service.letter()
    for letter in (confirmation, acknowledgement):
        assert header(letter, "List-Id") == "weekly <weekly.example.org>"
        assert header(letter, "Auto-Submitted") == "auto-generated"
        assert header(letter, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    assert letter_path(confirmation).startswith("/confirm/")
    assert letter_path(acknowledgement).startswith("/unsubscribe/")
    assert service.post(letter_path(acknowledgement)).status_code == 200


def confirmation_unsubscribe(service: Service) -> str:
    return str(service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org"))


def letter_path(letter: Letter) -> str:
    return letter.one_click


def test_the_message_id_stays_the_same_over_retries(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        # Taken, but the answer is lost: the server has a copy and the worker cannot know.
        service.mail.on_taken = lambda: service.mail.answers_to_rcpt.append("451 4.3.0 again")
        service.mail.answers_to_data.append("451 4.3.0 later")
        assert service.work() == []
        service.mail.on_taken = _die_once(service.mail)
        clock.shift(timedelta(seconds=6))
        (first,) = service.work()
        clock.shift(timedelta(hours=1, seconds=1))
        (second,) = service.work()
        assert header(first, "Message-ID") == header(second, "Message-ID")
        assert re.fullmatch(r"<[0-9a-f-]{36}@example\.org>", header(first, "Message-ID"))
        assert service.post(first.link).status_code == service.post(second.link).status_code == 200


def _die_once(mail: smtp.MailServer) -> Any:
    def die() -> None:
        mail.on_taken = lambda: None
        raise ConnectionResetError

    return die


def test_two_letters_have_two_message_ids(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        first = service.letter()
        clock.shift(COOL_DOWN)
        service.subscribe()
        assert header(first, "Message-ID") != header(service.letter(), "Message-ID")


def test_a_letter_is_text_and_html_side_by_side_and_nothing_else(service: Service) -> None:
    service.subscribe()
    letter = service.letter()
    message = letter.delivered.message
    assert message.get_content_type() == "multipart/alternative"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in parts] == ["utf-8", "utf-8"]
    assert not any(part.is_multipart() or part.is_attachment() for part in parts)
    assert message.defects == []
    assert [defect for part in parts for defect in part.defects] == []
    assert letter.link


def test_a_relay_need_not_take_eight_bits(service: Service) -> None:
    service.subscribe(language="fr")
    letter = service.letter()
    assert letter.delivered.raw.isascii()
    encodings = [part["Content-Transfer-Encoding"] for part in letter.delivered.message.iter_parts()]
    assert encodings == ["quoted-printable", "quoted-printable"]
    assert "Chaque semaine, un e-mail avec des nouvelles de nos livres." in letter.text
    assert service.mail.options_to_mail[-1] == [] or "BODY=8BITMIME" not in service.mail.options_to_mail[-1]


def test_the_date_is_that_of_sending(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False):
        service.subscribe()
        date = parsedate_to_datetime(header(service.letter(), "Date"))
    assert date == datetime(2026, 11, 23, 20, tzinfo=UTC)


def test_every_header_is_there_once(service: Service) -> None:
    service.subscribe()
    names = [name.lower() for name in service.letter().delivered.message]
    assert len(names) == len(set(names))
    assert {"from", "to", "subject", "date", "message-id", "mime-version", "list-id", "list-unsubscribe"} <= {*names}


def test_writing_and_handing_over_a_letter_asks_dns_for_no_name_of_this_host(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(socket, "getfqdn", asked.append)
    with smtp.running(server_hostname="mx.example.org") as server:
        service = open_service(mail=server)
        service.subscribe()
        assert service.letter().link
        assert server.greeted_by == ["subscribe.example.org"]
    assert asked == []


def test_the_confirmation_letter_is_bare(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False):
        service.post(
            "/subscribe", json={"email": ADA, "newsletters": "weekly", "consent": True, "language": "en"}, headers=FORM
        )
        letter = service.letter()
    for part in (letter.text, letter.delivered.part("html")):
        assert "Voorbeeld BV" in part
        assert "Weekly letter: One mail a week with news about our books." in part
        assert "23 November 2026, 21:00 CET" in part
        assert "26 November 2026, 21:00 CET" in part
        assert "on https://example.org." in part
        assert "Then do nothing: you get no newsletter, and this address is erased by 27 November 2026" in part
        assert not re.search(r"welcome|thank|utm|\bfree\b|discount", part, re.IGNORECASE)
    found = Links(letter.delivered.part("html"))
    assert found.addresses == [
        f"https://subscribe.example.org{letter.link}",
        "mailto:privacy@example.org",
        "https://subscribe.example.org/privacy/weekly?language=en",
    ]
    assert found.tags == {"html", "head", "meta", "title", "body", "div", "p", "ul", "li", "a", "br"}
    assert re.findall(r"https?://\S+", letter.text) == [
        "https://example.org.",
        f"https://subscribe.example.org{letter.link}",
        "https://subscribe.example.org/privacy/weekly?language=en",
    ]


@pytest.mark.parametrize("language", ["nl", "fr", "de", "en"])
def test_the_link_stands_alone_on_its_line_in_every_language(service: Service, language: str) -> None:
    service.subscribe(language=language)
    letter = service.letter()
    assert letter.link.startswith("/confirm/")
    assert f'lang="{language}"' in letter.delivered.part("html")


@pytest.fixture
def old_relay() -> Iterator[smtp.MailServer]:
    with smtp.running(enable_SMTPUTF8=False) as server:
        yield server


def test_a_name_beyond_ascii_is_reached_through_a_relay_that_can(service: Service) -> None:
    service.subscribe("jürgen@bücher.example")
    letter = service.letter()
    assert letter.delivered.recipient == "jürgen@xn--bcher-kva.example"
    assert "To: jürgen@xn--bcher-kva.example\r\n".encode() in letter.delivered.raw
    assert "SMTPUTF8" in service.mail.options_to_mail[-1]
    assert service.post(letter.link).status_code == 200
    service.subscribe()
    assert service.letter().delivered.raw.isascii()
    assert "SMTPUTF8" not in service.mail.options_to_mail[-1]


def test_a_name_beyond_ascii_is_given_up_at_a_relay_that_cannot(
    open_service: OpenService, old_relay: smtp.MailServer
) -> None:
    service = open_service(mail=old_relay)
    service.subscribe("jürgen@example.org")
    service.subscribe("ada@bücher.example")
    letter = service.letter()
    assert letter.delivered.recipient == "ada@xn--bcher-kva.example"
    status = service.status("jürgen@example.org")
    assert status["weekly"]["confirmation_mail"]["state"] == "failed"


def test_ascii_is_no_encoded_word_and_no_encoded_word_is_too_long(open_service: OpenService) -> None:
    service = open_service(catalogue(sender="Voorbeeld, the shop <news@example.org>", reply_to="help@example.org"))
    service.subscribe()
    letter = service.letter()
    assert header(letter, "From") == '"Voorbeeld, the shop" <news@example.org>'
    assert header(letter, "Reply-To") == "help@example.org"
    assert "=?" not in header(letter, "Subject")
    service = open_service(catalogue(sender=f"{'Één naam ' * 12}<news@example.org>"))
    service.subscribe("grace@example.org")
    letter = service.letter()
    words = re.findall(r"=\?\S+\?=", header(letter, "From"))
    assert len(words) > 1
    assert max(map(len, words)) <= 75
    assert str(letter.delivered.message["From"]).startswith("Één naam Één naam")


def test_a_letter_in_ascii_is_sent_as_it_is_so_that_the_link_stays_in_one_piece(service: Service) -> None:
    service.subscribe(language="en")
    letter = service.letter()
    assert f"\r\nhttps://subscribe.example.org{letter.link}\r\n".encode() in letter.delivered.raw
    assert b"Content-Transfer-Encoding: 7bit" in letter.delivered.raw
    service.subscribe("grace@example.org", language="fr")
    assert b"Content-Transfer-Encoding: quoted-printable" in service.letter().delivered.raw


def test_programs_that_answer_mail_by_themselves_are_told_not_to(service: Service) -> None:
    assert header(service.confirmed(), "X-Auto-Response-Suppress") == "OOF, AutoReply"
