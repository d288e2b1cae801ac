"""Things that happen at the same instant: whatever comes first, the outcome is one that could have come in turn."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from sqlalchemy import text

from app import clock as clock_module
from app import worker
from app.newsletters import apply
from app.resources import resources_of
from app.subscriptions import transitions
from app.worker import housekeeping
from tests.catalogues import CATALOGUE
from tests.codes import ATTEMPT
from tests.commands import ROOT, Jawel
from tests.concurrency import at_once, await_lock
from tests.features.conftest import OpenService
from tests.refusing import REFUSE_EVIDENCE
from tests.service import ADA, BOTH, COOL_DOWN, Service

ROUNDS = 5
EXAMPLE = ROOT / "newsletters.example.toml"


def kinds(service: Service) -> list[str]:
    return [event for event in service.events() if event != "letter.accepted"]


@pytest.mark.parametrize("requests", [2, 8])
def test_requests_for_one_new_address_make_one_subscription_and_one_mail(service: Service, requests: int) -> None:
    answers = at_once([service.subscribe] * requests)
    assert [answer.status_code for answer in answers] == [202] * requests
    assert len(service.rows("SELECT id FROM subscribers")) == 1
    assert len(service.rows("SELECT id FROM subscriptions")) == 1
    assert kinds(service) == ["subscription.requested"]
    assert service.post(service.letter().link).status_code == 200


def test_two_spellings_of_one_address_are_one_address(service: Service) -> None:
    at_once([lambda: service.subscribe("ada@example.org"), lambda: service.subscribe("Ada@EXAMPLE.org")])
    assert len(service.rows("SELECT id FROM subscriptions")) == 1
    assert len(service.deliver()) == 1


def test_requests_for_the_same_newsletters_in_another_order_do_not_block_each_other(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=10_000)
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        for _ in range(2):
            answers = at_once(
                [lambda: service.subscribe(newsletters=["weekly", "events"])] * 4
                + [lambda: service.subscribe(newsletters=["events", "weekly"])] * 4
            )
            assert [answer.status_code for answer in answers] == [202] * 8
            assert len(service.deliver()) == 1
            clock.shift(COOL_DOWN)


@pytest.mark.parametrize("presses", [2, 8])
def test_confirmations_at_once_are_one_event(service: Service, presses: int) -> None:
    service.subscribe()
    link = service.letter().link
    answers = at_once([lambda: service.post(link)] * presses)
    assert {answer.status_code for answer in answers} == {200}
    assert {tuple(answer.get_json()["newsletters"]) for answer in answers} == {("weekly",)}
    assert kinds(service) == ["subscription.requested", "subscription.confirmed"]


@pytest.mark.parametrize("presses", [2, 8])
def test_codes_at_once_are_one_event(service: Service, presses: int) -> None:
    service.subscribe(attempt=ATTEMPT)
    code = service.letter().code
    answers = at_once([lambda: service.type_code(ATTEMPT, code)] * presses)
    assert {answer.status_code for answer in answers} == {200}
    assert kinds(service) == ["subscription.requested", "subscription.confirmed"]


def test_wrong_codes_at_once_are_all_counted(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    code = service.letter().code
    answers = at_once([lambda: service.type_code(ATTEMPT, "no code")] * 8)
    assert {answer.status_code for answer in answers} == {422}
    assert service.rows("SELECT tries FROM letters") == [(8,)]
    assert service.type_code(ATTEMPT, code).status_code == 422


def test_link_and_code_at_once_are_one_event(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    letter = service.letter()
    answers = at_once([partial(service.post, letter.link), partial(service.type_code, ATTEMPT, letter.code)] * 4)
    assert {answer.status_code for answer in answers} == {200}
    assert kinds(service) == ["subscription.requested", "subscription.confirmed"]


def test_typing_the_code_and_declining_at_once_ends_in_no_subscription(service: Service) -> None:
    for number in range(ROUNDS):
        email, attempt = f"ada{number}@example.org", f"{ATTEMPT}{number}"
        service.subscribe(email, attempt=attempt)
        letter = service.letter()
        typed, declined = at_once(
            [partial(service.type_code, attempt, letter.code), partial(service.post, f"{letter.link}/decline")]
        )
        assert declined.status_code == 200
        assert typed.status_code in (200, 422)
        assert (service.status(email) or {"weekly": {"status": "unsubscribed"}})["weekly"]["status"] == "unsubscribed"
        service.work()


def test_confirming_and_declining_at_once_ends_in_no_subscription(service: Service) -> None:
    for number in range(ROUNDS):
        email = f"ada{number}@example.org"
        service.subscribe(email)
        link = service.letter().link
        before = len(kinds(service))
        confirmed, declined = at_once([partial(service.post, link), partial(service.post, f"{link}/decline")])
        assert declined.status_code == 200
        happened = sorted(kinds(service)[before:])
        if confirmed.status_code == 200:
            assert happened == ["subscription.confirmed", "subscription.unsubscribed"]
            assert service.status(email)["weekly"]["status"] == "unsubscribed"
        else:
            assert confirmed.status_code == 410
            assert happened == ["subscription.declined"]
            assert service.status(email) is None
        service.work()


def test_confirming_and_leaving_at_once_ends_in_leaving(service: Service) -> None:
    for number in range(ROUNDS):
        email = f"ada{number}@example.org"
        service.subscribe(email)
        letter = service.letter()
        leave = service.status(email)["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
        confirmed, left = at_once([partial(service.post, letter.link), partial(service.post, leave)])
        assert left.status_code == 200
        assert confirmed.status_code in (200, 410)
        assert service.status(email)["weekly"]["status"] == "unsubscribed"
        assert kinds(service).count("subscription.unsubscribed") == number + 1
        service.work()


@pytest.mark.parametrize("presses", [2, 8])
def test_leaving_several_times_at_once_is_one_event_and_one_acknowledgement(service: Service, presses: int) -> None:
    service.confirmed()
    leave = service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    answers = at_once([lambda: service.post(leave)] * presses)
    assert {answer.status_code for answer in answers} == {200}
    assert kinds(service).count("subscription.unsubscribed") == 1
    assert len(service.deliver()) == 1


def test_asking_again_while_the_request_lapses_loses_nothing(service: Service) -> None:
    resources = resources_of(service.app)
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        for _ in range(ROUNDS):
            service.subscribe()
            service.work()
            clock.shift(timedelta(hours=97))
            answer, _ = at_once([service.subscribe, lambda: housekeeping.purge_all_due(resources)])
            assert answer.status_code == 202
            assert service.post(service.letter().link).status_code == 200
            service.post(service.status()["weekly"]["links"]["unsubscribe"].removeprefix(resources.settings.public_url))
            service.work()
            clock.shift(timedelta(days=2))


@pytest.mark.parametrize("engine", ["postgresql"])
def test_whoever_erases_a_person_and_whoever_marks_their_letter_lock_in_one_order(service: Service) -> None:
    service.subscribe()
    with ThreadPoolExecutor(1) as pool:
        erasing = service.database.transaction()
        session = erasing.__enter__()
        session.execute(text("SELECT id FROM subscriptions FOR UPDATE"))
        delivering = pool.submit(worker.run_once, service.app)
        await_lock(service)
        session.execute(text("DELETE FROM subscribers"))
        erasing.__exit__(None, None, None)
        delivering.result()
    assert service.status(ADA) is None
    assert "letter.accepted" not in service.events()


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("act", ["ask again", "confirm", "leave"])
def test_whoever_changes_several_subscriptions_of_a_person_takes_them_in_one_order(service: Service, act: str) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock, ThreadPoolExecutor(1) as pool:
        service.subscribe(newsletters=BOTH)
        link = service.letter().link
        leave = service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
        clock.shift(COOL_DOWN)
        acts = {
            "ask again": lambda: service.subscribe(newsletters=BOTH),
            "confirm": lambda: service.post(link),
            "leave": lambda: service.post(leave, data={"all": "1"}),
        }
        with service.database.transaction() as session:
            session.execute(text("SELECT id FROM subscriptions WHERE newsletter = 'events' FOR UPDATE"))
            acting = pool.submit(acts[act])
            await_lock(service)
            session.execute(text("SELECT id FROM subscriptions WHERE newsletter = 'weekly' FOR UPDATE"))
        assert acting.result().status_code in (200, 202)


@pytest.mark.parametrize("engine", ["postgresql"])
def test_whoever_asks_takes_the_mail_budget_before_all_else(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock, ThreadPoolExecutor(1) as pool:
        service.subscribe()
        service.work()
        clock.shift(COOL_DOWN)
        with service.database.transaction() as session:
            session.execute(text("SELECT digest FROM mail_budgets FOR UPDATE"))
            asking = pool.submit(service.subscribe)
            await_lock(service)
            session.execute(text("SELECT id FROM subscriptions FOR UPDATE"))
        assert asking.result().status_code == 202


@pytest.mark.parametrize("engine", ["postgresql"])
def test_an_address_is_forgotten_when_its_last_two_requests_end_at_once(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock, ThreadPoolExecutor(1) as pool:
        links = []
        for newsletter in BOTH:
            service.subscribe(newsletters=newsletter)
            links.append(service.letter().link)
            clock.shift(COOL_DOWN)
        resources = resources_of(service.app)
        newsletters = resources.catalogue.get().newsletters
        with service.database.transaction() as session:
            much_later = clock_module.now() + timedelta(days=30)
            assert transitions.expire(session, newsletters["weekly"], much_later, at_most=1) == 1
            declining = pool.submit(service.post, f"{links[1]}/decline")
            await_lock(service)
        assert declining.result().status_code == 200
    assert service.rows("SELECT id FROM subscriptions") == []
    assert service.rows("SELECT id FROM subscribers") == []


def test_two_requests_of_one_address_can_be_declined_at_once(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        for number in range(ROUNDS):
            links = []
            for newsletter in BOTH:
                service.subscribe(f"ada{number}@example.org", newsletters=newsletter)
                links.append(service.letter().link)
                clock.shift(COOL_DOWN)
            answers = at_once([partial(service.post, f"{link}/decline") for link in links])
            assert [answer.status_code for answer in answers] == [200, 200]
            assert len(service.rows("SELECT digest FROM suppressions")) == 2 * (number + 1)
    assert service.rows("SELECT id FROM subscribers") == []


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_catalogue_applied_from_several_hosts_at_once_is_applied(service: Service, jawel: Jawel) -> None:
    for table in ("subscriptions", "newsletters", "controllers"):
        with service.database.transaction() as session:
            session.execute(text(f"DELETE FROM {table}"))
    with ThreadPoolExecutor(1) as pool, service.database.transaction() as session:
        apply.await_turn(session)
        apply.apply(session, CATALOGUE)
        applying = pool.submit(jawel, "newsletters", "apply", EXAMPLE)
        await_lock(service)
    assert (applying.result().exit_code, applying.result().stderr) == (0, "Nothing to change.\n")


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_database_that_has_become_read_only_is_one_to_come_back_to(service: Service) -> None:
    name = service.rows("SELECT current_database() AS name")[0].name
    with service.database.transaction() as session:
        session.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    service.database.dispose()
    answer = service.subscribe()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_no_step_without_its_event_and_no_event_without_its_step(service: Service) -> None:
    service.subscribe()
    link = service.letter().link
    before = service.status(), service.events()
    with service.database.transaction() as session:
        session.execute(text(REFUSE_EVIDENCE[session.connection().dialect.name]))
    assert service.post(link).status_code == 500
    assert service.post(f"{link}/decline").status_code == 500
    assert service.subscribe("grace@example.org").status_code == 500
    assert (service.status(), service.events()) == before
    assert service.status("grace@example.org") is None
    assert service.work() == []
