"""Confirming on a phone, without JavaScript: the code typed on the page that is open, and the button in sight."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import Site, Witness
from tests.browser.inspection import assert_all_from
from tests.browser.steps import link, open_newest_letter, unsubscribe_link
from tests.service import ADA

PHONE: ViewportSize = {"width": 320, "height": 640}


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    with browser.new_context(java_script_enabled=False, viewport=PHONE, locale="en-GB") as context:
        context.set_default_timeout(60_000)
        yield context.new_page()


def sign_up(page: Page, site: Site, newsletter: str = "weekly") -> None:
    page.goto(f"{site.url}/newsletters/{newsletter}?language=en")
    site.age(page)
    page.locator("#email").fill(ADA)
    page.locator("#consent").check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_label("The 6 digits from the mail")).to_be_visible()


def read_code(page: Page, site: Site) -> str:
    """In another tab, as the page with the form stays open."""
    mailbox = page.context.new_page()
    open_newest_letter(mailbox, site, count=1)
    found = re.search(r"\b\d{3} \d{3}\b", mailbox.locator("pre").inner_text())
    assert found
    return found[0]


def assert_in_sight(page: Page, name: str) -> None:
    """All of the button, without scrolling, and nothing that can be pressed before it."""
    button = page.get_by_role("button", name=name, exact=True)
    box = button.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= PHONE["height"]
    assert box["x"] + box["width"] <= PHONE["width"]
    first = page.locator("main :is(a, button, select, textarea, input:not([type=hidden]))").first
    expect(first).to_have_text(name)
    assert page.locator("html").evaluate("page => page.scrollWidth") <= PHONE["width"]


def test_the_code_is_typed_on_the_page_that_is_still_open(phone: Page, site: Site) -> None:
    witness = Witness()
    witness.watch(phone)
    sign_up(phone, site)
    code = read_code(phone, site)
    wrong = f"{(int(code.replace(' ', '')) + 1) % 1_000_000:06}"
    phone.get_by_label("The 6 digits from the mail").fill(wrong)
    phone.get_by_role("button", name="Confirm").click()
    expect(phone.get_by_role("alert")).to_contain_text("This code did not work")
    phone.get_by_label("The 6 digits from the mail").fill(code)
    phone.get_by_role("button", name="Confirm").click()
    expect(phone.get_by_role("heading", name="Done: you are subscribed")).to_be_visible()
    assert phone.context.cookies() == []
    assert [each for each in witness.complaints if "422" not in each] == []
    assert_all_from(site, witness)


def test_the_code_leads_to_the_shops_own_page(phone: Page, site: Site) -> None:
    sign_up(phone, site, "shop")
    phone.get_by_label("The 6 digits from the mail").fill(read_code(phone, site))
    phone.get_by_role("button", name="Confirm").click()
    phone.wait_for_url(f"{site.shop}/welcome")


@pytest.mark.parametrize(
    ("newsletters", "button"),
    [(["weekly"], "Confirm"), (["weekly", "events"], "Confirm Events and Weekly letter")],
)
def test_the_button_is_first_and_in_sight_on_a_small_phone(
    phone: Page, site: Site, newsletters: list[str], button: str
) -> None:
    asked = {"email": ADA, "newsletters": newsletters, "consent": True, "language": "en"}
    assert phone.request.post(f"{site.url}/subscribe", data=asked).status == 202
    open_newest_letter(phone, site, count=1)
    link(phone, "/confirm/").click()
    expect(phone).to_have_title(re.compile("One step left"))
    assert_in_sight(phone, button)
    phone.get_by_role("button", name=button).click()
    expect(phone.get_by_role("heading", name="Done: you are subscribed")).to_be_visible()


def test_leaving_has_its_button_in_sight_and_can_be_undone_at_once(phone: Page, site: Site) -> None:
    sign_up(phone, site)
    phone.get_by_label("The 6 digits from the mail").fill(read_code(phone, site))
    phone.get_by_role("button", name="Confirm").click()
    mailbox = phone.context.pages[-1]
    confirmation = unsubscribe_link(mailbox).removesuffix("/decline")
    phone.request.post(f"{site.url}/subscribe", data={"email": ADA, "newsletters": "weekly", "consent": True})
    open_newest_letter(mailbox, site, count=2)
    leave = unsubscribe_link(mailbox)
    phone.goto(f"{leave}?language=en")
    assert_in_sight(phone, "Unsubscribe")
    phone.get_by_label("I get too many mails").check()
    phone.get_by_role("button", name="Unsubscribe", exact=True).click()
    expect(phone.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    phone.get_by_role("button", name="That was a mistake: undo").click()
    expect(phone.get_by_role("heading", name="You are subscribed again")).to_be_visible()
    phone.goto(f"{leave}?language=en")
    expect(phone.get_by_role("button", name="Unsubscribe", exact=True)).to_be_visible()
    assert phone.goto(confirmation).status == 410  # type: ignore[union-attr]
