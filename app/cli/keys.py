"""API keys: made, listed, revoked."""

from typing import Any
from uuid import UUID

import click
from sqlalchemy import select

from app import api_keys, clock
from app.api_keys import ApiKey, Scope
from app.newsletters import load

# For an enumeration click would offer the names, STATUS_READ, instead of the API's values.
SCOPES = click.Choice([scope.value for scope in Scope])


@click.group()
def keys() -> None:
    """Make, list and revoke the keys of other services."""


@keys.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=SCOPES, help="May be repeated.")
@click.option("--newsletter", "slugs", multiple=True, help="Limit the key to it. May be repeated.")
@click.pass_obj
def create(context: Any, name: str, scopes: tuple[str, ...], slugs: tuple[str, ...]) -> None:
    """Print a new key, once: only its digest is kept."""
    with context.database.transaction() as session:
        unknown = set(slugs) - set(load.catalogue(session.connection()).newsletters)
        if unknown:
            raise click.UsageError(f"--newsletter: there is no newsletter {', '.join(sorted(unknown))}.")
        key = api_keys.create(session, name, scopes=sorted(set(scopes)), newsletters=sorted(set(slugs)) or None)
        # Within the transaction: a key that cannot be printed must not be in force.
        click.echo(key)


@keys.command("list")
@click.pass_obj
def list_keys(context: Any) -> None:
    """One key a line: id, name, scopes, newsletters, since when, and whether it is revoked."""
    with context.database.transaction() as session:
        for key in session.scalars(select(ApiKey).order_by(ApiKey.created_at)):
            limits = ",".join(key.newsletters) if key.newsletters is not None else "all newsletters"
            state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "in force"
            fields = (str(key.id), key.name, ",".join(key.scopes), limits, f"since {key.created_at:%Y-%m-%d}", state)
            click.echo("\t".join(fields))


@keys.command()
@click.argument("key_id", type=click.UUID, metavar="ID")
@click.pass_obj
def revoke(context: Any, key_id: UUID) -> None:
    """End a key: a second later no process answers to it. Idempotent."""
    with context.database.transaction() as session:
        key = session.get(ApiKey, key_id)
        if key is None:
            raise click.ClickException("There is no key with that id; `jawel keys list` shows them.")
        key.revoked_at = key.revoked_at or clock.now()
    click.echo(f"The key {key_id} is revoked.")
