"""Undo: the page that answers a press leads back once, and nobody behind whose back that could be used.

A stranger has a forwarded newsletter. Its link lets them leave in the owner's name; what they keep of the answer must
never bring back who has left since, by whichever door, and must neither fill a mailbox nor the log.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select, update

from app import feedback
from app.api_keys import Scope
from app.feedback.report import FeedbackKind
from app.resources import resources_of
from app.subscriptions.model import Subscription
from tests.clocks import EVENING
from tests.correspondence import HOST
from tests.leaving import leave, leave_link, undo, undo_token
from tests.service import ADA, BOTH, Letter, Service


def one_click(service: Service, _letter: Letter) -> None:
    service.post(leave_link(service), data={"List-Unsubscribe": "One-Click"})


def by_page(service: Service, _letter: Letter) -> None:
    leave(service, leave_link(service))


def by_page_all(service: Service, _letter: Letter) -> None:
    leave(service, leave_link(service), all="1")


def by_preferences(service: Service, _letter: Letter) -> None:
    service.post(preferences(service), data={"leave": "weekly"})


def by_preferences_all(service: Service, _letter: Letter) -> None:
    service.post(preferences(service), data={"all": "1"})


def by_api(service: Service, _letter: Letter) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    service.post("/api/v1/unsubscribe", json={"email": ADA, "newsletter": "weekly"}, headers=key)


def by_api_all(service: Service, _letter: Letter) -> None:
    service.post("/api/v1/unsubscribe", json={"email": ADA, "all": True}, headers=service.key(Scope.SUBSCRIBERS_WRITE))


def by_declining(service: Service, letter: Letter) -> None:
    assert service.post(f"{letter.link}/decline").status_code == 200


def by_a_mail(service: Service, _letter: Letter) -> None:
    report(service, FeedbackKind.UNSUBSCRIBE)


def by_complaint(service: Service, _letter: Letter) -> None:
    report(service, FeedbackKind.COMPLAINT)


def by_bouncing(service: Service, _letter: Letter) -> None:
    report(service, FeedbackKind.HARD_BOUNCE)


def by_asking_for_erasure(service: Service, _letter: Letter) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    assert service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=key).status_code == 204


DOORS = [
    one_click,
    by_page,
    by_page_all,
    by_preferences,
    by_preferences_all,
    by_api,
    by_api_all,
    by_declining,
    by_a_mail,
    by_complaint,
    by_bouncing,
    by_asking_for_erasure,
]


def preferences(service: Service) -> str:
    link: str = service.status()["weekly"]["links"]["preferences"]
    return link.removeprefix(HOST)


def report(service: Service, kind: FeedbackKind, about: str = "confirmation") -> None:
    """As a provider tells of the one letter of that kind."""
    (letter,) = service.rows(f"SELECT id FROM letters WHERE kind = '{about}'")
    with service.database.transaction() as session:
        told = feedback.about_letter(kind, "mail", UUID(str(letter.id)))
        feedback.take(session, told, catalogue=resources_of(service.app).catalogue.get())


@pytest.mark.parametrize("door", DOORS)
def test_who_leaves_after_a_stranger_did_is_not_brought_back(
    service: Service, door: Callable[[Service, Letter], None]
) -> None:
    letter = service.confirmed()
    link = leave_link(service)
    kept = undo_token(leave(service, link))
    door(service, letter)
    events = service.events()
    assert undo(service, link, kept).status_code == 410
    assert not (service.status() or {}).get("weekly", {}).get("mailable")
    assert service.events() == events


@pytest.mark.parametrize("door", [one_click, by_page, by_preferences, by_api])
def test_not_even_within_the_same_second(service: Service, door: Callable[[Service, Letter], None]) -> None:
    with time_machine.travel(EVENING, tick=False):
        letter = service.confirmed()
        link = leave_link(service)
        kept = undo_token(leave(service, link))
        assert undo(service, link, kept).status_code == 200
        door(service, letter)
        assert undo(service, link, kept).status_code == 410
        assert service.status()["weekly"]["status"] == "unsubscribed"


def test_an_undo_works_once_and_its_page_then_says_what_is_so(service: Service) -> None:
    service.confirmed()
    link = leave_link(service)
    token = undo_token(leave(service, link))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: undo(service, link, token), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410]
    assert service.events().count("subscription.confirmed") == 2
    late = undo(service, link, token)
    assert "You are subscribed" in late.text
    assert "can no longer be undone" not in late.text
    assert service.post(f"{link}/undo", data={"undo": token}).get_json()["status"] == 410


def test_one_undo_stands_for_all_that_the_press_ended_and_falls_with_any_of_them(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    link = leave_link(service)
    token = undo_token(leave(service, link, all="1"))
    acknowledgement = service.letter()
    service.post(acknowledgement.one_click, data={"List-Unsubscribe": "One-Click"})
    assert undo(service, link, token).status_code == 410
    assert [service.status()[name]["status"] for name in BOTH] == ["unsubscribed", "unsubscribed"]


def test_an_undo_is_its_own_persons_even_where_somebody_copied_it_in_the_database(service: Service) -> None:
    grace = "grace@example.org"
    service.confirmed(grace)
    service.post(leave_link(service, grace), data={"List-Unsubscribe": "One-Click"})
    service.work()
    service.confirmed()
    link = leave_link(service)
    token = undo_token(leave(service, link))
    with service.database.transaction() as session:
        mine = session.scalars(select(Subscription.undo_id).order_by(Subscription.ended_at.desc())).first()
        session.execute(update(Subscription).values(undo_id=mine))
    assert undo(service, leave_link(service, grace), token).status_code == 410
    assert service.status(grace)["weekly"]["status"] == "unsubscribed"


def test_a_notice_that_bounces_ends_what_was_brought_back(service: Service) -> None:
    """Whoever presses undo has not shown that the mailbox lives."""
    service.confirmed()
    link = leave_link(service)
    undo(service, link, undo_token(leave(service, link)))
    service.work()
    report(service, FeedbackKind.HARD_BOUNCE, about="resubscribed")
    assert service.status()["weekly"]["status"] == "bounced"


def test_whoever_is_brought_back_is_told_with_the_way_out(service: Service) -> None:
    service.confirmed(language="en")
    link = leave_link(service)
    token = undo_token(leave(service, link))
    service.work()
    undo(service, link, token)
    letter = service.letter()
    assert letter.subject == "You are subscribed again: Weekly letter"
    assert letter.one_click == letter.link
    service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"})
    assert service.status()["weekly"]["status"] == "unsubscribed"


def test_whoever_is_brought_back_to_several_finds_all_of_them_behind_the_way_out(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    link = leave_link(service)
    undo(service, link, undo_token(leave(service, link, all="1")))
    letter = service.letter()
    service.post(letter.link, data={"all": "1"})
    assert [service.status()[name]["status"] for name in BOTH] == ["unsubscribed", "unsubscribed"]


def test_a_letter_about_coming_back_is_not_sent_to_who_has_left_again(service: Service) -> None:
    service.confirmed(language="en")
    link = leave_link(service)
    undo(service, link, undo_token(leave(service, link)))
    leave(service, link)
    assert "You are subscribed again: Weekly letter" not in [each.subject for each in service.deliver()]


@pytest.mark.parametrize("worker", ["sees every step", "sees none"])
def test_press_and_undo_in_a_loop_fill_neither_mailbox_nor_log(service: Service, worker: str) -> None:
    look = service.deliver if worker == "sees every step" else list[Letter]
    with time_machine.travel(EVENING, tick=False) as clock:
        service.confirmed(language="en")
        link = leave_link(service)
        subjects: list[str] = []
        answers = []
        for _ in range(12):
            token = undo_token(leave(service, link))
            subjects += [each.subject for each in look()]
            answers.append(undo(service, link, token).status_code if token else None)
            subjects += [each.subject for each in look()]
        subjects += [each.subject for each in service.deliver()]
        assert answers == [200, 200, 410, *[None] * 9]
        assert service.events().count("subscription.unsubscribed") == 3
        assert service.status()["weekly"]["status"] == "unsubscribed"
        assert subjects.count("You are subscribed again: Weekly letter") <= 2
        assert subjects.count("You are unsubscribed: Weekly letter") <= 3
        assert subjects[-1] == "You are unsubscribed: Weekly letter", "what the last mail says is so"
        clock.shift(timedelta(days=1, seconds=1))
        service.subscribe()
        service.post(service.letter().link)
        assert undo(service, link, undo_token(leave(service, link))).status_code == 200


def test_leaving_many_newsletters_one_by_one_brings_three_acknowledgements_a_day(service: Service) -> None:
    with time_machine.travel(EVENING, tick=True) as clock:
        sent = 0
        for _ in range(5):
            service.subscribe()
            (letter,) = [each for each in service.deliver() if re.search("/confirm/", each.text)]
            service.post(letter.link)
            one_click(service, letter)
            sent += len(service.deliver())
            clock.shift(timedelta(hours=1))
        assert service.status()["weekly"]["status"] == "unsubscribed"
        assert sent == 3
