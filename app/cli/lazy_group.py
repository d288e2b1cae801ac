"""A group of commands that imports each only when it is run, or when its help is shown."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

import click


class LazyGroup(click.Group):
    """`elsewhere` says by name where a command is, as `module:name`."""

    def __init__(self, *arguments: Any, elsewhere: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._elsewhere = elsewhere

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*self.commands, *self._elsewhere})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in self._elsewhere:
            command: click.Command = resolve_name(self._elsewhere[name])
            return command
        return super().get_command(context, name)
