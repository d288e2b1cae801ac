"""Who asked is sealed with the request: a receipt stays true when somebody else becomes responsible.

GDPR Art. 7(1), recital 42; OLG München 29 U 1682/12.
"""

import copy
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.api_keys import Scope
from app.ledger import verifier
from app.ledger.verifier import Trust
from tests.catalogues import CATALOGUE
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.moving import NEW, gone
from tests.moving import wrong as refuted
from tests.receipts import KEY, ask, receipt, receipt_text, signed_anew, subscription, wrong
from tests.service import ADA, Service

Receipt = dict[str, Any]
BUYER = {"name": "Koper NV", "address": "Dorp 2, 1000 Brussel, Belgium", "email": "buyer@example.org"}
SOLD = {**CATALOGUE, "controller": {**CATALOGUE["controller"], **BUYER}}


def names(found: Receipt) -> dict[str, str]:
    parties = {each["party_id"]: each["party_name"] for each in found["record"]["parties"]}
    return {each: parties[each] for each in found["record"]["pii_controllers"]}


def said(found: Receipt) -> str:
    """What the verifier says of who asked."""
    findings = verifier.examine_receipt(json.dumps(found), Trust([KEY]))
    assert wrong(findings) == []
    (line,) = [str(each) for each in findings if each.text.startswith("Who asked: ")]
    return line


def page(service: Service) -> dict[str, str]:
    """What the receipt to print says, by what it is about."""
    shown = ask(service, subscription(service), "text/html").text
    rows = re.findall(r"<dt[^>]*>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", shown, re.DOTALL)
    return {name: re.sub(r"<[^>]+>", "", value) for name, value in rows}


def test_it_names_who_asked_then_and_beside_them_who_is_responsible_today(open_service: OpenService) -> None:
    open_service().confirmed(language="en")
    service = open_service(SOLD)
    found = receipt(service)
    assert found["record"]["asked_by"] == "party:controller"
    assert names(found) == {"party:controller": "Voorbeeld BV", "party:controller-today": "Koper NV"}
    assert found["record"]["privacy_rights"]["contact"] == "buyer@example.org"
    assert page(service)["Asked by"] == "Voorbeeld BV, Kerkstraat 1, 9000 Gent, Belgium, privacy@example.org"
    assert page(service)["Responsible today"] == "Koper NV, Dorp 2, 1000 Brussel, Belgium, buyer@example.org"
    assert "ok     Who asked: Voorbeeld BV, Kerkstraat 1" in said(found)
    assert "the controller was Koper NV" in said(found)
    service.confirmed("grace@example.org", newsletters="events", language="en")
    assert names(receipt(service, "events")) == {"party:controller": "Koper NV"}


def test_of_one_and_the_same_it_is_said_once(service: Service) -> None:
    service.confirmed(language="en")
    found = receipt(service)
    assert names(found) == {"party:controller": "Voorbeeld BV"}
    assert "Responsible today" not in page(service)
    assert "Voorbeeld BV" in said(found)
    assert "the controller was" not in said(found)


def test_an_order_by_another_service_seals_it_too(service: Service) -> None:
    order = {"email": ADA, "newsletters": ["weekly"], "language": "en", "source": "shop"}
    answer = service.post("/api/v1/subscriptions", json=order, headers=service.key(Scope.SUBSCRIBERS_WRITE))
    assert answer.status_code == 202
    assert receipt(service)["record"]["asked_by"] == "party:controller"


def test_what_a_version_before_wrote_says_only_what_is_known(open_service: OpenService) -> None:
    """Such a version, still running, applies a catalogue, and keeps no identity: so none can be cited."""
    before = open_service()
    terms = json.dumps({**CATALOGUE["controller"], "name": "Vroeger BV"})
    with before.database.transaction() as session:
        session.execute(text("UPDATE controllers SET terms = :terms"), {"terms": terms})
    before.confirmed(language="en")
    service = open_service(SOLD)
    found = receipt(service)
    assert found["record"]["asked_by"] is None
    assert names(found) == {"party:controller": "Koper NV"}
    assert page(service)["Responsible today"].startswith("Koper NV")
    assert page(service)["Asked by"].startswith("That was not kept with requests of that time.")
    assert said(found).startswith("note   Who asked: the evidence does not say")


def test_a_change_of_address_keeps_who_asked_the_notice_and_when_it_was_presented(
    open_service: OpenService, moved: Clock
) -> None:
    open_service().confirmed(language="en")
    before = receipt(open_service())
    moved.shift(timedelta(days=30))
    service = open_service(SOLD)
    gone(service)
    after = receipt(service)
    assert after["record"]["pii_principal_email"] == NEW
    assert names(after)["party:controller"] == "Voorbeeld BV"
    notice = after["record"]["privacy_notice"]
    assert notice == before["record"]["privacy_notice"]
    assert notice["presented_at"].startswith("2026-11-23")
    assert refuted(service) == []
    linked = service.get(notice["url"].removeprefix("https://subscribe.example.org"), headers={"Accept": "text/plain"})
    assert "Voorbeeld BV" in linked.text
    assert "Koper NV" not in linked.text
    assert "Koper NV" in service.get("/privacy/weekly?language=en").text


def test_a_receipt_from_before_is_good_still(service: Service, moved: Clock) -> None:
    """It named nobody as who asked, and took the time of a renewal for that of the request."""
    service.confirmed(language="en")
    moved.shift(timedelta(days=30))
    gone(service)
    found = receipt(service)
    renewed = [each for each in found["record"]["events"] if each["type"] == "subscription.requested"][-1]
    old = copy.deepcopy(found)
    del old["record"]["asked_by"]
    old["record"]["privacy_notice"]["presented_at"] = renewed["event_time"]
    findings = verifier.examine_receipt(signed_anew(old), Trust([KEY]))
    assert wrong(findings) == []
    assert not [each for each in findings if each.text.startswith("Who asked")]


FORGERIES: dict[str, Callable[[Receipt], None]] = {
    "another name": lambda record: record["parties"][0].update(party_name="Koper NV"),
    "another url": lambda record: record["parties"][0].update(party_url="https://example.com"),
    "nobody": lambda record: record.update(asked_by=None),
    "the authority": lambda record: record.update(asked_by="party:authority"),
    "another first": lambda record: record["pii_controllers"].insert(0, "party:authority"),
    "presented today": lambda record: record["privacy_notice"].update(presented_at="2026-11-24T20:00:00.000Z"),
}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_whoever_holds_the_key_cannot_put_somebody_else_in_their_place(service: Service, forgery: str) -> None:
    service.confirmed(language="en")
    found = json.loads(receipt_text(service))
    FORGERIES[forgery](found["record"])
    assert wrong(verifier.examine_receipt(signed_anew(found), Trust([KEY])))


def test_the_notice_is_said_to_be_linked_only_where_our_own_page_linked_it(service: Service) -> None:
    service.confirmed(language="en")
    assert page(service)["Privacy notice"] == "Read the version in force then"
    headers = {"Accept": "text/html", "Referer": "https://subscribe.example.org/newsletters/events"}
    fields = {"email": ADA, "newsletters": "events", "consent": "yes", "language": "en"}
    service.post("/subscribe", data=fields, headers=headers)
    shown = ask(service, subscription(service, "events"), "text/html").text
    assert "Read the version that was linked" in shown
