"""What tests are given: a database of their own on either engine, settings, a mail server, a browser.

Every database is made by the real migrations, once, and copied: for each test on SQLite, on PostgreSQL for those that
follow one that changed more than rows.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dns.resolver
import hypothesis
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import config
from app import database as databases
from app.database import Database, schema
from config import ClientIp, Environment, LogPublish, Settings
from tests import compiled_sql, machine, name_server, smtp
from tests.commands import Jawel, environment
from tests.deployments import Deployment
from tests.name_server import NameServer
from tests.postgresql import Cluster, running_cluster
from tests.shared_database import SharedDatabase

BROWSER_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
STARTS_PROGRAMS = frozenset({"authority", "browser", "cluster", "jawel"})
"""Fixtures. What else takes long is in the files and folders below."""
TAKES_LONG = frozenset(
    {
        "browser",
        "test_audit_mutations",
        "test_drafts",
        "test_failed_connects",
        "test_failover",
        "test_heartbeats",
        "test_kills",
        "test_migrations",
        "test_sbom",
        "test_soak",
        "test_verifier_mutations",
    }
)
# Else an example that takes 200 ms is an error, and so is data that takes long to make: both on a busy machine.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


compiled_sql.share()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="FOLDER", help="keep what each page looks like on a phone")
    parser.addoption("--write-letters", action="store_true", help="write tests/letters anew")
    parser.addoption("--fast", action="store_true", help="leave out PostgreSQL, browsers and whatever starts programs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        config.hook.pytest_deselected(items=[each for each in items if _is_slow(each)])
        items[:] = [each for each in items if not _is_slow(each)]


def _is_slow(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    on_postgresql = hasattr(item, "callspec") and item.callspec.params.get("engine") == "postgresql"
    takes_long = not TAKES_LONG.isdisjoint({item.path.stem, item.path.parent.name})
    return on_postgresql or takes_long or not STARTS_PROGRAMS.isdisjoint(item.fixturenames)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Whatever asks for a database runs once on each."""
    return str(request.param)


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database with the newest schema."""
    if engine == "sqlite":
        copy = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "jawel.sqlite")
        yield f"sqlite:///{copy}"
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        shared: SharedDatabase = request.getfixturevalue("shared_database")
        with shared.lent() as name:
            yield cluster.url(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = databases.connect(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def empty_database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database that no migration has seen."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        with cluster.new_database() as name:
            yield cluster.url(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "jawel.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(cluster: Cluster) -> Iterator[str]:
    with cluster.new_database() as name:
        _migrate(cluster.url(name))
        yield name


@pytest.fixture(scope="session")
def shared_database(cluster: Cluster, postgresql_template: str) -> Iterator[SharedDatabase]:
    shared = SharedDatabase(cluster, postgresql_template)
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster(machine.require(machine.POSTGRESQL)) as cluster:
        yield cluster


def _migrate(url: str) -> None:
    opened = databases.connect(url)
    schema.migrate(opened)
    opened.dispose()


@pytest.fixture
def mail_server() -> Iterator[smtp.MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, mail_server: smtp.MailServer, tmp_path: Path) -> Settings:
    """As in production, but for the mail server, which is ours."""
    return Settings(
        environment=Environment.PRODUCTION,
        public_url="https://subscribe.example.org",
        database_url=database_url,
        secret_keys=("a secret key for tests that is of some length",),
        suppression_key="a suppression key for tests, of some length",
        log_signing_keys=(bytes(range(32)),),
        log_origin="subscribe.example.org",
        log_publish=LogPublish.DAILY,
        timestamp_authorities=(),
        timestamp_minutes=60,
        mail_server=config.MailServer(
            host=mail_server.hostname,
            port=mail_server.port,
            starttls=False,
            tls=False,
            username=None,
            password=None,
            timeout=30,
            # With more, letters may overtake one another.
            connections=1,
        ),
        trusted_proxies=0,
        client_ip=ClientIp.TRUNCATED,
        rate_limit_storage=None,
        rate_limit_subscribe=60,
        rate_limit_form=600,
        send_limits=config.SendLimits(0, 0, 0, 0, 0),
        feedback=config.FeedbackChannels(None, None, None, None, None),
        log_format="json",
        timezone="Europe/Brussels",
        instance=tmp_path / "instance",
    )


@pytest.fixture(scope="session")
def running_name_server() -> Iterator[NameServer]:
    with name_server.running() as server:
        yield server


@pytest.fixture
def dns_server(running_name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> NameServer:
    """What this process asks instead of the machine's own, at first about a sender's domain in order."""
    running_name_server.forget()
    monkeypatch.setattr(dns.resolver, "default_resolver", running_name_server.resolver)
    return running_name_server


@pytest.fixture
def jawel(settings: Settings, dns_server: NameServer, tmp_path: Path) -> Jawel:
    """The command line, on the same database and mail server. Run within this process, it asks `dns_server`."""
    return Jawel(environment(settings), tmp_path)


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployment:
    return Deployment(monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    machine.require(machine.PLAYWRIGHT)
    program = machine.require(machine.CHROMIUM)
    flags = list(BROWSER_FLAGS)
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # which refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        yield context.new_page()


@pytest.fixture
def page_without_javascript(browser: Browser) -> Iterator[Page]:
    with browser.new_context(java_script_enabled=False) as context:
        context.set_default_timeout(60_000)
        yield context.new_page()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each program that was missing, however many tests needed it; and what tests have counted."""
    reasons = {str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", [])}
    for reason in sorted(reasons):
        if machine.NOT_RUN in reason:
            terminalreporter.write_line(reason.removeprefix("Skipped: "), yellow=True)
    for report in terminalreporter.stats.get("passed", []):
        for _name, counted in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {counted}")
