"""`jawel privacy record`: the record of processing (GDPR Art. 30), and what is missing in it."""

import csv
import io
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import record
from tests.commands import ROOT, Jawel

EXAMPLE = (ROOT / "newsletters.example.toml").read_text(encoding="utf-8")
HEADER = 'authority = "Gegevensbeschermingsautoriteit"\n'
NAMED = """dpo = "Grace Hopper, dpo@example.org"
[controller.recipients]
nl = ["Postbode BV (verzending)"]
fr = ["Postbode BV (envoi)"]
de = ["Postbode BV (Versand)"]
en = ["Postbode BV, Utrecht (sending of mails)"]
[controller.transfers]
nl = "Zwitserland"
fr = "Suisse"
de = "Schweiz"
en = "Switzerland, under the adequacy decision of 2000."
[controller.tracking]
nl = "Niets."
fr = "Rien."
de = "Nichts."
en = "Our newsletters measure neither opens nor clicks."
"""
ENCRYPTED = {"MAIL_USE_TLS": "true"}
AT_HOME = {"JAWEL_ENV": "development", "PUBLIC_URL": "http://127.0.0.1:8000"}

Apply = Callable[[str], None]


@pytest.fixture
def apply(jawel: Jawel, tmp_path: Path) -> Apply:
    def apply(content: str) -> None:
        tomllib.loads(content)
        file = tmp_path / "newsletters.toml"
        file.write_text(content, encoding="utf-8")
        assert jawel("newsletters", "apply", file).exit_code == 0

    return apply


def written(jawel: Jawel, kind: str, **variables: str) -> str:
    result = jawel("privacy", "record", "--format", kind, **ENCRYPTED, **variables)
    assert result.exit_code == 0
    return result.stdout


def as_json(jawel: Jawel, **variables: str) -> dict[str, Any]:
    return dict(json.loads(written(jawel, "json", **variables)))


def test_it_is_filled_from_catalogue_and_settings(jawel: Jawel, apply: Apply) -> None:
    apply(EXAMPLE.replace(HEADER, HEADER + NAMED).replace("# keep_evidence", 'keep_evidence = "18d" #'))
    found = as_json(jawel, CLIENT_IP="none")
    assert found["missing"] == []
    assert "Voorbeeld BV, Kerkstraat 1, 9000 Gent, Belgium" in found["controller"]
    assert "Data protection officer: Grace Hopper, dpo@example.org" in found["controller"]
    events, weekly, *own = found["activities"]
    assert weekly["name"] == "Newsletter Weekly letter (weekly)"
    assert weekly["purposes"] == ["One mail a week with news about our books.", "Sent by e-mail, weekly."]
    assert weekly["recipients"] == ["Postbode BV, Utrecht (sending of mails)"]
    assert weekly["transfers"] == ["Switzerland, under the adequacy decision of 2000."]
    assert "After withdrawal: 18 days (keep_evidence)" in weekly["time_limits"]
    assert "After withdrawal: 3 years (keep_evidence)" in events["time_limits"]
    assert [each["name"] for each in own] == [
        "Proof of consent",
        "List of people not to be written to",
        "Protection against abuse, and running the service",
    ]
    assert "Mail server: reached by TLS only, its certificate verified" in found["security"]
    assert "Of a client's internet address, evidence keeps nothing of it (CLIENT_IP=none)" in found["security"]
    for activity in found["activities"]:
        assert [name for name, lines in activity.items() if not lines] == []


def test_what_is_missing_is_named_with_the_key_or_setting_that_would_say_it(jawel: Jawel, apply: Apply) -> None:
    apply(EXAMPLE)
    result = jawel("privacy", "record")
    assert result.exit_code == 0
    assert "- MISSING: controller.recipients: name who hosts the service" in result.stdout
    assert "- MISSING: controller.transfers: say which countries outside the EEA" in result.stdout
    assert result.stderr == "3 things are missing: look for MISSING.\n"
    assert as_json(jawel)["missing"][0].startswith("controller.tracking: ")


@pytest.mark.parametrize(
    ("variables", "setting"),
    [
        ({"MAIL_SERVER": "mail.example.org", "MAIL_USE_TLS": "false"}, "MAIL_USE_TLS"),
        ({**AT_HOME, "MAIL_SERVER": ""}, "MAIL_SERVER"),
        (AT_HOME, "JAWEL_ENV"),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_settings_that_protect_nobody_are_named(
    jawel: Jawel, apply: Apply, variables: dict[str, str], setting: str
) -> None:
    apply(EXAMPLE.replace(HEADER, HEADER + NAMED))
    told = jawel("privacy", "record", **variables).stdout
    assert f"- MISSING: {setting}: " in told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////srv/jawel.sqlite", "Database: an SQLite file on the same machine"),
        ("postgresql:///jawel", "Database: PostgreSQL on the same machine"),
        ("postgresql://jawel@/jawel?host=/run/postgresql", "Database: PostgreSQL on the same machine"),
        ("postgresql://a.example.org,b.example.org/jawel?sslmode=verify-full", "reached by TLS only"),
        ("postgresql+psycopg://localhost,b.example.org/jawel?sslmode=prefer", "MISSING: DATABASE_URL: "),
        ("postgresql://jawel:open-sesame@db.example.org/jawel", "MISSING: DATABASE_URL: without sslmode=verify-full"),
    ],
)
def test_the_way_to_the_database_is_told_without_its_password(url: str, told: str) -> None:
    assert told in record.of_database(url)
    assert "open-sesame" not in record.of_database(url)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_a_catalogue_it_says_what_to_do(jawel: Jawel) -> None:
    assert "- MISSING: [controller]: no catalogue is applied yet" in written(jawel, "markdown")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_retired_newsletter_still_holds_data_and_is_in_it(jawel: Jawel, apply: Apply) -> None:
    apply(EXAMPLE)
    apply(EXAMPLE[: EXAMPLE.index('[[newsletter]]\nslug = "events"')])
    assert "## Newsletter Events (events, retired)\n" in written(jawel, "markdown")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_three_formats_say_the_same(jawel: Jawel, apply: Apply) -> None:
    apply(EXAMPLE)
    found, markdown = as_json(jawel), written(jawel, "markdown")
    table = rows(written(jawel, "csv"))
    assert [row["activity"] for row in table] == [each["name"] for each in found["activities"]]
    for row, activity in zip(table, found["activities"], strict=True):
        assert row["(a) controller"].split("\n") == found["controller"]
        assert row["(f) time limits for erasure"].split("\n") == activity["time_limits"]
        assert row["(g) security measures"].split("\n") == found["security"]
        for line in (*activity["purposes"], *activity["data"], *activity["time_limits"]):
            assert f"- {line}\n" in markdown
    assert all(line in markdown for line in found["security"])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])  # noqa: RUF001 - full width is meant
@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_cell_is_a_formula(jawel: Jawel, apply: Apply, start: str) -> None:
    formula = f"{start}HYPERLINK(1) every week"
    apply(
        EXAMPLE.replace("One mail a week with news about our books.", formula).replace('"Voorbeeld BV"', f'"{start}1"')
    )
    for row in rows(written(jawel, "csv")):
        assert [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", start))] == []
        assert row["(a) controller"].startswith(f"'{start}1, Kerkstraat 1")
