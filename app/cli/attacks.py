"""`jawel newsletters attacks`: newsletters under attack, recent switches of breakers, and switching by hand."""

from collections.abc import Sequence
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.abuse.attack_detection import switching
from app.abuse.attack_detection.model import Breaker, BreakerChange
from app.consent import timestamp
from app.database import AnyRow
from app.newsletters import load

SHOWN = 50


@click.command()
@click.option("--trip", metavar="SLUG", multiple=True, help="Ask for proof of work for an hour, or while it lasts.")
@click.option("--reset", metavar="SLUG", multiple=True, help="Ask no longer, and begin to count anew.")
@click.pass_obj
def attacks(context: Any, trip: tuple[str, ...], reset: tuple[str, ...]) -> None:
    """Print the newsletters that are attacked, and the last 50 times that one came to be so or ceased to.

    With --trip or --reset, switch first.
    """
    if trip or reset:
        with context.database.transaction() as session:
            _switch(session, trip, reset)
    with context.database.read_only() as connection:
        tripped = connection.execute(_TRIPPED).all()
        changes = connection.execute(_CHANGES).all()
    _print(tripped, changes)


def _switch(session: Session, trip: tuple[str, ...], reset: tuple[str, ...]) -> None:
    open_ = load.catalogue(session).open
    for option, names in (("--trip", trip), ("--reset", reset)):
        if unknown := [each for each in names if each not in open_]:
            raise click.UsageError(f"{option}: there is no newsletter {', '.join(unknown)}.")
    for each in trip:
        switching.trip(session, each, clock.now())
    for each in reset:
        switching.reset(session, each, clock.now())


def _print(tripped: Sequence[AnyRow], changes: Sequence[AnyRow]) -> None:
    for each in tripped:
        click.echo(f"attacked\t{each.newsletter}\tsince {timestamp(each.tripped_at)}\t{each.reason}")
    if not tripped:
        click.echo("No newsletter is attacked.", err=True)
    for change in changes:
        word = "tripped" if change.is_tripped else "reset"
        click.echo(f"{timestamp(change.changed_at)}\t{change.newsletter}\t{word}\t{change.reason}")


_TRIPPED = select(Breaker.__table__).order_by(Breaker.newsletter)
_CHANGES = select(BreakerChange.__table__).order_by(BreakerChange.changed_at.desc()).limit(SHOWN)
