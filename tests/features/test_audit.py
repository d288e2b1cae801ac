"""The audit: finds nothing where nothing was touched, and names whatever was."""

import threading
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import text, update
from structlog.testing import capture_logs

from app import clock, worker
from app.api_keys import Scope
from app.consent import ConsentEvent
from app.ledger.audit import results
from app.resources import resources_of
from app.worker import auditing
from tests.commands import Jawel
from tests.features.conftest import OpenService
from tests.log import audited, erase, grow, without_triggers, write_events
from tests.service import ADA, Service


def test_a_log_that_nobody_touched_is_clean(service: Service, jawel: Jawel) -> None:
    service.post(service.confirmed().one_click)
    service.subscribe("grace@example.org")
    service.work()
    write_events(service.database, 3)
    result = jawel("ledger", "audit")
    written, sealed = service.counts()["consent_events"], service.counts()["log_entries"]
    assert sealed < written
    assert (result.exit_code, result.stdout) == (0, f"Clean: {written} events, {sealed} of them sealed.\n")
    assert "ok    audit: clean at" in jawel("doctor").stdout


def test_an_empty_log_is_clean(jawel: Jawel) -> None:
    assert jawel("ledger", "audit").stdout == "Clean: 0 events, 0 of them sealed.\n"


def test_a_log_whose_keys_were_rotated_is_clean(open_service: OpenService) -> None:
    old, new = bytes(range(32)), bytes(range(1, 33))
    grow(open_service(log_signing_keys=(old,)), [3, 9])
    grow(open_service(log_signing_keys=(new, old)), [10, 12])
    after = open_service(log_signing_keys=(new,))
    grow(after, [20])
    assert audited(after) == []


def test_what_was_changed_is_named_and_the_doctor_knows(service: Service, jawel: Jawel) -> None:
    grow(service, [4, 7])
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE consent_events SET newsletter = 'events' WHERE newsletter = 'weekly'"))
    result = jawel("ledger", "audit")
    assert result.exit_code == 1
    assert result.stdout.count(": its column newsletter is not what its evidence says\n") == 7
    assert result.stderr == "Error: 7 findings in 7 events.\n"
    assert "fail  audit: 7 findings at" in jawel("doctor").stdout


def test_events_slipped_in_or_out_are_found(service: Service) -> None:
    grow(service, [5])
    write_events(service.database, 1)
    with without_triggers(service.database) as connection:
        connection.execute(text("DELETE FROM unsealed_events"))
    assert [line for line in audited(service) if "neither in the log nor awaits it" in line]
    with without_triggers(service.database) as connection:
        connection.execute(text("DELETE FROM consent_events WHERE id IN (SELECT event_id FROM log_entries)"))
    assert len([line for line in audited(service) if line.endswith(" is gone")]) == 5


def test_a_log_cut_short_is_found(service: Service) -> None:
    grow(service, [5, 9])
    with without_triggers(service.database) as connection:
        connection.execute(text("DELETE FROM log_entries WHERE position = 3"))
    found = audited(service)
    assert any(line.startswith("position 3: it is missing") for line in found)
    assert any(line.startswith("checkpoint 9: there is no such tree") for line in found)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("column", "value", "finding"),
    [
        ("log_keys.verification_key", "CAST(x'ff1b5b324a' AS TEXT)", r"key \udcff\x1b[2J: it did not first sign"),
        ("log_entries.leaf", "'text'", "the log: a value that is not of its column's type"),
        ("consent_events.evidence", "x'ff00'", "the events: a value that is not of its column's type"),
        ("consent_events.occurred_at", "x'ff00'", "its column occurred_at is not what its evidence says"),
        ("checkpoints.note", "x'ff00'", "the log: a value that is not of its column's type"),
        ("wordings.text", "x'ff00'", "the wordings: a value that is not of its column's type"),
    ],
)
def test_values_that_no_column_should_hold_are_findings_and_not_the_end_of_the_audit(
    service: Service, jawel: Jawel, column: str, value: str, finding: str
) -> None:
    grow(service, [5])
    table, _, name = column.partition(".")
    with without_triggers(service.database) as connection:
        connection.execute(text(f"UPDATE {table} SET {name} = {value}"))
    result = jawel("ledger", "audit")
    assert isinstance(result.exception, SystemExit)
    assert finding in result.stdout
    assert service.rows("SELECT findings FROM audits")[0].findings > 0


def test_an_erasure_leaves_a_log_that_is_clean(service: Service) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    service.confirmed("grace@example.org")
    service.work()
    for newsletters in (["events"], None):
        key = service.key(Scope.SUBSCRIBERS_WRITE, newsletters=newsletters)
        assert service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=key).status_code == 204
        assert audited(service) == []
        service.work()
        assert audited(service) == []
    assert service.events().count("subscriber.erased") == 2


@pytest.mark.parametrize(
    ("forged", "finding"),
    [
        ({"event": "00000000-0000-0000-0000-000000000000"}, "no tombstone says that it was erased"),
        ({"type": "letter.accepted"}, "it is not the event that its tombstone says was erased"),
        ({"newsletter": "events"}, "it is not the event that its tombstone says was erased"),
        ({"occurred_at": "2026-11-23T20:00:00.000Z"}, "it is not the event that its tombstone says was erased"),
        ({"occurred_at": "yesterday"}, "what it says it erased cannot be read"),
    ],
)
def test_a_tombstone_for_something_else_is_found(service: Service, forged: dict[str, str], finding: str) -> None:
    grow(service, [5])
    erase(service, **forged)
    assert any(line.endswith(finding) for line in audited(service))


def test_evidence_that_is_gone_without_a_tombstone_is_found(service: Service) -> None:
    grow(service, [5])
    with service.database.transaction() as session:
        session.execute(update(ConsentEvent).values(evidence=None, salt=None))
    assert len(audited(service)) == 5
    assert all(line.endswith("no tombstone says that it was erased") for line in audited(service))


def test_one_worker_audits_each_night(service: Service, jawel: Jawel) -> None:
    def runs() -> int:
        with capture_logs() as said:
            worker.run_once(service.app)
        return sum(line["event"] == "audit.finished" for line in said)

    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as moved:
        assert "not run yet" in jawel("doctor").stdout
        assert [runs(), runs()] == [1, 0]
        moved.shift(timedelta(hours=5))
        assert runs() == 0
        moved.shift(timedelta(hours=2))
        assert [runs(), runs()] == [1, 0]
        moved.shift(timedelta(days=3))
        assert "fail  audit: clean at 2026-11-24 03:00 UTC, and not run since" in jawel("doctor").stdout


def test_a_nightly_audit_says_what_it_finds(service: Service) -> None:
    grow(service, [5])
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE log_entries SET leaf = :other WHERE position = 2"), {"other": bytes(32)})
    with capture_logs() as said:
        worker.run_once(service.app)
    told = [line["finding"] for line in said if line["event"] == "audit.finding"]
    assert told == audited(service)
    assert told[0].startswith("position 2: its leaf is not that of event")


def test_an_audit_that_was_left_off_is_done_by_another(service: Service) -> None:
    def is_due() -> bool:
        with service.database.transaction() as session:
            return results.claim(session, clock.now())

    with time_machine.travel("2026-11-23 03:00:00+00:00", tick=True) as moved:
        assert [is_due(), is_due()] == [True, False]
        moved.shift(results.ABANDONED_AFTER - timedelta(minutes=1))
        assert not is_due()
        moved.shift(timedelta(minutes=2))
        assert [is_due(), is_due()] == [True, False]


def test_a_worker_told_to_stop_leaves_the_audit_to_another(service: Service) -> None:
    grow(service, [5])
    stop = threading.Event()
    stop.set()
    auditing.audit_nightly(resources_of(service.app), stop)
    assert service.counts()["audits"] == 0
