"""`jawel feedback --explain`: a JSON line for each file that says what it would be taken for. Changes nothing."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from app.feedback import explaining
from app.feedback.explaining import Explanation
from app.feedback.parsers import limits
from app.feedback_mail import processor_time

EXPLAIN = "explain"
UNREADABLE = Explanation("none", False, "none", "", "")
"""Too costly or malformed: `jawel feedback` lets such a mail change nothing."""


@click.command(EXPLAIN)
@click.option("--to", "recipient", metavar="ADDRESS")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.pass_context
def explain_files(context: click.Context, files: tuple[str, ...], recipient: str | None) -> None:
    """Needs neither settings nor a database."""
    assert context.parent is not None
    recipient = recipient or context.parent.params["recipient"]
    for name in files:
        with Path(name).open("rb") as file:
            explanation = _explained(file.read(limits.MAX_BYTES), recipient)
        click.echo(json.dumps({"file": name, **asdict(explanation)}, ensure_ascii=False))


def _explained(raw: bytes, recipient: str | None) -> Explanation:
    try:
        with processor_time.at_most(processor_time.READING_SECONDS):
            return explaining.explain(raw, recipient)
    except (Exception, processor_time.Exceeded):
        return UNREADABLE
