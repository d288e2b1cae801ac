import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import URLError
from urllib.request import urlopen
from uuid import UUID

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request

from app import database as databases
from app.database import schema
from app.newsletters import apply, toml_file
from app.tokens import Purpose, Signer

PATIENCE_SECONDS = 120
CATALOGUE = Path(__file__).parents[2] / "newsletters.example.toml"


FORM = """<!doctype html><title>Shop</title><link rel="icon" href="data:,">
<form method="post" action="{url}/subscribe">
<input id="email" name="email"><input type="hidden" name="newsletters" value="shop">
<input type="hidden" name="consent" value="yes"><input type="hidden" name="language" value="en">
<input type="hidden" name="redirect" value="http://localhost:{port}/thanks"><button id="submit">Go</button></form>"""
SHOPS_OWN = """
[[newsletter]]
slug = "shop"
sender = "Shop <shop@example.org>"
languages = ["en"]
frequency = "weekly"
allowed_origins = ["{origin}"]
redirects = ["{origin}/thanks"]
confirmed_redirect = "{origin}/welcome"
title = {{ en = "Shop" }}
purpose = {{ en = "One mail a week." }}
consent = {{ en = "Yes, send it to me." }}
"""


IN_FOUR = """
[[newsletter]]
slug = "{slug}"
sender = "Voorbeeld <{slug}@example.org>"
languages = ["nl", "fr", "de", "en"]
frequency = "daily"
confirm_within = "{confirm_within}"
title = {{ nl = "Dagbrief", fr = "Lettre du jour", de = "Tagesbrief", en = "Daily letter" }}
[newsletter.purpose]
nl = "Elke dag één mail met een nieuw boek."
fr = "Chaque jour, un e-mail avec un nouveau livre."
de = "Jeden Tag eine E-Mail mit einem neuen Buch."
en = "One mail a day with a new book."
[newsletter.consent]
nl = "Ja, stuur mij de dagbrief per e-mail."
fr = "Oui, envoyez-moi la lettre du jour par e-mail."
de = "Ja, schicken Sie mir den Tagesbrief per E-Mail."
en = "Yes, send me the daily letter by e-mail."
"""
MORE = IN_FOUR.format(slug="daily", confirm_within="72h") + IN_FOUR.format(slug="hasty", confirm_within="2s")
"""Beside the example's: one more in all languages, and one whose links work for two seconds."""


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        for each in self.server.policies:  # type: ignore[attr-defined]
            self.send_header("Content-Security-Policy", each)
        self.end_headers()
        self.wfile.write(self.server.form)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Received:
    message: EmailMessage

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    @property
    def unsubscribe(self) -> str:
        """Where a mail program's own button posts to, and where the person may look."""
        return str(self.message["List-Unsubscribe"]).strip("<>")


@dataclass(frozen=True)
class Site:
    """A development service as `make run` starts it: SQLite, and letters in the built-in mailbox."""

    url: str
    folder: Path
    shop: str
    """A web site with a form of its own, on another origin, for the newsletter `shop`."""

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def age(self, page: Page, seconds: float = 60) -> None:
        """Make the signup form that is shown so old: no test waits until somebody may be believed to have read it."""
        signer = Signer((json.loads((self.folder / "instance/secrets.json").read_text())["SECRET_KEYS"],))
        field = page.locator("input[name=rendered]")
        shown = signer.read(Purpose.FORM, field.input_value()).subject.int
        opened = int(time.time() - seconds) * 1000 << 80
        token = signer.sign(Purpose.FORM, UUID(int=opened | shown & (1 << 80) - 1))
        field.evaluate("(field, token) => { field.value = token }", token)

    def letters(self, email: str) -> list[Received]:
        """Oldest first."""
        files = sorted((self.folder / "instance/mailbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        messages = (message_from_bytes(path.read_bytes(), policy=policy.default) for path in files)
        return [Received(each) for each in messages if each["To"] == email]


@dataclass
class Witness:
    """What a page did besides showing itself."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._mourn)
        page.on("request", self._note)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} {message.location}")

    def _mourn(self, request: Request) -> None:
        # A page that is left before its icon has come is nobody's fault.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.failure}: {request.url}")

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)


@contextmanager
def open_shop() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.policies = []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def running_with(shop: ThreadingHTTPServer, folder: Path) -> Iterator[Site]:
    origin = f"http://localhost:{shop.server_port}"
    with running(folder, SHOPS_OWN.format(origin=origin), origin) as site:
        shop.form = FORM.format(url=site.url, port=shop.server_port).encode()  # type: ignore[attr-defined]
        yield site


@pytest.fixture
def shop() -> Iterator[ThreadingHTTPServer]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def site(tmp_path: Path, shop: ThreadingHTTPServer) -> Iterator[Site]:
    with running_with(shop, tmp_path) as site:
        yield site


@pytest.fixture
def snippet(page_without_javascript: Page, site: Site) -> str:
    """What a shop copies, as it stands in the text field."""
    page_without_javascript.goto(f"{site.url}/newsletters/shop/embed?language=en")
    return page_without_javascript.get_by_label("HTML to copy").input_value()


@pytest.fixture(scope="session")
def long_lived_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all who only look, and sign up addresses of their own."""
    with running(tmp_path_factory.mktemp("site"), MORE, "") as site:
        yield site


@contextmanager
def running(tmp_path: Path, more: str, shop: str) -> Iterator[Site]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    jawel = [sys.executable, "-m", "app"]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "JAWEL_ENV": "development",
        "PUBLIC_URL": url,
        "RATE_LIMIT_SUBSCRIBE": "100000",
    }
    catalogue = tmp_path / "newsletters.toml"
    catalogue.write_text(CATALOGUE.read_text() + more)
    _prepare(tmp_path / "instance", catalogue)
    with (tmp_path / "log").open("w") as log:
        serving = [*jawel, "serve", "--port", str(port)]
        server = subprocess.Popen(serving, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        try:
            _await_answer(f"{url}/readyz", server)
            yield Site(url, tmp_path, shop)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(PATIENCE_SECONDS)


def _prepare(instance: Path, catalogue: Path) -> None:
    """As `jawel migrate` and `jawel newsletters apply` do it, without waiting for Python to start twice."""
    instance.mkdir()
    database = databases.connect(f"sqlite:///{instance / 'jawel.sqlite'}")
    schema.migrate(database)
    with database.transaction() as session:
        apply.apply(session, toml_file.load(catalogue)[1])
    database.dispose()


def _await_answer(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urlopen(url, timeout=PATIENCE_SECONDS).close()  # noqa: S310 - our own address
        except URLError:
            assert server.poll() is None, "jawel serve has ended"
            assert time.monotonic() < deadline, "jawel serve does not answer"
            time.sleep(0.05)
        else:
            return
