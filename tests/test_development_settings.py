"""Settings of a development checkout: it is told nothing, makes its own secrets, and is for this machine alone."""

import subprocess
import sys
from pathlib import Path

import pytest

import config
from tests.deployments import PRODUCTION, Deployment, named_in


@pytest.mark.parametrize(
    "url",
    ["http://subscribe.example.org", "https://subscribe.example.org", "http://192.168.1.5:8000", "http://0.0.0.0"],
)
def test_development_is_for_this_machine_alone(deployment: Deployment, url: str) -> None:
    """It shows every letter to everybody."""
    refusal = deployment.refusal(JAWEL_ENV="development", PUBLIC_URL=url)
    assert named_in(refusal) == ["PUBLIC_URL"]
    assert "JAWEL_ENV" in refusal


@pytest.mark.parametrize("url", ["http://localhost:8765", "http://127.0.0.1", "http://[::1]:8000", "http://127.0.0.2"])
def test_development_takes_every_name_of_this_machine(deployment: Deployment, url: str) -> None:
    assert deployment.settings(JAWEL_ENV="development", PUBLIC_URL=url).public_url == url


def test_a_development_checkout_needs_to_be_told_nothing(deployment: Deployment) -> None:
    settings = deployment.settings(JAWEL_ENV="development")
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.log_origin == "127.0.0.1"
    assert settings.database_url == f"sqlite:///{deployment.folder / 'instance' / 'jawel.sqlite'}"
    assert settings.mail_server is None
    assert settings.log_format == "console"


def test_development_makes_its_secrets_once_and_keeps_them_to_itself(deployment: Deployment) -> None:
    first = deployment.settings(JAWEL_ENV="development")
    assert deployment.settings() == first
    kept = deployment.folder / "instance" / "secrets.json"
    assert (kept.stat().st_mode | kept.parent.stat().st_mode) & 0o077 == 0
    assert [path.name for path in kept.parent.iterdir()] == ["secrets.json"]
    elsewhere = config.load(deployment.folder / "another")
    for ours, theirs in (
        (first.secret_keys, elsewhere.secret_keys),
        (first.suppression_key, elsewhere.suppression_key),
        (first.log_signing_keys, elsewhere.log_signing_keys),
    ):
        assert ours != theirs


def test_processes_that_start_at_the_same_instant_choose_the_same_secrets(tmp_path: Path) -> None:
    load = "import config, sys; settings = config.load(); print(settings.secret_keys, settings.suppression_key)"
    command = [sys.executable, "-c", load]
    environment = {"JAWEL_ENV": "development"}
    processes = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    chosen = [process.communicate()[0] for process in processes]
    assert chosen[0]
    assert set(chosen) == {chosen[0]}


def test_a_folder_that_cannot_be_made_is_told_like_the_rest(deployment: Deployment) -> None:
    (deployment.folder / "instance").write_text("in the way")
    rest = {name: value for name, value in PRODUCTION.items() if name not in {"DATABASE_URL", "PUBLIC_URL"}}
    assert named_in(deployment.refusal(**rest, JAWEL_ENV="development")) == ["DATABASE_URL"]
    refusal = deployment.refusal(SECRET_KEYS="", SUPPRESSION_KEY="", LOG_SIGNING_KEY="")
    assert named_in(refusal) == ["DATABASE_URL", "LOG_SIGNING_KEY", "SECRET_KEYS", "SUPPRESSION_KEY"]
