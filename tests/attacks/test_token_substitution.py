"""A token made for one purpose opens nothing else: every purpose's at every place that takes one."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from app import clock
from app.resources import resources_of
from app.subscriptions import undo
from app.tokens import Purpose, Signer
from tests.correspondence import NEW
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service, everything

FOR = {
    "/confirm/<token>": Purpose.CONFIRM,
    "/confirm/<token>/decline": Purpose.CONFIRM,
    "/confirm/<token>/resend": Purpose.CONFIRM,
    "/confirm/<token>/undo": Purpose.CONFIRM,
    "/unsubscribe/<token>": Purpose.UNSUBSCRIBE,
    "/unsubscribe/<token>/undo": Purpose.UNSUBSCRIBE,
    "/preferences/<token>": Purpose.PREFERENCES,
    "/preferences/<token>/address": Purpose.PREFERENCES,
    "/preferences/<token>/data": Purpose.PREFERENCES,
    "/preferences/<token>/data.json": Purpose.PREFERENCES,
    "/preferences/<token>/erase": Purpose.PREFERENCES,
    "/preferences/<token>/link": Purpose.PREFERENCES,
    "/address/<token>": Purpose.ADDRESS,
    "/address/<token>/decline": Purpose.ADDRESS,
    "/address/undo/<token>": Purpose.FORMER_ADDRESS,
    "/receipts/<token>": Purpose.RECEIPT,
    "/receipts/<token>/json": Purpose.RECEIPT,
}

ALIKE = {Purpose.UNSUBSCRIBE: {Purpose.UNSUBSCRIBE_ONE}}
"""What else is known at the same places, and does less there."""


@pytest.fixture
def service(open_service: OpenService) -> Service:
    """One that does not mind how often it is asked."""
    return open_service(rate_limit_subscribe=10_000)


@pytest.fixture
def subjects(service: Service) -> list[UUID]:
    """Of each kind that a token may be about: somebody who confirmed, and asks to be written to elsewhere."""
    service.confirmed(newsletters="weekly")
    service.subscribe(newsletters="events")
    service.work()
    until = clock.now() + timedelta(minutes=30)
    (ada,) = service.rows(f"SELECT id FROM subscribers WHERE address = '{ADA}'")
    fresh = (
        resources_of(service.app).links.manage(UUID(str(ada.id)), until).removeprefix("https://subscribe.example.org")
    )
    assert service.post(f"{fresh}/address", data={"email": NEW}, headers=BROWSER).status_code == 200
    service.work()
    tables = ("subscribers", "subscriptions", "letters", "address_changes")
    return [UUID(str(row.id)) for table in tables for row in service.rows(f"SELECT id FROM {table}")]


def places(service: Service) -> Iterator[tuple[str, str]]:
    for rule in service.app.url_map.iter_rules():
        if "token" in rule.arguments:
            for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
                yield rule.rule, method


def test_every_place_that_takes_a_token_is_named_here(service: Service) -> None:
    assert {rule for rule, _method in places(service)} == set(FOR)


def test_a_token_for_another_purpose_is_unknown_everywhere(service: Service, subjects: list[UUID]) -> None:
    signer = resources_of(service.app).links.signer
    until = clock.now() + timedelta(days=1)
    before = everything(service)
    for rule, method in places(service):
        for purpose in set(Purpose) - {FOR[rule]} - ALIKE.get(FOR[rule], set()):
            for subject in subjects:
                path = rule.replace("<token>", signer.sign(purpose, subject, until))
                sent = {"email": "eve@example.org", "undo": signer.sign(Purpose.UNDO, subject, until)}
                answer = service.app.test_client().open(path, method=method, data=sent)
                assert answer.status_code == 404, (rule, method, purpose)
    assert everything(service) == before


def test_a_token_for_the_purpose_is_known_there(service: Service, subjects: list[UUID]) -> None:
    """Without which the test before would be about nothing."""
    signer = resources_of(service.app).links.signer
    until = clock.now() + timedelta(minutes=20)
    for rule, purpose in FOR.items():
        if "GET" in {method for each, method in places(service) if each == rule}:
            paths = [rule.replace("<token>", signer.sign(purpose, subject, until)) for subject in subjects]
            # What is known but over, as an undo of what was never done, is gone.
            assert {200, 410} & {service.get(path, headers=BROWSER).status_code for path in paths}, rule


def test_only_the_token_of_the_page_brings_a_subscription_back(service: Service) -> None:
    service.confirmed()
    weekly = service.status()["weekly"]
    leave = weekly["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    service.post(leave)
    signer, until = resources_of(service.app).links.signer, clock.now() + timedelta(minutes=20)
    (ended,) = service.rows("SELECT id, subscriber_id, undo_id FROM subscriptions")
    named = undo.subject(UUID(str(ended.subscriber_id)), UUID(str(ended.undo_id)))
    for purpose in set(Purpose) - {Purpose.UNDO}:
        for field in ("undo", "token", "tokens"):
            sent = {field: signer.sign(purpose, named, until)}
            service.post(f"{leave}/undo", data=sent, headers=BROWSER)
    service.post(f"{leave}/undo", data={"undo": signer.sign(Purpose.UNDO, UUID(str(ended.id)), until)}, headers=BROWSER)
    assert service.status()["weekly"]["status"] == "unsubscribed"


def test_a_token_of_another_service_is_unknown(service: Service, subjects: list[UUID]) -> None:
    stranger = Signer(("the key of somebody else, of sufficient length",))
    for rule, method in places(service):
        path = rule.replace("<token>", stranger.sign(FOR[rule], subjects[0]))
        assert service.app.test_client().open(path, method=method, headers=BROWSER).status_code == 404
