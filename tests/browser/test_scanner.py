"""A link scanner with a real browser: it opens every link of every letter, runs scripts, scrolls, and looks around.

That no page writes is for tests/features/test_reading_never_writes.py. Here is what only a browser does: scripts that
run, forms that a script could send, and links that are followed from page to page.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, Page

from app.outbox import LetterKind
from tests.commands import Jawel, Running, serving
from tests.correspondence import HOST
from tests.features.conftest import mail_server, open_service, service
from tests.leaving import leave, leave_link, undo, undo_token
from tests.moving import asked, gone
from tests.service import ADA, BROWSER, Letter, Service, everything

__all__ = ["mail_server", "open_service", "service"]

READ_AHEAD: list[dict[str, str]] = [{}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}]
LOOK_AROUND = """() => {
    scrollTo(0, document.body.scrollHeight);
    document.querySelectorAll("summary").forEach((each) => each.click());
}"""
LINKS = "() => [...document.querySelectorAll('a[href]')].map(each => each.href)"


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def links(service: Service) -> list[str]:
    """Those of every kind of letter, while what they are about is still open; and what senders are given."""
    service.confirmed("carl@example.org")
    service.post(service.status("carl@example.org")["weekly"]["links"]["unsubscribe"].removeprefix(HOST))
    service.work()
    service.confirmed("dora@example.org")
    doras = leave_link(service, "dora@example.org")
    undo(service, doras, undo_token(leave(service, doras)))
    service.work()
    service.confirmed("bea@example.org")
    gone(service, "bea@example.net", "bea@example.org")
    asked(service, "bea@example.com", "bea@example.net")
    service.confirmed()
    service.subscribe()
    service.post("/preferences", data={"email": ADA}, headers=BROWSER)
    service.subscribe("grace@example.org", newsletters=["weekly", "events"], attempt="an id that the form has chosen")
    service.work()
    assert {row.kind for row in service.rows("SELECT kind FROM letters")} == set(LetterKind)
    letters = [Letter(each) for each in service.mail.letters]
    found = {path for letter in letters for path in letter.links}
    found |= {letter.one_click for letter in letters if "List-Unsubscribe" in letter.delivered.message}
    found |= {url.removeprefix(HOST) for url in service.status()["weekly"]["links"].values()}
    return sorted(found)


@pytest.fixture
def running(links: list[str], jawel: Jawel) -> Iterator[Running]:
    with serving(jawel, "--no-worker") as running:
        yield running


def visit(page: Page, url: str) -> list[str]:
    """What leads on from there, on the same site."""
    try:
        page.goto(url)
    except Error as error:
        if "Download is starting" not in str(error):
            raise
        return []  # JSON leads nowhere
    page.evaluate(LOOK_AROUND)
    page.wait_for_timeout(50)
    own = urlsplit(url).netloc
    here = (each.replace(HOST, f"http://{own}") for each in page.evaluate(LINKS))
    return [each for each in here if urlsplit(each).netloc == own]


def test_a_scanner_that_opens_every_link_changes_nothing(
    service: Service, links: list[str], running: Running, page: Page
) -> None:
    base = f"http://127.0.0.1:{running.port}"
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    before, letters = everything(service), len(service.mail.letters)
    seen: set[str] = set()
    ahead = [f"{base}{path}" for path in links]
    for url in ahead:
        for headers in READ_AHEAD:
            for method in ("HEAD", "OPTIONS", "GET"):
                assert page.request.fetch(url, method=method, headers=headers).status in {200, 410}, url
    for _level in range(3):
        # In another language it is the same page again.
        here, ahead = {url.partition("?")[0]: url for url in ahead}, []
        for path, url in here.items():
            if path not in seen:
                seen.add(path)
                ahead += visit(page, url)
    assert len(seen) > len(links)
    assert set(sent) == {"GET"}
    assert everything(service) == before
    assert service.work() == []
    assert len(service.mail.letters) == letters
