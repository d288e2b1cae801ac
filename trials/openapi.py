"""Every operation of the OpenAPI document, asked with whatever its schemas allow and much that they do not.

schemathesis makes the questions, from the document that the service itself serves. No answer may be a server error, and
none may differ from what the document says: neither in status nor in content type, headers or shape.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import click
import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine.events import NonFatalError, ScenarioFinished

from config import fresh_secrets
from tests.commands import ROOT, Jawel, Running, serving
from tests.service import ADA

NOT_ASKED = ("positive_data_acceptance", "allow_header_conformance")
"""A schema can say neither which newsletters there are nor that `from` is at most `to`; and `/subscribers/lookup`, as
every path below `/subscribers/`, may be read and erased as well."""


@dataclass
class Explored:
    cases: int = 0
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By operation and status."""
    faults: dict[str, str] = field(default_factory=dict)
    """What was wrong, and how to ask for it again."""

    def note(self, event: object) -> None:
        if isinstance(event, NonFatalError):
            self.faults[f"{event.label}: not explored"] = repr(event.value)
        if isinstance(event, ScenarioFinished):
            self._note_scenario(event.recorder)

    def _note_scenario(self, recorder: Any) -> None:
        self.cases += len(recorder.interactions)
        for interaction in recorder.interactions.values():
            if interaction.response is not None:
                self.answers[recorder.label, interaction.response.status_code] += 1
        for check in (check for checks in recorder.checks.values() for check in checks):
            if check.failure_info is not None:
                fault = f"{recorder.label}: {check.name}: {check.failure_info.failure}"
                self.faults.setdefault(fault, check.failure_info.code_sample)


def explore(url: str, headers: Mapping[str, str], known: Mapping[str, list[str]], examples: int) -> Explored:
    """`known` are values by parameter, such as `path.slug`, that are worth to be asked about every other time."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "cache": {"enabled": False},
            "headers": dict(headers),
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "database": "none"},
            "checks": {name: {"enabled": False} for name in NOT_ASKED},
            "dictionaries": {name.replace(".", "-"): {"values": values} for name, values in known.items()},
            "parameters": {name: {"dictionary": name.replace(".", "-"), "probability": 0.5} for name in known},
        }
    )
    document = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    document.hook("map_query")(_without_waiting)
    explored = Explored()
    for event in engine.from_schema(document).execute():
        explored.note(event)
    return explored


def _without_waiting(_context: object, query: Any) -> Any:
    """The feed may wait for half a minute, on purpose."""
    return {name: value for name, value in query.items() if name != "wait"} if isinstance(query, dict) else query


def known(email: str, subscription: str) -> dict[str, list[Any]]:
    slugs = ["weekly", "events"]
    return {
        "path.slug": slugs,
        "path.who": [email],
        "path.subscription": [subscription],
        "body.email": [email, "grace@example.org"],
        "body.newsletter": slugs,
        "body.newsletters": slugs,
        "query.to": [1, 2],
        "query.from": [0, 1],
    }


@click.command("openapi")
@click.option("--examples", default=1000, show_default=True, help="For each operation, at least.")
def trial(examples: int) -> None:
    """Ask the whole API whatever its description allows, and what it does not."""
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as (running, headers):
        url = f"http://127.0.0.1:{running.port}"
        explored = explore(url, headers, known(ADA, _subscription(url, headers)), examples)
    for (label, status), count in sorted(explored.answers.items()):
        click.echo(f"{count:8,}  {status}  {label}")
    for fault, sample in explored.faults.items():
        click.echo(f"{fault}\n  {sample}", err=True)
    click.echo(f"{explored.cases:8,}  cases, {len(explored.faults)} faults")
    sys.exit(bool(explored.faults))


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Running, dict[str, str]]]:
    """A service to which one person has signed up, and the headers of another service with all rights."""
    jawel = Jawel(
        {
            **fresh_secrets(),
            "PUBLIC_URL": "http://localhost",
            "DATABASE_URL": f"sqlite:///{folder}/jawel.sqlite",
            "MAIL_SERVER": "localhost",
            "MAIL_PORT": "9",
            "RATE_LIMIT_SUBSCRIBE": "1000000000",
            "RATE_LIMIT_FORM": "1000000000",
        },
        folder,
    )
    for command in (["migrate"], ["newsletters", "apply", ROOT / "newsletters.example.toml"]):
        assert jawel(*command).exit_code == 0
    key = jawel("keys", "create", "trial", "--scope", "admin").stdout.strip()
    with serving(jawel) as running:
        running.post("/subscribe", {"email": ADA, "newsletters": "weekly", "consent": True})
        yield running, {"Authorization": f"Bearer {key}"}


def _subscription(url: str, headers: Mapping[str, str]) -> str:
    with urlopen(Request(f"{url}/api/v1/subscribers/{ADA}", headers=dict(headers)), timeout=30) as answer:
        return str(json.load(answer)["subscriptions"][0]["id"])
