"""The page of preferences: the links that lead there, and what is wished for and fetched by them."""

import json
from typing import Any

from werkzeug.test import TestResponse

from tests.service import ADA, BROWSER, Service

JOIN = {"join": "events", "consent": "yes"}


def fresh(service: Service) -> str:
    """A fresh link, from the letter that was asked for."""
    service.work()
    assert service.post("/preferences", json={"email": ADA}).status_code == 202
    return service.letter().link


def send(service: Service, link: str, **wish: str) -> TestResponse:
    return service.post(link, data=wish, headers=BROWSER)


def forwarded(service: Service) -> str:
    """The link that letters carry, which never expires."""
    status = service.status()
    assert status
    return str(next(iter(status.values()))["links"]["preferences"].removeprefix("https://subscribe.example.org"))


def download(service: Service, link: str) -> dict[str, Any]:
    answer = service.get(f"{link}/data.json", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    return dict(json.loads(answer.text))


def ask(service: Service, email: str = ADA, **options: Any) -> TestResponse:
    return service.post("/preferences", data={"email": email, "language": "en"}, headers=BROWSER, **options)


def press(service: Service, link: str) -> str:
    answer = service.post(f"{link}/link", headers=BROWSER)
    assert answer.status_code == 200
    return answer.text
