"""`jawel feedback`: one mail from standard input, as a mail server hands it to a program.

Every mail is accepted, whatever it contains, so that the mail server sends nothing back to anyone; only if settings or
database are unusable is it asked to try again later (EX_TEMPFAIL of sysexits.h).
"""

import sys
from typing import Any, BinaryIO

import click

from app import logs
from app.cli.feedback_explain import EXPLAIN, explain_files
from app.cli.lazy_group import LazyGroup
from app.feedback.parsers import limits
from app.feedback_mail.mail_intake import MailIntake

EX_TEMPFAIL = 75
CHUNK = 64 * 1024
ELSEWHERE = {"listen": "app.cli.feedback_listen:listen"}


class FeedbackGroup(LazyGroup):
    """With --explain, what follows are files, and none of them is a subcommand."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if context.params["explain"]:
            return EXPLAIN, explain_files, arguments
        if arguments[0] not in ELSEWHERE:
            raise click.UsageError("FILE goes with --explain: without it, one mail is read from standard input.")
        return super().resolve_command(context, arguments)


@click.group(
    cls=FeedbackGroup, elsewhere=ELSEWHERE, invoke_without_command=True, subcommand_metavar="[FILE... | COMMAND]"
)
@click.option("--to", "recipient", metavar="ADDRESS", help="The envelope's recipient, where the mail server tells it.")
@click.option("--explain", is_flag=True, help="Say what each FILE would be taken for, and change nothing.")
@click.pass_context
def feedback(context: click.Context, recipient: str | None, explain: bool) -> None:
    """Read one mail from standard input: a bounce, a complaint, or a mail to an unsubscribe address.

    Exit 0 where it is done with, whatever it was; 75 where it is to be tried again later.

    With --explain, read FILEs instead, and print a line of JSON for each.
    """
    if context.invoked_subcommand == EXPLAIN:
        return
    if explain:
        raise click.UsageError("--explain needs a FILE, or several: each one mail.")
    if context.invoked_subcommand is None:
        _take_one(context.obj, recipient)
    elif recipient is not None:
        raise click.UsageError("--to goes with a mail on standard input.")


def _take_one(context: Any, recipient: str | None) -> None:
    raw = _read(sys.stdin.buffer)
    try:
        logs.configure(context.settings)
        intake = MailIntake.of(context.settings, context.database)
    except click.ClickException as error:
        error.show()
        raise SystemExit(EX_TEMPFAIL) from None
    if not all(intake.take(raw, [recipient])):
        raise SystemExit(EX_TEMPFAIL)


def _read(mail: BinaryIO) -> bytes:
    """Reads to the end, however long: a mail server treats a broken pipe as a failure."""
    kept = mail.read(limits.MAX_BYTES)
    while mail.read(CHUNK):
        pass
    return kept
