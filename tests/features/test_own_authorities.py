"""A mail server with a certificate of the operator's own authority: it is trusted, and then no other is."""

from pathlib import Path
from typing import Any

import pytest

from tests import smtp
from tests.certificates import Authority
from tests.commands import Jawel, findings
from tests.engines import on_sqlite
from tests.outbox import state
from tests.service import ADA, Service

pytestmark = on_sqlite
WAYS = {
    "MAIL_USE_TLS": lambda context: {"tls_context": context, "require_starttls": True},
    "MAIL_USE_SSL": lambda context: {"ssl_context": context},
}
"""How the mail server takes TLS, by the setting that asks for it."""


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority.in_folder(tmp_path)


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts."""
    folder = tmp_path / "public"
    folder.mkdir()
    authority = Authority.in_folder(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    return authority


def offering(way: str, authority: Authority) -> Any:
    return smtp.running(**WAYS[way](authority.server()))


@pytest.mark.parametrize("way", WAYS)
def test_letters_reach_a_server_that_the_authority_in_the_file_vouches_for(
    service: Service, jawel: Jawel, ours: Authority, way: str
) -> None:
    with offering(way, ours) as server:
        jawel.environment |= {way: "true", "MAIL_PORT": str(server.port), "MAIL_CA_FILE": str(ours.path)}
        doctor = jawel("doctor")
        assert findings(doctor)["mail"] == "ok", doctor.stdout
        assert "ok    mail encryption: TLS, with a certificate by an authority in MAIL_CA_FILE" in doctor.stdout
        service.subscribe()
        with jawel.started("worker", "--once") as worker:
            said = worker.communicate()[0]
        assert [letter.recipient for letter in server.letters] == [ADA], said
    assert state(service) == "sent"


@pytest.mark.parametrize("way", WAYS)
def test_then_the_systems_authorities_count_for_nothing(
    service: Service, jawel: Jawel, ours: Authority, public: Authority, way: str
) -> None:
    with offering(way, public) as server:
        jawel.environment |= {way: "true", "MAIL_PORT": str(server.port)}
        assert findings(jawel("doctor"))["mail"] == "ok", "the system trusts it"
        doctor = jawel("doctor", MAIL_CA_FILE=str(ours.path))
    assert doctor.exit_code == 1
    assert "fail  mail: the server offers no TLS, or no valid certificate; see " in doctor.stdout
    assert "MAIL_CA_FILE" in doctor.stdout
