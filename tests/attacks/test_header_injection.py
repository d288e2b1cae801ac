"""Line breaks in whatever a request says never start a header of an answer, nor of a letter.

Of the texts of the catalogue, tests/features/test_texts_in_letters.py has the same to say.
"""

from collections.abc import Iterator

from werkzeug.test import TestResponse

from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service

BREAKS = ["\r\n", "\n", "\r", "\u2028", "\x0b", "%0d%0a", "\x85", "\0"]
EVIL = "Injected: yes"


def answers(service: Service, evil: str) -> Iterator[TestResponse]:
    for path in ("/newsletters/weekly", "/newsletters/weekly/inbox", "/newsletters/weekly/embed", "/"):
        asked = dict.fromkeys(("language", "attempt", "mailbox", "also"), evil)
        yield service.get(path, query_string=asked, headers=BROWSER)
    for name in ("redirect", "attempt", "language", "website", "newsletters", "email"):
        yield service.submit(**{name: f"{evil}, in as many letters as an attempt has"})
    for name in ("redirect", "attempt"):
        yield service.subscribe(**{name: f"https://example.org/thanks{evil}"})
    yield service.get("/api/v1/newsletters/weekly/subscribers", query_string={"x": evil}, headers=service.key())
    yield service.get(f"/confirm/{evil}", headers=BROWSER)
    yield service.get(f"/static/{evil}")


def test_a_line_break_starts_no_header_of_an_answer(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=1000)
    for line_break in BREAKS:
        for answer in answers(service, f"x{line_break}{EVIL}"):
            assert answer.status_code < 500, answer.request.path
            for name, value in answer.headers:
                assert name != "Injected"
                assert not set("\r\n\0") & set(name + value), answer.request.path


def test_a_line_break_in_an_address_starts_no_header_of_a_letter(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=1000)
    service.subscribe(ADA)
    for line_break in BREAKS:
        for email in (f"ada{line_break}Bcc: eve@example.org", f"ada@example.org{line_break}Bcc: eve@example.org"):
            service.subscribe(email)
            service.submit(email)
    for letter in service.deliver():
        assert letter.delivered.recipient == ADA
        assert "Bcc" not in letter.delivered.message
