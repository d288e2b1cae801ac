"""The log as a stranger reads it: signed heads, proofs and leaves, and nothing about anyone."""

import pytest

from app.ledger.tree import EMPTY_ROOT, Edge
from app.ledger.verifier import (
    Checkpoint,
    Key,
    Refuted,
    check_consistency,
    decode,
    decode_hash,
    leaf_hash,
    open_note,
)
from tests.features.conftest import OpenService
from tests.log import grow
from tests.service import ADA, BROWSER, Service

FOR_GOOD = "public, max-age=31536000, immutable"


def published_keys(service: Service) -> list[Key]:
    return [Key.parse(line) for line in service.get("/log/key").text.splitlines()]


def published_head(service: Service) -> Checkpoint:
    return Checkpoint.parse(open_note(service.get("/checkpoint").text, published_keys(service)))


def test_a_stranger_follows_the_log_from_head_to_head(service: Service) -> None:
    service.confirmed()
    service.deliver()
    older = published_head(service)
    service.confirmed("grace@example.org")
    service.deliver()
    newer = published_head(service)
    assert (older.size, newer.size) == (3, 6)
    answer = service.get("/log/consistency?from=3&to=6").get_json()
    proof = [decode_hash(text) for text in answer["proof"]]
    check_consistency(older, newer, proof)
    with pytest.raises(Refuted):
        check_consistency(Checkpoint(older.origin, 3, bytes(32)), newer, proof)


def test_a_stranger_computes_the_root_from_the_leaves(service: Service) -> None:
    grow(service, [7])
    leaves = [decode(text) for text in service.get("/log/entries").get_json()["entries"]]
    edge = Edge(0, {})
    list(edge.extend(leaves))
    assert (edge.size, edge.root) == (7, published_head(service).root)
    assert edge.root != EMPTY_ROOT
    (first,) = service.rows("SELECT evidence_hash FROM consent_events JOIN log_entries ON event_id = id LIMIT 1")
    assert leaf_hash(bytes.fromhex(first.evidence_hash)) in leaves


def test_entries_come_in_pages(service: Service) -> None:
    grow(service, [1000, 1003])
    every = service.get("/log/entries?from=0&to=1003").get_json()["entries"]
    rest = service.get("/log/entries?from=1000").get_json()
    assert (len(every), rest["from"], len(rest["entries"])) == (1000, 1000, 3)
    middle = service.get("/log/entries?from=998&to=1001").get_json()
    assert middle["entries"] == [*every[998:], rest["entries"][0]]
    assert service.get("/log/entries?from=1003").get_json() == {"from": 1003, "entries": []}


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/checkpoint", "no-cache"),
        ("/log/key", "no-cache"),
        ("/log/consistency?from=2&to=5", FOR_GOOD),
        ("/log/entries?from=2&to=5", FOR_GOOD),
        ("/log/entries?from=2&to=9", "no-store"),
        ("/log/entries", "no-store"),
    ],
)
def test_what_can_never_change_may_be_kept(service: Service, path: str, kept: str) -> None:
    grow(service, [5])
    assert service.get(path).headers["Cache-Control"] == kept


def test_a_head_that_is_known_already_is_not_sent_again(service: Service) -> None:
    grow(service, [5])
    known = {"If-None-Match": service.get("/checkpoint").headers["ETag"]}
    assert service.get("/checkpoint", headers=known).status_code == 304
    grow(service, [6])
    assert service.get("/checkpoint", headers=known).status_code == 200


def test_texts_are_texts_also_for_a_browser(service: Service) -> None:
    grow(service, [1])
    for path in ("/checkpoint", "/log/key"):
        answer = service.get(path, headers=BROWSER)
        assert answer.content_type == "text/plain; charset=utf-8"
        assert "subscribe.example.org" in answer.text


@pytest.mark.parametrize("path", ["/checkpoint", "/log/consistency?from=0&to=0", "/log/entries"])
def test_before_the_first_seal_there_is_nothing_to_show(service: Service, path: str) -> None:
    service.subscribe()
    answer = service.get(path)
    assert (answer.status_code, answer.get_json()["detail"]) == (404, "Nothing is sealed yet.")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/log/consistency?from=1", "to"),
        ("/log/consistency?to=1", "from"),
        ("/log/consistency?from=one&to=2", "from"),
        ("/log/consistency?from=-1&to=2", "from"),
        ("/log/consistency?from=3&to=2", "to"),
        ("/log/consistency?from=3&to=6", "to"),
        ("/log/consistency?from=3&to=99999999999999999999", "to"),
        ("/log/entries?from=6", "from"),
        ("/log/entries?from=4&to=3", "to"),
        ("/log/entries?from=1.5", "from"),
        ("/log/entries?to=%00", "to"),
    ],
)
def test_a_question_about_what_is_not_there_is_told_so(service: Service, path: str, field: str) -> None:
    grow(service, [5])
    answer = service.get(path)
    assert (answer.status_code, [*answer.get_json()["errors"]]) == (422, [field])
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_keys_are_published_before_they_sign_and_ever_after(open_service: OpenService) -> None:
    first, second, third = (bytes([number]) * 32 for number in range(3))
    grow(open_service(log_signing_keys=(first,)), [2])
    grow(open_service(log_signing_keys=(second, first)), [3])
    after = open_service(log_signing_keys=(third, second))
    keys = published_keys(after)
    assert len(keys) == 3
    open_note(after.get("/checkpoint").text, [keys[1]])
    for size, key in ((2, keys[2]), (3, keys[1])):
        (row,) = after.rows(f"SELECT note FROM checkpoints WHERE size = {size}")
        open_note(row.note, [key])


def test_nothing_in_the_log_is_about_anyone(service: Service) -> None:
    service.confirmed()
    service.deliver()
    for path in ("/checkpoint", "/log/key", "/log/entries", "/log/consistency?from=1&to=3"):
        text = service.get(path).text
        assert not [part for part in (ADA, "ada", "weekly") if part in text]
