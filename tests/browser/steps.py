"""What people do in a browser: fill in a form, wait for a letter, follow what stands in it."""

import re
import time
from http.server import ThreadingHTTPServer

from playwright.sync_api import Locator, Page

from tests.browser.conftest import PATIENCE_SECONDS, Site
from tests.service import ADA

STRICT = (
    "default-src 'none'; script-src {url}; connect-src {url}; form-action {url}; img-src data:; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def sign_up(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    site.age(page)
    page.locator("#email").fill(ADA)
    page.locator("#consent").check()
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/newsletters/weekly/inbox*")


def open_newest_letter(page: Page, site: Site, count: int) -> None:
    """The worker delivers within a second or so: reload until the letter is there, as a person would."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    letters = page.locator("ul.letters a")
    page.goto(f"{site.url}/mailbox")
    while letters.count() < count:
        assert time.monotonic() < deadline, site.log
        page.wait_for_timeout(100)
        page.reload()
    letters.first.click()


def unsubscribe_link(page: Page) -> str:
    """What a mail program finds in the letter that is open."""
    raw = page.request.get(f"{page.url}/raw").text()
    found = re.search(r"^List-Unsubscribe: <(\S+)>\r?$", raw, re.MULTILINE)
    assert found
    return found[1]


def link(page: Page, path: str) -> Locator:
    return page.locator(f'pre a[href*="{path}"]')


def newest_link(site: Site, email: str, before: int) -> str:
    """The first link of the newest letter, once there are more letters than before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(letters := site.letters(email)) <= before:
        assert time.monotonic() < deadline, site.log
        time.sleep(0.05)
    links = re.findall(rf"^{site.url}\S+", letters[-1].text, re.MULTILINE)
    return str(links[0])


def show_in_the_shop(page: Page, site: Site, shop: ThreadingHTTPServer, form: str) -> None:
    script = f'<script src="{site.url}/static/jawel.js" defer></script>'
    head = f'<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">{script}'
    shop.form = f"{head}<h1>Shop</h1>{form}".encode()  # type: ignore[attr-defined]
    shop.policies = [STRICT.format(url=site.url)]  # type: ignore[attr-defined]
    page.goto(site.shop)


def fill_in(page: Page, email: str) -> None:
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_label("Yes, send it to me.").check()
    page.get_by_role("button", name="Subscribe").click()
