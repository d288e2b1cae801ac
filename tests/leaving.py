"""Leaving by the page, and coming back by the page that answers."""

import re

from werkzeug.test import TestResponse

from tests.service import ADA, BROWSER, Service

FORM = {"from": "page"}


def leave_link(service: Service, email: str = ADA, newsletter: str = "weekly") -> str:
    link: str = service.status(email)[newsletter]["links"]["unsubscribe"]
    return link.removeprefix("https://subscribe.example.org")


def leave(service: Service, link: str, **fields: str) -> TestResponse:
    """The button on the page."""
    return service.post(f"{link}?language=en", data={**FORM, **fields}, headers=BROWSER)


def undo_token(page: TestResponse) -> str:
    """Of the page that answered a press; empty where it offers no way back."""
    found = re.findall(r'name="undo" value="([^"]+)"', page.text)
    assert len(found) < 2
    return "".join(found)


def undo(service: Service, link: str, token: str) -> TestResponse:
    return service.post(f"{link}/undo?language=en", data={"undo": token}, headers=BROWSER)
