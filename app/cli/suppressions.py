"""`jawel suppressions`: lift the suppressions of an address by hand."""

import sys
from typing import Any

import click

from app.cli import address_argument
from app.feedback import lifting
from app.feedback.lifting import Obstacles

LONGEST_WHY = 500
WORDS = {"complaint": "a complaint", "declined": "“this was not me”", "hard_bounce": "a mailbox that did not exist"}
NOTHING = "Nothing keeps that address from being written to. Nothing was written."


@click.group()
def suppressions() -> None:
    """Lift what keeps an address from being written to."""


@suppressions.command()
@click.argument("address")
@click.option("--why", required=True, help="Goes into the evidence, which the person may read.")
@click.option("--yes", is_flag=True, help="Do not ask, where somebody is at a terminal.")
@click.pass_obj
def lift(context: Any, address: str, why: str, yes: bool) -> None:
    """Lift a complaint, a "this was not me" or a hard bounce; the person may ask again. Idempotent.

    ADDRESS may be - to read it from standard input, which keeps it out of the shell's history.
    """
    mailbox, reason = address_argument.read(address), _reason(why)
    key = context.settings.suppression_key
    with context.database.read_only() as connection:
        found = lifting.find(connection, mailbox, key)
    if not found:
        click.echo(NOTHING)
        return
    _ask(found, yes=yes)
    with context.database.transaction() as session:
        lifted = lifting.lift(session, mailbox, key, reason)
    click.echo(_report(lifted) if lifted else NOTHING)


def _reason(text: str) -> str:
    reason = text.strip()
    if not 0 < len(reason) <= LONGEST_WHY or not reason.isprintable():
        raise click.UsageError(f"--why: needs one line of 1 to {LONGEST_WHY} characters.")
    return reason


def _ask(found: Obstacles, *, yes: bool) -> None:
    if yes or not sys.stdin.isatty():
        return
    click.confirm(f"In the way: {_named(found)}. Lift it, so that the person may ask again?", abort=True)


def _named(found: Obstacles) -> str:
    reasons = [WORDS[each] for each in found.reasons] or [WORDS["complaint"]]
    about = f" (about {', '.join(found.complained)})" if found.complained else ""
    return f"{', '.join(reasons)}{about}"


def _report(lifted: Obstacles) -> str:
    ended = f" Now unsubscribed: {', '.join(lifted.complained)}." if lifted.complained else ""
    return f"Lifted: {_named(lifted)}.{ended} The person may ask again."
