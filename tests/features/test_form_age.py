"""How old a form may be: too quick costs a moment, too slow costs a moment, and neither costs the signup."""

import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine

from app import clock
from app.resources import resources_of
from app.tokens import Purpose
from tests.features.conftest import OpenService
from tests.forms import NOW, checks, errors, opened, rendered, unproven
from tests.service import ADA, BROWSER, Service

QUICK = "That was quick. Please tick your choice and press the button once more."
LONG = "This page was open for long. Please tick your choice and press the button once more."


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def test_who_is_too_quick_gets_the_form_again_and_then_gets_through(
    service: Service, time: time_machine.Traveller
) -> None:
    token = opened(service)
    time.shift(timedelta(seconds=1.999))
    page = service.submit(rendered=token, language="en")
    assert page.status_code == 422
    assert QUICK in page.text
    assert f'value="{ADA}"' in page.text
    assert rendered(page) == token
    assert service.status() is None
    time.shift(timedelta(seconds=0.001))
    assert service.submit(rendered=rendered(page)).status_code == 303
    assert checks(service) == [{"honeypot": "empty", "form_age": 2, "proof_of_work": "not asked"}]
    assert unproven(service) == [False]


def test_a_form_that_was_open_for_a_day_is_given_anew(service: Service, time: time_machine.Traveller) -> None:
    token = opened(service)
    time.shift(timedelta(hours=23, minutes=59, seconds=59))
    assert service.submit("grace@example.org", rendered=token).status_code == 303
    time.shift(timedelta(seconds=1))
    page = service.submit(rendered=token, language="en")
    assert page.status_code == 422
    assert LONG in page.text
    assert rendered(page) != token
    assert service.status() is None
    time.shift(timedelta(seconds=2))
    assert service.submit(rendered=rendered(page)).status_code == 303


@pytest.mark.parametrize("kind", ["changed", "made up", "of another purpose", "of other letters"])
def test_a_forged_token_counts_as_too_old(service: Service, time: time_machine.Traveller, kind: str) -> None:
    token = opened(service)
    signer = resources_of(service.app).links.signer
    forged = {
        "changed": ("b" if token[0] == "a" else "a") + token[1:],
        "made up": "nonsense",
        "of another purpose": signer.sign(Purpose.CONFIRM, uuid4(), clock.now()),
        "of other letters": "\udfffé",
    }[kind]
    time.shift(timedelta(seconds=5))
    assert LONG in errors(service.subscribe(rendered=forged, language="en"))["rendered"]
    page = service.submit(rendered=forged.encode(errors="replace"), language="en")
    assert page.status_code == 422
    assert LONG in page.text
    assert service.status() is None
    time.shift(timedelta(seconds=2))
    assert service.submit(rendered=rendered(page)).status_code == 303


def test_a_token_of_the_future_is_too_quick(service: Service, time: time_machine.Traveller) -> None:
    token = opened(service)
    time.shift(timedelta(seconds=-30))
    assert errors(service.subscribe(rendered=token, language="en")) == {"rendered": [QUICK]}


def test_json_may_say_it_too_and_is_held_to_it(service: Service, time: time_machine.Traveller) -> None:
    token = opened(service)
    assert errors(service.subscribe(rendered=token, language="en")) == {"rendered": [QUICK]}
    time.shift(timedelta(seconds=61))
    assert service.subscribe(rendered=token).status_code == 202
    assert checks(service)[0]["form_age"] == 61
    time.shift(timedelta(days=1))
    assert errors(service.subscribe(rendered=token, language="en")) == {"rendered": [LONG]}


def test_who_sends_none_is_a_program_or_another_sites_form_and_is_not_refused(service: Service) -> None:
    assert service.subscribe().status_code == 202
    assert service.submit("grace@example.org").status_code == 303
    assert [each["form_age"] for each in checks(service)] == ["none", "none"]


def test_a_mistake_in_another_field_does_not_start_the_wait_anew(
    service: Service, time: time_machine.Traveller
) -> None:
    token = opened(service)
    time.shift(timedelta(seconds=10))
    page = service.submit("ada@", rendered=token)
    assert rendered(page) == token
    assert service.submit(rendered=token).status_code == 303


def test_a_form_outlives_a_change_of_keys(open_service: OpenService, time: time_machine.Traveller) -> None:
    old, new = "an old secret key, of at least 32 letters", "a new secret key, of at least 32 letters"
    token = opened(open_service(secret_keys=(old,)))
    time.shift(timedelta(seconds=3))
    assert open_service(secret_keys=(new, old)).submit(rendered=token).status_code == 303


def test_each_form_has_a_token_of_its_own_and_the_form_to_copy_has_none(service: Service) -> None:
    assert opened(service) != opened(service)
    assert not re.search("rendered", service.get("/newsletters/weekly/embed", headers=BROWSER).text)
