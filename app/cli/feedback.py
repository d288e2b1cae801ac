"""`jawel feedback`: one mail from standard input, as a mail server hands it to a program.

Every mail is accepted, whatever it contains, so that the mail server sends nothing back to anyone; only if settings or
database are unusable is it asked to try again later (EX_TEMPFAIL of sysexits.h).
"""

import sys
from typing import Any, BinaryIO

import click
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import logs
from app.cli import feedback_explain, processor_time
from app.database import Database
from app.feedback import Outcome, Report, effects, inbound
from app.feedback.parsers import limits
from app.links import Links
from app.newsletters import load
from app.tokens import Signer
from config import Settings

EX_TEMPFAIL = 75
CHUNK = 64 * 1024
READING_SECONDS = 1.0
"""Processor time. A real bounce takes a hundredth of it, the costliest mail found so far a fifth."""

log = structlog.get_logger()


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
        settings = context.settings
        logs.configure(settings)
        reports = _reports(raw, recipient, settings)
        outcome = _take(context.database, settings, reports) if reports else None
    except click.ClickException as error:
        error.show()
        raise SystemExit(EX_TEMPFAIL) from None
    except SQLAlchemyError as error:
        log.error("feedback.postponed", error=type(error).__name__)
        raise SystemExit(EX_TEMPFAIL) from None
    if reports is not None and outcome is None:
        log.info("feedback.ignored")


def _read(mail: BinaryIO) -> bytes:
    """Reads to the end, however long: a mail server treats a broken pipe as a failure."""
    kept = mail.read(limits.MAX_BYTES)
    while mail.read(CHUNK):
        pass
    return kept


def _reports(raw: bytes, recipient: str | None, settings: Settings) -> list[Report] | None:
    """None if the mail cannot be parsed, or not in time."""
    links = Links(settings.public_url, Signer(settings.secret_keys), settings.feedback.address)
    try:
        with processor_time.at_most(READING_SECONDS):
            return inbound.read(raw, recipient, links)
    except (Exception, processor_time.Exceeded) as error:
        # The same mail would fail the next time as well, and the text of the error may quote it.
        log.warning("feedback.unreadable", error=type(error).__name__)
        return None


def _take(database: Database, settings: Settings, reports: list[Report]) -> Outcome | None:
    """None if there is no report."""
    outcome = None
    for report in reports:
        with database.transaction() as session:
            outcome = effects.take(
                session,
                report,
                catalogue=load.catalogue(session),
                suppression_key=settings.suppression_key,
            )
        log.info("feedback.taken", kind=report.kind, source=report.source, outcome=outcome)
        if outcome is not Outcome.UNKNOWN:
            break
    return outcome
