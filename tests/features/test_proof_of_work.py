"""Work that is asked for while a newsletter is attacked: of programs always, of people never more than a moment."""

import base64
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import altcha
import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.abuse import proof_of_work
from app.cache import FRESH_FOR_SECONDS
from tests import attack
from tests.concurrency import at_once
from tests.features.conftest import OpenService
from tests.forms import EVE, NOW, READ, assert_asks_once_more, checks, errors, opened, rendered, unproven
from tests.service import ADA, BROWSER, Service
from tests.states import confirmed, pending
from tests.watching import assert_alike, assert_as_much, watched


def test_a_program_is_told_what_to_do_and_gets_through_when_it_has_done_it(attacked: Service) -> None:
    before = attacked.counts()
    refused = errors(attacked.subscribe(language="en"))
    assert refused.keys() == {"proof_of_work"}
    assert "GET /challenge" in refused["proof_of_work"][0]
    assert attacked.counts() == before
    assert attacked.subscribe(proof_of_work=attack.proof(attacked)).status_code == 202
    assert checks(attacked) == [{"honeypot": "empty", "form_age": "none", "proof_of_work": "solved"}]
    assert unproven(attacked) == [False]
    assert attacked.post(attacked.letter().link).status_code == 200


def test_json_from_a_browser_is_no_form_to_show_again(attacked: Service) -> None:
    fields = {"email": ADA, "newsletters": "weekly", "consent": True}
    answer = attacked.post("/subscribe", json=fields, headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert 'name="email"' not in answer.text
    assert "GET /challenge" in answer.text


@pytest.mark.parametrize("headers", [BROWSER, {}], ids=["browser", "program"])
def test_a_form_may_bring_its_proof_too(attacked: Service, headers: dict[str, str]) -> None:
    fields = {"email": ADA, "newsletters": "weekly", "consent": "yes", "proof_of_work": attack.proof(attacked)}
    answer = attacked.post("/subscribe", data=fields, headers=headers)
    assert answer.status_code == (303 if headers else 202)
    assert checks(attacked)[0]["proof_of_work"] == "solved"


def test_a_program_that_sends_a_form_has_to_work_as_well(attacked: Service) -> None:
    with time_machine.travel(NOW, tick=True) as clock:
        token = opened(attacked)
        clock.shift(READ)
        fields = {"email": ADA, "newsletters": "weekly", "consent": "yes", "rendered": token}
        assert errors(attacked.post("/subscribe", data=fields)).keys() == {"proof_of_work"}
        assert errors(attacked.subscribe(rendered=token)).keys() == {"proof_of_work"}
    assert attacked.status() is None


def test_a_proof_is_good_once_however_it_is_spelled(attacked: Service) -> None:
    proof = attack.proof(attacked)
    assert attacked.subscribe(proof_of_work=proof).status_code == 202
    content = json.loads(base64.b64decode(proof))
    respelled = base64.b64encode(json.dumps({**content, "extra": 1}, indent=1).encode()).decode()
    for spelling in (proof, f"{proof[:8]}\n{proof[8:]}", respelled):
        assert errors(attacked.subscribe(EVE, proof_of_work=spelling)).keys() == {"proof_of_work"}
    assert_asks_once_more(attacked.submit(EVE, proof_of_work=proof, language="en"), EVE)
    assert attacked.status(EVE) is None


def test_of_many_who_use_one_proof_at_once_in_several_processes_one_gets_through(open_service: OpenService) -> None:
    several = [open_service(), open_service()]
    attack.begin(several[0].database)
    proof = attack.proof(several[0])

    def ask(number: int) -> Callable[[], TestResponse]:
        return lambda: several[number % 2].subscribe(f"eve.{number}@example.org", proof_of_work=proof)

    answers = at_once([ask(number) for number in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 5
    assert len(several[0].rows("SELECT id FROM subscribers")) == 1


def test_a_proof_that_came_with_a_mistake_is_not_used_up(attacked: Service) -> None:
    proof = attack.proof(attacked)
    assert errors(attacked.subscribe("ada@", proof_of_work=proof)).keys() == {"email"}
    assert attacked.subscribe(proof_of_work=proof).status_code == 202


def changed(part: str, **values: object) -> Callable[[altcha.Payload], str]:
    def change(payload: altcha.Payload) -> str:
        content = payload.to_dict()
        place = {"solution": content["solution"], "puzzle": content["challenge"]["parameters"]}[part]
        place.update(values)
        return base64.b64encode(json.dumps(content).encode()).decode()

    return change


def signed_by_itself(_payload: altcha.Payload) -> str:
    challenge = altcha.create_challenge("PBKDF2/SHA-256", 1, counter=0, hmac_secret="mine", hmac_key_secret="mine")
    return attack.solved(challenge).to_base64()


def unsigned(_payload: altcha.Payload) -> str:
    return attack.solved(altcha.create_challenge("PBKDF2/SHA-256", 1, counter=0)).to_base64()


SPOILT: list[Callable[[altcha.Payload], str]] = [
    changed("solution", derivedKey="00" * 32),
    changed("puzzle", cost=1),
    changed("puzzle", keyPrefix="", keySignature=None),
    changed("puzzle", expiresAt=4_000_000_000),
    signed_by_itself,
    unsigned,
    lambda payload: payload.to_base64()[:-20],
    lambda _payload: "[" * 4_000,
    lambda _payload: base64.b64encode(b"[" * 4_000).decode(),
    lambda _payload: "\0",
    lambda _payload: base64.b64encode(b'{"challenge": [], "solution": null}').decode(),
]


def test_what_is_no_proof_gets_nobody_through(attacked: Service) -> None:
    genuine = attack.solved(attack.puzzle(attacked))
    for spoil in SPOILT:
        bad = spoil(genuine)
        assert errors(attacked.subscribe(proof_of_work=bad)).keys() == {"proof_of_work"}
        assert_asks_once_more(attacked.submit(proof_of_work=bad, language="en"))
    assert attacked.status() is None
    assert attacked.counts()["spent_proofs"] == 0
    assert attacked.subscribe(proof_of_work=genuine.to_base64()).status_code == 202


@given(sent=st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: base64.b64encode(raw).decode()))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_text_whatever_breaks_the_check(settings: Any, sent: str) -> None:
    assert proof_of_work.proof(settings.secret_keys, sent) is None


def test_a_proof_is_good_for_an_hour(attacked: Service) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        late, later = attack.proof(attacked), attack.proof(attacked)
        clock.shift(timedelta(hours=1))
        assert attacked.subscribe(proof_of_work=late).status_code == 202
        clock.shift(timedelta(seconds=1))
        assert errors(attacked.subscribe(EVE, proof_of_work=later)).keys() == {"proof_of_work"}


def test_a_puzzle_outlives_a_change_of_keys_until_the_old_one_is_taken_away(open_service: OpenService) -> None:
    old, new = "an old secret key, of at least 32 letters", "a new secret key, of at least 32 letters"
    before = open_service(secret_keys=(old,))
    attack.begin(before.database)
    one, two = attack.proof(before), attack.proof(before)
    assert open_service(secret_keys=(new, old)).subscribe(proof_of_work=one).status_code == 202
    assert errors(open_service(secret_keys=(new,)).subscribe(EVE, proof_of_work=two))


def test_who_has_no_scripts_gets_through_by_our_own_page_up_to_five_times(attacked: Service) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        token = opened(attacked)
        clock.shift(READ)
        for number in range(5):
            assert attacked.submit(f"ada.{number}@example.org", rendered=token).status_code == 303
        worn_out = attacked.submit(rendered=token, language="en")
        assert_asks_once_more(worn_out)
        assert attacked.status() is None
        assert rendered(worn_out) != token
        assert unproven(attacked) == [True] * 5
        assert checks(attacked) == [{"honeypot": "empty", "form_age": 3, "proof_of_work": "none"}] * 5
        clock.shift(READ)
        assert attacked.submit(rendered=rendered(worn_out)).status_code == 303


def test_a_form_of_another_site_ends_on_our_page_and_gets_through_from_there(attacked: Service) -> None:
    with time_machine.travel(NOW, tick=True) as clock:
        thanks = {"redirect": "https://example.org/thanks", "language": "nl"}
        page = attacked.submit(**thanks)
        assert page.status_code == 422
        assert f'value="{ADA}"' in page.text
        assert "checked" not in page.text
        fields = dict(re.findall('<input type="hidden" name="([a-z]+)" value="([^"]*)">', page.text))
        assert thanks.items() <= fields.items()
        assert attacked.status() is None
        clock.shift(READ)
        answer = attacked.submit(**fields)
        assert (answer.status_code, answer.headers["Location"]) == (303, "https://example.org/thanks")
    assert unproven(attacked) == [True]


def test_the_answer_without_a_proof_is_the_ordinary_one(attacked: Service, service: Service) -> None:
    with time_machine.travel(NOW, tick=True) as clock:
        token, elsewhere = opened(attacked), {"redirect": "https://example.org/thanks"}
        clock.shift(READ)
        worked = attacked.submit(EVE, proof_of_work=attack.proof(attacked), **elsewhere)
        assert_alike(attacked.submit(rendered=token, **elsewhere), worked)


@pytest.mark.parametrize("arrange", [pending, confirmed], ids=lambda arrange: arrange.__name__)
def test_no_state_shows_under_attack_either(service: Service, arrange: Callable[[Service], None]) -> None:
    first_proof, second_proof = attack.proof(service), attack.proof(service)
    arrange(service)
    attack.begin(service.database)
    time.sleep(FRESH_FOR_SECONDS)
    fields = {"newsletters": "weekly", "language": "en", "consent": True}

    def asks(email: str, proof: str, client: str) -> Callable[[], TestResponse]:
        sent = {**fields, "email": email, "proof_of_work": proof}
        return lambda: service.post("/subscribe", json=sent, environ_base={"REMOTE_ADDR": client})

    first, expected = watched(service, asks("somebody.else@example.org", first_proof, "192.0.2.1"))
    answer, work = watched(service, asks(ADA, second_proof, "192.0.2.2"))
    assert first.status_code == 202
    assert_alike(answer, first)
    assert_as_much(work, expected)
    assert [statement for _pool, statement in work if "spent_proofs" in statement]


def test_a_used_proof_is_remembered_until_it_is_no_good_anyway_and_then_forgotten(attacked: Service) -> None:
    with time_machine.travel(NOW, tick=True) as clock:
        attacked.subscribe(proof_of_work=attack.proof(attacked))
        clock.shift(timedelta(hours=1, minutes=5))
        attacked.work()
        assert attacked.counts()["spent_proofs"] == 1
        clock.shift(timedelta(minutes=10))
        attacked.work()
        assert attacked.counts()["spent_proofs"] == 0


def test_a_puzzle_is_altchas_new_each_time_and_kept_by_nobody(service: Service) -> None:
    answers = [service.get("/challenge", headers={"Origin": "https://example.org"}) for _ in range(2)]
    one, two = (answer.get_json() for answer in answers)
    assert one.keys() == {"parameters", "signature"}
    assert one["parameters"]["algorithm"] == "PBKDF2/SHA-256"
    assert one["parameters"]["nonce"] != two["parameters"]["nonce"]
    assert answers[0].mimetype == "application/json"
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert answers[0].headers["Access-Control-Allow-Origin"] == "https://example.org"
    stranger = service.get("/challenge", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_other_sites_may_import_the_solver(service: Service) -> None:
    served = service.get("/static/jawel-work.js")
    assert served.mimetype == "text/javascript"
    assert served.headers["Access-Control-Allow-Origin"] == "*"
