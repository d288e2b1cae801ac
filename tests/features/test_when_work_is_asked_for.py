"""When a signup has to prove work, and when not: it depends on attacks, on the newsletter and on the way it came."""

import re
from typing import Any

import time_machine

from tests import attack
from tests.catalogues import CATALOGUE
from tests.features.conftest import OpenService
from tests.forms import EVE, NOW, READ, checks, errors, opened, unproven
from tests.preferences import JOIN, fresh
from tests.service import BROWSER, Service
from tests.watching import watched


def test_no_work_is_asked_for_where_none_is_attacked_and_a_proof_is_left_alone(service: Service) -> None:
    assert "jawel-signup.js" not in service.get("/newsletters/weekly").text
    proof = attack.proof(service)
    assert service.subscribe(proof_of_work=proof).status_code == 202
    assert service.subscribe(EVE, proof_of_work=proof).status_code == 202
    assert service.subscribe("grace@example.org", proof_of_work="nonsense").status_code == 202
    assert service.counts()["spent_proofs"] == 0
    assert {each["proof_of_work"] for each in checks(service)} == {"not asked"}
    assert unproven(service) == [False] * 3


def test_where_no_work_is_asked_for_no_statement_is_spent_on_it(service: Service) -> None:
    _answer, without = watched(service, service.subscribe)
    assert [
        statement for _pool, statement in without if re.search("spent_proofs|breakers|rate_limits", statement)
    ] == []
    client = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    with time_machine.travel(NOW, tick=True) as clock:
        token = opened(service)
        clock.shift(READ)
        fields = {"email": EVE, "newsletters": "weekly", "consent": True, "rendered": token, "proof_of_work": "x"}
        _answer, given = watched(service, lambda: service.post("/subscribe", json=fields, **client))
    assert given == without


def of(policy: str) -> dict[str, Any]:
    weekly, events = CATALOGUE["newsletter"]
    return {**CATALOGUE, "newsletter": [{**weekly, "proof_of_work": policy}, events]}


def test_a_newsletter_may_never_ask_for_work(open_service: OpenService) -> None:
    service = open_service(of("never"))
    attack.begin(service.database)
    assert service.subscribe().status_code == 202


def test_a_newsletter_may_always_ask_for_work(open_service: OpenService) -> None:
    service = open_service(of("always"))
    assert "jawel-signup.js" in service.get("/newsletters/weekly").text
    assert errors(service.subscribe())
    assert service.subscribe(newsletters="events").status_code == 202
    assert errors(service.subscribe(EVE, newsletters=["events", "weekly"]))
    both = {"newsletters": ["events", "weekly"], "proof_of_work": attack.proof(service)}
    assert service.subscribe(EVE, **both).status_code == 202


def test_who_joins_through_a_link_of_their_own_has_proved_enough(attacked: Service) -> None:
    attack.begin(attacked.database, "events")
    attacked.subscribe(proof_of_work=attack.proof(attacked))
    attacked.post(attacked.letter().link)
    assert attacked.post(fresh(attacked), data=JOIN, headers=BROWSER).status_code == 200
    assert attacked.status()["events"]["status"] == "pending"
    assert unproven(attacked)[-1] is False
