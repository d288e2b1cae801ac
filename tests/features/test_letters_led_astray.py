"""Letters that somebody with the rights of a web server, and no key, led to another mailbox than they were owed to.

The service itself records what comes of it, so every event is in the log by right: what they say of each other is not.
"""

from copy import deepcopy
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import text

from app import clock
from app.ledger.verifier import Trust, examine_receipt
from tests.catalogues import CATALOGUE
from tests.declining import decline
from tests.features.conftest import OpenService
from tests.leaving import undo, undo_token
from tests.log import audited
from tests.moving import ask as ask_to_move
from tests.receipts import KEY, ask
from tests.service import ADA, BROWSER, COOL_DOWN, Letter, Service

MALLORY, VICTIM = "mallory@example.org", "victim@example.org"
NOT_ASKED_FOR = "it is confirmed, but the letter that it was confirmed by is none that was asked for here"
ANOTHER_ADDRESS = "it is confirmed, but the letter went to another address than the one that was asked for"
NOT_TAKEN = (
    "it is confirmed, but the letter that it was confirmed by is said to have been sent, and no mail server took it "
    "for this"
)
SOMEBODY_ELSES = "it is confirmed, but by a letter that went to somebody else"


def change(service: Service, statement: str) -> None:
    """One row, with the triggers in place."""
    with service.database.transaction() as session:
        assert session.connection().execute(text(statement)).rowcount == 1


def of(email: str) -> str:
    return f"(SELECT id FROM subscribers WHERE canonical = '{email}')"


def letter_of(service: Service, email: str) -> str:
    (row,) = service.rows(f"SELECT id FROM letters WHERE subscriber_id = {of(email)}")
    return str(row.id)


def lead(service: Service, letter: str, email: str, *, state: str) -> None:
    """Make it the letter that asks this person to confirm."""
    (row,) = service.rows(f"SELECT id, nonce FROM subscriptions WHERE subscriber_id = {of(email)}")
    about = f'{{"{UUID(str(row.id))}": "{row.nonce}"}}'
    changed = f"subscriber_id = {of(email)}, about = '{about}', state = '{state}'"
    change(service, f"UPDATE letters SET {changed} WHERE id = '{letter}'")
    change(service, f"UPDATE subscriptions SET letter_id = '{letter}' WHERE id = '{row.id}'")


def press(service: Service, link: str) -> None:
    assert service.post(link, headers=BROWSER).status_code == 200
    status = service.status(VICTIM)
    assert status
    assert status["weekly"]["status"] == "confirmed"


def named(service: Service) -> list[str]:
    """What the audit says of subscriptions, whether the newest events are sealed or wait."""
    found = [line.partition(": ")[2] for line in audited(service) if line.startswith("subscription ")]
    service.work()
    assert found == [line.partition(": ")[2] for line in audited(service) if line.startswith("subscription ")]
    return found


def told(service: Service, email: str, newsletter: str = "weekly") -> str:
    """What the verifier says of the letter to whoever has the receipt."""
    theirs = f"subscriber_id = {of(email)} AND newsletter = '{newsletter}'"
    (row,) = service.rows(f"SELECT id FROM subscriptions WHERE {theirs}")
    service.work()
    findings = examine_receipt(ask(service, str(UUID(str(row.id)))).text, Trust([KEY]))
    (line,) = [str(each) for each in findings if each.text.startswith("The letter before it: ")]
    assert [str(each) for each in findings if each.holds is False] in ([], [line])
    return line


@pytest.mark.parametrize("state", ["sent", "queued", "failed"])
def test_a_press_in_ones_own_letter_that_was_made_anothers_is_named(service: Service, state: str) -> None:
    service.subscribe(VICTIM, language="en")
    service.work()
    service.subscribe(MALLORY, language="en")
    link = service.letter().link
    lead(service, letter_of(service, MALLORY), VICTIM, state=state)
    press(service, link)
    assert NOT_ASKED_FOR in named(service)
    assert told(service, VICTIM).startswith("WRONG  The letter before it: the letter that it was confirmed by is none")


@pytest.mark.parametrize(
    ("state", "findings", "verdict"),
    [("sent", [NOT_TAKEN, SOMEBODY_ELSES], "WRONG"), ("failed", [SOMEBODY_ELSES], "note ")],
)
def test_a_press_in_a_letter_that_was_ones_own_while_it_was_sent_is_named(
    service: Service, state: str, findings: list[str], verdict: str
) -> None:
    service.subscribe(MALLORY, language="en")
    service.work()
    service.subscribe(VICTIM, language="en")
    letter = letter_of(service, VICTIM)
    lead(service, letter, MALLORY, state="queued")
    delivered = service.letter()
    assert delivered.delivered.recipient == MALLORY
    lead(service, letter, VICTIM, state=state)
    press(service, delivered.link)
    assert named(service) == findings
    assert told(service, VICTIM).startswith(verdict)


def test_a_decline_that_was_taken_back_hides_no_such_press(service: Service) -> None:
    service.subscribe(VICTIM, language="en")
    service.work()
    service.subscribe(MALLORY, language="en")
    link = service.letter().link
    lead(service, letter_of(service, MALLORY), VICTIM, state="sent")
    assert undo(service, link, undo_token(decline(service, link))).status_code == 200
    press(service, link)
    assert NOT_ASKED_FOR in named(service)
    assert told(service, VICTIM).startswith("WRONG  The letter before it: the letter that it was confirmed by is none")


@pytest.mark.parametrize("columns", ["address = '{0}'", "address = '{0}', canonical = '{0}'"])
def test_a_press_in_a_letter_that_went_to_ones_own_address_is_named(service: Service, columns: str) -> None:
    service.subscribe(VICTIM, language="en")
    change(service, f"UPDATE subscribers SET {columns.format(MALLORY)}")
    letter = service.letter()
    assert letter.delivered.recipient == MALLORY
    change(service, f"UPDATE subscribers SET {columns.format(VICTIM)}")
    press(service, letter.link)
    assert named(service) == [ANOTHER_ADDRESS]
    assert told(service, VICTIM).startswith("WRONG  The letter before it: the letter went to another address")


def test_a_move_whose_letter_went_elsewhere_is_named(service: Service) -> None:
    service.confirmed(MALLORY, language="en")
    ask_to_move(service, VICTIM, MALLORY)
    change(service, "UPDATE address_changes SET wanted = 'mallory@example.net'")
    letter = service.letter()
    assert letter.delivered.recipient == "mallory@example.net"
    change(service, f"UPDATE address_changes SET wanted = '{VICTIM}'")
    press(service, letter.link)
    assert named(service) == [ANOTHER_ADDRESS]


def test_who_is_written_to_at_another_address_than_they_are_known_by_is_named(service: Service) -> None:
    service.confirmed("Mallory@Example.org")
    service.subscribe("Grace@example.org", newsletters="events")
    service.work()
    assert audited(service) == []
    for email in (MALLORY, "grace@example.org"):
        change(service, f"UPDATE subscribers SET address = '{VICTIM}' WHERE canonical = '{email}'")
    known = {f"subscriber {row.id}" for row in service.rows("SELECT id FROM subscribers")}
    found = [line.partition(": ") for line in audited(service)]
    assert {who for who, _, _ in found} == known
    assert {what for _, _, what in found} == {"the address that is written to is not the one that they are known by"}


# What happens to honest people


def test_who_presses_before_the_worker_has_noted_the_letter_is_not_named(service: Service) -> None:
    service.subscribe(VICTIM, language="en")
    service.mail.on_taken = lambda: press(service, Letter(service.mail.letters[-1]).link)
    service.work()
    assert service.events() == ["subscription.requested", "subscription.confirmed", "letter.accepted"]
    assert named(service) == []
    assert told(service, VICTIM).startswith("note   The letter before it: no mail server is on record")


def test_who_presses_in_a_letter_that_was_never_noted_is_not_named(service: Service) -> None:
    """Another worker has it by then, and finds that it is not owed any more."""
    service.subscribe(VICTIM, language="en")

    def taken() -> None:
        press(service, Letter(service.mail.letters[-1]).link)
        change(service, "UPDATE letters SET lease = NULL, leased_until = NULL")

    service.mail.on_taken = taken
    service.letter()
    assert service.events() == ["subscription.requested", "subscription.confirmed"]
    assert named(service) == []
    assert told(service, VICTIM).startswith("note   The letter before it: no mail server is on record")


def test_who_is_asked_twice_and_presses_in_the_first_letter_is_not_named(open_service: OpenService) -> None:
    """The first may have arrived, so the second asks for one of the two anew; when the first is tried again, it names
    the other alone, and its link is for both."""
    catalogue = deepcopy(CATALOGUE)
    catalogue["newsletter"] += [{**CATALOGUE["newsletter"][1], "slug": slug} for slug in ("monthly", "yearly")]
    service = open_service(catalogue=catalogue)
    with time_machine.travel(clock.now(), tick=True) as time:
        service.confirmed(newsletters="yearly", language="en")
        service.subscribe(newsletters=["weekly", "events"], language="en")
        change(service, "UPDATE letters SET unanswered = 1, state = 'deferred' WHERE state = 'queued'")
        service.subscribe(newsletters=["events", "monthly"], language="en")
        time.shift(COOL_DOWN)
        first = service.letter()
        assert service.post(first.link).status_code == 200
        assert named(service) == []
        assert told(service, ADA).startswith("ok ")
        assert told(service, ADA, "events").startswith("note ")
