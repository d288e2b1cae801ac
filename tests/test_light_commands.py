"""A command that a mail server or a script may start for each mail imports no more than it uses."""

import subprocess
import sys

import pytest

from app.cli import COMMANDS
from tests.commands import ROOT, Jawel
from tests.engines import on_sqlite

OF_OTHERS = {
    "aiosmtpd",
    "alembic",
    "altcha",
    "babel",
    "cryptography",
    "flask",
    "flask_smorest",
    "granian",
    "jinja2",
    "limits",
    "prometheus_client",
    "uvloop",
    "werkzeug",
}
"""Libraries of the web server, the worker, the listener and the migrations."""
RUN_AND_TELL = (
    "import sys\nfrom app.cli import main\nmain(sys.argv[1:], standalone_mode=False)\n"
    "print(*{each.partition('.')[0] for each in sys.modules}, file=sys.stderr)"
)


def imported_by(jawel: Jawel, *arguments: str) -> set[str]:
    process = subprocess.run(
        [sys.executable, "-c", RUN_AND_TELL, *arguments],
        cwd=ROOT,
        env={**jawel.environment, "PATH": "/usr/bin"},
        input="To: nobody@example.org\n\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return set(process.stderr.split())


REACH_ALL_TABLES = """
import sys
import click
from app.cli import Context, main
from app.database import Base
context = click.Context(main, obj=Context())
with context:
    main.get_command(context, sys.argv[1])
    context.obj.database
for table in Base.metadata.tables.values():
    print(*(key.column for key in table.foreign_keys))
"""


@on_sqlite
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_knows_the_tables_that_foreign_keys_name(jawel: Jawel, command: str) -> None:
    subprocess.run([sys.executable, "-c", REACH_ALL_TABLES, command], cwd=ROOT, env=jawel.environment, check=True)


@on_sqlite
@pytest.mark.parametrize("arguments", [["feedback"], ["keys", "list"], ["secrets"], ["--version"]])
def test_a_light_command_imports_no_library_of_the_web(jawel: Jawel, arguments: list[str]) -> None:
    imported = imported_by(jawel, *arguments)
    assert {"app", "click", "sqlalchemy"} <= imported
    assert imported & OF_OTHERS == set()
