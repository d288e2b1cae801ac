"""Every page in every language, as people meet them: on an old phone and on a desk, by day and by night, with
JavaScript and, in one of the languages, without.

A journey goes through all that a person can do. At every page it stops and looks: is it in their language, does it fit
the screen, does axe-core find anything that shuts somebody out, did the browser complain, was anything stored, or
fetched from elsewhere. `make screenshots` keeps what the phone shows.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.newsletters.definitions import LANGUAGES
from tests.browser.conftest import Site
from tests.browser.inspection import PHONE, Inspection
from tests.browser.steps import newest_link

WITH_SCRIPTS, WITHOUT_SCRIPTS = "with-scripts", "without-scripts"
# What scripts do beside the pages is the same in any language. German has the longest words.
KINDS = [*((WITH_SCRIPTS, language) for language in LANGUAGES), (WITHOUT_SCRIPTS, "de")]

pytestmark = pytest.mark.parametrize(("kind", "language"), KINDS)


class Journey:
    """One person with one browser. What they press is found by where it leads, whatever the language."""

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.site, self.page = inspection.site, inspection.page
        self.name = f"ada.{inspection.language}.{time.monotonic_ns()}"

    def address(self, number: int = 0) -> str:
        return f"{self.name}.{number}@example.org"

    def go(self, url: str, name: str, status: int = 200) -> None:
        answer = self.page.goto(url if url.startswith("http") else f"{self.site.url}{url}")
        assert answer
        assert answer.status == status, (name, answer.status)
        self.inspection.look(name)

    def press(self, form: str, name: str) -> None:
        """The first button of the form that posts to a path that ends so."""
        self.page.locator(f'form[action*="{form}"] button').first.click()
        self.page.wait_for_load_state()
        self.inspection.look(name)

    def fresh_link(self, email: str) -> str:
        """Of somebody who signs up, confirms, and has it mailed."""
        self.page.goto(self.sign_up(email))
        self.page.locator("form button").first.click()
        self.page.goto(f"{self.site.url}/preferences")
        self.page.locator('input[name="email"]').fill(email)
        self.press("/preferences", "preferences-mailed")
        return newest_link(self.site, email, 1)

    def sign_up(self, email: str, newsletter: str = "weekly") -> str:
        """Returns the link in the letter that comes."""
        before = len(self.site.letters(email))
        self.page.goto(f"{self.site.url}/newsletters/{newsletter}")
        self.site.age(self.page)
        self.page.locator("#email").fill(email)
        self.page.locator('input[type="checkbox"]').check()
        self.page.locator('form[action*="/subscribe"] button').first.click()
        self.page.wait_for_url("**/inbox*")
        return newest_link(self.site, email, before)


@pytest.fixture
def journey(
    browser: Browser, long_lived_site: Site, kind: str, language: str, pytestconfig: pytest.Config
) -> Iterator[Journey]:
    shots, runs_scripts = pytestconfig.getoption("--screenshots"), kind == WITH_SCRIPTS
    folder = Path(shots) / language if shots and runs_scripts else None
    with browser.new_context(locale=language, viewport=PHONE, java_script_enabled=runs_scripts) as context:
        context.set_default_timeout(60_000)
        yield Journey(Inspection(context.new_page(), long_lived_site, language, folder, runs_scripts))


def test_what_anybody_can_read(journey: Journey) -> None:
    journey.go("/", "about")
    journey.go("/newsletters/weekly", "signup")
    journey.go("/newsletters/weekly/embed", "embed")
    journey.go("/privacy/weekly", "privacy")
    journey.go("/preferences", "preferences-asked-for")
    journey.go("/nothing/here", "not-found", status=404)


def test_from_signing_up_to_the_receipt(journey: Journey) -> None:
    page, ada = journey.page, journey.address()
    page.goto(f"{journey.site.url}/newsletters/weekly")
    journey.site.age(page)
    page.locator("#email").fill("ada@localhost")
    page.locator("#consent").check()
    journey.press("/subscribe", "signup-with-a-mistake")
    page.locator("#email").fill(ada)
    page.locator("#consent").check()
    journey.press("/subscribe", "inbox")
    link = newest_link(journey.site, ada, 0)
    page.locator('input[name="code"]').fill("000000")
    journey.press("/confirm/code", "code-with-a-mistake")
    journey.go(f"{link}/decline", "decline")
    journey.go(link, "confirm")
    journey.press(link.removeprefix(journey.site.url), "confirmed")
    journey.go(link, "confirmed-again")
    receipt = page.locator('a[href*="/receipts/"]').first.get_attribute("href")
    assert receipt
    journey.go(receipt, "receipt")


def test_two_newsletters_at_once_and_neither_was_me(journey: Journey) -> None:
    ada = journey.address(1)
    fields = {
        "email": ada,
        "newsletters": ["weekly", "daily"],
        "consent": True,
        "language": journey.inspection.language,
    }
    assert journey.page.request.post(f"{journey.site.url}/subscribe", data=fields).status == 202
    link = newest_link(journey.site, ada, 0)
    journey.go(link, "confirm-several")
    journey.page.locator('main a[href*="some="]').click()
    journey.inspection.look("confirm-some")
    journey.press("some=", "confirm-some-with-a-mistake")
    journey.go(link, "confirm-several")
    journey.press("/decline", "declined")
    journey.press("/undo", "decline-undone")
    journey.page.goto(link)
    journey.page.locator('form[action*="/decline"] button').first.click()
    journey.go(link, "gone", status=410)


def test_too_late(journey: Journey) -> None:
    link = journey.sign_up(journey.address(2), "hasty")
    time.sleep(2.5)
    journey.go(link, "expired", status=410)
    journey.press("/resend", "asked-again")


def test_leaving_and_coming_back(journey: Journey) -> None:
    ada = journey.address(3)
    page = journey.page
    page.goto(journey.sign_up(ada))
    page.locator("form button").first.click()
    forwarded = journey.sign_up(ada)
    journey.go(forwarded, "preferences-forwarded")
    journey.press("/link", "preferences-on-their-way")
    leave = journey.site.letters(ada)[-1].unsubscribe
    journey.go(leave, "unsubscribe")
    journey.press(leave.removeprefix(journey.site.url).partition("?")[0], "unsubscribed")
    journey.press("/undo", "undone")
    journey.go(leave, "unsubscribe-again")
    form = leave.removeprefix(journey.site.url).partition("?")[0]
    page.locator(f'form[action*="{form}"] button').first.click()
    page.goto(leave)
    journey.inspection.look("unsubscribed-before")


def test_all_that_the_preferences_show(journey: Journey) -> None:
    ada, page = journey.address(4), journey.page
    fresh = journey.fresh_link(ada)
    journey.go(fresh, "preferences")
    journey.go(f"{fresh}/data", "data")
    journey.go(f"{fresh}/erase", "erase")
    journey.press("/erase", "erased")
    page.goto(fresh)
    journey.inspection.look("preferences-of-nobody")


def test_moving_to_another_address_and_back(journey: Journey) -> None:
    ada, new, page = journey.address(5), journey.address(6), journey.page
    page.goto(journey.fresh_link(ada))
    page.locator('form[action*="/address"] input[name="email"]').fill(new)
    journey.press("/address", "address-asked-for")
    link = newest_link(journey.site, new, 0)
    journey.go(f"{link}/decline", "address-decline")
    journey.go(link, "address")
    page.locator("form button").first.click()
    journey.inspection.look("address-changed")
    journey.go(newest_link(journey.site, ada, 2), "address-undo")
    page.locator("form button").first.click()
    journey.inspection.look("address-undone")
    journey.go(link, "address-over", status=410)
