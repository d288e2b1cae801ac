from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.keys import Scope
from config import Settings
from tests.service import ADA, Service


class Jawel:
    """The `jawel` command, at the service's own database."""

    def __init__(self, settings: Settings) -> None:
        self.environment = {"JAWEL_ENV": "development", "DATABASE_URL": settings.database_url}

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(main, words, env=self.environment)


@pytest.fixture
def jawel(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jawel:
    monkeypatch.chdir(tmp_path)
    return Jawel(settings)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_is_made_with_the_scopes_that_the_api_names(jawel: Jawel, scope: Scope) -> None:
    answer = jawel("keys", "create", "shop", "--scope", scope.value)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("jawel_")


def test_a_made_key_opens_the_api_until_it_is_revoked(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    key = jawel("keys", "create", "shop", "--scope", "status:read", "--newsletter", "weekly").stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    assert service.get(f"/api/v1/subscribers/{ADA}", headers=headers).status_code == 200
    (line,) = jawel("keys", "list").stdout.splitlines()
    identity, name, scopes, newsletters, _since, state = line.split("\t")
    assert (name, scopes, newsletters, state) == ("shop", "status:read", "weekly", "in force")
    assert jawel("keys", "revoke", identity).exit_code == 0
    assert service.get(f"/api/v1/subscribers/{ADA}", headers=headers).status_code == 401


def test_a_database_without_tables_is_told_in_one_line(empty_database_url: str, jawel: Jawel) -> None:
    jawel.environment["DATABASE_URL"] = empty_database_url
    answer = jawel("keys", "list")
    assert answer.exit_code == 1
    assert answer.stderr.count("\n") == 1
    assert "jawel doctor" in answer.stderr
    assert "SELECT" not in answer.output
