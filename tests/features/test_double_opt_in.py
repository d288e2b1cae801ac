"""The loop: ask, one letter, one button, confirmed, leave."""

from datetime import timedelta
from io import BytesIO

import pytest
import time_machine

from tests.service import ADA, BROWSER, COOL_DOWN, Service


def test_nobody_is_subscribed_until_they_press_the_button(service: Service) -> None:
    answer = service.subscribe()
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "accepted"
    assert service.status()["weekly"]["status"] == "pending"
    letter = service.letter()
    assert letter.delivered.recipient == ADA
    assert "Voorbeeld BV" in letter.text

    page = service.get(letter.link, headers=BROWSER)
    assert page.status_code == 200
    assert "a••@e••.org" in page.text
    assert ADA not in page.text
    assert service.status()["weekly"]["mailable"] is False

    assert service.post(letter.link, headers=BROWSER).status_code == 200
    assert service.status()["weekly"]["mailable"] is True
    assert service.events() == ["subscription.requested", "letter.accepted", "subscription.confirmed"]


def test_confirming_again_answers_the_same_and_records_nothing(service: Service) -> None:
    service.subscribe()
    link = service.letter().link
    first, second = service.post(link), service.post(link)
    assert first.get_json() == second.get_json() == {"status": "confirmed", "newsletters": ["weekly"]}
    assert second.status_code == 200
    assert service.events().count("subscription.confirmed") == 1
    assert service.get(link, headers=BROWSER).status_code == 200


def test_one_click_from_the_mail_program_ends_it_at_once(service: Service) -> None:
    service.confirmed()
    unsubscribe = service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    for body in (
        {"data": {"List-Unsubscribe": "One-Click"}},
        {},
        {"json": {"a": 1}},
        {"data": b"\xff", "content_type": "x/y"},
    ):
        answer = service.post(unsubscribe, **body)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert service.status()["weekly"]["status"] == "unsubscribed"
    assert service.status()["weekly"]["reason"] == "one_click"
    assert service.events().count("subscription.unsubscribed") == 1
    acknowledgement = service.letter()
    assert acknowledgement.subject == "Je bent uitgeschreven: Weekbrief"
    assert service.work() == []


def test_an_old_confirmation_link_cannot_undo_leaving(service: Service) -> None:
    letter = service.confirmed()
    service.post(letter.one_click)
    assert service.status()["weekly"]["status"] == "unsubscribed"
    assert service.post(letter.link).status_code == 410
    assert service.get(letter.link, headers=BROWSER).status_code == 410
    assert service.status()["weekly"]["status"] == "unsubscribed"


def test_whoever_left_may_come_back_by_a_new_letter(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        letter = service.confirmed()
        service.post(letter.one_click)
        service.work()
        clock.shift(COOL_DOWN)
        service.subscribe()
        again = service.letter()
        assert service.status()["weekly"]["status"] == "pending"
        assert service.post(letter.link).status_code == 410
        assert service.post(again.link).status_code == 200
        assert service.status()["weekly"]["mailable"] is True


def test_this_was_not_me_erases_the_address_and_silences_the_form_for_30_days(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        letter = service.letter()
        assert service.post(letter.link + "/decline", headers=BROWSER).status_code == 200
        assert service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
        clock.shift(timedelta(minutes=31))
        service.work()
        assert service.status() is None
        assert service.rows("SELECT * FROM subscribers") == []
        clock.shift(timedelta(days=29))
        assert service.subscribe().status_code == 202
        assert service.work() == []
        clock.shift(timedelta(days=2))
        service.subscribe()
        assert service.letter().link


def test_an_expired_link_offers_a_new_letter_to_the_same_address(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        link = service.letter().link
        clock.shift(timedelta(hours=73))
        assert service.post(link).status_code == 410
        assert "resend" in service.get(link, headers=BROWSER).text
        assert service.post(link + "/resend", headers=BROWSER).status_code == 200
        assert service.post(service.letter().link).status_code == 200
        assert service.status()["weekly"]["status"] == "confirmed"


def test_what_nobody_confirms_is_erased_within_a_day_of_expiry(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        link = service.letter().link
        clock.shift(timedelta(hours=95))
        service.work()
        assert service.status()["weekly"]["status"] == "pending"
        clock.shift(timedelta(hours=2))
        service.work()
        assert service.status() is None
        assert service.rows("SELECT * FROM subscribers") == []
        assert service.rows("SELECT * FROM letters") == []
        assert service.events()[-1] == "subscription.expired"
        assert service.post(link).status_code == 410


def test_a_request_that_lapses_does_not_wipe_out_a_withdrawal(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.post(service.confirmed().one_click)
        clock.shift(timedelta(days=1))
        service.subscribe()
        service.work()
        clock.shift(timedelta(days=5))
        service.work()
        assert service.status()["weekly"]["status"] == "unsubscribed"
        assert service.status()["weekly"]["since"].startswith("2026-11-23")


def test_one_letter_asks_for_several_newsletters_and_the_person_may_choose(service: Service) -> None:
    service.subscribe(newsletters=["weekly", "events"])
    link = service.letter().link
    page = service.get(f"{link}?some=1", headers=BROWSER)
    assert page.text.count('type="checkbox"') == 2
    assert service.post(f"{link}?some=1", headers=BROWSER).status_code == 422
    assert service.post(link, json={"newsletters": ["events"]}).get_json()["newsletters"] == ["events"]
    assert service.status()["events"]["status"] == "confirmed"
    assert service.status()["weekly"]["status"] == "pending"


def test_a_choice_that_comes_in_chunks_is_heeded(service: Service) -> None:
    service.subscribe(newsletters=["weekly", "events"])
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = service.post(
        service.letter().link,
        input_stream=BytesIO(b'{"newsletters": ["events"]}'),
        content_type="application/json",
        environ_overrides=chunked,
    )
    assert answer.get_json()["newsletters"] == ["events"]
    assert service.status()["weekly"]["status"] == "pending"


def test_what_was_confirmed_stays_so_when_the_rest_has_expired(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe(newsletters=["weekly", "events"])
        link = service.letter().link
        service.post(link, json={"newsletters": ["events"]})
        clock.shift(timedelta(hours=73))
        assert service.post(link).get_json() == {"status": "confirmed", "newsletters": ["events"]}
        assert service.get(link, headers=BROWSER).status_code == 200
        assert service.status()["weekly"]["status"] == "pending"


def test_declining_after_all_is_acknowledged_like_any_leaving(service: Service) -> None:
    letter = service.confirmed()
    service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"})
    assert service.status()["weekly"]["status"] == "unsubscribed"
    assert service.letter().subject == "Je bent uitgeschreven: Weekbrief"
    service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"})
    assert service.work() == []


def test_one_click_in_a_confirmation_mail_cancels_the_request_and_silences_the_form_for_a_day(
    service: Service,
) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        letter = service.letter()
        assert service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
        assert service.status() is None
        gone = service.get(letter.link, headers={**BROWSER, "Accept-Language": "en"})
        assert gone.status_code == 410
        assert "a new mail can be sent a day later" in gone.text
        clock.shift(timedelta(hours=23))
        assert service.subscribe().status_code == 202
        assert service.work() == []
        clock.shift(timedelta(hours=2))
        service.subscribe()
        assert service.letter().link


def test_it_does_not_shorten_what_was_said_by_hand(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe(newsletters="weekly")
        weekly = service.letter()
        clock.shift(COOL_DOWN)
        service.subscribe(newsletters="events")
        events = service.letter()
        service.post(weekly.link + "/decline", headers=BROWSER)
        service.post(events.one_click, data={"List-Unsubscribe": "One-Click"})
        clock.shift(timedelta(days=29))
        service.subscribe()
        assert service.work() == []


@pytest.mark.parametrize(
    "path",
    [
        "/confirm/{}",
        "/unsubscribe/{}",
        "/preferences/{}",
        "/preferences/{}/link",
        "/preferences/{}/erase",
        "/confirm/{}/decline",
    ],
)
@pytest.mark.parametrize("token", ["forged", "aaaaaaaa" * 8, "%00", "a" * 2000, "é"])
def test_a_forged_link_finds_nothing(service: Service, path: str, token: str) -> None:
    assert service.get(path.format(token)).status_code == 404
    assert service.post(path.format(token)).status_code == 404


def test_a_token_is_good_for_one_purpose_only(service: Service) -> None:
    token = service.confirmed().link.removeprefix("/confirm/")
    assert service.post(f"/unsubscribe/{token}").status_code == 404
    assert service.get(f"/preferences/{token}").status_code == 404
    assert service.status()["weekly"]["status"] == "confirmed"


def test_preferences_show_a_masked_address_and_let_one_leave(service: Service) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    path = service.status()["weekly"]["links"]["preferences"].removeprefix("https://subscribe.example.org")
    page = service.get(path, headers=BROWSER)
    assert "a••@e••.org" in page.text
    assert ADA not in page.text
    service.post(path, data={"leave": "events"}, headers=BROWSER)
    assert (service.status()["events"]["status"], service.status()["weekly"]["status"]) == ("unsubscribed", "confirmed")
    service.post(path, data={"all": "1"}, headers=BROWSER)
    assert service.status()["weekly"]["status"] == "unsubscribed"
