"""Leaving by the page: one button, a reason for whoever likes, and a way back in the same visit only."""

import json
import re
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import time_machine

from app.ledger.verifier import Trust, examine_receipt
from tests.clocks import EVENING
from tests.leaving import FORM, leave, leave_link, undo, undo_token
from tests.receipts import KEY, receipt_text, state
from tests.service import ADA, BROWSER, COOL_DOWN, Letter, Service

BOTH = ["events", "weekly"]


def test_the_page_has_one_button_first_and_asks_for_nothing(service: Service) -> None:
    service.confirmed()
    page = service.get(leave_link(service) + "?language=en", headers=BROWSER).text
    first = re.search(r"<(button|input|a|select)\b(?![^>]*hidden)[^>]*>[^<]*", page)
    assert first
    assert first[0].endswith(">Unsubscribe")
    assert page.count('type="radio"') == 5
    assert "checked" not in page
    assert "required" not in page
    assert "a••@e••.org" in page
    assert ADA not in page
    assert page.index("<form") < page.index('type="radio"') < page.index("</form>")


@pytest.mark.parametrize("reason", ["too_many", "not_interested", "not_expected", "never_asked", "other"])
def test_a_reason_is_kept(service: Service, reason: str) -> None:
    service.confirmed()
    link = leave_link(service)
    assert f'value="{reason}"' in service.get(link, headers=BROWSER).text
    assert leave(service, link, reason=reason).status_code == 200
    assert service.status()["weekly"]["reason"] == reason
    (row,) = service.rows("SELECT evidence FROM consent_events WHERE type = 'subscription.unsubscribed'")
    assert '"method":"page"' in row.evidence
    assert f'"reason":"{reason}"' in row.evidence


@pytest.mark.parametrize("fields", [{}, {"reason": ""}, {"reason": "because"}, {"reason": "\0" * 300}])
def test_none_or_any_other_is_fine(service: Service, fields: dict[str, str]) -> None:
    service.confirmed()
    assert leave(service, leave_link(service), **fields).status_code == 200
    assert service.status()["weekly"]["reason"] == "page"
    assert "because" not in str(service.rows("SELECT evidence FROM consent_events"))


def test_leaving_all_keeps_the_reason_for_each(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    leave(service, leave_link(service), reason="too_many", all="1")
    assert [service.status()[name]["reason"] for name in BOTH] == ["too_many", "too_many"]


def test_a_mistake_is_undone_on_the_page_that_answers(service: Service) -> None:
    service.confirmed()
    link = leave_link(service)
    token = undo_token(leave(service, link))
    answer = undo(service, link, token)
    assert (answer.status_code, "You are subscribed again" in answer.text) == (200, True)
    assert service.status()["weekly"]["mailable"] is True
    assert service.status()["weekly"]["reason"] is None
    assert "/unsubscribe/" in service.letter().link, "only that they are back: that they left is not true any more"
    assert [event for event in service.events() if event != "letter.accepted"][:3] == [
        "subscription.requested",
        "subscription.confirmed",
        "subscription.unsubscribed",
    ]
    again = [
        row.evidence for row in service.rows("SELECT evidence FROM consent_events WHERE evidence LIKE '%\"undo\"%'")
    ]
    assert len(again) == 2
    assert all('"actor":"mailbox holder"' in evidence and '"method":"undo"' in evidence for evidence in again)


def test_all_that_the_press_ended_comes_back_and_nothing_else(service: Service) -> None:
    with time_machine.travel(EVENING, tick=True) as clock:
        service.confirmed(newsletters=BOTH)
        leave(service, leave_link(service, newsletter="events"))
        clock.shift(COOL_DOWN)
        link = leave_link(service)
        token = undo_token(leave(service, link, all="1"))
        undo(service, link, token)
        assert [service.status()[name]["status"] for name in BOTH] == ["unsubscribed", "confirmed"]


def test_leaving_all_by_mistake_is_undone_as_a_whole(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    link = leave_link(service)
    token = undo_token(leave(service, link, all="1"))
    undo(service, link, token)
    assert [service.status()[name]["status"] for name in BOTH] == ["confirmed", "confirmed"]


def test_what_was_only_asked_for_is_not_confirmed_by_leaving_and_undoing(service: Service) -> None:
    service.subscribe()
    assert undo_token(leave(service, leave_link(service))) == ""


@pytest.mark.parametrize(
    ("fields", "headers"),
    [({"List-Unsubscribe": "One-Click"}, {}), ({"List-Unsubscribe": "One-Click"}, BROWSER), ({}, {}), (FORM, {})],
)
def test_a_program_is_offered_no_way_back(service: Service, fields: dict[str, str], headers: dict[str, str]) -> None:
    service.confirmed()
    answer = service.post(leave_link(service), data=fields, headers=headers)
    assert answer.status_code == 200
    assert undo_token(answer) == ""
    if not headers:
        assert answer.get_json() == {"status": "unsubscribed"}
    assert service.status()["weekly"]["status"] == "unsubscribed"


class TestAForwardedMail:
    """Whoever has the link may leave, and can never bring anybody back by it."""

    @pytest.fixture
    def link(self, service: Service) -> str:
        service.confirmed()
        link = leave_link(service)
        leave(service, link)
        return link

    def test_the_page_that_says_it_is_done_has_no_undo(self, service: Service, link: str) -> None:
        page = service.get(link, headers=BROWSER)
        assert (page.status_code, undo_token(page)) == (200, "")

    def test_a_second_press_ends_nothing_and_so_can_undo_nothing(self, service: Service, link: str) -> None:
        assert undo_token(leave(service, link)) == ""
        assert undo_token(leave(service, link, all="1")) == ""

    def test_no_token_is_no_undo(self, service: Service, link: str) -> None:
        assert undo(service, link, "").status_code == 410
        assert service.post(f"{link}/undo").status_code == 410
        assert service.status()["weekly"]["status"] == "unsubscribed"

    def test_a_token_of_another_purpose_is_forged(self, service: Service, link: str) -> None:
        assert undo(service, link, link.removeprefix("/unsubscribe/")).status_code == 404
        assert undo(service, link, "forged").status_code == 404
        assert service.get(f"{link}/undo", headers=BROWSER).status_code == 405
        assert service.status()["weekly"]["status"] == "unsubscribed"

    def test_somebody_elses_token_is_no_use(self, service: Service, link: str) -> None:
        service.work()
        service.confirmed("grace@example.org")
        hers = leave_link(service, "grace@example.org")
        token = undo_token(leave(service, hers))
        assert undo(service, link, token).status_code == 410
        assert service.status("grace@example.org")["weekly"]["status"] == "unsubscribed"
        assert undo(service, hers, token).status_code == 200


def test_after_half_an_hour_it_is_too_late(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.confirmed()
        link = leave_link(service)
        token = undo_token(leave(service, link))
        clock.shift(timedelta(minutes=30))
        answer = undo(service, link, token)
        assert (answer.status_code, "can no longer be undone" in answer.text) == (410, True)
        assert service.status()["weekly"]["status"] == "unsubscribed"


def test_an_undo_is_good_for_its_own_ending_only(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.confirmed()
        link = leave_link(service)
        first = undo_token(leave(service, link))
        undo(service, link, first)
        clock.shift(timedelta(seconds=5))
        leave(service, link)
        assert undo(service, link, first).status_code == 410
        assert service.status()["weekly"]["status"] == "unsubscribed"


def test_who_asks_anew_confirms_by_the_new_letter_and_not_by_undo(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.confirmed()
        link = leave_link(service)
        token = undo_token(leave(service, link))
        clock.shift(COOL_DOWN)
        service.subscribe()
        assert undo(service, link, token).status_code == 410
        assert service.status()["weekly"]["status"] == "pending"


def test_letters_from_before_stay_dead(service: Service) -> None:
    letter = service.confirmed()
    link = leave_link(service)
    undo(service, link, undo_token(leave(service, link)))
    assert service.post(letter.link).status_code == 410
    assert service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert service.status()["weekly"]["status"] == "confirmed"


def test_what_was_acknowledged_may_still_be_undone(service: Service) -> None:
    service.confirmed()
    link = leave_link(service)
    token = undo_token(leave(service, link))
    letters: list[Letter] = service.deliver()
    assert len(letters) == 1
    assert undo(service, link, token).status_code == 200
    assert leave(service, link).status_code == 200
    assert service.status()["weekly"]["status"] == "unsubscribed"


def test_its_receipt_tells_of_it_and_verifies(service: Service) -> None:
    service.confirmed(language="en")
    link = leave_link(service)
    undo(service, link, undo_token(leave(service, link, reason="too_many")))
    text = receipt_text(service)
    assert [finding.text for finding in examine_receipt(text, Trust([KEY])) if finding.holds is False] == []
    found: dict[str, Any] = json.loads(text)
    standing, states = state(found)
    assert standing == "dpv:RenewedConsentGiven"
    assert states[-4:-1] == ["dpv:ConsentWithdrawn", "dpv:ConsentRequested", "dpv:RenewedConsentGiven"]
    assert states[-1] == "jawel:LetterAccepted", "they were told"
    assert found["record"]["consent_text"]["text"] == "Yes, send me the weekly letter by e-mail."


def test_a_press_that_comes_in_chunks_is_still_one_on_the_page(service: Service) -> None:
    """As some proxies send them on: without a Content-Length."""
    service.confirmed()
    answer = service.post(
        f"{leave_link(service)}?language=en",
        input_stream=BytesIO(b"from=page"),
        content_type="application/x-www-form-urlencoded",
        headers=BROWSER,
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert undo_token(answer)
    (left,) = service.rows("SELECT evidence FROM consent_events WHERE type = 'subscription.unsubscribed'")
    assert json.loads(left.evidence)["method"] == "page"
