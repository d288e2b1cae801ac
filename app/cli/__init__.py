"""The `jawel` command: one subcommand per task. Output is for people on a terminal and for pipes alike.

A mail server may start `jawel feedback` for every mail, so a command imports neither the others nor their libraries.
"""

from functools import cached_property
from importlib import import_module
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

import config
from app import database, event_macs
from app.cli.lazy_group import LazyGroup
from app.database import Database, schema
from app.database.postgresql import answering_within
from config import Settings, SettingsError

PATIENCE_SECONDS = 3
COMMANDS = {
    "doctor": "app.cli.doctor:doctor",
    "feedback": "app.cli.feedback:feedback",
    "keys": "app.cli.keys:keys",
    "ledger": "app.cli.ledger:ledger",
    "letters": "app.cli.letters:letters",
    "newsletters": "app.cli.newsletters:newsletters",
    "privacy": "app.cli.privacy:privacy",
    "serve": "app.cli.serving:serve",
    "suppressions": "app.cli.suppressions:suppressions",
    "verify": "app.cli.verify:verify",
    "worker": "app.cli.serving:worker",
}
"""By name, where each is; those beside are small enough to be here."""
REFERRED_TO = ("app.newsletters.tables", "app.subscriptions.address_change.changes")
"""Tables that foreign keys name: a command that writes beside them needs them, whether it imports them or not."""


class Context:
    """Resources shared by the commands. Opened on first use, so that `jawel secrets` needs no settings at all."""

    @cached_property
    def settings(self) -> Settings:
        try:
            return config.load()
        except SettingsError as error:
            raise click.ClickException(str(error)) from None

    @cached_property
    def database(self) -> Database:
        for each in REFERRED_TO:
            import_module(each)
        opened = event_macs.attach_keys(database.connect(self.settings.database_url), self.settings.secret_keys)
        click.get_current_context().call_on_close(opened.dispose)
        return opened

    def waits_for_migration(self) -> bool:
        """False if the database does not answer in time. Leaves no connection open that child processes would share."""
        opened = database.connect(self.settings.database_url)
        try:
            with answering_within(PATIENCE_SECONDS), opened.read_only() as connection:
                return not schema.is_current(connection)
        except SQLAlchemyError:
            return False
        finally:
            opened.dispose()


class Commands(LazyGroup):
    def invoke(self, context: click.Context) -> Any:
        """Replaces database errors: a driver's message quotes its parameters, which may be personal."""
        try:
            return super().invoke(context)
        except SQLAlchemyError as error:
            if context.invoked_subcommand != migrate.name and context.obj.waits_for_migration():
                raise click.ClickException("The schema is not the newest. Run `jawel migrate` first.") from None
            kind = type(error).__name__
            raise click.ClickException(
                f"The database does not answer as it should ({kind}). `jawel doctor` says what is wrong."
            ) from None


@click.group(cls=Commands, elsewhere=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jawel")
@click.pass_context
def main(context: click.Context) -> None:
    """Double opt-in subscriptions with proof of consent."""
    context.obj = Context()


@main.command()
@click.pass_obj
def migrate(context: Context) -> None:
    """Bring the database to the newest schema. Safe to run from several hosts at once."""
    try:
        before, after = schema.migrate(context.database)
    except schema.Blocked as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"The schema is at {after}."
        if before == after
        else f"Migrated the schema from {before or 'nothing'} to {after}."
    )


@main.command()
def secrets() -> None:
    """Print fresh secrets as lines for an environment file."""
    for name, value in config.fresh_secrets().items():
        click.echo(f"{name}={value}")
