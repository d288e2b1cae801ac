"""`python -m trials NAME`: each module of this folder with a command called `trial` is one, under the module's name."""

import importlib
import pkgutil

import click

import trials


@click.group()
def main() -> None:
    """Hold the service to what it promises. Exit status 1 where something did not hold."""


for name in (module.name for module in pkgutil.iter_modules(trials.__path__) if module.name != "__main__"):
    command = getattr(importlib.import_module(f"trials.{name}"), "trial", None)
    if isinstance(command, click.Command):
        main.add_command(command, name)

if __name__ == "__main__":
    main()
