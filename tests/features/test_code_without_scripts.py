"""The code where no script runs: a form to type it into, and a page for an answer."""

import re
from typing import Any

from werkzeug.test import TestResponse

from tests.catalogues import CATALOGUE
from tests.codes import ATTEMPT, another
from tests.features.conftest import OpenService
from tests.service import BROWSER, Service


class TestWithoutJavaScript:
    """A form, and a page for an answer."""

    def test_the_hosted_page_chooses_an_attempt_and_asks_for_the_code(self, service: Service) -> None:
        attempt = chosen(service.get("/newsletters/weekly", headers=BROWSER))
        assert len(attempt) >= 22
        assert chosen(service.get("/newsletters/weekly", headers=BROWSER)) != attempt
        landed = service.submit(attempt=attempt, language="en")
        assert landed.status_code == 303
        inbox = service.get(landed.location, headers=BROWSER)
        assert (inbox.headers["Cache-Control"], inbox.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert chosen(inbox) == attempt
        assert 'autocomplete="one-time-code"' in inbox.text
        done = self.type(service, attempt, service.letter().code)
        assert done.status_code == 200
        assert "Done: you are subscribed" in done.text
        assert "/receipts/" in done.text

    def test_a_form_that_chose_none_gets_one_with_our_page(self, service: Service) -> None:
        attempt = chosen(service.get(service.submit().location, headers=BROWSER))
        assert self.type(service, attempt, service.letter().code).status_code == 200

    def test_a_form_that_ends_elsewhere_gets_none(self, service: Service) -> None:
        assert service.submit(redirect="https://example.org/thanks").location == "https://example.org/thanks"
        assert service.letter().code == ""

    def test_a_form_to_mend_keeps_its_attempt(self, service: Service) -> None:
        assert chosen(service.submit("ada@localhost", attempt=ATTEMPT)) == ATTEMPT
        assert chosen(service.submit("ada@localhost", attempt="short")) != "short"

    def test_an_inbox_page_from_elsewhere_asks_for_no_code(self, service: Service) -> None:
        assert "one-time-code" not in service.get("/newsletters/weekly/inbox", headers=BROWSER).text

    def test_what_fails_is_a_page_with_the_form_again(self, service: Service) -> None:
        service.submit(attempt=ATTEMPT)
        letter = service.letter()
        answer = self.type(service, ATTEMPT, another(letter.code))
        assert answer.status_code == 422
        assert chosen(answer) == ATTEMPT
        assert "Check it, or open the link in the mail." in answer.text
        unknown = self.type(service, ATTEMPT[::-1], letter.code)
        assert (unknown.status_code, unknown.text.replace(ATTEMPT[::-1], ATTEMPT)) == (422, answer.text)

    def test_it_ends_on_the_newsletters_own_page(self, open_service: OpenService) -> None:
        weekly, *others = CATALOGUE["newsletter"]
        own = {**weekly, "confirmed_redirect": "https://example.org/hello"}
        service = open_service({**CATALOGUE, "newsletter": [own, *others]})
        inbox = service.get(service.submit(attempt=ATTEMPT).location, headers=BROWSER)
        assert "form-action 'self' https://example.org;" in inbox.headers["Content-Security-Policy"]
        answer = self.type(service, ATTEMPT, service.letter().code)
        assert (answer.status_code, answer.location) == (303, "https://example.org/hello")

    def test_the_link_from_the_letter_then_shows_that_it_is_done(self, service: Service) -> None:
        service.submit(attempt=ATTEMPT)
        letter = service.letter()
        self.type(service, ATTEMPT, letter.code)
        page = service.get(letter.link + "?language=en", headers=BROWSER)
        assert (page.status_code, "Done: you are subscribed" in page.text) == (200, True)

    @staticmethod
    def type(service: Service, attempt: str, code: str) -> TestResponse:
        """As from our own page, which sends no referrer, and so no origin."""
        sent = {"attempt": attempt, "code": f"{code[:3]} {code[3:]}"}
        return service.post("/confirm/code?language=en", data=sent, headers={**BROWSER, "Origin": "null"})


def chosen(answer: TestResponse) -> str:
    found: list[Any] = re.findall(r'name="attempt" value="([^"]*)"', answer.text)
    (attempt,) = found
    return str(attempt)
