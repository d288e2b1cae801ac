"""Deployments that are set up by environment variables alone, and what they say of those that are wrong."""

import base64
from pathlib import Path

import pytest

import config
from config import Settings, SettingsError
from tests.commands import VARIABLES

SEED = base64.b64encode(bytes(range(32))).decode()
SESAME = "sesame"
LONG = "0123456789abcdef0123456789abcdef"
PRODUCTION = {
    "PUBLIC_URL": "https://subscribe.example.org",
    "DATABASE_URL": "postgresql://jawel:open-sesame@db1,db2:5433/jawel",
    "SECRET_KEYS": "a secret key for tests of 32 letters",
    "SUPPRESSION_KEY": "a suppression key of some 32 letters",
    "LOG_SIGNING_KEY": SEED,
    "MAIL_SERVER": "mail.example.org",
}


class Deployment:
    """An environment with nothing in it but what is said here, and a folder for `instance`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self.folder = folder
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(f"{name}_FILE", raising=False)

    def settings(self, **variables: str) -> Settings:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        return config.load(self.folder / "instance")

    def refusal(self, **variables: str) -> str:
        with pytest.raises(SettingsError) as refused:
            self.settings(**variables)
        return str(refused.value)

    def forget(self, name: str) -> None:
        self._monkeypatch.delenv(name)

    def file(self, content: str | bytes) -> str:
        path = self.folder / "value"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)


def named_in(refusal: str) -> list[str]:
    return [line.partition(":")[0].strip() for line in refusal.splitlines()[1:]]
