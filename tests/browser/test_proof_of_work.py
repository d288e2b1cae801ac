"""A newsletter under attack, as an honest person meets it: hardly at all."""

import re
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from app import database as databases
from tests import attack
from tests.browser.conftest import Site, Witness, open_shop, running_with
from tests.browser.inspection import assert_all_from
from tests.browser.steps import fill_in, newest_link, show_in_the_shop

SOLVER = "/static/jawel-work.js"


@pytest.fixture(scope="module")
def shop() -> Iterator[ThreadingHTTPServer]:
    with open_shop() as shop:
        yield shop


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, shop: ThreadingHTTPServer) -> Iterator[Site]:
    with running_with(shop, tmp_path_factory.mktemp("attacked")) as site:
        opened = databases.connect(f"sqlite:///{site.folder}/instance/jawel.sqlite")
        for newsletter in ("weekly", "shop"):
            attack.begin(opened, newsletter)
        opened.dispose()
        yield site


@pytest.fixture
def ada() -> str:
    """Each time another."""
    return f"ada.{time.monotonic_ns()}@example.org"


@pytest.fixture
def witness(page: Page) -> Witness:
    witness = Witness()
    witness.watch(page)
    return witness


def were_proved(site: Site, *emails: str) -> list[bool]:
    opened = databases.connect(f"sqlite:///{site.folder}/instance/jawel.sqlite")
    statement = "SELECT address, is_unproven FROM letters JOIN subscribers ON subscribers.id = subscriber_id"
    with opened.read_only() as connection:
        found = {row.address: not row.is_unproven for row in connection.exec_driver_sql(statement)}
    opened.dispose()
    return [found[email] for email in emails]


def test_the_work_is_done_while_the_form_is_filled_in(page: Page, site: Site, ada: str, witness: Witness) -> None:
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    site.age(page)
    with page.expect_response(f"{site.url}/challenge"):
        page.get_by_label("Your e-mail address").fill(ada)
    page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/newsletters/weekly/inbox*")
    assert were_proved(site, ada) == [True]
    assert witness.complaints == []
    assert_all_from(site, witness)
    assert page.context.cookies() == []


def test_who_comes_back_to_the_form_proves_anew(page: Page, site: Site, ada: str) -> None:
    grace = f"grace.{ada}"
    for email in (ada, grace):
        if email == ada:
            page.goto(f"{site.url}/newsletters/weekly?language=en")
        else:
            page.go_back()
        site.age(page)
        page.get_by_label("Your e-mail address").fill(email)
        page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
        page.keyboard.press("Enter")
        page.wait_for_url("**/newsletters/weekly/inbox*")
    assert were_proved(site, ada, grace) == [True, True]


def test_where_it_takes_longer_the_page_says_so(page: Page, site: Site, ada: str) -> None:
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    site.age(page)
    held: list[Route] = []
    page.route("**/challenge", lambda route: held.append(route))  # noqa: PLW0108 - playwright looks at its parameters
    page.get_by_label("Your e-mail address").fill(ada)
    page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
    page.get_by_role("button", name="Subscribe").click(no_wait_after=True)
    expect(page.get_by_role("status")).to_have_text("One moment, please …")
    expect(page.get_by_role("button", name="Subscribe")).to_be_disabled()
    held[0].continue_()
    page.wait_for_url("**/newsletters/weekly/inbox*")
    assert were_proved(site, ada) == [True]


def without_cryptography(page: Page) -> None:
    page.add_init_script("delete Crypto.prototype.subtle")


def without_puzzles(page: Page) -> None:
    page.route("**/challenge", lambda route: route.abort())


@pytest.mark.parametrize("lack", [without_cryptography, without_puzzles], ids=lambda lack: lack.__name__)
def test_a_browser_that_cannot_solve_it_gets_through_as_one_without_scripts(
    page: Page, site: Site, ada: str, lack: Callable[[Page], None]
) -> None:
    lack(page)
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    site.age(page)
    page.get_by_label("Your e-mail address").fill(ada)
    page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/newsletters/weekly/inbox*")
    assert were_proved(site, ada) == [False]


def test_who_has_no_scripts_gets_through_and_is_confirmed(page_without_javascript: Page, site: Site, ada: str) -> None:
    page = page_without_javascript
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    site.age(page, seconds=-3600)  # this machine may be too slow to be too quick
    page.get_by_label("Your e-mail address").fill(ada)
    page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("That was quick"))
    expect(page.get_by_label("Your e-mail address")).to_have_value(ada)
    site.age(page)
    page.get_by_label("Yes, send me the weekly letter by e-mail.").check()
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/newsletters/weekly/inbox*")
    assert were_proved(site, ada) == [False]
    page.goto(newest_link(site, ada, 0))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Done: you are subscribed")).to_be_visible()


def test_the_shops_form_proves_work_without_leaving_the_shop(
    page: Page, site: Site, ada: str, shop: ThreadingHTTPServer, snippet: str
) -> None:
    show_in_the_shop(page, site, shop, snippet)
    witness = Witness()
    witness.watch(page)
    fill_in(page, ada)
    expect(page.get_by_role("heading", name="One step left: look in your inbox")).to_be_visible()
    assert [each for each in witness.complaints if "422" not in each] == []
    assert set(witness.requests) == {f"{site.url}{path}" for path in ("/subscribe", "/challenge", SOLVER)}
    assert were_proved(site, ada) == [True]


def test_a_shop_without_cryptography_hands_over_to_our_own_page(
    page: Page, site: Site, ada: str, shop: ThreadingHTTPServer, snippet: str
) -> None:
    without_cryptography(page)
    show_in_the_shop(page, site, shop, snippet)
    fill_in(page, ada)
    expect(page.get_by_role("alert")).to_have_text(re.compile("One more step against robots"))
    site.age(page)
    page.get_by_label("Yes, send it to me.").check()
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/newsletters/shop/inbox*")
    assert were_proved(site, ada) == [False]


def test_a_shop_without_a_puzzle_says_that_it_did_not_work(
    page: Page, site: Site, ada: str, shop: ThreadingHTTPServer
) -> None:
    own = """<form data-jawel action="/nowhere"><label>Mail <input name="email"></label><button>Go</button>
    <input type="hidden" name="newsletter" value="shop"><input type="hidden" name="consent" value="yes">
    <input type="hidden" name="language" value="en"></form>"""
    show_in_the_shop(page, site, shop, own)
    page.route("**/challenge", lambda route: route.abort())
    page.get_by_label("Mail").fill(ada)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That did not work. Please try again in a minute.")
    page.unroute("**/challenge")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="One step left: look in your inbox")).to_be_visible()


def test_where_nothing_is_attacked_nothing_is_loaded_for_it(page: Page, site: Site, witness: Witness) -> None:
    page.goto(f"{site.url}/newsletters/events?language=en", wait_until="networkidle")
    assert [each for each in witness.requests if each.endswith(".js") or "challenge" in each] == []
