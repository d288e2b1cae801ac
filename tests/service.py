"""The service as its users meet it: verbs over HTTP, and an inbox that real mail is delivered to."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from app import api_keys, worker
from app.api_keys import Scope
from app.database import Base, Database
from app.newsletters import apply
from app.resources import resources_of
from app.worker import mail_loop
from tests.smtp import Delivered, MailServer

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}
ADA = "ada@example.org"
GRACE = "grace@example.org"
BOTH = ["weekly", "events"]


@dataclass
class Letter:
    """A delivered letter, in the hands of its reader."""

    delivered: Delivered

    @property
    def subject(self) -> str:
        return str(self.delivered.message["Subject"])

    @property
    def text(self) -> str:
        return self.delivered.part("plain")

    @property
    def link(self) -> str:
        (only,) = self.links
        return only

    @property
    def links(self) -> list[str]:
        """Those that stand alone on their lines, without the host: the same ones that the HTML part carries."""
        links = re.findall(r"^https://subscribe\.example\.org(/\S+)$", self.text, re.MULTILINE)
        html = self.delivered.part("html")
        targets = re.findall(r'href="https://subscribe\.example\.org(/[^"]+)"', html)
        assert links == [each for each in targets if not each.startswith("/privacy/")]
        return [str(link) for link in links]

    @property
    def code(self) -> str:
        """The digits, as they stand in both parts; empty where the letter has none."""
        found = re.findall(r"\b(\d{3}) (\d{3})\b", self.text)
        assert found == re.findall(r"\b(\d{3}) (\d{3})\b", self.delivered.part("html"))
        return "".join(*found) if found else ""

    @property
    def one_click(self) -> str:
        """Where a mail program's own unsubscribe button posts to, read from the bytes on the wire."""
        match = re.search(rb"^List-Unsubscribe: <https://subscribe\.example\.org(/\S+)>\r?$", self.delivered.raw, re.M)
        assert match
        return match[1].decode()


class Service:
    def __init__(self, app: Flask, mail: MailServer) -> None:
        self.app = app
        self.mail = mail
        self.database: Database = resources_of(app).database

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.app.test_client().get(path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.app.test_client().post(path, **options)

    def subscribe(self, email: str = ADA, **fields: Any) -> TestResponse:
        return self.post("/subscribe", json={"email": email, "newsletters": "weekly", "consent": True, **fields})

    def submit(self, email: str = ADA, **fields: Any) -> TestResponse:
        """The form on a page, sent by a browser."""
        sent = {"email": email, "newsletters": "weekly", "consent": "yes", **fields}
        return self.post("/subscribe", data=sent, headers=BROWSER)

    def type_code(self, attempt: str, code: object, **options: Any) -> TestResponse:
        """On the page that is still open, by its script."""
        return self.post("/confirm/code", json={"attempt": attempt, "code": code}, **options)

    def deliver(self) -> list[Letter]:
        """Let the worker send the letters that are due, and nothing else; return what arrived."""
        before = len(self.mail.letters)
        mail_loop.run_once(self.app)
        return [Letter(each) for each in self.mail.letters[before:]]

    def work(self) -> list[Letter]:
        """Let the worker do all that is due: letters, purges, checkpoints. Return what arrived."""
        before = len(self.mail.letters)
        worker.run_once(self.app)
        return [Letter(each) for each in self.mail.letters[before:]]

    def letter(self) -> Letter:
        (only,) = self.deliver()
        return only

    def confirmed(self, email: str = ADA, **fields: Any) -> Letter:
        """Somebody who went through the whole double opt-in; their confirmation letter."""
        assert self.subscribe(email, **fields).status_code == 202
        letter = self.letter()
        assert self.post(letter.link).status_code == 200
        return letter

    def key(self, *scopes: Scope, newsletters: list[str] | None = None) -> dict[str, str]:
        """The headers of another service with a key of its own."""
        wanted: list[str] = [*(scopes or (Scope.STATUS_READ,))]
        with self.database.transaction() as session:
            key = api_keys.create(session, "shop", scopes=wanted, newsletters=newsletters)
        return {"Authorization": f"Bearer {key}"}

    def status(self, email: str | UUID = ADA) -> dict[str, Any] | None:
        """What another service is told, by newsletter; None where nobody is known."""
        answer = self.get(f"/api/v1/subscribers/{email}", headers=self.key())
        if answer.status_code == 404:
            return None
        return {each["newsletter"]: each for each in answer.get_json()["subscriptions"]}

    def apply(self, catalogue: dict[str, Any]) -> None:
        """To be called before the first request: a process looks at the catalogue once a second."""
        with self.database.transaction() as session:
            apply.apply(session, catalogue)

    def counts(self) -> dict[str, int]:
        """How many rows each table holds, but for those that count requests."""
        tables = sorted(set(Base.metadata.tables) - {"counters", "rate_limits"})
        return {table: self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}

    def events(self) -> list[str]:
        """The types of all consent events, in the order in which they happened."""
        return [row.type for row in self.rows("SELECT type FROM consent_events ORDER BY occurred_at, type")]

    def rows(self, statement: str) -> list[Any]:
        with self.database.read_only() as connection:
            return list(connection.execute(text(statement)))


COOL_DOWN = timedelta(minutes=10, seconds=1)


def everything(service: Service) -> dict[str, list[str]]:
    return {table: sorted(map(str, service.rows(f"SELECT * FROM {table}"))) for table in service.counts()}


def away(answer: TestResponse) -> bool:
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
