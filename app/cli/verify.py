"""`jawel verify`: the verifier that strangers run, as a subcommand where Jawel is installed."""

from pathlib import Path

import click

from app.ledger import verifier
from app.ledger.verifier import Refuted, Trust

File = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("receipt", type=File, required=False)
@click.option("--key", "keys", multiple=True, required=True, help="Verification key, or a file of them. Repeatable.")
@click.option(
    "--authority", "authorities", type=File, multiple=True, help="Root certificate (PEM) of a time-stamping authority."
)
@click.option("--checkpoint", type=File, help="An earlier checkpoint, instead of a receipt.")
@click.option("--newer", type=File, help="A later checkpoint.")
@click.option("--consistency", type=File, help="What /log/consistency answered for the two sizes.")
@click.pass_context
def verify(
    context: click.Context,
    receipt: Path | None,
    keys: tuple[str, ...],
    authorities: tuple[Path, ...],
    checkpoint: Path | None,
    newer: Path | None,
    consistency: Path | None,
) -> None:
    """Check a consent receipt, or a checkpoint against a later one. Needs no settings and no database."""
    growth = [each for each in (checkpoint, newer, consistency) if each]
    if len(growth) != (0 if receipt else 3):
        raise click.UsageError("Name a receipt, or --checkpoint, --newer and --consistency.")
    try:
        trust = Trust(verifier.read_keys(keys), verifier.read_authorities(authorities))
        texts = [each.read_text(encoding="utf-8") for each in ([receipt] if receipt else growth)]
    except Refuted as refuted:
        raise click.ClickException(f"{refuted}.") from None
    except (OSError, ValueError):
        raise click.ClickException("A file cannot be read as text.") from None
    findings = verifier.examine(texts, trust)
    context.exit(verifier.report(findings, click.echo))
