"""The whole loop as a new user goes through it, in a real browser against a real server."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Witness
from tests.browser.inspection import assert_all_from
from tests.browser.steps import link, open_newest_letter, sign_up, unsubscribe_link
from tests.service import ADA


@pytest.mark.parametrize("kind", ["page", "page_without_javascript"])
def test_sign_up_read_the_mail_confirm_and_leave(site: Site, kind: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(kind)
    witness = Witness()
    witness.watch(page)
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    site.age(page)
    page.get_by_label("Your e-mail address").fill(ADA)
    page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One step left: look in your inbox")

    open_newest_letter(page, site, count=1)
    link(page, "/confirm/").click()
    expect(page.get_by_text("a••@e••.org")).to_be_visible()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Done: you are subscribed")).to_be_visible()

    sign_up(page, site)
    open_newest_letter(page, site, count=2)
    page.goto(unsubscribe_link(page))
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    open_newest_letter(page, site, count=3)
    expect(page.get_by_role("heading")).to_have_text(re.compile("unsubscribed"))

    assert page.context.cookies() == []
    assert witness.complaints == []
    assert_all_from(site, witness)


def test_this_was_not_me_from_the_letter(page: Page, site: Site) -> None:
    sign_up(page, site)
    open_newest_letter(page, site, count=1)
    link(page, "/confirm/").click()
    page.get_by_role("button", name="This was not me").click()
    expect(page.get_by_role("heading", name="Noted: this was not you")).to_be_visible()
    page.get_by_role("button", name="That was a mistake: undo").click()
    expect(page.get_by_role("heading")).to_have_text("The request stands")


def test_a_mistake_is_mended_on_the_page_that_names_it(page_without_javascript: Page, site: Site) -> None:
    page = page_without_javascript
    page.goto(f"{site.url}/newsletters/weekly?language=nl")
    site.age(page)
    page.locator("#email").fill("ada@localhost")
    page.locator("#consent").check()
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#email")).to_have_value("ada@localhost")
    assert page.locator("html").get_attribute("lang") == "nl"
    page.locator("#email").fill(ADA)
    page.locator("#consent").check()
    page.get_by_role("button").click()
    page.wait_for_url("**/newsletters/weekly/inbox*")


def test_a_link_to_leave_from_the_preferences_page(page: Page, site: Site) -> None:
    sign_up(page, site)
    open_newest_letter(page, site, count=1)
    link(page, "/confirm/").click()
    page.get_by_role("button", name="Confirm").click()
    sign_up(page, site)
    open_newest_letter(page, site, count=2)
    link(page, "/preferences/").click()
    page.get_by_role("button", name="Leave Weekly letter").click()
    expect(page.get_by_text("You are not subscribed to anything here.")).to_be_visible()


def test_a_form_on_the_shops_own_site_ends_on_the_shops_own_pages(page: Page, site: Site) -> None:
    witness = Witness()
    witness.watch(page)
    page.goto(site.shop)
    page.locator("#email").fill("ada@localhost")
    page.locator("#submit").click()
    site.age(page)
    page.locator("#email").fill(ADA)
    page.locator("#consent").check()
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(f"{site.shop}/thanks")
    open_newest_letter(page, site, count=1)
    link(page, "/confirm/").click()
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(f"{site.shop}/welcome")
    assert [each for each in witness.complaints if "422" not in each] == []


def test_the_api_page_draws_itself_and_loads_nothing_from_elsewhere(page: Page, site: Site) -> None:
    witness = Witness()
    witness.watch(page)
    page.goto(f"{site.url}/docs")
    expect(page.get_by_text("/subscribers/lookup")).to_be_visible()
    page.get_by_text("/subscribers/lookup").click()
    expect(page.get_by_role("button", name="Try it out")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert witness.complaints == []
    assert page.context.cookies() == []
    assert_all_from(site, witness)
