"""The least that could do the same: Flask, and one raw statement that writes or reads the rows that the service does.

No rules, no checks, no evidence worth the name. What the service takes beyond this is the price of being right.
"""

import json
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol
from uuid import uuid4

import psycopg
from flask import Flask, Response, jsonify, request

EVIDENCE = json.dumps({f"field {number}": "x" * 32 for number in range(18)})
"""As long as what the service keeps."""

INSERTS = {
    "mail_budgets": "(digest, version, confirmations, used_at) VALUES (:digest, 1, '[1]', :now)",
    "subscribers": "(id, address, canonical, digest, language, commitment_key, created_at)"
    " VALUES (:subscriber, :email, :email, :digest, 'en', :digest, :now)",
    "letters": "(id, kind, subscriber_id, language, about, state, created_at, due_at, attempts, state_at)"
    " VALUES (:letter, 'confirmation', :subscriber, 'en', '{}', 'queued', :now, :now, 0, :now)",
    "subscriptions": "(id, subscriber_id, newsletter, status, since, version, nonce, letter_id, asked_at, expires_at)"
    " VALUES (:subscription, :subscriber, 'weekly', 'pending', :now, 1, :key, :letter, :now, :now)",
    "consent_events": "(id, type, subscriber_id, subscription_id, newsletter, occurred_at, evidence, salt,"
    " evidence_hash) VALUES (:event, 'subscription.requested', :subscriber, :subscription, 'weekly', :now, :evidence,"
    " :digest, :digest)",
}
STATUS = """
    SELECT r.id, r.address, r.language, s.id, s.newsletter, s.status, s.since, l.state, l.state_at,
        NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.digest = r.digest AND x.reason <> 'declined') AS mailable
    FROM subscribers r JOIN subscriptions s ON s.subscriber_id = r.id LEFT JOIN letters l ON l.id = s.letter_id
        JOIN api_keys k ON k.digest = :digest
    WHERE r.canonical = :email
"""
CONFIRM = "UPDATE subscriptions SET status = 'confirmed', since = :now, expires_at = NULL WHERE id = :subscription"
CONFIRMED = """
    INSERT INTO consent_events (id, type, subscriber_id, subscription_id, newsletter, occurred_at, evidence, salt,
        evidence_hash)
    VALUES (:event, 'subscription.confirmed', :event, :subscription, 'weekly', :now, :evidence, :digest, :digest)
"""


class Store(Protocol):
    def write(self, statements: Sequence[str], values: Mapping[str, Any]) -> None: ...

    def read(self, statement: str, values: Mapping[str, Any]) -> list[Any]: ...

    def look_up(self, emails: list[str]) -> list[Any]: ...


class Postgresql(threading.local):
    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def write(self, statements: Sequence[str], values: Mapping[str, Any]) -> None:
        *first, last = (_named(statement) for statement in statements)
        together = ", ".join(f"w{number} AS ({statement})" for number, statement in enumerate(first))
        self.connection.execute(f"WITH {together} {last}".encode(), values)

    def read(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        return self.connection.execute(_named(statement).encode(), values).fetchall()

    def look_up(self, emails: list[str]) -> list[Any]:
        return self.connection.execute(f"{LOOK_UP} AND r.canonical = ANY(%s)".encode(), (emails,)).fetchall()


class Sqlite(threading.local):
    def __init__(self, url: str) -> None:
        self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self.connection.execute(f"PRAGMA {pragma}")

    def write(self, statements: Sequence[str], values: Mapping[str, Any]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            self.connection.execute(statement, values)
        self.connection.execute("COMMIT")

    def read(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        return self.connection.execute(statement, values).fetchall()

    def look_up(self, emails: list[str]) -> list[Any]:
        wanted = "AND r.canonical IN (SELECT value FROM json_each(?))"
        return self.connection.execute(f"{LOOK_UP} {wanted}", (json.dumps(emails),)).fetchall()


LOOK_UP = """
    SELECT r.canonical, s.status,
        NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.digest = r.digest AND x.reason <> 'declined')
    FROM subscribers r JOIN subscriptions s ON s.subscriber_id = r.id WHERE s.newsletter = 'weekly'
"""


@cache
def _named(statement: str) -> str:
    """psycopg writes `%(name)s` where SQLite writes `:name`."""
    return re.sub(r":(\w+)", r"%(\1)s", statement)


def create_app(url: str) -> Flask:
    app = Flask(__name__)
    store: Store = Postgresql(url) if url.startswith("postgresql") else Sqlite(url)

    @app.post("/subscribe")
    def sign_up() -> tuple[Response, int]:
        fields = request.get_json()
        names = ("subscriber", "letter", "subscription", "event")
        values = {name: uuid4().hex for name in names} | _common() | {"email": fields["email"]}
        store.write([f"INSERT INTO {table} {insert}" for table, insert in INSERTS.items()], values)
        return jsonify(status="accepted", message="Please look in your inbox."), 202

    @app.post("/confirm/<subscription>")
    def confirm(subscription: str) -> Response:
        store.write([CONFIRM, CONFIRMED], {"subscription": subscription, "event": uuid4().hex} | _common())
        return jsonify(status="confirmed", newsletters=["weekly"])

    @app.get("/api/v1/subscribers/<email>")
    def show(email: str) -> Response:
        found = store.read(STATUS, {"email": email, "digest": request.headers["Authorization"]})
        return jsonify([[str(cell) for cell in row] for row in found])

    @app.post("/api/v1/subscribers/lookup")
    def look_up() -> Response:
        emails = request.get_json()["emails"]
        known = {row[0]: row for row in store.look_up(emails)}
        return jsonify(results=[_found(email, known.get(email)) for email in emails])

    return app


def _common() -> dict[str, Any]:
    return {
        "now": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "digest": secrets.token_hex(32),
        "key": secrets.token_hex(16),
        "evidence": EVIDENCE,
    }


def _found(email: str, row: Any) -> dict[str, Any]:
    if row is None:
        return {"email": email, "status": "unknown", "mailable": False}
    return {"email": email, "status": row[1], "mailable": row[1] == "confirmed" and bool(row[2])}


app = create_app(os.environ["FLOOR_DATABASE_URL"])
