"""`jawel newsletters apply`: make the catalogue match a file."""

from pathlib import Path
from typing import Any

import click

from app.cli.attacks import attacks
from app.newsletters import apply as applying
from app.newsletters import art13, load, wording_lint
from app.newsletters import toml_file as catalogue_file
from app.newsletters.definitions import Catalogue
from app.newsletters.toml_file import CatalogueError


@click.group()
def newsletters() -> None:
    """Declare the newsletters."""


@newsletters.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; exit 1 where something would change.")
@click.pass_obj
def apply(context: Any, file: Path, check: bool) -> None:
    """Make the catalogue match FILE, and print what is added (+), changed (~) and retired (-).

    Exit status 2 means that the file cannot be used; nothing is changed then.
    """
    try:
        wanted, tables = catalogue_file.load(file)
    except CatalogueError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    with context.database.transaction() as session:
        applying.await_turn(session)
        changes = applying.plan(session, tables)
        if not check:
            applying.apply(session, tables)
    for change in changes:
        click.echo(str(change))
    if not changes:
        click.echo("Nothing to change.", err=True)
    for line in _doubts(wanted) if changes else ():
        click.echo(f"warn  {line}", err=True)
    if check and changes:
        raise SystemExit(1)


def _doubts(wanted: Catalogue) -> list[str]:
    unsaid = art13.unsaid(wanted.controller) if wanted.controller else []
    return [*unsaid, *wording_lint.warnings(wanted)]


@newsletters.command(name="list")
@click.pass_obj
def list_(context: Any) -> None:
    """Print the slug of every newsletter that takes subscriptions, a line each."""
    with context.database.read_only() as connection:
        on_offer = load.catalogue(connection).open
    for slug in on_offer:
        click.echo(slug)


newsletters.add_command(attacks)
