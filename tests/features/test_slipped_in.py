"""Events that somebody writes into the database by themselves: they are not sealed, and the audit names them."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from app import clock, consent, worker
from app.consent import Act, Actor, ConsentEvent, EventType, Step
from app.ledger import refused
from app.ledger.verifier import Trust, examine_receipt
from app.worker.sealer import Sealer
from tests.commands import Jawel
from tests.features.conftest import OpenService
from tests.log import audited, grow, log_of, seal, without_triggers, write_events
from tests.macs import OLD_KEY, Forge, by_another_key, of_another_event, of_other_evidence
from tests.receipts import KEY, receipt_text
from tests.service import ADA, Service

NEW_KEY = "a newer secret key for tests, of some length"


def invented(service: Service, number: int = 1, *, mac: Forge = lambda _id, _hash: None) -> list[str]:
    """Requests with evidence, salt and hash to the letter, in the words of `INSERT`; their ids."""
    act = Act(Actor.MAILBOX_HOLDER, {"method": "page"})
    with service.database.transaction() as session:
        steps = [Step(EventType.REQUESTED, uuid4(), uuid4(), "weekly", clock.now()) for _ in range(number)]
        rows = [consent.row(session.connection(), step, act) for step in steps]
        forged = [{**row, "mac": mac(row["id"], row["evidence_hash"])} for row in rows]
        session.execute(insert(ConsentEvent), forged)
    return [str(row["id"]) for row in forged]


def sealed(service: Service) -> set[str]:
    return {str(UUID(str(row.event_id))) for row in service.rows("SELECT event_id FROM log_entries")}


def named(findings: list[str]) -> set[str]:
    return {str(UUID(line.split()[1].rstrip(":"))) for line in findings if line.startswith("event ")}


@pytest.mark.parametrize(
    "mac", [lambda *_: None, lambda *_: "", by_another_key, of_another_event, of_other_evidence, lambda *_: "é" * 32]
)
def test_an_event_that_somebody_inserted_is_not_sealed_and_those_around_it_are(
    service: Service, jawel: Jawel, mac: Forge
) -> None:
    service.confirmed()
    (forged,) = invented(service, mac=mac)
    service.confirmed("grace@example.org")
    service.work()
    assert service.counts()["log_entries"] == 6
    assert forged not in sealed(service)
    result = jawel("ledger", "audit")
    assert (result.exit_code, named(result.stdout.splitlines())) == (1, {forged})
    assert "no MAC shows that this application wrote it" in result.stdout.replace(forged, "")
    assert "fail  log: 1 event not sealed" in jawel("doctor").stdout
    assert service.counts()["unsealed_events"] == 0


def test_the_log_tells_once_what_was_not_sealed(service: Service) -> None:
    forged = invented(service, 3)
    with capture_logs() as said:
        sealer = Sealer(service.database, log_of(service))
        assert [sealer.step() for _ in range(4)] == [True, False, False, False]
    (line,) = said
    assert (line["event"], line["log_level"], line["count"]) == ("log.events_refused", "critical", 3)
    assert sorted(line["events"]) == sorted(forged)
    assert ADA not in str(line)


def test_a_crowd_of_invented_events_holds_up_nobody(service: Service) -> None:
    invented(service, 45)
    written = {str(each) for each in write_events(service.database, 5)}
    invented(service, 45)
    written |= {str(each) for each in write_events(service.database, 5)}
    while service.counts()["unsealed_events"]:
        seal(service.database, log_of(service), at_most=10)
    assert sealed(service) == written
    assert [row.position for row in service.rows("SELECT position FROM log_entries ORDER BY 1")] == [*range(10)]
    assert len(named(audited(service))) == 90


def test_nothing_that_is_in_the_database_alone_brings_it_back(service: Service) -> None:
    (forged,) = invented(service)
    service.work()
    with service.database.transaction() as session:
        session.execute(text("DELETE FROM refused_events"))
        values = {"id": forged.replace("-", "") if session.get_bind().dialect.name == "sqlite" else forged}
        session.execute(text("INSERT INTO unsealed_events (event_id, mac) VALUES (:id, 'ab')"), values)
    service.work()
    assert sealed(service) == set()
    assert named(audited(service)) == {forged}


def test_the_database_refuses_to_change_a_mac(service: Service) -> None:
    service.subscribe()
    with pytest.raises(DBAPIError), service.database.transaction() as session:
        session.execute(update(ConsentEvent).values(mac="ab"))
    with pytest.raises(DBAPIError), service.database.transaction() as session:
        session.execute(update(ConsentEvent).values(mac="ab", evidence=None, salt=None))


# Keys that come and go


def test_events_that_wait_during_an_exchange_of_keys_are_sealed(open_service: OpenService) -> None:
    before = open_service()
    write_events(before.database, 3)
    after = open_service(secret_keys=(NEW_KEY, OLD_KEY))
    write_events(after.database, 3)
    assert seal(after.database, log_of(after)) == 6
    alone = open_service(secret_keys=(NEW_KEY,))
    write_events(alone.database, 1)
    assert seal(alone.database, log_of(alone)) == 1
    assert audited(alone) == [], "what is sealed needs no key that has gone"


def test_a_worker_that_has_not_heard_of_the_new_key_delays_its_events_and_loses_none(
    open_service: OpenService, jawel: Jawel
) -> None:
    late, first = open_service(), open_service(secret_keys=(NEW_KEY, OLD_KEY))
    write_events(first.database, 3)
    worker.run_once(late.app)
    assert first.counts()["log_entries"] == 0
    assert "fail  log: 3 events not sealed" in jawel("doctor").stdout
    worker.run_once(first.app)
    assert first.counts()["log_entries"] == 3
    assert audited(first) == []


def test_an_event_by_a_key_that_was_taken_away_too_early_waits_for_it(open_service: OpenService) -> None:
    before, alone = open_service(), open_service(secret_keys=(NEW_KEY,))
    (written,) = write_events(before.database, 1)
    worker.run_once(alone.app)
    assert named(audited(alone)) == {str(written)}
    both = open_service(secret_keys=(NEW_KEY, OLD_KEY))
    worker.run_once(both.app)
    assert sealed(both) == {str(written)}


def test_more_than_can_be_looked_at_again_at_once_come_back_in_turns(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, first = open_service(), open_service(secret_keys=(NEW_KEY, OLD_KEY))
    invented(first, 5)
    write_events(first.database, 5)
    worker.run_once(late.app)
    monkeypatch.setattr(refused, "_ASIDE", refused._ASIDE.limit(3))
    monkeypatch.setattr(refused, "AT_ONCE", 3)
    after = None
    for _ in range(4):
        with first.database.transaction() as session:
            after = refused.reconsider(session, after)
    assert after is None
    assert seal(first.database, log_of(first)) == 5


# Dated back


def written_at(service: Service, moment: datetime) -> UUID:
    with time_machine.travel(moment, tick=False):
        return write_events(service.database, 1)[0]


def test_an_event_that_was_dated_back_is_named(service: Service) -> None:
    """By whoever has the keys as well."""
    grow(service, [3])
    late = written_at(service, clock.now() - timedelta(days=30))
    assert seal(service.database, log_of(service)) == 1
    write_events(service.database, 1)
    seal(service.database, log_of(service))
    (found,) = audited(service)
    assert named([found]) == {str(late)}
    assert "it was dated back, or a clock was wrong" in found


def test_a_clock_that_was_ahead_once_speaks_against_nobody_else(service: Service) -> None:
    grow(service, [3])
    ahead = written_at(service, clock.now() + timedelta(days=30))
    write_events(service.database, 25)
    seal(service.database, log_of(service))
    (found,) = audited(service)
    assert named([found]) == {str(ahead)}
    assert "a clock was ahead" in found


def test_what_waited_for_a_worker_that_was_away_is_old_by_right(service: Service) -> None:
    for days in (9, 8, 1, 0):
        written_at(service, clock.now() - timedelta(days=days))
    written_at(service, clock.now() - timedelta(hours=72, minutes=30))
    assert seal(service.database, log_of(service)) == 5
    assert audited(service) == []


# Those for which somebody vouches


def test_an_operator_vouches_for_events_from_before_an_upgrade(service: Service, jawel: Jawel) -> None:
    first, second = invented(service, 2)
    listed = jawel("ledger", "adopt")
    assert listed.exit_code == 0
    assert {line.split()[0] for line in listed.stdout.splitlines()} == {first, second}
    assert "subscription.requested  weekly  it has no MAC" in listed.stdout
    service.work()
    assert jawel("ledger", "adopt").stdout == listed.stdout, "whether the sealer has seen them or not"
    assert "Adopted 1 event." in jawel("ledger", "adopt", first).stdout
    service.work()
    assert sealed(service) == {first}
    assert jawel.fed(listed.stdout.encode(), "ledger", "adopt", "--from", "-").exit_code == 1, "one of them is sealed"
    rest = "".join(line for line in listed.stdout.splitlines(keepends=True) if second in line)
    assert jawel.fed(rest.encode(), "ledger", "adopt", "--from", "-").exit_code == 0
    service.work()
    assert sealed(service) == {first, second}
    assert audited(service) == []
    assert jawel("ledger", "adopt").stdout == "Each event that waits bears a MAC of this service.\n"


def test_nobody_can_vouch_for_what_does_not_add_up_or_does_not_wait(service: Service, jawel: Jawel) -> None:
    (forged,) = invented(service)
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE consent_events SET newsletter = 'events'"))
    result = jawel("ledger", "adopt", forged)
    assert result.exit_code == 1
    assert "its column newsletter is not what its evidence says. Nothing was adopted." in result.stderr
    result = jawel("ledger", "adopt", str(uuid4()))
    assert (result.exit_code, "is no event that waits for a seal" in result.stderr) == (1, True)
    assert "begin with the id of an event" in jawel.fed(b"nonsense\n", "ledger", "adopt", "--from", "-").stderr
    service.work()
    assert sealed(service) == set()


def test_nobody_can_vouch_for_an_event_that_says_nothing(service: Service, jawel: Jawel) -> None:
    (forged,) = invented(service)
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE consent_events SET evidence = NULL, salt = NULL"))
    result = jawel("ledger", "adopt", forged)
    assert result.exit_code == 1
    assert "its evidence is gone, so nobody can tell what they would vouch for. Nothing was adopted." in result.stderr
    service.work()
    assert sealed(service) == set()


def test_the_verifier_says_where_no_letter_was_taken(service: Service) -> None:
    service.subscribe(language="en")
    link = service.letter().link
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE letters SET state = 'queued'"))  # As a worker leaves it that died.
        connection.execute(text("DELETE FROM unsealed_events"))
        connection.execute(text("DELETE FROM log_entries"))
        connection.execute(text("DELETE FROM tree_nodes"))
        connection.execute(text("DELETE FROM checkpoints"))
        connection.execute(text("DELETE FROM log_keys"))
        connection.execute(text("DELETE FROM consent_events WHERE type = 'letter.accepted'"))
        connection.execute(text("INSERT INTO unsealed_events (event_id) SELECT id FROM consent_events"))
    service.post(link)
    said = [str(each) for each in examine_receipt(receipt_text(service), Trust([KEY]))]
    (line,) = [line for line in said if "no mail server is on record as having taken a letter" in line]
    assert line.startswith("note   The letter before it: ")
    assert not [line for line in said if line.startswith("WRONG")]
