"""`jawel privacy access`: all that is held about one person, for who cannot use a link (GDPR Art. 15)."""

from typing import Any

import click

from app import clock
from app.cli import address_argument
from app.newsletters import load
from app.newsletters.definitions import LANGUAGES, Catalogue
from app.privacy import access as holding
from app.privacy import portability
from app.privacy.access import Holdings
from app.privacy.portability import ExportIssue
from app.resources import resources_of
from app.web.application import create_app
from app.web.pages.preferences import data


@click.command()
@click.argument("address")
@click.option("--language", type=click.Choice(LANGUAGES), help="The person's own where not named.")
@click.option("--format", "kind", type=click.Choice(["json", "page"]), default="json", help="JSON where not named.")
@click.pass_obj
def access(context: Any, address: str, language: str | None, kind: str) -> None:
    """Print all that is kept about a person, also what is kept under digests alone. Changes nothing.

    ADDRESS may be - to read it from standard input, which keeps it out of the shell's history.
    """
    mailbox = address_argument.read(address)
    with context.database.read_only() as connection:
        found = holding.find_by_address(connection, mailbox, context.settings.suppression_key)
        catalogue = load.catalogue(connection)
    if catalogue.controller is None:
        raise click.ClickException("No catalogue is applied yet; run `jawel newsletters apply FILE`.")
    if found is None:
        click.echo("Nothing is kept about that address.", err=True)
        return
    spoken = language or _spoken(found, catalogue)
    if kind == "json":
        click.echo(data.as_json(found, ExportIssue(clock.now(), catalogue, spoken)), nl=False)
        return
    app = create_app(context.settings)
    try:
        click.echo(data.to_print(app, found, mailbox.typed, spoken))
    finally:
        resources_of(app).database.dispose()


def _spoken(found: Holdings, catalogue: Catalogue) -> str:
    """The person's language; of who has no row any more, that of a newsletter that their data is about, or of any."""
    if found.person:
        return str(found.person["language"])
    about = portability.newsletters_of(found, catalogue) or list(catalogue.newsletters.values())
    return about[0].languages[0] if about else "en"
