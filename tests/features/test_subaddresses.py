"""Addresses that probably lead to one mailbox: strangers to each other, but an objection to one is heard for all."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import text

from app.addresses import EmailAddress
from app.api_keys import Scope
from app.feedback import Outcome
from app.resources import resources_of
from tests.clocks import Clock
from tests.mailboxes import letter_to, recipients, sign_up
from tests.moving import ask, asked, fresh, gone
from tests.preferences import download, send
from tests.reports import COMPLAINT, HARD, id_of, take
from tests.service import ADA, BROWSER, COOL_DOWN, Letter, Service
from tests.tombstones import erase

GMAIL = "adalovelace@gmail.com"


@pytest.fixture
def moved() -> Iterator[Clock]:
    with time_machine.travel("2026-11-23 08:00:00+00:00", tick=True) as clock:
        yield clock


def decline(service: Service, email: str) -> None:
    assert service.post(f"{letter_to(service, email).link}/decline").status_code == 200


def status(service: Service, email: str) -> tuple[str, bool]:
    found = (service.status(email) or {})["weekly"]
    return found["status"], found["mailable"]


def test_who_declines_for_one_address_is_asked_at_none_and_what_is_confirmed_stays(
    service: Service, moved: Clock
) -> None:
    service.confirmed("ada+books@example.org")
    decline(service, "ada+1@example.org")
    for email in (ADA, "Ada+2@EXAMPLE.org", "ada+1@example.org", "ada+1+2@example.org"):
        sign_up(service, email)
    sign_up(service, "ada+books@example.org", "events")
    assert service.work() == []
    assert status(service, "ada+books@example.org") == ("confirmed", True)
    moved.shift(timedelta(days=29))
    sign_up(service, ADA)
    assert service.work() == []
    moved.shift(timedelta(days=2))
    assert letter_to(service, ADA)


def test_a_letter_that_is_owed_already_does_not_go_after_another_address_was_declined(service: Service) -> None:
    link = letter_to(service, ADA).link
    sign_up(service, "ada+1@example.org")
    service.post(f"{link}/decline")
    assert service.work() == []
    assert "dropped" in {row.state for row in service.rows("SELECT state FROM letters")}


def by_order(service: Service) -> None:
    order = {"email": "ada+1@example.org", "newsletters": ["weekly"], "source": "checkout"}
    answer = service.post("/api/v1/subscriptions", headers=service.key(Scope.SUBSCRIBERS_WRITE), json=order)
    assert answer.status_code == 202


def by_resending(service: Service) -> None:
    (pending,) = [each for each in service.mail.letters if each.recipient == "ada+late@example.org"]
    assert service.post(f"{Letter(pending).link}/resend").status_code == 202


def by_joining(service: Service) -> None:
    page = send(service, fresh(service, "ada+books@example.org"), join="events", consent="yes")
    assert page.status_code == 200


def by_moving(service: Service) -> None:
    ask(service, "ada+1@example.org", "grace@example.org")


@pytest.mark.parametrize("door", [by_order, by_resending, by_joining, by_moving], ids=lambda door: door.__name__)
@pytest.mark.parametrize("objection", ["decline", "complaint"])
def test_by_no_door_is_anybody_asked_at_another_address_of_the_mailbox(
    service: Service, moved: Clock, door: Callable[[Service], None], objection: str
) -> None:
    service.confirmed("grace@example.org")
    service.confirmed("ada+books@example.org")
    letter_to(service, "ada+late@example.org")
    moved.shift(COOL_DOWN)
    link = letter_to(service, ADA)
    if objection == "decline":
        service.post(f"{link.link}/decline")
    else:
        assert take(service, COMPLAINT, letter_id=id_of(link)) is Outcome.TAKEN
    door(service)
    letters = service.work()
    moved.shift(COOL_DOWN)
    letters += service.work()
    assert [letter for letter in letters if "/confirm/" in letter.text or "/address/" in letter.text] == []


def test_who_complains_of_one_address_is_never_asked_at_another_and_what_is_confirmed_stays(
    service: Service, moved: Clock
) -> None:
    kept = service.confirmed("ada+books@example.org")
    letter = service.confirmed("ada+1@example.org")
    assert take(service, COMPLAINT, letter_id=id_of(letter)) is Outcome.TAKEN
    assert status(service, "ada+1@example.org") == ("complained", False)
    assert status(service, "ada+books@example.org") == ("confirmed", True)
    moved.shift(timedelta(days=400))
    service.work()
    sign_up(service, ADA)
    sign_up(service, "ada+books@example.org", "events")
    assert service.work() == []
    assert service.post(kept.link).status_code == 200


def test_a_complaint_about_an_address_that_is_not_known_here_holds_for_its_mailbox(service: Service) -> None:
    take(service, COMPLAINT, address=EmailAddress.parse("a.d.a.lovelace+news@googlemail.com"))
    sign_up(service, GMAIL)
    assert service.work() == []


def test_who_turns_a_change_of_address_down_is_asked_at_no_address_of_the_mailbox(
    service: Service, moved: Clock
) -> None:
    service.confirmed("grace@example.net")
    service.post(asked(service, ADA, "grace@example.net").one_click)
    moved.shift(COOL_DOWN)
    sign_up(service, "ada+1@example.org")
    ask(service, "ada+2@example.org", "grace@example.net")
    assert service.work() == []


def test_who_moves_is_of_their_new_mailbox_from_then_on(service: Service, moved: Clock) -> None:
    service.confirmed("ada@example.net")
    gone(service, ADA, "ada@example.net")
    moved.shift(COOL_DOWN)
    service.subscribe(ADA)
    take(service, COMPLAINT, letter_id=id_of(service.letter()))
    sign_up(service, "ada+1@example.org")
    sign_up(service, "ada+1@example.net")
    assert recipients(service) == ["ada+1@example.net"]


def test_a_mailbox_that_bounced_under_one_address_may_live_under_another(service: Service) -> None:
    take(service, HARD, letter_id=id_of(letter_to(service, "ada+gone@example.org")))
    assert letter_to(service, ADA)


def test_after_an_erasure_the_objection_holds_for_the_mailbox_and_nothing_else_is_kept(
    service: Service, moved: Clock
) -> None:
    letter = service.confirmed("ada+1@example.org")
    take(service, COMPLAINT, letter_id=id_of(letter))
    with service.database.transaction() as session:
        session.execute(text("DELETE FROM suppressions"))
    erase(service, "ada+1@example.org")
    assert (service.counts()["mail_budgets"], service.counts()["suppressions"]) == (0, 2)
    assert "ada" not in str(service.rows("SELECT * FROM suppressions"))
    sign_up(service, ADA)
    assert service.work() == []


def test_a_person_is_told_what_is_counted_and_refused_for_the_whole_mailbox(service: Service, moved: Clock) -> None:
    service.confirmed(ADA, language="en")
    moved.shift(COOL_DOWN)
    decline(service, "ada+1@example.org")
    link = fresh(service)
    told = download(service, link)
    assert (told["suppressions"], [each["reason"] for each in told["suppressions_of_mailbox"]]) == ([], ["declined"])
    alone = [sent for each in told["mail_budget"] for sent in each["confirmations"]]
    (together,) = told["mail_budget_of_mailbox"]
    assert (len(alone), len(together["to_mailbox"])) == (1, 2)
    page = service.get(f"{link}/data", headers=BROWSER).text
    assert page.count("For all addresses together that probably lead to your mailbox") == 2


def test_of_people_from_before_the_worker_finds_out_the_mailbox_and_shares_their_objections(
    service: Service, moved: Clock
) -> None:
    service.confirmed("grace+1@example.org")
    service.confirmed("ada+books@example.org")
    take(service, COMPLAINT, letter_id=id_of(service.confirmed("ada+1@example.org")))
    known = service.rows("SELECT id, mailbox_digest FROM subscribers ORDER BY id")
    with service.database.transaction() as session:
        session.execute(text("UPDATE subscribers SET mailbox_digest = NULL"))
        mailbox = EmailAddress.parse(ADA).digests(resources_of(service.app).settings.suppression_key).mailbox
        session.execute(text(f"DELETE FROM suppressions WHERE digest = '{mailbox}'"))
    # Until then theirs is an objection of the one address; and nothing of theirs is lost.
    assert status(service, "ada+books@example.org") == ("confirmed", True)
    service.work()
    assert service.rows("SELECT id, mailbox_digest FROM subscribers ORDER BY id") == known
    sign_up(service, ADA)
    sign_up(service, "grace@example.org")
    assert recipients(service) == ["grace@example.org"]


def test_of_a_change_of_address_from_before_the_worker_finds_out_the_mailbox(service: Service) -> None:
    service.confirmed("grace@example.net")
    letter = asked(service, ADA, "grace@example.net")
    with service.database.transaction() as session:
        session.execute(text("UPDATE address_changes SET wanted_mailbox_digest = NULL, former_mailbox_digest = NULL"))
    service.post(letter.link)
    service.work()
    (person,) = service.rows("SELECT id, mailbox_digest FROM subscribers")
    assert UUID(str(person.id))
    key = resources_of(service.app).settings.suppression_key
    assert person.mailbox_digest == EmailAddress.parse(ADA).digests(key).mailbox


@pytest.mark.parametrize(
    ("email", "mailbox"),
    [
        ("Ada@Example.org", "ada@example.org"),
        ("ada+news+more@example.org", "ada@example.org"),
        ("a.da@example.org", "a.da@example.org"),
        ("+ada@example.org", "+ada@example.org"),
        ("A.d.a+news@gmail.com", "ada@gmail.com"),
        ("ada@googlemail.com", "ada@gmail.com"),
        ("a.d-a_1@pm.me", "ada1@proton.me"),
        ("ada-1@gmail.com", "ada-1@gmail.com"),
        ("_@protonmail.com", "_@proton.me"),
    ],
)
def test_a_probable_mailbox_is_what_the_providers_themselves_say(email: str, mailbox: str) -> None:
    assert EmailAddress.parse(email).probable_mailbox == mailbox


def test_no_digest_of_a_mailbox_is_that_of_an_address() -> None:
    digests = EmailAddress.parse(ADA).digests("a key")
    assert digests.address == EmailAddress.parse(ADA).digest("a key") != digests.mailbox
    assert digests.mailbox == EmailAddress.parse("ada+1@example.org").digests("a key").mailbox
    assert digests.mailbox != EmailAddress.parse(ADA).digests("another key").mailbox
