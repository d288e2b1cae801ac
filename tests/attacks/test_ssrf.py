"""Nobody can make the service open a connection: to a metadata endpoint, a port inside, a host of their own."""

import ast
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.service import ADA, BROWSER, Service

CLIENTS = {"aiohttp", "ftplib", "http.client", "httpx", "requests", "smtplib", "socket", "urllib.request", "urllib3"}
MAY = {
    "app/cli/serving.py": {"socket"},  # listens
    "app/cli/feedback_listen.py": {"socket"},  # listens
    "app/feedback_mail/listener.py": {"socket"},  # asks for the name of this machine
    "app/feedback_mail/intake_pool.py": {"socket"},  # pairs of them, between the listener and what it started
    "app/feedback_mail/intake_process.py": {"socket"},  # has the other end of such a pair
    "app/cli/heartbeats.py": {"socket"},  # pairs of them, between a process and those that it started
    "app/cli/web_processes.py": {"socket"},  # hands one end of a pair over
    "app/web/http/shutdown.py": {"socket"},  # asks whether the client is still there
    "app/ledger/anchors.py": {"urllib3"},  # authorities of the settings
    "app/feedback/providers/certificates.py": {"urllib3"},  # Amazon's certificates, by a fixed form of name
    "app/mail/delivery/cleartext.py": {"socket"},  # asks the resolver for the mail server of the settings
    "app/mail/delivery/smtp.py": {"smtplib"},  # the mail server of the settings
    "app/mail/delivery/exchange.py": {"smtplib", "socket"},  # commands and replies on that connection
    "app/mail/delivery/flask_mail_fixes.py": {"smtplib"},
    "app/mail/delivery/failures.py": {"smtplib"},
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def test_only_modules_that_are_named_here_can_open_a_connection() -> None:
    for path in (ROOT / "app").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        assert set(imported(path)) & CLIENTS <= MAY.get(name, set()), name


def test_no_address_that_a_request_names_is_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_rest: asked.append(address))
    for url in ("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:9/", "file:///etc/passwd", "gopher://x/"):
        headers = {"Origin": url, "Referer": url, "X-Forwarded-For": url, "X-Forwarded-Host": url, "Forwarded": url}
        for field in ("redirect", "website", "attempt", "language", "newsletters", "proof_of_work"):
            service.subscribe(**{field: url})
            service.submit(**{field: url})
        service.post("/subscribe", data={"email": ADA, "newsletters": "weekly", "consent": "on"}, headers=headers)
        service.get("/newsletters/weekly/inbox", query_string={"mailbox": url, "attempt": url}, headers=BROWSER)
    assert asked == []
