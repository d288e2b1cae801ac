""" "This was not me", pressed on its page, and the page that takes it back."""

from werkzeug.test import TestResponse

from tests.service import ADA, BROWSER, Letter, Service


def ask(service: Service, email: str = ADA, newsletters: str | list[str] = "weekly") -> Letter:
    """The letter that asks to confirm."""
    service.subscribe(email, language="en", newsletters=newsletters)
    return service.letter()


def decline(service: Service, link: str) -> TestResponse:
    answer = service.post(f"{link}/decline?language=en", headers=BROWSER)
    assert answer.status_code == 200
    return answer


def is_quiet(service: Service, email: str = ADA, newsletter: str = "events") -> bool:
    """Whether a form that somebody fills in with the address brings it no letter."""
    service.subscribe(email, newsletters=newsletter)
    return service.deliver() == []
