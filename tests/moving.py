"""Somebody who moves to another address, step by step."""

import re
import time
from datetime import timedelta
from uuid import UUID

from werkzeug.test import TestResponse

from app import clock
from app.addresses import Digests, EmailAddress
from app.ledger.verifier import Trust, examine_receipt
from app.resources import resources_of
from tests.receipts import KEY, receipt_text
from tests.service import ADA, BROWSER, Letter, Service

NEW = "ada@lovelace.example.net"
INTRUDER = "mallory@example.com"
HALF_AN_HOUR = timedelta(minutes=30)


def person(service: Service, email: str = ADA) -> UUID:
    answer = service.get(f"/api/v1/subscribers/{email}", headers=service.key())
    return UUID(answer.get_json()["id"])


def fresh(service: Service, email: str = ADA) -> str:
    """The link that the person is mailed on request."""
    link = resources_of(service.app).links.manage(person(service, email), clock.now() + HALF_AN_HOUR)
    return link.removeprefix("https://subscribe.example.org")


def ask(service: Service, wanted: str = NEW, email: str = ADA) -> TestResponse:
    answer = service.post(f"{fresh(service, email)}/address", data={"email": wanted}, headers=BROWSER)
    assert answer.status_code == 200
    return answer


def asked(service: Service, wanted: str = NEW, email: str = ADA) -> Letter:
    """The letter at the new address."""
    ask(service, wanted, email)
    letter = service.letter()
    assert letter.delivered.recipient.lower() == wanted.lower()
    return letter


def gone(service: Service, wanted: str = NEW, email: str = ADA) -> Letter:
    """Somebody who moved, more than a second ago; the notice that their old address got."""
    assert service.post(asked(service, wanted, email).link, headers=BROWSER).status_code == 200
    notice = service.letter()
    assert notice.delivered.recipient == email
    # A link that is mailed in the second of a move is weak: a token names no parts of one.
    time.sleep(1 - clock.now().microsecond / 1_000_000)
    return notice


def digest(email: str) -> str:
    return EmailAddress.parse(email).digest("a suppression key for tests, of some length")


def digests(email: str) -> Digests:
    return EmailAddress.parse(email).digests("a suppression key for tests, of some length")


def findings(service: Service, newsletter: str = "weekly") -> list[str]:
    return [str(each) for each in examine_receipt(receipt_text(service, newsletter), Trust([KEY]))]


def wrong(service: Service, newsletter: str = "weekly") -> list[str]:
    return [each for each in findings(service, newsletter) if each.startswith("WRONG")]


def left(service: Service, email: str, newsletter: str) -> None:
    status = service.status(email)
    assert status
    service.post(status[newsletter]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org"))
    service.work()


def main(answer: TestResponse) -> str:
    """Around it, a page that was asked for by GET offers other languages."""
    found = re.search("<main>.*</main>", answer.text, re.DOTALL)
    assert found
    return found[0]
