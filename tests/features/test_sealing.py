"""Sealing: what happened gets its place in the log, and a signed head that nothing can be slipped under."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from app import worker
from app.consent import ConsentEvent
from app.ledger import proofs, sealing
from app.ledger.log import Log, LogIsInconsistent, introduce, verification_keys
from app.ledger.model import LogKey
from app.ledger.signing import LogSigner, sign
from app.ledger.verifier import Checkpoint, check_consistency, open_note
from app.worker.sealer import Sealer
from tests.commands import PATIENCE_SECONDS, eventually
from tests.features.conftest import OpenService
from tests.log import (
    audited,
    check_everything,
    erase,
    grow,
    keys_of,
    log_of,
    newest,
    seal,
    without_triggers,
    write_events,
)
from tests.service import Service

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def test_a_double_opt_in_is_proven_from_its_evidence(service: Service) -> None:
    service.confirmed()
    service.work()
    assert service.events() == ["subscription.requested", "letter.accepted", "subscription.confirmed"]
    assert check_everything(service, keys_of(service)) == [0, 1, 2]
    assert service.counts()["unsealed_events"] == 0


def test_events_are_sealed_in_the_order_in_which_they_were_written(service: Service) -> None:
    written = [str(each) for each in write_events(service.database, 5)]
    assert [seal(service.database, log_of(service), at_most=3) for _ in range(3)] == [3, 2, 0]
    sealed = service.rows("SELECT event_id FROM log_entries ORDER BY position")
    assert [str(each.event_id).replace("-", "") for each in sealed] == [each.replace("-", "") for each in written]
    assert [row.size for row in service.rows("SELECT size FROM checkpoints ORDER BY size")] == [3, 5]


def test_every_checkpoint_holds_the_one_before(service: Service) -> None:
    grow(service, [1, 2, 5, 8, 13, 21, 64, 100])
    notes = [row.note for row in service.rows("SELECT note FROM checkpoints ORDER BY size")]
    heads = [Checkpoint.parse(open_note(note, keys_of(service))) for note in notes]
    with service.database.read_only() as connection:
        for number, older in enumerate(heads):
            for newer in heads[number:]:
                check_consistency(older, newer, proofs.consistency(connection, older.size, newer.size))
    assert check_everything(service, keys_of(service)) == [*range(100)]


def test_sealers_at_once_give_each_event_one_place(service: Service) -> None:
    write_events(service.database, 300)
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(seal, service.database, log_of(service), 7) for _ in range(120)]:
            each.result()
    while seal(service.database, log_of(service)):
        pass
    assert check_everything(service, keys_of(service)) == [*range(300)]


@pytest.mark.parametrize("engine", ["postgresql"])
def test_sealers_erasers_and_writers_do_not_wait_for_each_other(service: Service) -> None:
    def in_time(act: Callable[[], object]) -> None:
        pool.submit(act).result(PATIENCE_SECONDS)

    erasure = update(ConsentEvent).values(evidence=None, salt=None)
    with ThreadPoolExecutor(1) as pool:
        write_events(service.database, 5)
        with service.database.transaction() as erasing:
            erasing.execute(erasure)
            in_time(lambda: seal(service.database, log_of(service)))
        write_events(service.database, 5)
        with service.database.transaction() as session:
            assert sealing.seal(session, log_of(service)).sealed == 5
            in_time(lambda: write_events(service.database, 1))
            in_time(lambda: erase(service))
            assert seal(service.database, log_of(service)) == 0
    assert seal(service.database, log_of(service)) == 2


def test_a_running_worker_seals_beside_a_mail_server_that_hangs(service: Service) -> None:
    service.subscribe()
    hanging, stop = threading.Event(), threading.Event()
    service.mail.on_taken = hanging.wait
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(worker.run, service.app, stop)
        try:
            eventually(lambda: service.counts()["checkpoints"] == 1)
            assert service.status()["weekly"]["confirmation_mail"]["state"] == "queued"
        finally:
            hanging.set()
            stop.set()
            running.result()


def test_a_new_key_takes_over_and_the_old_one_vouches_for_it(open_service: OpenService) -> None:
    before = open_service(log_signing_keys=(OLD,))
    grow(before, [3])
    after = open_service(log_signing_keys=(NEW, OLD))
    grow(after, [5, 6])
    new, old = keys_of(after)
    notes = {row.size: row.note for row in after.rows("SELECT size, note FROM checkpoints")}
    for note, signers in ((notes[3], [old]), (notes[5], [new, old]), (notes[6], [new])):
        assert note.count("\n— ") == len(signers)
        for key in signers:
            open_note(note, [key])
    since = {row.verification_key: row.since_size for row in after.rows("SELECT * FROM log_keys")}
    assert since == {str(old): 3, str(new): 5}


def test_an_old_key_that_has_handed_over_may_go_from_the_settings_and_is_still_known(
    open_service: OpenService,
) -> None:
    grow(open_service(log_signing_keys=(OLD,)), [3])
    grow(open_service(log_signing_keys=(NEW, OLD)), [4])
    after = open_service(log_signing_keys=(NEW,))
    grow(after, [5])
    with after.database.read_only() as connection:
        known = verification_keys(connection, log_of(after))
    assert known == [LogSigner.of("subscribe.example.org", seed).key for seed in (NEW, OLD)]
    assert check_everything(after, keys_of(after)) == [*range(5)]
    assert audited(after) == []


def test_an_old_key_that_goes_before_it_has_handed_over_is_asked_for(open_service: OpenService) -> None:
    grow(open_service(log_signing_keys=(OLD,)), [3])
    after = open_service(log_signing_keys=(NEW,))
    write_events(after.database, 1)
    with pytest.raises(LogIsInconsistent, match="put the key before behind the new one"):
        seal(after.database, log_of(after))


def test_who_has_the_database_cannot_introduce_a_key_of_their_own(service: Service) -> None:
    """All of the log is signed anew, by a key that stands among the log's keys and has signed since the beginning."""
    grow(service, [3, 4])
    intruder = LogSigner.of("subscribe.example.org", NEW)
    with without_triggers(service.database) as connection:
        for row in connection.execute(text("SELECT size, note FROM checkpoints")).all():
            head = row.note.rpartition("\n\n")[0] + "\n"
            forged = {"note": sign(head, [intruder]), "size": row.size}
            connection.execute(text("UPDATE checkpoints SET note = :note WHERE size = :size"), forged)
        connection.execute(text("DELETE FROM log_keys"))
        values = {"verification_key": str(intruder.key), "since_size": 3, "introduction": introduce(intruder, 3, [])}
        connection.execute(insert(LogKey), values)
    assert service.get("/log/key").text.splitlines() == [str(key) for key in keys_of(service)]
    assert any("neither the settings nor a key that they name" in finding for finding in audited(service))
    write_events(service.database, 1)
    with pytest.raises(LogIsInconsistent, match="does not verify"):
        seal(service.database, log_of(service))


def test_a_key_that_somebody_put_into_the_database_is_nobody(service: Service) -> None:
    """Whoever has the database can rewrite the whole log, and sign it with a key of their own."""
    grow(service, [4])
    theirs = LogSigner.of("subscribe.example.org", NEW)
    with without_triggers(service.database) as connection:
        head = Checkpoint.parse(open_note(newest(service), keys_of(service)))
        connection.execute(text("UPDATE checkpoints SET note = :note"), {"note": sign(str(head), [theirs])})
        connection.execute(text("UPDATE log_keys SET verification_key = :key"), {"key": str(theirs.key)})
    assert any("not signed by a key of LOG_SIGNING_KEY" in finding for finding in audited(service))
    write_events(service.database, 1)
    with pytest.raises(LogIsInconsistent):
        seal(service.database, log_of(service))


FORGERIES = {
    "a leaf at the edge": "UPDATE log_entries SET leaf = :other WHERE position = 6",
    "a node at the edge": "UPDATE tree_nodes SET hash = :other WHERE level = 2",
    "the last entry gone": "DELETE FROM log_entries WHERE position = 6",
    "a node gone": "DELETE FROM tree_nodes WHERE level = 2",
    "the newest checkpoint gone": "DELETE FROM checkpoints WHERE size = 7",
    "a root beside the signed one": "UPDATE checkpoints SET root = :other WHERE size = 7",
    "a note that says more": "UPDATE checkpoints SET note = replace(note, '7', '8') WHERE size = 7",
    "a signed note of another size": (
        "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 4) WHERE size = 7"
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=[*FORGERIES])
def test_nothing_is_signed_on_top_of_a_forgery(service: Service, forgery: str) -> None:
    grow(service, [4, 7])
    with without_triggers(service.database) as connection:
        connection.execute(text(forgery), {"other": bytes(32)} if ":other" in forgery else {})
    write_events(service.database, 1)
    before = service.counts()
    with pytest.raises(LogIsInconsistent):
        seal(service.database, log_of(service))
    assert service.counts() == before


@pytest.mark.parametrize(
    ("origin", "seed"), [("elsewhere.example.org", OLD), ("subscribe.example.org", NEW)], ids=["name", "key"]
)
def test_a_log_of_another_name_or_key_is_not_gone_on_with(service: Service, origin: str, seed: bytes) -> None:
    grow(service, [4])
    with without_triggers(service.database) as connection:
        connection.execute(text("DELETE FROM log_keys"))
    write_events(service.database, 1)
    with pytest.raises(LogIsInconsistent):
        seal(service.database, Log.of(origin, [seed]))


def test_a_worker_says_once_why_it_does_not_seal(service: Service) -> None:
    grow(service, [4])
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE checkpoints SET root = :other"), {"other": bytes(32)})
    write_events(service.database, 1)
    sealer = Sealer(service.database, log_of(service))
    with capture_logs() as said:
        assert [sealer.step(), sealer.step()] == [False, False]
    (line,) = said
    assert (line["event"], line["log_level"]) == ("log.refused", "critical")
    assert "stored beside another size or root" in line["reason"]


SEALED = {
    "log_entries": "UPDATE log_entries SET position = 9",
    "tree_nodes": "UPDATE tree_nodes SET level = 9",
    "checkpoints": "UPDATE checkpoints SET size = 9",
    "log_keys": "UPDATE log_keys SET since_size = 9",
}


@pytest.mark.parametrize("table", SEALED)
def test_the_database_refuses_to_change_what_is_sealed(service: Service, table: str) -> None:
    grow(service, [2])
    for statement in (SEALED[table], f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError), service.database.transaction() as session:
            session.execute(text(statement))
    assert newest(service)
