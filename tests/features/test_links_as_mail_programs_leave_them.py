"""What mail programs do to a link changes nothing: the answer is that of the token alone, on every endpoint and method.

They take a full stop or a bracket along, break long lines, add invisible characters, and change the case.
"""

import re
from urllib.parse import quote

import pytest

from tests.preferences import fresh
from tests.service import ADA, BROWSER, Service

GLUED = [
    "{}/",
    "{}.",
    "{},",
    "{})",
    "{}]",
    "{}%3E",
    "{}%20",
    "{}%0D%0A",
    "{}%C2%A0",
    "{}%E2%80%8B",
    "{}'",
    "{}*",
    "{}_",
    "{}%22",
    "{};",
    "{}:",
    "{}!",
    "{}?x",
    "{}%3F",
    "{}" + quote("…"),
    "%3C{}%3E",
    "({})",
    "{}./",
]
INSIDE = ["%C2%AD", "%0D%0A", "=%0D%0A", "%20", "%E2%80%8B", "/", "%EF%BB%BF"]


@pytest.fixture
def engine() -> str:
    """Paths are read before the database is."""
    return "sqlite"


def broken(token: str) -> list[str]:
    halves = token[:20], token[20:]
    return [each.format(token) for each in GLUED] + [each.join(halves) for each in INSIDE] + [token.upper()]


def token_of(path: str) -> tuple[str, str]:
    """The path before the token, and the token."""
    head, _, token = path.rpartition("/")
    return f"{head}/", token


def test_a_token_is_45_letters_and_digits(service: Service) -> None:
    confirmation = service.confirmed()
    status = service.status()["weekly"]
    for link in (confirmation.link, fresh(service), *status["links"].values(), status["headers"]["List-Unsubscribe"]):
        (token,) = re.findall(r"/([a-z0-9]{30,})", link)
        assert re.fullmatch(r"[a-z2-7]{45}", token)


def test_a_confirmation_link_is_read_and_pressed(service: Service) -> None:
    service.subscribe()
    prefix, token = token_of(service.letter().link)
    page = service.get(prefix + token, headers=BROWSER)
    for each in broken(token):
        found = service.get(prefix + each, headers=BROWSER)
        assert (found.status_code, found.text) == (200, page.text), each
        assert service.get(f"{prefix}{each.removesuffix('?x')}/decline", headers=BROWSER).status_code == 200, each
        assert service.post(f"{prefix}{each.removesuffix('?x')}/undo", headers=BROWSER).status_code == 410, each
    for each in (each.format("decline") for each in GLUED if each.startswith("{}")):
        assert service.get(f"{prefix}{token}/{each}", headers=BROWSER).status_code == 200, each
    assert service.status()["weekly"]["status"] == "pending"
    assert service.post(f"{prefix}{token}%3E").status_code == 200
    assert service.status()["weekly"]["status"] == "confirmed"


@pytest.mark.parametrize("number", range(len(GLUED) + len(INSIDE) + 1))
def test_one_click_leaves_whatever_is_glued_to_it(service: Service, number: int) -> None:
    service.confirmed()
    link = service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    prefix, token = token_of(link)
    glued = broken(token)[number]
    answer = service.post(prefix + glued, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200, glued
    assert service.status()["weekly"]["status"] == "unsubscribed"


def test_so_are_preferences_and_what_lies_below_them(service: Service) -> None:
    service.confirmed()
    prefix, token = token_of(fresh(service))
    for each in broken(token):
        if "?" not in each:
            assert service.get(prefix + each, headers=BROWSER).status_code == 200, each
            assert service.get(f"{prefix}{each}/data.json").status_code == 200, each


@pytest.mark.parametrize("other", ["{}x", "x{}", "{}é", "{}7", "{}-a"])
def test_letters_and_digits_are_not_passed_over(service: Service, other: str) -> None:
    service.confirmed()
    link = service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    prefix, token = token_of(link)
    assert service.post(prefix + quote(other.format(token))).status_code == 404
    assert service.status()["weekly"]["status"] == "confirmed"


def test_other_paths_are_what_they_were(service: Service) -> None:
    assert service.get("/newsletters/weekly/", headers=BROWSER).status_code == 404
    assert service.get("/confirm/not-a-token.", headers=BROWSER).status_code == 404
    assert service.post("/confirm/code/", json={"attempt": "x" * 22, "code": "1"}).status_code in (404, 405)
    assert ADA not in service.get("/preferences/", headers=BROWSER).text
