"""Texts of the catalogue arrive in letters as they are, and never as a header or as markup."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.addresses import EmailAddress
from app.mail.delivery import flask_mail_fixes
from app.mail.delivery.failures import LetterRefused
from app.mail.message import ComposedLetter
from app.newsletters import parsing
from tests.catalogues import catalogue, titled
from tests.features.conftest import OpenService
from tests.service import ADA, Service
from tests.wire import header


@pytest.fixture
def engine() -> str:
    """What is on the wire does not depend on the database."""
    return "sqlite"


def test_answers_go_where_the_newsletter_says(open_service: OpenService, service: Service) -> None:
    service.subscribe()
    assert "reply-to" not in [name.lower() for name in service.letter().delivered.message]
    other = open_service(catalogue(reply_to="desk@example.org"))
    other.subscribe("grace@example.org")
    assert header(other.letter(), "Reply-To") == "desk@example.org"


@pytest.mark.parametrize(
    "sender",
    [
        "Voorbeeld",
        "Müller",
        "Müller, Söhne & Co.",
        "Voorbeeld (België)",
        "Voorbeeld; boeken: [alle]",
        "Back \\ slash",
        "新聞",
    ],
)
def test_any_name_of_a_sender_arrives_as_it_is(open_service: OpenService, sender: str) -> None:
    service = open_service(catalogue(sender=f"{sender} <news@example.org>"))
    service.subscribe()
    letter = service.letter()
    (mailbox,) = letter.delivered.message["From"].addresses
    assert (mailbox.display_name, mailbox.addr_spec) == (sender, "news@example.org")
    assert re.fullmatch(r"news\+b[a-z2-7]{42}@example\.org", letter.delivered.sender)
    assert header(letter, "Message-ID").endswith("@example.org>")


def test_a_sender_without_a_name_will_do(open_service: OpenService) -> None:
    service = open_service(catalogue(sender="news@example.org"))
    service.subscribe()
    assert header(service.letter(), "From") == "news@example.org"


@pytest.mark.parametrize("title", ["Lettre d'été", "Új könyvek: őszi levél", "週刊", "é" * 300, "=?utf-8?q?quoted?="])
def test_any_title_arrives_as_it_is(open_service: OpenService, title: str) -> None:
    service = open_service(titled(title))
    service.subscribe(language="en")
    letter = service.letter()
    assert letter.subject == f"Please confirm: {title}"
    assert f"  {title}: " in letter.text
    assert header(letter, "Subject").isascii()


def test_a_name_of_a_controller_is_text_and_never_markup(open_service: OpenService) -> None:
    changed = catalogue()
    changed["controller"]["name"] = 'Müller <b>& "Söhne"</b>'
    service = open_service(changed)
    service.subscribe()
    letter = service.letter()
    assert 'Müller <b>& "Söhne"</b>' in letter.text
    assert "<b>" not in letter.delivered.part("html")
    assert "Müller &lt;b&gt;&amp;" in letter.delivered.part("html")


LINE_ENDS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"]


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("key", ["title", "sender", "reply_to"])
def test_the_catalogue_takes_no_line_break_that_a_header_would_hold(key: str, end: str) -> None:
    text = {"title": "A letter", "sender": "Voorbeeld", "reply_to": "desk@example.org"}[key] + f"{end}Bcc: eve"
    changed = titled(text) if key == "title" else catalogue(**{key: f"{text} <news@example.org>"})
    _, problems = parsing.read(changed)
    assert {problem.path[:3] for problem in problems} == {("newsletter", 0, key)}


def test_the_catalogue_takes_no_reply_to_that_an_old_relay_could_not_carry() -> None:
    _, problems = parsing.read(catalogue(reply_to="jürgen@example.org"))
    assert [problem.path for problem in problems] == [("newsletter", 0, "reply_to")]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A letter with a line break in one place or another."""

    end: str

    def letters(self) -> Iterator[ComposedLetter]:
        evil = f"x{self.end}Bcc: eve@example.org"
        yield composed(subject=evil)
        yield composed(sender=f"{evil} <news@example.org>")
        yield composed(reply_to=evil)
        yield composed(message_id=evil)
        yield composed(recipient=EmailAddress(evil, evil))
        yield composed(headers={"List-Id": evil})
        yield composed(headers={evil: "x"})


def composed(**different: Any) -> ComposedLetter:
    plain: dict[str, Any] = {
        "sender": "Voorbeeld <news@example.org>",
        "envelope_sender": "news@example.org",
        "plain_sender": "news@example.org",
        "reply_to": None,
        "recipient": EmailAddress.parse(ADA),
        "subject": "A letter",
        "text": "Text",
        "html": "<p>Text</p>",
        "message_id": "<1@example.org>",
        "headers": {},
    }
    return ComposedLetter(**{**plain, **different})


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_header_with_a_line_break_never_leaves(end: str) -> None:
    for letter in Hostile(end).letters():
        with pytest.raises(LetterRefused):
            flask_mail_fixes.as_bytes(letter)
    assert b"Bcc" not in flask_mail_fixes.as_bytes(composed(subject="x"))
