"""How much mail one mailbox gets, under however many addresses it is asked for."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from sqlalchemy import text

from app.addresses import EmailAddress
from app.resources import resources_of
from tests.clocks import Clock
from tests.concurrency import at_once
from tests.mailboxes import TAGGED, recipients, sign_up
from tests.moving import ask, fresh
from tests.service import ADA, BROWSER, COOL_DOWN, Service


@pytest.fixture
def moved() -> Iterator[Clock]:
    with time_machine.travel("2026-11-23 08:00:00+00:00", tick=True) as clock:
        yield clock


A_DAY = timedelta(days=1, minutes=1)


def dotted(number: int) -> str:
    """Another dot behind each letter that the number has a bit for."""
    name = "".join(letter + "." * (number >> place & 1) for place, letter in enumerate("adalovelac"))
    return f"{name}e@gmail.com"


@pytest.mark.parametrize("addresses", [TAGGED, [dotted(number) for number in range(45)]], ids=["tags", "dots"])
def test_all_addresses_of_one_mailbox_get_ten_letters_a_day_together(
    service: Service, moved: Clock, addresses: list[str]
) -> None:
    for email in addresses:
        sign_up(service, email)
    assert recipients(service) == addresses[:10]
    # The first ten have had one each, and nobody gets another while the mailbox has had its ten.
    moved.shift(COOL_DOWN)
    for email in addresses:
        sign_up(service, email, "events")
    assert recipients(service) == []
    moved.shift(A_DAY)
    for email in addresses[20:]:
        sign_up(service, email)
    assert recipients(service) == addresses[20:30]
    assert service.counts()["subscribers"] == 20


def test_what_is_asked_for_a_tag_leaves_the_plain_address_its_own_budget(service: Service, moved: Clock) -> None:
    """Both are counted in one row."""
    service.confirmed(ADA)
    moved.shift(COOL_DOWN)
    sign_up(service, ADA)
    assert recipients(service) == [ADA]
    sign_up(service, "ada+1@example.org")
    sign_up(service, ADA)
    assert recipients(service) == ["ada+1@example.org"]
    # Within the ten minutes of the tag nothing is held back from the plain address.
    sign_up(service, ADA, "events")
    assert recipients(service) == [ADA]
    sign_up(service, "ada+2@example.org", "events")
    assert recipients(service) == ["ada+2@example.org"]
    assert service.counts()["mail_budgets"] == 3


def test_what_a_version_from_before_counted_in_one_still_counts(service: Service, moved: Clock) -> None:
    for email in TAGGED[1:9]:
        sign_up(service, email)
    assert len(service.deliver()) == 8
    with service.database.transaction() as session:
        session.execute(
            text("UPDATE mail_budgets SET confirmations = to_mailbox, to_mailbox = NULL WHERE digest = :mailbox"),
            {"mailbox": EmailAddress.parse(ADA).digests(resources_of(service.app).settings.suppression_key).mailbox},
        )
    for email in TAGGED[9:]:
        sign_up(service, email)
    assert recipients(service) == TAGGED[9:11]


def test_a_mailbox_of_another_name_has_a_budget_of_its_own(service: Service, moved: Clock) -> None:
    for email in TAGGED[:12]:
        sign_up(service, email)
    sign_up(service, "adah@example.org")
    sign_up(service, "ada@example.net")
    assert recipients(service)[-2:] == ["adah@example.org", "ada@example.net"]


@pytest.mark.parametrize("askers", [2, 6])
def test_of_those_who_ask_at_once_for_the_last_place_one_gets_it(service: Service, askers: int) -> None:
    for email in TAGGED[:9]:
        sign_up(service, email)
    at_once([partial(sign_up, service, email) for email in TAGGED[9 : 9 + askers]])
    assert service.counts()["subscribers"] == len(service.deliver()) == 10


def test_two_mailboxes_of_one_person_can_ask_for_each_other_at_once(service: Service, moved: Clock) -> None:
    """Signups and changes of address, which take the same budgets: nobody waits for who waits for them."""
    people = ["ada@example.org", "ada+1@example.org", "ada@example.net", "ada+1@example.net"]
    for email in people:
        service.confirmed(email)
    moved.shift(COOL_DOWN)
    links = [fresh(service, email) for email in people]
    wanted = ["ada+2@example.net", "ada+3@example.net", "ada+2@example.org", "ada+3@example.org"]
    changes = [
        partial(service.post, f"{link}/address", data={"email": email}, headers=BROWSER)
        for link, email in zip(links, wanted, strict=True)
    ]
    answers = at_once([*changes, *(partial(service.subscribe, email, newsletters="events") for email in wanted)])
    assert {answer.status_code for answer in answers} == {200, 202}


def test_changes_of_address_count_among_the_ten(service: Service, moved: Clock) -> None:
    service.confirmed("grace@example.net")
    for email in TAGGED[:9]:
        sign_up(service, email)
    assert len(service.deliver()) == 9
    ask(service, TAGGED[9], "grace@example.net")
    assert recipients(service) == [TAGGED[9]]
    ask(service, TAGGED[10], "grace@example.net")
    sign_up(service, TAGGED[11])
    assert service.work() == []
