"""The code beside the link: typed on the page that is still open, by whoever reads the mailbox."""

import re
from datetime import timedelta
from hashlib import sha256

import pytest
import time_machine
from werkzeug.test import TestResponse

from app.resources import resources_of
from tests.catalogues import CATALOGUE
from tests.clocks import EVENING
from tests.codes import ATTEMPT, another
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, COOL_DOWN, Service

OTHER = "another-attempt-chosen-at-random"
BOTH = ["events", "weekly"]


def refused(answer: TestResponse) -> bool:
    """The one answer to all that fails."""
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {"code": ["This code did not work. Check it, or open the link in the mail."]}
    return True


def test_the_code_confirms_as_the_link_does(service: Service) -> None:
    assert service.subscribe(attempt=ATTEMPT).get_json() == service.subscribe("grace@example.org").get_json()
    letter, *_ = service.deliver()
    answer = service.type_code(ATTEMPT, letter.code)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "confirmed", "newsletters": ["weekly"]})
    assert service.status()["weekly"]["mailable"] is True
    assert service.type_code(ATTEMPT, letter.code).get_json() == answer.get_json()
    assert service.post(letter.link).get_json() == answer.get_json()
    assert service.events().count("subscription.confirmed") == 1
    (row,) = service.rows("SELECT evidence FROM consent_events WHERE type = 'subscription.confirmed'")
    assert '"method":"code"' in row.evidence
    assert '"seconds_since_letter":' in row.evidence


def test_all_that_the_letter_asked_for_is_confirmed(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT, newsletters=BOTH)
    assert service.type_code(ATTEMPT, service.letter().code).get_json()["newsletters"] == BOTH


@pytest.mark.parametrize("typed", ["{} {}", " {}{}\n", "{}\u00a0{}", "{} {} "])
def test_it_may_be_typed_in_groups(service: Service, typed: str) -> None:
    service.subscribe(attempt=ATTEMPT)
    code = service.letter().code
    assert service.type_code(ATTEMPT, typed.format(code[:3], code[3:])).status_code == 200


def test_a_letter_without_an_open_page_has_no_code(service: Service) -> None:
    service.subscribe()
    letter = service.letter()
    assert letter.code == ""
    assert "code" not in letter.text


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\ud800", "\0", 123456, None, ["1"]])
def test_what_is_no_code_is_a_wrong_one(service: Service, typed: object) -> None:
    service.subscribe(attempt=ATTEMPT)
    service.letter()
    assert refused(service.type_code(ATTEMPT, typed))
    assert service.rows("SELECT tries FROM letters") == [(1,)]


def test_five_wrong_ones_and_the_right_one_is_too_late(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    letter = service.letter()
    for by in range(1, 6):
        assert refused(service.type_code(ATTEMPT, another(letter.code, by)))
    assert refused(service.type_code(ATTEMPT, letter.code))
    assert service.status()["weekly"]["status"] == "pending"
    assert service.post(letter.link).status_code == 200


def test_four_wrong_ones_do_no_harm(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    code = service.letter().code
    for by in range(1, 5):
        service.type_code(ATTEMPT, another(code, by))
    assert service.type_code(ATTEMPT, code).status_code == 200


def test_asking_again_at_once_gives_no_more_tries(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    code = service.letter().code
    for by in range(1, 6):
        service.type_code(ATTEMPT, another(code, by))
    service.subscribe(attempt=ATTEMPT)
    service.subscribe(attempt=OTHER)
    assert service.work() == []
    assert refused(service.type_code(ATTEMPT, code))
    assert refused(service.type_code(OTHER, code))


def test_it_works_for_half_an_hour_from_when_the_letter_went(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.subscribe(attempt=ATTEMPT)
        clock.shift(timedelta(minutes=50))
        code = service.letter().code
        clock.shift(timedelta(minutes=29, seconds=59))
        assert service.type_code(ATTEMPT, code).status_code == 200
        clock.shift(timedelta(seconds=1))
        assert refused(service.type_code(ATTEMPT, code))


def test_it_works_no_longer_than_the_link(open_service: OpenService) -> None:
    weekly, *others = CATALOGUE["newsletter"]
    service = open_service({**CATALOGUE, "newsletter": [{**weekly, "confirm_within": "10m"}, *others]})
    with time_machine.travel(EVENING, tick=False) as clock:
        service.subscribe(attempt=ATTEMPT)
        letter = service.letter()
        clock.shift(timedelta(minutes=10))
        assert service.post(letter.link).status_code == 410
        assert refused(service.type_code(ATTEMPT, letter.code))
        assert service.status()["weekly"]["status"] == "pending"


def test_a_code_is_of_its_own_attempt_only(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    service.subscribe("grace@example.org", attempt=OTHER)
    ada, grace = service.deliver()
    assert refused(service.type_code(OTHER, ada.code))
    assert refused(service.type_code("an-attempt-that-nobody-made", ada.code))
    assert refused(service.type_code("", ada.code))
    assert service.type_code(OTHER, grace.code).status_code == 200
    assert service.status()["weekly"]["status"] == "pending"


def test_whoever_corrects_the_address_types_the_code_of_the_last_letter(service: Service) -> None:
    service.subscribe("ada@exmaple.org", attempt=ATTEMPT)
    mistaken = service.letter()
    service.subscribe(ADA, attempt=ATTEMPT)
    letter = service.letter()
    assert refused(service.type_code(ATTEMPT, mistaken.code))
    assert service.type_code(ATTEMPT, letter.code).status_code == 200
    assert service.status("ada@exmaple.org")["weekly"]["status"] == "pending"


def test_a_letter_that_is_still_to_come_does_not_take_the_code_of_the_one_that_came(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.subscribe(attempt=ATTEMPT)
        first = service.letter()
        clock.shift(timedelta(minutes=1))
        service.subscribe(attempt=ATTEMPT, newsletters=BOTH)
        assert service.work() == []
        assert service.type_code(ATTEMPT, first.code).get_json()["newsletters"] == ["weekly"]
        clock.shift(COOL_DOWN)
        assert service.type_code(ATTEMPT, service.letter().code).get_json()["newsletters"] == BOTH


def test_it_dies_with_what_it_would_confirm(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    declined = service.letter()
    service.post(declined.link + "/decline")
    assert refused(service.type_code(ATTEMPT, declined.code))
    service.subscribe("grace@example.org", attempt=OTHER)
    left = service.letter()
    assert service.type_code(OTHER, left.code).status_code == 200
    service.post(left.one_click)
    assert refused(service.type_code(OTHER, left.code))
    assert service.status("grace@example.org")["weekly"]["status"] == "unsubscribed"


def test_whoever_is_confirmed_already_gets_no_code(service: Service) -> None:
    service.confirmed()
    service.subscribe(attempt=ATTEMPT)
    told = service.letter()
    assert told.code == ""
    assert [row.attempt for row in service.rows("SELECT attempt FROM letters")] == [None, None]


def test_an_older_key_still_reads_what_it_made(service: Service, open_service: OpenService) -> None:
    service.subscribe(attempt=ATTEMPT)
    code = service.letter().code
    rotated = open_service(secret_keys=("a newer secret key for tests, of some length", *secret_keys(service)))
    assert rotated.type_code(ATTEMPT, code).status_code == 200


def test_without_the_key_a_code_is_as_good_as_any(service: Service, open_service: OpenService) -> None:
    service.subscribe(attempt=ATTEMPT)
    code = service.letter().code
    assert refused(open_service(secret_keys=("quite another key for tests, of some length",)).type_code(ATTEMPT, code))


def secret_keys(service: Service) -> tuple[str, ...]:
    return resources_of(service.app).settings.secret_keys


def test_nothing_that_could_confirm_rests_in_the_database(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    letter = service.letter()
    stored = str([service.rows(f"SELECT * FROM {table}") for table in service.counts()])
    assert ATTEMPT not in stored
    assert letter.code not in stored
    assert f"{letter.code[:3]} {letter.code[3:]}" not in stored


def test_the_evidence_of_the_letter_is_none_of_its_code(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    letter = service.letter()
    (row,) = service.rows("SELECT evidence FROM consent_events WHERE type = 'letter.accepted'")
    kept = re.search('"rendered_sha256":"([0-9a-f]+)"', row.evidence)
    assert kept
    parts = [letter.subject, letter.text.replace("\r\n", "\n"), letter.delivered.part("html").replace("\r\n", "\n")]
    whole = "\n".join(parts).replace(f"https://subscribe.example.org{letter.link}", "…")
    masked = whole.replace(f"{letter.code[:3]} {letter.code[3:]}", "…")
    assert kept[1] == sha256(masked.encode()).hexdigest()
    assert kept[1] != sha256(whole.encode()).hexdigest()


def test_guesses_count_as_requests_of_one_client(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=3)
    statuses = [service.type_code(ATTEMPT, "123456").status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]


def test_an_attempt_too_short_to_be_random_is_refused(service: Service) -> None:
    answer = service.subscribe(attempt="x" * 21)
    assert answer.status_code == 422
    assert "attempt" in answer.get_json()["errors"]


def test_an_attempt_may_be_any_text(service: Service) -> None:
    odd = "\ud800\0é" * 10
    assert service.subscribe(attempt=odd).status_code == 202
    assert service.type_code(odd, service.letter().code).status_code == 200


def test_an_attempt_that_no_url_can_hold_breaks_no_page(service: Service) -> None:
    sent = {"email": ADA, "newsletters": "weekly", "consent": True, "attempt": "\ud800" * 22}
    answer = service.post("/subscribe", json=sent, headers=BROWSER)
    assert answer.status_code == 303
    assert service.get(answer.location, headers=BROWSER).status_code == 200


class TestAnotherSite:
    """A script on the shop's own page."""

    SITE = "https://example.org"

    def test_one_that_a_newsletter_names_may_post_and_read(self, service: Service) -> None:
        service.subscribe(attempt=ATTEMPT)
        for code in ("000000", service.letter().code):
            answer = service.type_code(ATTEMPT, code, headers={"Origin": self.SITE})
            assert answer.headers["Access-Control-Allow-Origin"] == self.SITE
            assert "Origin" in answer.vary
        assert answer.status_code == 200

    def test_any_other_is_refused(self, service: Service) -> None:
        service.subscribe(attempt=ATTEMPT)
        answer = service.type_code(ATTEMPT, service.letter().code, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert service.status()["weekly"]["status"] == "pending"

    def test_a_preflight_is_answered(self, service: Service) -> None:
        asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        granted = service.app.test_client().options("/confirm/code", headers={"Origin": self.SITE, **asking})
        assert granted.status_code == 204
        assert granted.headers["Access-Control-Allow-Origin"] == self.SITE
        assert granted.headers["Access-Control-Allow-Methods"] == "POST"
        refused = service.app.test_client().options("/confirm/code", headers={"Origin": "https://evil.example"})
        assert "Access-Control" not in str(refused.headers)
