"""The envelope sender says which letter it was, and an address lets one leave: signed, short enough, hard to break."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.feedback import FeedbackKind, inbound
from app.links import Links
from app.tokens import Purpose, Signer
from config import FeedbackChannels
from tests.catalogues import CATALOGUE
from tests.commands import Jawel
from tests.features.conftest import OpenService
from tests.service import Service

LETTER = UUID("5f0c1ddc-8e0b-4d3c-9a3e-2f4b6c8d0e1f")
NEW, OLD = "the new secret key, which signs", "the old secret key, which verifies"
LINKS = Links("https://subscribe.example.org", Signer((NEW, OLD)))
FEEDBACK = FeedbackChannels("bounces@example.net", None, None, None, None)


def test_a_letter_is_sent_from_an_address_that_leads_back_to_it(service: Service) -> None:
    service.subscribe()
    delivered = service.letter().delivered
    (row,) = service.rows("SELECT id FROM letters")
    links = Links("", Signer(("a secret key for tests that is of some length",)))
    assert links.bounced_letter(delivered.sender) == UUID(str(row.id))
    assert delivered.sender.startswith("news+")
    assert delivered.sender.endswith("@example.org")
    assert delivered.message["From"] == "Voorbeeld <news@example.org>"


def test_a_mailbox_of_its_own_takes_what_comes_back(open_service: OpenService) -> None:
    service = open_service(feedback=FEEDBACK)
    service.subscribe()
    delivered = service.letter().delivered
    assert re.fullmatch(r"bounces\+b[a-z2-7]{42}@example\.net", delivered.sender)
    assert delivered.message["From"] == "Voorbeeld <news@example.org>"


def test_the_local_part_keeps_to_64_octets() -> None:
    for length in range(1, 40):
        sender = LINKS.envelope_sender(uuid4(), f"{'a' * length}@example.org")
        assert len(sender.partition("@")[0]) <= 64
        assert ("+b" in sender) == (length <= 20)


def with_a_long_sender() -> dict[str, Any]:
    first, *others = CATALOGUE["newsletter"]
    return {**CATALOGUE, "newsletter": [{**first, "sender": "a-sender-of-21-letter@example.org"}, *others]}


def test_where_the_sender_has_no_room_it_is_as_before(open_service: OpenService) -> None:
    service = open_service(with_a_long_sender())
    service.subscribe(newsletters=[CATALOGUE["newsletter"][0]["slug"]])
    assert service.letter().delivered.sender == "a-sender-of-21-letter@example.org"


@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "<{}>",
        '"{}"',
        "SRS0=hash=tt=example.org={}",
        "prvs=1234567890={}",
        "{}@relay.example.net",
    ],
)
@pytest.mark.parametrize("spelt", [str, str.upper, lambda text: text.replace("+", "=2B"), lambda text: "x" + text])
def test_what_mail_systems_do_to_an_address_does_no_harm(wrapped: str, spelt: Any) -> None:
    address = wrapped.format(spelt(LINKS.envelope_sender(LETTER, "news@example.org")))
    assert LINKS.bounced_letter(address) == LETTER


def test_a_key_that_was_replaced_still_verifies() -> None:
    before = Links("", Signer((OLD,)))
    assert LINKS.bounced_letter(before.envelope_sender(LETTER, "news@example.org")) == LETTER
    assert before.bounced_letter(LINKS.envelope_sender(LETTER, "news@example.org")) is None


def test_a_token_with_one_letter_changed_is_none() -> None:
    token = LINKS.signer.sign_short(Purpose.BOUNCE, LETTER)
    assert LINKS.signer.find(Purpose.BOUNCE, token) == LETTER
    # The last one has only three bits that count.
    for place in range(len(token) - 1):
        changed = token[:place] + ("a" if token[place] != "a" else "b") + token[place + 1 :]
        assert LINKS.signer.find(Purpose.BOUNCE, changed) is None


def test_a_token_for_one_purpose_is_none_for_another() -> None:
    links = Links("", LINKS.signer, "bounces@example.net")
    leaving = links.unsubscribe_address(LETTER)
    assert leaving
    assert links.left_subscription(leaving) == LETTER
    assert links.bounced_letter(leaving) is None
    assert links.left_subscription(links.envelope_sender(LETTER, "")) is None
    assert len(leaving.partition("@")[0]) <= 64


def test_other_services_are_told_an_address_to_leave_by_where_there_is_one(open_service: OpenService) -> None:
    service = open_service(feedback=FEEDBACK)
    service.confirmed()
    status = service.status()
    assert status
    headers = status["weekly"]["headers"]
    assert re.fullmatch(
        r"<https://subscribe\.example\.org/unsubscribe/[a-z2-7]+>, "
        r"<mailto:bounces\+u[a-z2-7]{42}@example\.net\?subject=unsubscribe>",
        headers["List-Unsubscribe"],
    )
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_without_such_a_mailbox_nothing_is_said_of_one(service: Service) -> None:
    service.confirmed()
    status = service.status()
    assert status
    assert "mailto" not in status["weekly"]["headers"]["List-Unsubscribe"]


def test_letters_themselves_have_one_https_uri(open_service: OpenService) -> None:
    service = open_service(feedback=FEEDBACK)
    service.subscribe()
    assert service.letter().one_click


def test_a_mail_to_the_address_is_a_request_to_leave() -> None:
    links = Links("", LINKS.signer, "bounces@example.net")
    (report,) = inbound.read(b"Subject: unsubscribe\n\n", links.unsubscribe_address(LETTER), links)
    assert (report.kind, report.subscription_id) == (FeedbackKind.UNSUBSCRIBE, LETTER)


def test_the_doctor_names_a_newsletter_whose_sender_has_no_room(open_service: OpenService, jawel: Jawel) -> None:
    open_service(with_a_long_sender())
    result = jawel("doctor")
    assert result.exit_code == 1
    assert "fail  feedback: nothing tells which letter bounced for " in result.stdout
    assert "ok    feedback: " in jawel("doctor", FEEDBACK_ADDRESS="bounces@example.net").stdout
