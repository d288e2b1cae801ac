"""Secrets are exchanged while links are out: what still works, what dies, and what is not touched at all."""

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from app.api_keys import Scope
from app.resources import resources_of
from tests.commands import ROOT
from tests.correspondence import HOST
from tests.features.conftest import OpenService
from tests.moving import asked, gone
from tests.service import ADA, BROWSER, Service

NEW_KEY = "a newer secret key for tests, of some length"
ATTEMPT = "an id that the form has chosen"


def links(service: Service) -> Iterator[tuple[str, str]]:
    """A link of each purpose, and what it says to whoever opens it."""
    service.confirmed("bea@example.org")
    yield "former address", gone(service, "bea@example.net", "bea@example.org").link
    yield "address", asked(service, "bea@example.com", "bea@example.net").link
    done = service.confirmed()
    yield "confirm", done.link
    page = service.post(done.link, headers=BROWSER)
    yield "receipt", page.text.partition(f'href="{HOST}/receipts/')[2].partition('"')[0].join(("/receipts/", ""))
    for name, url in service.status()["weekly"]["links"].items():
        yield name, url.removeprefix(HOST)
    service.post("/preferences", data={"email": ADA}, headers=BROWSER)
    yield "preferences, for a while", service.letter().link


@pytest.fixture
def old_keys(service: Service) -> tuple[str, ...]:
    return resources_of(service.app).settings.secret_keys


def test_links_live_on_behind_a_new_key_and_die_without_their_own(
    service: Service, open_service: OpenService, old_keys: tuple[str, ...]
) -> None:
    sent = dict(links(service))
    rotated = open_service(secret_keys=(NEW_KEY, *old_keys))
    for name, link in sent.items():
        for either in (rotated, service):
            assert either.get(link, headers=BROWSER).status_code == 200, name
    alone = open_service(secret_keys=(NEW_KEY,))
    for name, link in sent.items():
        assert alone.get(link, headers=BROWSER).status_code == 404, name
        assert alone.post(link, headers=BROWSER).status_code in {404, 405}, name
    assert alone.status()["weekly"]["status"] == "confirmed"


OLD_KEY = "an older secret key for tests, of some length"
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
AS_DOCUMENTED = ["OLD", *re.findall(r"`SECRET_KEYS=((?:OLD|NEW)(?:,(?:OLD|NEW))*)`", OPERATIONS)]
"""Before, and after each phase."""
TWO_PHASES = AS_DOCUMENTED[:3]
NEIGHBOURS = [pair for one, two in pairwise(TWO_PHASES) for pair in ((one, two), (two, one))]


def keys_of(phase: str) -> tuple[str, ...]:
    return tuple({"OLD": OLD_KEY, "NEW": NEW_KEY}[name] for name in phase.split(","))


def test_the_manual_names_two_phases_and_an_end() -> None:
    assert AS_DOCUMENTED == ["OLD", "OLD,NEW", "NEW,OLD", "NEW"]


@pytest.mark.parametrize(("signs", "reads"), NEIGHBOURS)
def test_while_a_restart_is_under_way_each_reads_what_the_other_signs(
    open_service: OpenService, signs: str, reads: str
) -> None:
    """Processes of one phase and of the next, side by side."""
    one, other = open_service(secret_keys=keys_of(signs)), open_service(secret_keys=keys_of(reads))
    for name, link in links(one):
        assert other.get(link, headers=BROWSER).status_code == 200, name
    one.subscribe("grace@example.org", attempt=ATTEMPT)
    assert other.type_code(ATTEMPT, one.letter().code).status_code == 200


def test_what_is_made_after_the_exchange_outlives_the_old_key(
    service: Service, open_service: OpenService, old_keys: tuple[str, ...]
) -> None:
    rotated = open_service(secret_keys=(NEW_KEY, *old_keys))
    made = dict(links(rotated))
    alone = open_service(secret_keys=(NEW_KEY,))
    for name, link in made.items():
        assert alone.get(link, headers=BROWSER).status_code == 200, name
        assert service.get(link, headers=BROWSER).status_code == 404, name


def test_a_letter_that_is_owed_and_its_code_survive_the_exchange(
    service: Service, open_service: OpenService, old_keys: tuple[str, ...]
) -> None:
    """Asked with the old key, written and confirmed with the new one."""
    service.subscribe(attempt=ATTEMPT)
    rotated = open_service(secret_keys=(NEW_KEY, *old_keys))
    letter = rotated.letter()
    assert open_service(secret_keys=(NEW_KEY,)).get(letter.link, headers=BROWSER).status_code == 200
    assert rotated.type_code(ATTEMPT, letter.code).status_code == 200
    assert rotated.status()["weekly"]["status"] == "confirmed"


def test_another_service_goes_on_with_its_key(service: Service, open_service: OpenService) -> None:
    service.confirmed()
    key = service.key(Scope.STATUS_READ)
    alone = open_service(secret_keys=(NEW_KEY,))
    answer = alone.get(f"/api/v1/subscribers/{ADA}", headers=key)
    assert answer.status_code == 200
    fresh = answer.get_json()["subscriptions"][0]["links"]["unsubscribe"].removeprefix(HOST)
    assert alone.post(fresh).status_code == 200


def test_the_key_of_suppressions_is_never_exchanged_because_those_who_declined_would_be_written_to(
    service: Service, open_service: OpenService
) -> None:
    service.subscribe()
    assert service.post(service.letter().one_click).status_code == 200
    service.subscribe()
    assert service.work() == []
    forgetful = open_service(suppression_key="another key of suppressions, of some length")
    forgetful.subscribe()
    assert len(forgetful.deliver()) == 1
