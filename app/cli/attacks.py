"""`jawel newsletters attacks`: which newsletters are attacked, what has been seen, and the switch by hand."""

from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.breakers import switching
from app.breakers.model import Breaker, BreakerChange
from app.consent import timestamp
from app.newsletters import catalogue

SHOWN = 50


@click.command()
@click.option("--trip", metavar="SLUG", multiple=True, help="Ask for proof of work for an hour, or while it lasts.")
@click.option("--reset", metavar="SLUG", multiple=True, help="Ask no longer, and begin to count anew.")
@click.pass_obj
def attacks(context: Any, trip: tuple[str, ...], reset: tuple[str, ...]) -> None:
    """Print the newsletters that are attacked, and the last 50 times that one came to be so or ceased to.

    With --trip or --reset, switch first.
    """
    with context.database.transaction() as session:
        open_ = catalogue.load(session).open
        for option, names in (("--trip", trip), ("--reset", reset)):
            if unknown := [each for each in names if each not in open_]:
                raise click.UsageError(f"{option}: there is no newsletter {', '.join(unknown)}.")
        for each in trip:
            switching.trip(session, each, clock.now())
        for each in reset:
            switching.reset(session, each, clock.now())
        _print(session)


def _print(session: Session) -> None:
    tripped = session.scalars(select(Breaker).order_by(Breaker.newsletter)).all()
    for each in tripped:
        click.echo(f"attacked\t{each.newsletter}\tsince {timestamp(each.tripped_at)}\t{each.reason}")
    if not tripped:
        click.echo("No newsletter is attacked.", err=True)
    for change in session.scalars(select(BreakerChange).order_by(BreakerChange.changed_at.desc()).limit(SHOWN)):
        word = "tripped" if change.is_tripped else "reset"
        click.echo(f"{timestamp(change.changed_at)}\t{change.newsletter}\t{word}\t{change.reason}")
