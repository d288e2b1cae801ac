"""One write for a whole request: recipient limits, subscriber, letter, subscriptions, consent events, filler rows.

On PostgreSQL it is a database function (`migrations/signup_functions.py`), on SQLite one statement per table.

Every row that may already exist carries the version it was read at. If another request came first, the version no
longer matches, and the database rejects the whole write. So it does if a letter that was to be joined is being sent.
"""

from collections.abc import Mapping
from functools import cache

import psycopg
from sqlalchemy import Connection, Text, bindparam, case, func, select
from sqlalchemy.exc import IntegrityError

from app.abuse.recipient_limit import RecipientLimit
from app.consent import ConsentEvent
from app.database import Base, json_insert, sqlite
from app.database.prepared import PreparedStatement
from app.outbox import OWED, Letter
from app.subscriptions.model import Subscriber, Subscription
from app.subscriptions.request_rows import Rows

OVERTAKEN = frozenset({RecipientLimit.version.key, Letter.state.key})
"""Columns that become NULL if their row is not as it was read."""
NOT_NULL_VIOLATION = "23502"
FOREIGN_KEY_VIOLATION = "23503"
UNIQUE_VIOLATION = "23505"
_HOLD_WHAT_WAS_READ = ("fk_subscriptions_subscriber_id", "fk_letters_subscriber_id", "fk_subscriptions_letter_id")

OTHER_TABLES: tuple[type[Base], ...] = (Subscriber, Letter, Subscription, ConsentEvent)
NO_ROWS: Rows = {table: [] for table in OTHER_TABLES}


@cache
def _function() -> PreparedStatement:
    names = [RecipientLimit.__tablename__, *(table.__tablename__ for table in OTHER_TABLES)]
    names += [f"undone_{table.__tablename__}" for table in OTHER_TABLES]
    return PreparedStatement(select(func.record_signup(*[bindparam(name, type_=Text) for name in names])))


@cache
def _inserts() -> Mapping[type[Base], PreparedStatement]:
    inserts = {
        RecipientLimit: _replace_if_unchanged(
            json_insert.insert(RecipientLimit, "sqlite"), RecipientLimit, ("digest",)
        ),
        Subscriber: json_insert.insert(Subscriber, "sqlite"),
        Letter: _join_if_unsent(json_insert.insert(Letter, "sqlite")),
        Subscription: _replace_if_unchanged(
            json_insert.insert(Subscription, "sqlite"), Subscription, ("subscriber_id", "newsletter")
        ),
        ConsentEvent: json_insert.insert(ConsentEvent, "sqlite"),
    }
    return {table: PreparedStatement(insert) for table, insert in inserts.items()}


def _replace_if_unchanged(
    insert: json_insert.Insert, model: type[RecipientLimit | Subscription], key: tuple[str, ...]
) -> json_insert.Insert:
    """If the stored version is not the one that was read, `version` becomes NULL, which the column rejects."""
    kept = ("id", RecipientLimit.linked_at.key, *key)
    replacement = {each.name: insert.excluded[each.name] for each in model.__table__.columns if each.name not in kept}
    follows = model.version + 1 == insert.excluded.version
    return insert.on_conflict_do_update(
        index_elements=key, set_={**replacement, "version": case((follows, insert.excluded.version))}
    )


def _join_if_unsent(insert: json_insert.Insert) -> json_insert.Insert:
    """Adds to a letter that exists; if it has left or is being sent, `state` becomes NULL, which the column rejects."""
    joining = insert.excluded
    is_unsent = Letter.state.in_(OWED) & Letter.lease.is_(None) & (Letter.unanswered == 0)
    joined = {
        "about": func.json_patch(Letter.about, joining.about),
        "attempt": func.coalesce(Letter.form_id, joining.attempt),
        # Asked from two pages, it names neither.
        "asked_from": case((Letter.asked_from == joining.asked_from, Letter.asked_from)),
        "state": case((is_unsent, Letter.state)),
    }
    return insert.on_conflict_do_update(index_elements=("id",), set_=joined)


def write(connection: Connection, kept: Rows, undone: Rows) -> None:
    """Write both, and roll back `undone`.

    Raises IntegrityError; if `was_overtaken` holds for it, a row was not as it was read. Nothing is kept then.
    """
    if connection.dialect.name == "sqlite":
        _insert(connection, kept)
        with sqlite.undone(connection):
            _insert(connection, undone)
        return
    _function().run(connection, {**json_insert.parameters(kept), **_undone_parameters(undone)})


def _undone_parameters(undone: Rows) -> Mapping[str, str]:
    return _NOTHING if undone is NO_ROWS else _encoded(undone)


def _encoded(undone: Rows) -> Mapping[str, str]:
    return {f"undone_{name}": each for name, each in json_insert.parameters(undone).items()}


_NOTHING = _encoded(NO_ROWS)


def _insert(connection: Connection, written: Rows) -> None:
    """Table by table, skipping empty ones: the overhead of a statement exceeds its work."""
    for table, each in written.items():
        if each:
            _inserts()[table].run(connection, json_insert.parameters({table: each}))


def was_overtaken(error: IntegrityError) -> bool:
    """Whether another transaction came first, on PostgreSQL: a row now exists, has changed, or its person is gone.

    Any other violated constraint would be violated again.
    """
    cause = error.orig
    if not isinstance(cause, psycopg.Error):
        return False
    if cause.sqlstate == NOT_NULL_VIOLATION:
        return cause.diag.column_name in OVERTAKEN
    if cause.sqlstate == FOREIGN_KEY_VIOLATION:
        return cause.diag.constraint_name in _HOLD_WHAT_WAS_READ
    return cause.sqlstate == UNIQUE_VIOLATION
