"""The log as strangers and keys read it: signed heads, proofs and leaves, and nothing about anyone."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from werkzeug.test import TestResponse

from app.api_keys import Scope
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
from config import LogPublish
from tests.features.conftest import OpenService
from tests.log import grow
from tests.service import ADA, BROWSER, Service

FOR_GOOD = "public, max-age=31536000, immutable"
IN_PART = ("/checkpoint", "/log/consistency?from=1&to=3", "/log/entries")
"""What is shown of the log without a key, as far as it is published."""
EVENING = datetime(2026, 11, 23, 20, tzinfo=UTC)


@pytest.fixture
def live(open_service: OpenService) -> Service:
    """Shows all of its log to everyone."""
    return open_service(log_publish=LogPublish.LIVE)


def published_keys(service: Service) -> list[Key]:
    return [Key.parse(line) for line in service.get("/log/key").text.splitlines()]


def published_head(service: Service) -> Checkpoint:
    return Checkpoint.parse(open_note(service.get("/checkpoint").text, published_keys(service)))


def test_a_stranger_follows_the_log_from_head_to_head(live: Service) -> None:
    live.confirmed()
    live.work()
    older = published_head(live)
    live.confirmed("grace@example.org")
    live.work()
    newer = published_head(live)
    assert (older.size, newer.size) == (3, 6)
    answer = live.get("/log/consistency?from=3&to=6").get_json()
    proof = [decode_hash(text) for text in answer["proof"]]
    check_consistency(older, newer, proof)
    with pytest.raises(Refuted):
        check_consistency(Checkpoint(older.origin, 3, bytes(32)), newer, proof)


def test_a_stranger_computes_the_root_from_the_leaves(live: Service) -> None:
    grow(live, [7])
    leaves = [decode(text) for text in live.get("/log/entries").get_json()["entries"]]
    edge = Edge(0, {})
    list(edge.extend(leaves))
    assert (edge.size, edge.root) == (7, published_head(live).root)
    assert edge.root != EMPTY_ROOT
    (first,) = live.rows("SELECT evidence_hash FROM consent_events JOIN log_entries ON event_id = id LIMIT 1")
    assert leaf_hash(bytes.fromhex(first.evidence_hash)) in leaves


def test_entries_come_in_pages(live: Service) -> None:
    grow(live, [1000, 1003])
    every = live.get("/log/entries?from=0&to=1003").get_json()["entries"]
    rest = live.get("/log/entries?from=1000").get_json()
    assert (len(every), rest["from"], len(rest["entries"])) == (1000, 1000, 3)
    middle = live.get("/log/entries?from=998&to=1001").get_json()
    assert middle["entries"] == [*every[998:], rest["entries"][0]]
    assert live.get("/log/entries?from=1003").get_json() == {"from": 1003, "entries": []}


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
def test_what_can_never_change_may_be_kept(live: Service, path: str, kept: str) -> None:
    grow(live, [5])
    assert live.get(path).headers["Cache-Control"] == kept


def test_a_head_that_is_known_already_is_not_sent_again(live: Service) -> None:
    grow(live, [5])
    known = {"If-None-Match": live.get("/checkpoint").headers["ETag"]}
    assert live.get("/checkpoint", headers=known).status_code == 304
    grow(live, [6])
    assert live.get("/checkpoint", headers=known).status_code == 200


def test_texts_are_texts_also_for_a_browser(live: Service) -> None:
    grow(live, [1])
    for path in ("/checkpoint", "/log/key"):
        answer = live.get(path, headers=BROWSER)
        assert answer.content_type == "text/plain; charset=utf-8"
        assert "subscribe.example.org" in answer.text


@pytest.mark.parametrize("path", ["/checkpoint", "/log/consistency?from=0&to=0", "/log/entries"])
def test_before_the_first_seal_there_is_nothing_to_show(service: Service, path: str) -> None:
    service.subscribe()
    for headers, detail in (
        ({}, "Nothing is published yet."),
        (service.key(Scope.EVENTS_READ), "Nothing is sealed yet."),
    ):
        answer = service.get(path, headers=headers)
        assert (answer.status_code, answer.get_json()["detail"]) == (404, detail)
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
def test_a_question_about_what_is_not_there_is_told_so(live: Service, path: str, field: str) -> None:
    grow(live, [5])
    answer = live.get(path)
    assert (answer.status_code, [*answer.get_json()["errors"]]) == (422, [field])
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_keys_are_published_before_they_sign_and_ever_after(open_service: OpenService) -> None:
    first, second, third = (bytes([number]) * 32 for number in range(3))
    grow(open_service(log_signing_keys=(first,)), [2])
    grow(open_service(log_signing_keys=(second, first)), [3])
    after = open_service(log_signing_keys=(third, second), log_publish=LogPublish.LIVE)
    keys = published_keys(after)
    assert len(keys) == 3
    open_note(after.get("/checkpoint").text, [keys[1]])
    for size, key in ((2, keys[2]), (3, keys[1])):
        (row,) = after.rows(f"SELECT note FROM checkpoints WHERE size = {size}")
        open_note(row.note, [key])


def test_nothing_in_the_log_is_about_anyone(live: Service) -> None:
    live.confirmed()
    live.work()
    for path in ("/checkpoint", "/log/key", "/log/entries", "/log/consistency?from=1&to=3"):
        text = live.get(path).text
        assert not [part for part in (ADA, "ada", "weekly") if part in text]


def seen(service: Service, headers: dict[str, str]) -> int:
    """The size of the log as its parts agree on it; 0 where it is empty."""
    head = service.get("/checkpoint", headers=headers)
    if head.status_code == 404:
        assert [service.get(path, headers=headers).status_code for path in IN_PART] == [404] * 3
        return 0
    size = int(head.text.splitlines()[1])
    assert len(service.get("/log/entries", headers=headers).get_json()["entries"]) == size
    proven = [service.get(f"/log/consistency?from=1&to={end}", headers=headers) for end in (size, size + 1)]
    assert [each.status_code for each in proven] == [200, 422]
    return size


def test_strangers_see_the_log_as_of_the_last_midnight_and_keys_as_it_stands(service: Service) -> None:
    key = service.key(Scope.EVENTS_READ)
    with time_machine.travel(EVENING, tick=False) as time:
        grow(service, [3])
        assert (seen(service, {}), seen(service, key)) == (0, 3)
        time.move_to(EVENING.replace(hour=23, minute=59, second=59, microsecond=999_000))
        grow(service, [5])
        assert (seen(service, {}), seen(service, key)) == (0, 5)
        time.move_to(EVENING.replace(hour=0) + timedelta(days=1))
        assert (seen(service, {}), seen(service, key)) == (5, 5), "what was signed before midnight"
        time.shift(0.001)
        grow(service, [9])
        assert (seen(service, {}), seen(service, key)) == (5, 9)
        time.shift(timedelta(days=1))
        assert (seen(service, {}), seen(service, key)) == (9, 9)


def test_what_somebody_does_shows_to_no_stranger_on_that_day(service: Service) -> None:
    """Known or not, an address grows the log by another number: that is for nobody to count."""
    with time_machine.travel(EVENING, tick=False) as time:
        service.confirmed()
        service.work()
        time.shift(timedelta(days=1))
        before = [told(service.get(path)) for path in IN_PART]
        for email in (ADA, "nobody@example.org", "grace@example.org"):
            service.subscribe(email)
            time.shift(1)
            service.work()
            assert [told(service.get(path)) for path in IN_PART] == before
    assert [status for status, _body, _headers in before] == [200] * 3


def told(answer: TestResponse) -> tuple[int, str, list[tuple[str, str]]]:
    return answer.status_code, answer.text, sorted(each for each in answer.headers if each[0] != "X-Request-Id")


@pytest.mark.parametrize("newsletters", [None, ["weekly"]])
@pytest.mark.parametrize("publish", LogPublish)
def test_a_key_of_the_feed_sees_all_of_it(
    open_service: OpenService, publish: LogPublish, newsletters: list[str] | None
) -> None:
    service = open_service(log_publish=publish)
    grow(service, [4])
    assert seen(service, service.key(Scope.EVENTS_READ, newsletters=newsletters)) == 4
    assert seen(service, service.key(Scope.ADMIN)) == 4


@pytest.mark.parametrize(("publish", "size"), [(LogPublish.LIVE, 4), (LogPublish.DAILY, 0), (LogPublish.NEVER, 0)])
def test_a_stranger_sees_what_the_setting_says_and_always_the_keys(
    open_service: OpenService, publish: LogPublish, size: int
) -> None:
    service = open_service(log_publish=publish)
    grow(service, [4])
    assert seen(service, {}) == size
    assert service.get("/log/key").status_code == 200


def test_where_strangers_are_shown_nothing_a_wrong_question_tells_them_no_more(open_service: OpenService) -> None:
    service = open_service(log_publish=LogPublish.NEVER)
    grow(service, [4])
    for path in ("/log/consistency?from=x", "/log/consistency?from=1&to=9", "/log/entries?from=5"):
        assert service.get(path).status_code == 404


@pytest.mark.parametrize("path", IN_PART)
def test_a_key_that_opens_nothing_is_told_so_instead_of_being_shown_less(live: Service, path: str) -> None:
    grow(live, [4])
    for authorization in ("Bearer nonsense", "Bearer", "Basic YTpi", "jawel_abc"):
        answer = live.get(path, headers={"Authorization": authorization})
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["Cache-Control"] == "no-store"
    answer = live.get(path, headers=live.key(Scope.STATUS_READ))
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"].endswith('error="insufficient_scope", scope="events:read"')


@pytest.mark.parametrize("path", IN_PART)
def test_no_shared_cache_keeps_what_a_key_was_shown(service: Service, path: str) -> None:
    with time_machine.travel(EVENING) as time:
        grow(service, [3])
        time.shift(timedelta(days=1))
        opened, open_to_all = service.get(path, headers=service.key(Scope.EVENTS_READ)), service.get(path)
    assert opened.status_code == open_to_all.status_code == 200
    for answer in (opened, open_to_all):
        assert "Authorization" in answer.vary
    assert "public" not in opened.headers["Cache-Control"]
    assert opened.cache_control.private or opened.cache_control.no_store
    assert "private" not in open_to_all.headers["Cache-Control"]


def test_a_head_that_a_key_knows_already_is_not_sent_again(service: Service) -> None:
    grow(service, [5])
    key = service.key(Scope.EVENTS_READ)
    known = {**key, "If-None-Match": service.get("/checkpoint", headers=key).headers["ETag"]}
    assert service.get("/checkpoint", headers=known).status_code == 304


def test_a_clock_that_is_set_back_takes_nothing_back_that_was_published(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as time:
        grow(service, [3])
        time.shift(timedelta(hours=-1))
        grow(service, [5])
        signed = [row.signed_at for row in service.rows("SELECT signed_at FROM checkpoints ORDER BY size")]
        assert signed[0] == signed[1]
        time.move_to(EVENING + timedelta(days=1))
        assert seen(service, {}) == 5
