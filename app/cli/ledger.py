"""`jawel ledger audit`: check the log against its signatures. `jawel ledger adopt`: have refused events sealed."""

import sys
from typing import IO, Any
from uuid import UUID

import click
import structlog

from app import clock, logs
from app.consent import timestamp
from app.database import Database
from app.ledger import audit as auditing
from app.ledger import refused
from app.ledger.audit import events as checking
from app.ledger.audit import results
from app.ledger.log import Log

log = structlog.get_logger()


@click.group()
def ledger() -> None:
    """Look after the log of consent events."""


@ledger.command()
@click.pass_obj
def audit(context: Any) -> None:
    """Recompute the whole log, and print a line for each thing that does not fit. Exit 1 where there is one."""
    ours = Log.of(context.settings.log_origin, context.settings.log_signing_keys)
    begun_at, found = clock.now(), 0
    with auditing.snapshot(context.database) as connection:
        events, sealed = auditing.rows_to_read(connection)
        with _progress(events + sealed) as bar:
            for finding in auditing.findings(connection, ours, bar.update):
                click.echo(finding)
                found += 1
    with context.database.transaction() as session:
        results.record(session, begun_at, results.Result(clock.now(), events, found))
    if found:
        raise click.ClickException(f"{found:,} finding{'s' if found > 1 else ''} in {events:,} events.")
    click.echo(f"Clean: {events:,} events, {sealed:,} of them sealed.")


def _progress(rows: int) -> Any:
    """On standard error, because findings may go to a pipe."""
    return click.progressbar(length=rows, label="Auditing", file=sys.stderr, hidden=not sys.stderr.isatty())


@ledger.command()
@click.argument("events", nargs=-1, type=click.UUID)
@click.option("--from", "file", type=click.File(), help="Take the ids from the lines of a file, as listed.")
@click.pass_obj
def adopt(context: Any, events: tuple[UUID, ...], file: IO[str] | None) -> None:
    """List the events that are not sealed, as nothing shows that this service wrote them; or vouch for some of them.

    Whatever is adopted is sealed and signed like any other event: only you can know whether it should be.
    """
    wanted = [*events, *_listed(file)]
    if not wanted:
        _list_unproven(context.database)
        return
    logs.configure(context.settings)
    with context.database.transaction() as session:
        for wrong in checking.disagreements(session.connection(), wanted):
            raise click.ClickException(f"{wrong}. Nothing was adopted.")
        adopted = refused.adopt(session, wanted)
        if others := set(wanted) - {*adopted}:
            raise click.ClickException(f"{min(others)} is no event that waits for a seal. Nothing was adopted.")
    log.warning("log.events_adopted", events=[str(each) for each in adopted])
    click.echo(f"Adopted {len(adopted):,} event{'s' if len(adopted) > 1 else ''}. A worker seals them next.")


def _listed(file: IO[str] | None) -> list[UUID]:
    try:
        return [UUID(line.split()[0]) for line in file or () if line.strip()]
    except ValueError:
        raise click.ClickException("Each line of the file has to begin with the id of an event.") from None


def _list_unproven(database: Database) -> None:
    found = 0
    with auditing.snapshot(database) as connection:
        for each in refused.unproven(connection):
            about = f"{each.type}  {each.newsletter or '-'}  {each.reason}"
            click.echo(f"{each.id}  {timestamp(each.occurred_at)}  {auditing.in_plain_letters(about)}")
            found += 1
    said = f"{found:,} event{'s' if found > 1 else ''} would not be sealed. Name those that you vouch for."
    click.echo(said if found else "Each event that waits bears a MAC of this service.", err=bool(found))
