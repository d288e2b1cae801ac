"""The preference centre as people use it: the link by mail, then one small form after the other, on a small phone."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Witness
from tests.browser.inspection import assert_all_from
from tests.browser.steps import link, open_newest_letter, sign_up
from tests.service import ADA


@pytest.mark.parametrize("kind", ["page", "page_without_javascript"])
def test_join_speak_look_and_be_erased(site: Site, kind: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(kind)
    page.set_viewport_size({"width": 320, "height": 640})
    witness = Witness()
    witness.watch(page)
    sign_up(page, site)
    open_newest_letter(page, site, count=1)
    link(page, "/confirm/").click()
    page.get_by_role("button", name="Confirm").click()

    page.goto(site.url)
    page.get_by_role("link", name="Already subscribed?").click()
    page.get_by_label("Your e-mail address").fill(ADA)
    page.get_by_role("button", name="Mail me a link").click()
    expect(page.get_by_role("heading")).to_have_text("Look in your inbox")
    open_newest_letter(page, site, count=2)
    link(page, "/preferences/").click()
    expect(page.get_by_text(ADA)).to_be_visible()
    here = page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 320 if kind == "page" else True

    page.get_by_label("Yes, send it to me.").check()
    page.get_by_role("button", name="Join Shop").click()
    expect(page.get_by_role("status")).to_contain_text("Look in your inbox: a mail about Shop")
    page.get_by_label("Your language").select_option(label="Nederlands")
    page.get_by_role("button", name="Write to me in this language").click()
    assert page.locator("html").get_attribute("lang") == "nl"
    page.goto(f"{here}?language=en")
    page.reload()
    page.get_by_role("link", name="See or download all that is kept about you").click()
    expect(page.get_by_role("heading", name="What is kept about you")).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download it").click()
    told = json.loads(downloading.value.path().read_text(encoding="utf-8"))
    assert (told["person"][0]["address"], told["person"][0]["language"]) == (ADA, "nl")

    page.goto(f"{here}/erase?language=en")
    page.get_by_role("button", name="Yes, erase all of it").click()
    expect(page.get_by_role("heading", name="Done: your data is erased")).to_be_visible()
    page.goto(f"{here}?language=en")
    expect(page.get_by_role("heading", name="Nothing is kept about you")).to_be_visible()
    assert page.context.cookies() == []
    assert [each for each in witness.complaints if "ERR_ABORTED" not in each] == []
    assert_all_from(site, witness)
