"""`jawel letters`: list letters that are owed or dead; retry or drop them."""

import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection, Select, Update, select, update

from app import clock, outbox
from app.database import AnyRow
from app.outbox import FREE, OWED, Letter, State
from app.subscriptions.model import Subscription

DEAD = (State.FAILED, State.BOUNCED)
ANY = click.Choice([state.value for state in State])
OWED_OR_DEAD = click.Choice([state.value for state in (*OWED, *DEAD)])
COLUMNS = ("id", "kind", "newsletters", "state", "since", "attempts", "reply")


@click.group()
def letters() -> None:
    """List the letters that are owed or dead, try them again, or drop them."""


@letters.command("list")
@click.option("--state", "states", type=ANY, multiple=True, help="May be repeated. All but sent and dropped ones.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The oldest of them.")
@click.pass_obj
def list_letters(context: Any, states: tuple[str, ...], limit: int) -> None:
    """One letter a line, oldest first: id, kind, newsletters, state and since when, attempts, last reply."""
    chosen = _LETTERS.where(Letter.state.in_(states or (*OWED, *DEAD))).order_by(Letter.created_at).limit(limit)
    with context.database.read_only() as connection:
        found = connection.execute(chosen).all()
        slugs = _slugs(connection, found)
    rows = [_fields(letter, slugs) for letter in found]
    if sys.stdout.isatty():
        _print_table([list(COLUMNS), *rows])
    else:
        for row in rows:
            click.echo("\t".join(row))


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@letters.command()
@click.argument("letter_ids", nargs=-1, type=click.UUID, metavar="[ID]...")
@click.option("--all", "all_of_them", is_flag=True, help="All in the state that --state names.")
@click.option("--state", type=OWED_OR_DEAD, help="With --all: which.")
@click.pass_obj
def retry(context: Any, letter_ids: tuple[UUID, ...], all_of_them: bool, state: str | None) -> None:
    """Owe letters anew, due now and with all their tries. What became untrue since is dropped, as ever."""
    if bool(letter_ids) == all_of_them or all_of_them != bool(state):
        raise click.UsageError("Give ids, or --all with --state.")
    chosen = Letter.state == state if state else Letter.id.in_(letter_ids)
    now = clock.now()
    anew = update(Letter).values(**FREE, state=State.QUEUED, state_at=now, due_at=now, deliveries=0, unanswered=0)
    changed = _change(context, anew.where(chosen, Letter.state.in_((*OWED, *DEAD))))
    click.echo(f"{_count(changed)} owed anew.")
    _insist_on(letter_ids, changed)


@letters.command()
@click.argument("letter_ids", nargs=-1, required=True, type=click.UUID, metavar="ID...")
@click.pass_obj
def drop(context: Any, letter_ids: tuple[UUID, ...]) -> None:
    """Never send these letters. Whoever waits for one can ask again."""
    gone = update(Letter).values(**FREE, state=State.DROPPED, state_at=clock.now())
    changed = _change(context, gone.where(Letter.id.in_(letter_ids), Letter.state.in_((*OWED, *DEAD))))
    click.echo(f"{_count(changed)} dropped.")
    _insist_on(letter_ids, changed)


def _change(context: Any, change: Update) -> Sequence[UUID]:
    """Skips letters that a worker has claimed: they may be in delivery."""
    with context.database.transaction() as session:
        return list(session.scalars(change.where(outbox.is_free(clock.now())).returning(Letter.id)))


def _insist_on(wanted: Sequence[UUID], changed: Sequence[UUID]) -> None:
    missing = [str(each) for each in wanted if each not in set(changed)]
    if missing:
        raise click.ClickException(f"Not owed, not dead, or in a worker's hands: {', '.join(missing)}")


def _count(changed: Sequence[UUID]) -> str:
    return "1 letter is" if len(changed) == 1 else f"{len(changed)} letters are"


def _slugs(connection: Connection, found: Sequence[AnyRow]) -> dict[str, str]:
    about = {UUID(each) for letter in found for each in letter.about}
    return {str(id): slug for id, slug in connection.execute(_NEWSLETTERS.where(Subscription.id.in_(about)))}


# In rows of a Core connection, a column has its own name, not that of its attribute.
DELIVERIES = Letter.deliveries.label("deliveries")
_LETTERS = select(Letter.id, Letter.kind, Letter.about, Letter.state, Letter.state_at, DELIVERIES, Letter.reply)
_NEWSLETTERS: Select[UUID, str] = select(Subscription.id, Subscription.newsletter)


def _fields(letter: AnyRow, slugs: dict[str, str]) -> list[str]:
    newsletters = ",".join(sorted({slugs[each] for each in letter.about if each in slugs}))
    since = f"{letter.state_at:%Y-%m-%dT%H:%M:%SZ}"
    tried = (letter.state, since, str(letter.deliveries), letter.reply or "-")
    return [str(letter.id), letter.kind, newsletters or "-", *tried]
