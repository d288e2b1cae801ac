"""The form to copy, on a shop's own page under a strict policy, with `jawel.js` and without."""

import re
from http.server import ThreadingHTTPServer

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site, Witness
from tests.browser.steps import fill_in, link, open_newest_letter, show_in_the_shop
from tests.service import ADA


@pytest.fixture
def witness() -> Witness:
    return Witness()


def code_of_newest_letter(page: Page, site: Site) -> str:
    with page.context.browser.new_page() as reader:  # type: ignore[union-attr]
        open_newest_letter(reader, site, count=1)
        found = re.search(r"\b\d{3} \d{3}\b", reader.locator("pre").inner_text())
    assert found
    return found[0]


def test_signing_up_and_confirming_without_leaving_the_shop(
    page: Page, site: Site, shop: ThreadingHTTPServer, snippet: str, witness: Witness
) -> None:
    show_in_the_shop(page, site, shop, snippet)
    witness.watch(page)
    fill_in(page, "ada@gmail.com")
    expect(page.get_by_role("heading", name="One step left: look in your inbox")).to_be_visible()
    mail = page.get_by_role("link", name="Gmail")
    expect(mail).to_have_attribute("href", "https://mail.google.com")
    expect(mail).to_have_attribute("rel", "noreferrer noopener")

    code = code_of_newest_letter(page, site)
    page.get_by_label("6-digit code").fill(code)
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("Done: you are subscribed")).to_be_visible()
    assert page.url == f"{site.shop}/"
    assert witness.complaints == []
    assert sorted(set(witness.requests)) == [f"{site.url}/confirm/code", f"{site.url}/subscribe"]
    assert page.context.cookies() == []


def test_a_wrong_code_is_told_at_its_field_and_may_be_mended(
    page: Page, site: Site, shop: ThreadingHTTPServer, snippet: str
) -> None:
    show_in_the_shop(page, site, shop, snippet)
    fill_in(page, ADA)
    field = page.get_by_label("6-digit code")
    expect(field).to_be_visible()
    right = code_of_newest_letter(page, site)
    field.fill("000 001" if right == "000 000" else "000 000")
    page.keyboard.press("Enter")
    assert_tells(page, field, "This code did not work")
    field.fill(right)
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text("Done: you are subscribed")


def test_a_mistake_is_told_at_its_field_and_may_be_mended(
    page: Page, site: Site, shop: ThreadingHTTPServer, snippet: str
) -> None:
    show_in_the_shop(page, site, shop, snippet.replace("<form", "<form novalidate"))
    page.get_by_label("Your e-mail address").fill("ada@localhost")
    page.get_by_role("button", name="Subscribe").click()
    email, consent = page.get_by_label("Your e-mail address"), page.get_by_label("Yes, send it to me.")
    assert_tells(page, email, "This is not an e-mail address that mail can be sent to.")
    assert_tells(page, consent, "Tick the box to agree.", focused=False)
    assert page.url == f"{site.shop}/"
    email.fill(ADA)
    page.get_by_role("button", name="Subscribe").click()
    expect(email).not_to_have_attribute("aria-invalid", "true")
    assert page.get_by_role("alert").count() == 1
    consent.check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="One step left: look in your inbox")).to_be_visible()


def test_a_service_that_does_not_answer_is_told_and_asked_again(
    page: Page, site: Site, shop: ThreadingHTTPServer, snippet: str
) -> None:
    show_in_the_shop(page, site, shop, snippet)
    page.context.set_offline(True)
    fill_in(page, ADA)
    expect(page.get_by_role("alert")).to_have_text("That did not work. Please try again in a minute.")
    expect(page.get_by_label("Your e-mail address")).to_have_value(ADA)
    page.context.set_offline(False)
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="One step left: look in your inbox")).to_be_visible()


def test_any_form_of_the_shop_answers_in_place_where_it_says_so(
    page: Page, site: Site, shop: ThreadingHTTPServer
) -> None:
    own = """<form data-jawel action="/nowhere"><label>Mail <input name="email"></label><button>Go</button>
    <input type="hidden" name="newsletter" value="shop"><input type="hidden" name="consent" value="yes">
    <input type="hidden" name="language" value="nl"></form>"""
    show_in_the_shop(page, site, shop, own)
    page.get_by_label("Mail").fill(ADA)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nog één stap: kijk in je inbox")).to_be_visible()


def test_where_there_is_one_newsletter_the_form_need_not_name_it(
    page: Page, site: Site, shop: ThreadingHTTPServer, snippet: str
) -> None:
    without = re.sub('<input [^>]*name="newsletters"[^>]*>', "", snippet)
    assert "newsletters" not in without
    show_in_the_shop(page, site, shop, without)
    with page.expect_request(f"{site.url}/subscribe") as sent:
        fill_in(page, ADA)
    body = sent.value.post_data or ""
    assert ADA in body
    assert "newsletters" not in body


def test_without_javascript_the_form_lands_on_our_own_page(
    page_without_javascript: Page, site: Site, shop: ThreadingHTTPServer, snippet: str, witness: Witness
) -> None:
    page = page_without_javascript
    show_in_the_shop(page, site, shop, snippet)
    witness.watch(page)
    fill_in(page, ADA)
    page.wait_for_url(f"{site.url}/newsletters/shop/inbox*")
    assert witness.complaints == []
    open_newest_letter(page, site, count=1)
    expect(link(page, "/confirm/")).to_be_visible()


def test_the_preview_is_the_snippet_and_works(page: Page, site: Site, witness: Witness) -> None:
    witness.watch(page)
    page.goto(f"{site.url}/newsletters/weekly/embed?language=en")
    copied = page.get_by_label("HTML to copy").input_value()
    parsed = "new DOMParser().parseFromString(html, 'text/html').forms[0]"
    assert page.evaluate(f"html => document.querySelector('.preview form').isEqualNode({parsed})", copied)
    page.get_by_label("Your e-mail address").fill(ADA)
    page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/newsletters/weekly/inbox*")
    assert witness.complaints == []


def assert_tells(page: Page, field: Locator, text: str, *, focused: bool = True) -> None:
    """At the field, to eyes and to screen readers."""
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(re.escape(text)))
    expect(page.get_by_role("alert").filter(has_text=text)).to_be_visible()
    if focused:
        expect(field).to_be_focused()
