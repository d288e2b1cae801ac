"""Commands of an operator who sets the service up: keys, secrets, and the first start."""

from pathlib import Path

import pytest

import config
from app import api_keys
from app.api_keys import Scope
from tests.commands import VARIABLES, Jawel
from tests.engines import on_sqlite
from tests.service import ADA, Service


def test_a_new_key_is_printed_alone_and_only_its_digest_is_kept(service: Service, jawel: Jawel) -> None:
    result = jawel("keys", "create", "shop", "--scope", "status:read", "--scope", "subscribers:write")
    key = result.stdout.removesuffix("\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert key.isprintable()
    assert service.get("/api/v1/subscribers/ada@example.org", headers=bearer(key)).status_code == 404
    (row,) = service.rows("SELECT * FROM api_keys")
    assert row.digest == api_keys.digest(key)
    assert key not in repr(row)
    assert key.removeprefix("jawel_") not in repr(row)


def test_a_revoked_key_is_turned_away_and_stays_listed(service: Service, jawel: Jawel) -> None:
    key = jawel("keys", "create", "shop", "--scope", "status:read").stdout.strip()
    other = jawel("keys", "create", "mailer", "--scope", "admin", "--newsletter", "weekly").stdout.strip()
    listed = [line.split("\t") for line in jawel("keys", "list").stdout.splitlines()]
    assert [(name, scopes, limits, state) for _id, name, scopes, limits, _since, state in listed] == [
        ("shop", "status:read", "all newsletters", "in force"),
        ("mailer", "admin", "weekly", "in force"),
    ]
    for _ in range(2):
        assert jawel("keys", "revoke", listed[0][0]).exit_code == 0
    answer = service.get(f"/api/v1/subscribers/{ADA}", headers=bearer(key))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
    assert service.get(f"/api/v1/subscribers/{ADA}", headers=bearer(other)).status_code == 404
    assert "revoked" in jawel("keys", "list").stdout.splitlines()[0]
    assert key not in jawel("keys", "list").stdout


def test_a_key_sees_the_newsletters_it_was_made_for_and_no_others(service: Service, jawel: Jawel) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    key = jawel("keys", "create", "shop", "--scope", "status:read", "--newsletter", "events").stdout.strip()
    answer = service.get(f"/api/v1/subscribers/{ADA}", headers=bearer(key))
    assert [each["newsletter"] for each in answer.json["subscriptions"]] == ["events"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "shop"),
        ("create", "shop", "--scope", "everything"),
        ("create", "shop", "--scope", Scope.ADMIN, "--newsletter", "nowhere"),
        ("revoke", "not-an-id"),
        ("revoke", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_a_key_is_not_made_or_ended_by_mistake(service: Service, jawel: Jawel, arguments: tuple[str, ...]) -> None:
    result = jawel("keys", *arguments)
    assert result.exit_code != 0
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert service.rows("SELECT * FROM api_keys") == []


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_secrets_are_lines_that_settings_accept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = Jawel({}, tmp_path)
    first, second = bare("secrets").stdout, bare("secrets").stdout
    assert [line.partition("=")[0] for line in first.splitlines()] == [
        "SECRET_KEYS",
        "SUPPRESSION_KEY",
        "LOG_SIGNING_KEY",
    ]
    assert not set(first.splitlines()) & set(second.splitlines())
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    told = "PUBLIC_URL=https://example.org", "MAIL_SERVER=mail.example.org", "DATABASE_URL=sqlite:////jawel.sqlite"
    for line in (*first.splitlines(), *told):
        monkeypatch.setenv(*line.split("=", 1))
    assert config.load(tmp_path).secret_keys[0] in first


@on_sqlite
def test_a_first_start_needs_no_folder_to_be_made(jawel: Jawel) -> None:
    jawel.environment |= {"JAWEL_ENV": "development", "PUBLIC_URL": "http://127.0.0.1:8000"}
    del jawel.environment["DATABASE_URL"]
    with jawel.started("migrate") as process:
        said = process.communicate()[0]
    assert process.returncode == 0, said
    assert (jawel.folder / "instance" / "jawel.sqlite").exists()
