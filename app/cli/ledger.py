"""`jawel ledger audit`: is the log still what was signed?"""

import sys
from typing import Any

import click

from app import clock
from app.ledger import audit as auditing
from app.ledger.audit import results
from app.ledger.log import Log


@click.group()
def ledger() -> None:
    """Look after the log of consent events."""


@ledger.command()
@click.pass_obj
def audit(context: Any) -> None:
    """Recompute the whole log, and print a line for each thing that does not fit. Exit 1 where there is one."""
    log = Log.of(context.settings.log_origin, context.settings.log_signing_keys)
    begun_at, found = clock.now(), 0
    with auditing.snapshot(context.database) as connection:
        events, sealed = auditing.rows_to_read(connection)
        with _progress(events + sealed) as bar:
            for finding in auditing.findings(connection, log, bar.update):
                click.echo(finding)
                found += 1
    with context.database.transaction() as session:
        results.record(session, begun_at, results.Result(clock.now(), events, found))
    if found:
        raise click.ClickException(f"{found:,} finding{'s' if found > 1 else ''} in {events:,} events.")
    click.echo(f"Clean: {events:,} events, {sealed:,} of them sealed.")


def _progress(rows: int) -> Any:
    """On standard error: findings are for pipes as well."""
    return click.progressbar(length=rows, label="Auditing", file=sys.stderr, hidden=not sys.stderr.isatty())
