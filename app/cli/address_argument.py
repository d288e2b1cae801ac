"""An address as an argument of a command; `-` reads it from standard input, which keeps it out of the history."""

import sys

import click

from app.addresses import EmailAddress, InvalidAddress


def read(text: str) -> EmailAddress:
    """Raises click.UsageError, which does not repeat what was given."""
    given = sys.stdin.readline() if text == "-" else text
    try:
        return EmailAddress.parse(given.strip())
    except InvalidAddress:
        raise click.UsageError("ADDRESS: needs an address such as ada@example.org.") from None
