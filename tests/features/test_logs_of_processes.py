"""All that `jawel serve` and `jawel worker` print, while people come and go and things break."""

import signal
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from tests.commands import Jawel, Running, eventually, serving
from tests.correspondence import HOST
from tests.service import BROWSER, Letter, Service

SOMEBODY = "ada.lovelace@analytical.example"
ATTEMPT = "an attempt that only this form has chosen"
BROWSERS_OWN = "Mozilla/5.0 (an unusual browser)"


class Client:
    """Every request over a connection of its own, whatever the answer."""

    def __init__(self, running: Running) -> None:
        self.port = running.port
        self.statuses: list[int] = []

    def send(self, method: str, path: str, fields: dict[str, Any] | None = None, **headers: str) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        body = urlencode(fields) if fields else None
        sent = {**BROWSER, "User-Agent": BROWSERS_OWN, "Content-Type": "application/x-www-form-urlencoded", **headers}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        self.statuses.append(answer.status)
        found = answer.read().decode()
        connection.close()
        return found


@pytest.fixture
def secrets(service: Service, jawel: Jawel) -> tuple[list[str], str]:
    """What must not be printed, and what was."""
    kept = [SOMEBODY, "lovelace", "analytical", ATTEMPT, BROWSERS_OWN, "unusual"]
    key = service.key("admin")["Authorization"]  # type: ignore[arg-type]
    with serving(jawel, "--no-worker") as web, jawel.started("worker") as worker:
        client = Client(web)
        live(service, client, kept, key)
        break_things(service, client, kept, key)
        assert {200, 303, 404, 422} <= set(client.statuses)
        assert {500, 503} & set(client.statuses)
        for process in (web.process, worker):
            process.send_signal(signal.SIGTERM)
        printed = "".join(process.communicate(timeout=120)[0] for process in (web.process, worker))
    kept += [key.removeprefix("Bearer "), *(str(each) for each in jawel.environment["SECRET_KEYS"].split(","))]
    return kept, printed


def live(service: Service, client: Client, kept: list[str], key: str) -> None:
    """Somebody comes, is told of mistakes, and goes."""
    signup = {"email": SOMEBODY, "newsletters": "weekly", "consent": "yes", "attempt": ATTEMPT}
    service.mail.answers_to_rcpt.append(f"450 4.2.1 <{SOMEBODY}> come back later")
    client.send("POST", "/subscribe", signup)
    eventually(lambda: service.mail.letters)
    letter = Letter(service.mail.letters[0])
    kept += [letter.link.split("/")[2], letter.code]
    client.send("POST", "/subscribe", {**signup, "email": f"{SOMEBODY} "[:-5], "consent": ""})
    client.send("POST", "/confirm/code", {"attempt": ATTEMPT, "code": "000000"})
    client.send("POST", letter.link)
    client.send("POST", "/preferences", {"email": SOMEBODY})
    eventually(lambda: len(service.mail.letters) == 2)
    fresh = Letter(service.mail.letters[1]).link
    leave = service.status(SOMEBODY)["weekly"]["links"]["unsubscribe"].removeprefix(HOST)
    kept += [fresh.split("/")[2], leave.split("/")[2]]
    for path in (fresh, f"{fresh}x", f"{fresh}/nowhere", leave, f"/nowhere/{leave.split('/')[2]}", f"{leave}/undo"):
        client.send("GET", path)
        client.send("HEAD", path)
        client.send("PATCH", path)
    client.send("GET", f"/api/v1/subscribers/{SOMEBODY}", Authorization=key)
    client.send("GET", f"/api/v1/subscribers/{SOMEBODY}", Authorization=f"{key}x")
    service.mail.answers_to_rcpt.append(f"550 5.1.1 <{SOMEBODY}>: no such person")
    client.send("POST", leave)
    # What breaks next is not to be in the way of what the worker makes of that answer.
    eventually(lambda: service.rows("SELECT 1 FROM letters WHERE state = 'bounced'"))


def break_things(service: Service, client: Client, kept: list[str], key: str) -> None:
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE mail_budgets RENAME TO elsewhere"))
        session.execute(text(f"UPDATE subscribers SET commitment_key = '{SOMEBODY}'"))
    client.send("POST", "/subscribe", {"email": SOMEBODY, "newsletters": "events", "consent": "yes"})
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE subscriptions RENAME TO elsewhere_too"))
    for token in kept[6:]:
        client.send("POST", f"/unsubscribe/{token}")
        client.send("GET", f"/preferences/{token}")
    client.send("GET", f"/api/v1/subscribers/{SOMEBODY}", Authorization=key)
    client.send("DELETE", f"/api/v1/subscribers/{SOMEBODY}", Authorization=key)


def test_no_address_token_code_key_or_browser_is_printed(secrets: tuple[list[str], str]) -> None:
    kept, printed = secrets
    assert "letter.sent" in printed
    assert "letter.postponed" in printed
    assert "letter.refused" in printed
    assert "request.crashed" in printed or "database.unreachable" in printed
    assert "Traceback" not in printed
    assert [secret for secret in kept if secret in printed] == []
