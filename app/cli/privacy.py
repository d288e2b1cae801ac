"""`jawel privacy`: the purge that a worker runs every minute, now with a report; access by address; and the record."""

import time
from collections import Counter
from typing import Any

import click

from app.cli.lazy_group import LazyGroup
from app.cli.record import record
from app.newsletters import load
from app.privacy import clock_check, retention
from app.privacy.retention import PurgeKind

TOLD_EVERY_SECONDS = 5.0
WORDS = {
    PurgeKind.EXPIRED: "requests lapsed, for nobody confirmed them",
    PurgeKind.BOUNCED: "bounced requests erased, for nobody had confirmed them",
    PurgeKind.DECLINED: "declined requests erased, for nothing could undo that any more",
    PurgeKind.UNCONFIRMED: "lapsed requests lost their stub and their evidence",
    PurgeKind.WITHDRAWN: "withdrawn subscriptions erased, with their evidence",
    PurgeKind.SUPPRESSIONS: "suppressions ended",
    PurgeKind.BUDGETS: "mail budgets forgotten",
    PurgeKind.ADDRESS_CHANGES: "changes of address forgotten",
    PurgeKind.PROOFS: "used proofs of work forgotten",
    PurgeKind.BREAKER_COUNTS: "counts of requests forgotten, of a newsletter in a minute",
    PurgeKind.BREAKER_CHANGES: "switchings of breakers forgotten",
    PurgeKind.ERASURES: "ids of erased subscriptions forgotten",
    PurgeKind.FEEDBACK: "reports of bounces and complaints forgotten",
}


@click.group(cls=LazyGroup, elsewhere={"access": "app.cli.access:access"})
def privacy() -> None:
    """Erase what is kept no longer, and account for what is kept."""


@privacy.command()
@click.pass_obj
def purge(context: Any) -> None:
    """Erase all whose time has come, and report how much of each kind. Safe while workers run; idempotent.

    Nothing is erased where the clock is not to be believed.
    """
    counts: Counter[str] = Counter(dict.fromkeys(PurgeKind, 0))
    with context.database.read_only() as connection:
        if doubt := clock_check.doubt(connection):
            raise click.ClickException(f"Nothing is erased: {doubt}. {doubt.remedy}.")
        due = list(retention.chores(load.catalogue(connection)))
    told_at = time.monotonic()
    for chore in due:
        for done in retention.steps(context.database, chore):
            counts[chore.kind] += done
            if time.monotonic() >= told_at + TOLD_EVERY_SECONDS:
                click.echo(f"So far: {counts[chore.kind]} {WORDS[PurgeKind(chore.kind)]}.", err=True)
                told_at = time.monotonic()
    if not context.database.scrub():
        click.echo("Its bytes are on the disk until whoever reads them is done, and a minute longer.", err=True)
    for kind, words in WORDS.items():
        click.echo(f"{counts[kind]:>7} {words}")


privacy.add_command(record)
