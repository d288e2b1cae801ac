"""Addresses that lead to one mailbox, and those who sign up with them."""

from itertools import count

from tests.service import ADA, Letter, Service

TAGGED = [ADA, *(f"ada+{number}@example.org" for number in range(44))]
_clients = count(1)


def sign_up(service: Service, email: str, newsletters: str = "weekly") -> None:
    """Each from another client, so that nothing but the mailbox is the same."""
    fields = {"email": email, "newsletters": newsletters, "consent": True}
    client = {"REMOTE_ADDR": f"198.51.100.{next(_clients) % 250 + 1}"}
    assert service.post("/subscribe", json=fields, environ_overrides=client).status_code == 202


def recipients(service: Service) -> list[str]:
    return [letter.delivered.recipient for letter in service.deliver()]


def letter_to(service: Service, email: str) -> Letter:
    sign_up(service, email)
    letter = service.letter()
    assert letter.delivered.recipient == email
    return letter
