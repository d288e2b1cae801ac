"""`jawel feedback`: one mail from standard input, as a mail server hands it to a program.

Every mail is accepted, whatever it contains, so that the mail server sends nothing back to anyone; only if settings or
database are unusable is it asked to try again later (EX_TEMPFAIL of sysexits.h).
"""

import sys
from typing import Any, BinaryIO

import click

from app import logs
from app.cli import feedback_explain
from app.feedback.parsers import limits
from app.feedback_mail.mail_intake import MailIntake

EX_TEMPFAIL = 75
CHUNK = 64 * 1024


@click.command()
@click.option("--to", "recipient", metavar="ADDRESS", help="The envelope's recipient, where the mail server tells it.")
@click.option("--explain", is_flag=True, help="Say what each FILE would be taken for, and change nothing.")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False))
@click.pass_obj
def feedback(context: Any, recipient: str | None, explain: bool, files: tuple[str, ...]) -> None:
    """Read one mail from standard input: a bounce, a complaint, or a mail to an unsubscribe address.

    Exit 0 where it is done with, whatever it was; 75 where it is to be tried again later.

    With --explain, read FILEs instead, and print a line of JSON for each.
    """
    if explain or files:
        feedback_explain.run(files, recipient, is_asked=explain)
        return
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
