"""`jawel doctor`: what an operator would check by hand, a line each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app import clock, schema
from app.database import Database
from app.errors import JawelError
from app.ledger.audit import results
from app.links import LONGEST_MAILBOX, can_be_signed
from app.mail import delivery
from app.mail.delivery.failures import TemporaryFailure
from app.newsletters import catalogue
from app.postgresql import answering_within
from config import Settings

PATIENCE_SECONDS = 5.0
CLOCK_TOLERANCE_SECONDS = 5
AUDIT_EVERY = timedelta(days=2)
"""Nightly, and a night may be missed."""
REMEDIES = {
    "auth": "the server refuses to log in; see MAIL_USERNAME and MAIL_PASSWORD",
    "connection": "the server cannot be reached; see MAIL_SERVER and MAIL_PORT",
    "timeout": "the server does not answer in time; see MAIL_SERVER, MAIL_PORT and MAIL_TIMEOUT",
    "tls": "the server offers no TLS, or no valid certificate; see MAIL_SERVER, MAIL_USE_TLS and MAIL_USE_SSL",
}


class Ailment(JawelError):
    """What is wrong, and the remedy."""


@click.command()
@click.pass_obj
def doctor(context: Any) -> None:
    """Check settings, database, schema, catalogue, mail server, clock and keys. Exit 1 where something is wrong."""
    settings = context.settings
    click.echo(f"ok       settings: {settings.environment}, {settings.public_url}")
    database = context.database
    checks: list[tuple[str, Callable[[], str]]] = [
        ("mail", lambda: _mail(settings)),
        ("keys", lambda: _keys(settings)),
    ]
    of_the_database: list[tuple[str, Callable[[], str]]] = [
        ("schema", lambda: _schema(database)),
        ("catalogue", lambda: _catalogue(database)),
        ("feedback", lambda: _feedback(database, settings)),
        ("clock", lambda: _clock(database)),
        ("audit", lambda: _audit(database)),
    ]
    with answering_within(PATIENCE_SECONDS):
        answers = _report("database", lambda: _database(database))
        # Of a database that is away nobody has to be told four times, each as slowly as the first.
        due = [*of_the_database, *checks] if answers else checks
        if not all([answers, *(_report(name, check) for name, check in due)]):
            raise SystemExit(1)


def _report(name: str, check: Callable[[], str]) -> bool:
    try:
        finding = check()
    except Ailment as error:
        click.echo(f"PROBLEM  {name}: {error}")
        return False
    except SQLAlchemyError as error:
        click.echo(f"PROBLEM  {name}: the database does not answer ({type(error).__name__}); see DATABASE_URL")
        return False
    click.echo(f"ok       {name}: {finding}")
    return True


def _database(database: Database) -> str:
    with database.read_only() as connection:
        connection.execute(select(1))
    return database.writer.dialect.name


def _schema(database: Database) -> str:
    with database.read_only() as connection:
        if not schema.is_current(connection):
            raise Ailment("not the newest; run `jawel migrate`")
    return schema.head_revision()


def _catalogue(database: Database) -> str:
    with database.read_only() as connection:
        if not schema.is_current(connection):
            raise Ailment("waits for the schema; run `jawel migrate`")
        found = catalogue.load(connection)
    if not found.open:
        raise Ailment("no newsletter yet; run `jawel newsletters apply FILE`")
    return ", ".join(found.open)


def _clock(database: Database) -> str:
    with database.read_only() as connection:
        theirs = connection.execute(select(func.current_timestamp())).scalar_one()
    instant = theirs if isinstance(theirs, datetime) else datetime.fromisoformat(str(theirs))
    apart = abs((clock.now() - (instant if instant.tzinfo else instant.replace(tzinfo=UTC))).total_seconds())
    if apart > CLOCK_TOLERANCE_SECONDS:
        raise Ailment(f"{apart:.0f} s away from the database's; set both by NTP")
    return f"within {CLOCK_TOLERANCE_SECONDS} s of the database's"


def _mail(settings: Settings) -> str:
    try:
        return delivery.check(settings)
    except TemporaryFailure as failure:
        raise Ailment(REMEDIES.get(failure.code, f"the server answers {failure.code}")) from None


def _feedback(database: Database, settings: Settings) -> str:
    if settings.feedback.address:
        return f"letters come back to {settings.feedback.address}, with a `+` and a token before the @"
    with database.read_only() as connection:
        if not schema.is_current(connection):
            raise Ailment("waits for the schema; run `jawel migrate`")
        found = catalogue.load(connection)
    unsigned = [each.slug for each in found.open.values() if not can_be_signed(each.mailbox)]
    if unsigned:
        raise Ailment(
            f"nothing tells which letter bounced for {', '.join(unsigned)}: the sender has more than"
            f" {LONGEST_MAILBOX} characters before its @; set FEEDBACK_ADDRESS to a shorter one"
        )
    return "letters come back to the sender of each newsletter, with a `+` and a token before the @"


def _keys(settings: Settings) -> str:
    count = len(settings.secret_keys)
    return (
        f"{count} secret key{'s' if count > 1 else ''}, suppression key, {len(settings.log_signing_keys)} signing key"
    )


def _audit(database: Database) -> str:
    with database.read_only() as connection:
        if not schema.is_current(connection):
            raise Ailment("waits for the schema; run `jawel migrate`")
        last = results.latest(connection)
    if last is None:
        return "not run yet; a worker runs it nightly, and `jawel ledger audit` at once"
    when = f"{last.finished_at:%Y-%m-%d %H:%M} UTC"
    if last.findings:
        raise Ailment(f"{last.findings:,} findings at {when}; `jawel ledger audit` names them")
    if clock.now() - last.finished_at > AUDIT_EVERY:
        raise Ailment(f"clean at {when}, and not run since; see whether a worker runs")
    return f"clean at {when}, {last.events:,} events"
