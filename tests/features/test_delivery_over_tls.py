"""Letters on their way to a mail server that has to prove its name: nothing is sent in the clear."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from config import Settings
from tests import smtp
from tests.certificates import ELSEWHERE, Authority
from tests.features.conftest import OpenService
from tests.outbox import replies, state
from tests.service import Service


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.in_folder(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    return authority


Reach = Callable[..., Service]


@pytest.fixture
def reach(open_service: OpenService, settings: Settings) -> Reach:
    """A service that reaches its mail server in a way given by name, as `config.MailServer` calls it."""

    def reach_(server: smtp.MailServer, **way: Any) -> Service:
        assert settings.mail_server is not None
        return open_service(mail=server, mail_server=replace(settings.mail_server, port=server.port, **way))

    return reach_


def test_letters_go_over_starttls_to_a_server_that_can_prove_its_name(reach: Reach, trusted: Authority) -> None:
    with smtp.running(tls_context=trusted.server(), require_starttls=True) as server:
        service = reach(server, starttls=True)
        service.subscribe()
        assert service.letter().link
        assert state(service) == "sent"


def test_letters_go_over_tls_from_the_start(reach: Reach, trusted: Authority) -> None:
    with smtp.running(ssl_context=trusted.server()) as server:
        service = reach(server, tls=True)
        service.subscribe()
        assert service.letter().link


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_server_that_signed_for_itself_gets_nothing(reach: Reach, authority: Authority, way: str) -> None:
    option = "ssl_context" if way == "tls" else "tls_context"
    with smtp.running(**{option: authority.server()}) as server:
        service = reach(server, **{way: True})
        service.subscribe()
        assert service.work() == []
        assert (state(service), replies(service)) == ("deferred", ["tls"])


def test_a_server_with_the_papers_of_another_gets_nothing(reach: Reach, trusted: Authority) -> None:
    with smtp.running(tls_context=trusted.server(ELSEWHERE)) as server:
        service = reach(server, starttls=True)
        service.subscribe()
        assert service.work() == []
        assert (state(service), replies(service)) == ("deferred", ["tls"])


def test_without_starttls_nothing_is_sent_in_the_clear(reach: Reach, mail_server: smtp.MailServer) -> None:
    service = reach(mail_server, starttls=True, username="jawel", password="correct horse")
    service.subscribe()
    assert service.work() == []
    assert mail_server.options_to_mail == []
    assert (state(service), replies(service)) == ("deferred", ["tls"])


@pytest.mark.parametrize(("password", "expected"), [("correct horse", "sent"), ("wrong", "deferred")])
def test_a_password_that_is_refused_is_no_fault_of_the_letter(
    reach: Reach, trusted: Authority, password: str, expected: str
) -> None:
    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == b"correct horse", handled=False)

    with smtp.running(tls_context=trusted.server(), authenticator=check, auth_required=True) as server:
        service = reach(server, starttls=True, username="jawel", password=password)
        service.subscribe()
        service.work()
        assert state(service) == expected
