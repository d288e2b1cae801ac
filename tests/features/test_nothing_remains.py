"""After erasure nothing of the person is left: not in a table, not in the bytes of a file, not in a line of the log."""

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app import clock
from app.api_keys import Scope
from app.newsletters.definitions import TRACES_KEPT_FOR
from app.resources import resources_of
from config import Settings
from tests import machine
from tests.clocks import HOUR, Clock
from tests.features.conftest import OpenService
from tests.log import audited
from tests.moving import asked, person
from tests.service import BROWSER, Service
from tests.tombstones import assert_each_blank_event_is_named, erase

ZELDA = "Zelda.Quirinus@Wobblethorpe.example.org"
PARTS = (ZELDA, ZELDA.lower(), "zelda.quirinus", "Zelda.Quirinus", "zelda", "quirinus", "wobblethorpe")
CROWD = 120


def traces() -> Iterator[bytes]:
    """The address, its parts, and every hash of them that anyone could make without a key, in each usual spelling."""
    for part in PARTS:
        yield part.lower().encode()
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b"):
            digest = hashlib.new(name, part.encode()).digest()
            yield from (digest, digest.hex().encode(), digest.hex().upper().encode())
            for encoded in (base64.b64encode(digest), base64.urlsafe_b64encode(digest), base64.b32encode(digest)):
                yield encoded.rstrip(b"=")


def found_in(dump: bytes) -> set[bytes]:
    lower = dump.lower()
    return {trace for trace in traces() if trace in dump or trace in lower}


def dump(settings: Settings) -> bytes:
    """All that the database holds; of SQLite all that its files hold, deleted or not."""
    if settings.database_url.startswith("sqlite"):
        database = Path(make_url(settings.database_url).database or "")
        return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))
    program = machine.require(machine.POSTGRESQL) / "pg_dump"
    return subprocess.run([program, "--inserts", settings.database_url], capture_output=True, check=True).stdout


def live(service: Service) -> None:
    """All that can happen to a person."""
    service.confirmed(ZELDA)
    service.subscribe(ZELDA.upper(), newsletters=["weekly", "events"])
    links = (service.status(ZELDA) or {})["weekly"]["links"]
    service.work()
    service.post(links["unsubscribe"].removeprefix("https://subscribe.example.org"))
    service.work()
    service.subscribe(ZELDA)


def test_nothing_of_an_erased_person_remains(
    service: Service, settings: Settings, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    service.confirmed("grace@example.org")
    live(service)
    assert {b"zelda", b"quirinus", b"wobblethorpe"} <= found_in(dump(settings))
    erase(service, ZELDA)
    service.work()
    assert found_in(dump(settings)) == set()
    assert found_in(("".join(capsys.readouterr()) + caplog.text).encode()) == set()
    assert b"grace@example.org" in dump(settings)


def senders_list(service: Service) -> set[str]:
    """What a sender may have kept of a person: each id and each instant, as they are told by the API."""
    about = service.get(f"/api/v1/subscribers/{ZELDA}", headers=service.key()).get_json()
    theirs = about["subscriptions"]
    feed = service.get("/api/v1/events?limit=1000", headers=service.key(Scope.EVENTS_READ)).get_json()["events"]
    told = [each for each in feed if each["subscriber"] == about["id"]]
    assert len(told) > 5
    ids = {about["id"], *(each["id"] for each in theirs)}
    return ids | {each["since"] for each in theirs} | {each["occurred_at"] for each in told}


def spelt(value: str) -> Iterator[bytes]:
    """As either database may store it."""
    for each in (value, value.replace("-", ""), value.removesuffix("Z"), value.removesuffix("Z").replace("T", " ")):
        yield each.encode()


@pytest.mark.parametrize("by", ["a service", "the person", "retention"])
def test_a_dump_after_erasure_joined_with_the_list_that_a_sender_kept_leads_to_nobody(
    service: Service, settings: Settings, moved: Clock, by: str
) -> None:
    live(service)
    service.work()
    known = senders_list(service)
    assert all(any(each in dump(settings) for each in spelt(value)) for value in known)
    if by == "a service":
        erase(service, ZELDA)
    elif by == "the person":
        link = resources_of(service.app).links.manage(person(service, ZELDA), clock.now() + timedelta(minutes=30))
        page = link.removeprefix("https://subscribe.example.org")
        assert service.post(f"{page}/erase", headers=BROWSER).status_code == 200
    else:
        moved.shift(timedelta(days=4 * 365))
        service.work()
        for _purge in range(2):
            moved.shift(timedelta(days=31))
            service.work()
    service.work()
    # An erasure can be repeated for a while, after an older backup was restored: until then the id is known.
    moved.shift(TRACES_KEPT_FOR + HOUR)
    service.work()
    left = dump(settings)
    assert [value for value in known if any(each in left for each in spelt(value))] == []
    assert found_in(left) == set()
    assert_each_blank_event_is_named(service)
    assert audited(service) == []


def test_what_repeats_an_erasure_after_a_restore_is_told_for_thirty_days(service: Service, moved: Clock) -> None:
    service.confirmed(ZELDA)
    who = str(person(service, ZELDA))
    erase(service, ZELDA)
    service.work()
    key = service.key(Scope.EVENTS_READ)

    def told() -> list[str | None]:
        return [each["subscriber"] for each in service.get("/api/v1/events", headers=key).get_json()["events"]]

    assert told() == [None, None, None, who]
    moved.shift(TRACES_KEPT_FOR + HOUR)
    service.work()
    assert told() == [None] * 4


def test_nothing_remains_of_a_request_that_was_declined(service: Service, settings: Settings) -> None:
    service.subscribe(ZELDA)
    service.post(f"{service.letter().link}/decline")
    service.work()
    assert found_in(dump(settings)) == set()


@pytest.mark.parametrize("end", ["asked", "declined", "replaced", "confirmed", "undone"])
@pytest.mark.parametrize("zelda_is", ["former", "new"])
def test_nothing_remains_of_an_address_that_a_person_left_or_wanted(
    service: Service, settings: Settings, end: str, zelda_is: str
) -> None:
    former, new = (ZELDA, "grace@example.net") if zelda_is == "former" else ("grace@example.net", ZELDA)
    service.confirmed(former)
    who = person(service, former)
    letter = asked(service, new, former)
    if end == "declined":
        service.post(letter.one_click)
    if end == "replaced":
        asked(service, "grace@example.com", former)
    if end in ("confirmed", "undone"):
        service.post(letter.link)
        notice = service.letter()
        if end == "undone":
            service.post(notice.link)
    erase(service, who)
    service.work()
    assert found_in(dump(settings)) == set()


@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_page_of_the_file_keeps_one_of_many(open_service: OpenService) -> None:
    """Rows move from page to page as others come and go; where one was moved from is as telling as where it is."""
    service = open_service(rate_limit_subscribe=10_000)
    crowd = [f"{number}.{ZELDA}" for number in range(CROWD)]
    for number, email in enumerate(crowd):
        assert service.subscribe(email).status_code == 202
        assert service.subscribe(f"grace{number}@example.org").status_code == 202
    for email in crowd:
        erase(service, email)
    assert found_in(dump(resources_of(service.app).settings)) == set()
