"""`jawel doctor`: the checks that an operator would make by hand, one line each."""

import shlex
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app import clock, private_files
from app.cli import doctor_mail, doctor_notice, doctor_sender
from app.cli.dns_records import TextRecords
from app.cli.findings import CheckFailed, CheckWarning, reading
from app.database import Database, described, schema, sqlite, write_check
from app.database.postgresql import answering_within
from app.database.write_check import NotWritable
from app.ledger import refused
from app.ledger.audit import results
from app.ledger.last_written import last_written
from app.newsletters import load
from app.privacy import clock_check
from config import Settings

PATIENCE_SECONDS = 5.0
CLOCK_TOLERANCE_SECONDS = 5
AUDIT_EVERY = timedelta(days=2)
"""The audit is nightly, and one night may be missed."""


@click.command()
@click.pass_obj
def doctor(context: Any) -> None:
    """Check settings, database, catalogue, notice, sender, clock, log, mail server, files, keys. Exit 1 if one fails.

    Asks DNS for records of the sender's domain.
    """
    settings = context.settings
    click.echo(f"ok    settings: {settings.environment}, {settings.public_url}")
    database, records = context.database, TextRecords(doctor_sender.DNS_SECONDS)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("mail", lambda: doctor_mail.mail(database, settings)),
        ("mail encryption", lambda: doctor_mail.encryption(settings)),
        ("file permissions", lambda: _file_permissions(settings)),
        ("keys", lambda: _keys(settings)),
    ]
    of_the_database: list[tuple[str, Callable[[], str]]] = [
        ("writing", lambda: _writing(database, settings)),
        ("schema", lambda: _schema(database)),
        ("catalogue", lambda: _catalogue(database)),
        ("privacy notice", lambda: doctor_notice.openness(database, settings)),
        ("feedback", lambda: doctor_mail.feedback(database, settings)),
        ("sender", lambda: doctor_sender.alignment(database, settings)),
        ("SPF", lambda: doctor_sender.spf(database, settings, records)),
        ("DKIM", lambda: doctor_sender.dkim(database, settings, records)),
        ("DMARC", lambda: doctor_sender.dmarc(database, settings, records)),
        ("relay", lambda: doctor_mail.relay(database, settings)),
        ("clock", lambda: _clock(database)),
        ("log", lambda: _log(database)),
        ("audit", lambda: _audit(database)),
    ]
    with answering_within(PATIENCE_SECONDS):
        answers = _report("database", lambda: _database(database, settings))
        # If the database is down, its other checks are skipped: each would fail as slowly as the first.
        due = [*of_the_database, *checks] if answers else checks
        if not all([answers, *(_report(name, check) for name, check in due)]):
            raise SystemExit(1)


def _report(name: str, check: Callable[[], str]) -> bool:
    """False if the check fails."""
    state = "ok"
    try:
        finding = check()
    except CheckWarning as warning:
        state, finding = "warn", str(warning)
    except CheckFailed as error:
        state, finding = "fail", str(error)
    except SQLAlchemyError as error:
        state, finding = "fail", f"the database does not answer ({type(error).__name__}); see DATABASE_URL"
    click.echo(f"{state:<5} {name}: {finding}")
    return state != "fail"


def _database(database: Database, settings: Settings) -> str:
    """Always names the database: it may not be the intended one."""
    which = described(settings.database_url)
    try:
        with database.read_only() as connection:
            connection.execute(select(1))
    except SQLAlchemyError as error:
        raise CheckFailed(f"{which}: the database does not answer ({type(error).__name__}); see DATABASE_URL") from None
    return which


def _writing(database: Database, settings: Settings) -> str:
    """Cannot be checked before the schema is current."""
    with reading(database):
        pass
    try:
        write_check.attempt(database)
    except NotWritable as error:
        raise CheckFailed(f"the database takes no writes: {error}") from None
    held = sqlite.log_bytes(settings.database_url) if settings.database_url.startswith("sqlite") else 0
    if held > 2 * sqlite.LOG_BYTES:
        raise CheckWarning(
            f"the database takes what is written, and its write-ahead log holds {held >> 20} MB, for somebody reads an"
            " old state of it: a backup, an audit, a shell left open. A worker empties it within a minute after that"
        )
    return "the database takes what is written"


def _schema(database: Database) -> str:
    with database.read_only() as connection:
        if not schema.is_current(connection):
            raise CheckFailed("not the newest; run `jawel migrate`")
    return schema.head_revision()


def _catalogue(database: Database) -> str:
    with reading(database) as connection:
        found = load.catalogue(connection)
    if not found.open:
        raise CheckFailed("no newsletter yet; run `jawel newsletters apply FILE`")
    return ", ".join(found.open)


def _clock(database: Database) -> str:
    """A worker that erases nothing logs why; a jump that only this worker has seen is reported only there."""
    with reading(database) as connection:
        doubt = clock_check.doubt(connection)
        ahead = clock_check.ahead_of_the_database(connection)
        written = last_written(connection)
    if doubt:
        raise CheckFailed(f"{doubt}, and nothing is erased meanwhile. {doubt.remedy}")
    if ahead is None:
        return f"not behind what was written last, at {written:%Y-%m-%d %H:%M} UTC" if written else "nothing to compare"
    apart = abs(ahead.total_seconds())
    if apart > CLOCK_TOLERANCE_SECONDS:
        raise CheckFailed(f"{apart:.0f} s away from the database's; set both by NTP")
    return f"within {CLOCK_TOLERANCE_SECONDS} s of the database's"


def _file_permissions(settings: Settings) -> str:
    """A closed folder also protects the files in it."""
    files = sqlite.files(settings.database_url) if settings.database_url.startswith("sqlite") else []
    made = [settings.instance / "secrets.json", settings.mailbox] if settings.in_development else []
    wide = [str(path) for path in (*files, *made) if private_files.is_open_to_others(path)]
    if wide:
        remedy = shlex.join(["chmod", "go=", *wide])
        raise CheckWarning(f"other users of this machine can read what is in them; run `{remedy}`")
    return "nobody else on this machine can read its files" if files or made else "it has no files here"


def _keys(settings: Settings) -> str:
    count = len(settings.secret_keys)
    return (
        f"{count} secret key{'s' if count > 1 else ''}, suppression key, {len(settings.log_signing_keys)} signing key"
    )


def _log(database: Database) -> str:
    with reading(database) as connection:
        aside = refused.count(connection)
    if aside:
        raise CheckFailed(
            f"{aside:,} event{'s' if aside > 1 else ''} not sealed, as no MAC shows that this service wrote them;"
            " `jawel ledger adopt` lists them"
        )
    return "no event was refused a seal"


def _audit(database: Database) -> str:
    with reading(database) as connection:
        last = results.latest(connection)
    if last is None:
        return "not run yet; a worker runs it nightly, and `jawel ledger audit` at once"
    when = f"{last.finished_at:%Y-%m-%d %H:%M} UTC"
    if last.findings:
        raise CheckFailed(f"{last.findings:,} findings at {when}; `jawel ledger audit` names them")
    if clock.now() - last.finished_at > AUDIT_EVERY:
        raise CheckFailed(f"clean at {when}, and not run since; see whether a worker runs")
    return f"clean at {when}, {last.events:,} events"
