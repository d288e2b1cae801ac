"""Every letter that the service writes, and how a person comes to get it."""

from collections.abc import Callable

from tests.service import ADA, BROWSER, Letter, Service

HOST = "https://subscribe.example.org"
NEW = "ada@lovelace.example.net"
SHOP = {"Origin": "https://example.org"}


def confirmation(service: Service, language: str) -> Letter:
    service.subscribe(language=language, attempt="an id that the form has chosen")
    return service.letter()


def confirmation_of_two(service: Service, language: str) -> Letter:
    fields = {"email": ADA, "newsletters": ["weekly", "events"], "consent": True, "language": language}
    service.post("/subscribe", json=fields, headers=SHOP)
    return service.letter()


def already_confirmed(service: Service, language: str) -> Letter:
    service.confirmed(language=language)
    service.subscribe(language=language)
    return service.letter()


def unsubscribed(service: Service, language: str) -> Letter:
    service.confirmed(language=language)
    service.post(service.status()["weekly"]["links"]["unsubscribe"].removeprefix(HOST))
    return service.letter()


def resubscribed(service: Service, language: str) -> Letter:
    service.confirmed(language=language)
    leave = service.status()["weekly"]["links"]["unsubscribe"].removeprefix(HOST)
    page = service.post(leave, data={"from": "page"}, headers=BROWSER)
    undo = page.text.partition('name="undo" value="')[2].partition('"')[0]
    service.post(f"{leave}/undo", data={"undo": undo}, headers=BROWSER)
    return service.letter()


def preferences(service: Service, language: str) -> Letter:
    service.confirmed(language=language)
    service.post("/preferences", data={"email": ADA}, headers=BROWSER)
    return service.letter()


def address_change(service: Service, language: str) -> Letter:
    fresh = preferences(service, language)
    assert service.post(f"{fresh.link}/address", data={"email": NEW}, headers=BROWSER).status_code == 200
    return service.letter()


def address_changed(service: Service, language: str) -> Letter:
    assert service.post(address_change(service, language).link, headers=BROWSER).status_code == 200
    return service.letter()


LETTERS: dict[str, Callable[[Service, str], Letter]] = {
    each.__name__: each
    for each in (
        confirmation,
        confirmation_of_two,
        already_confirmed,
        unsubscribed,
        resubscribed,
        preferences,
        address_change,
        address_changed,
    )
}
