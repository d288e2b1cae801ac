"""Newsletters to ask for one after the other, and strangers who ask for somebody."""

from copy import deepcopy
from itertools import count

from tests.catalogues import CATALOGUE
from tests.service import ADA, Letter, Service

FOUR = ["events", "monthly", "weekly", "yearly"]
_clients = count(1)


def catalogue_of_four() -> dict[str, object]:
    catalogue = deepcopy(CATALOGUE)
    for slug in ("monthly", "yearly"):
        title = dict.fromkeys(CATALOGUE["newsletter"][1]["title"], slug.capitalize())
        catalogue["newsletter"].append({**CATALOGUE["newsletter"][1], "slug": slug, "title": title})
    return catalogue


def ask(service: Service, *newsletters: str, email: str = ADA) -> None:
    """Each from another client, so that only the address is the same."""
    fields = {"email": email, "newsletters": list(newsletters), "consent": True, "language": "en"}
    client = {"REMOTE_ADDR": f"198.51.100.{next(_clients) % 250 + 1}"}
    assert service.post("/subscribe", json=fields, environ_overrides=client).status_code == 202


def asks_for(letter: Letter) -> list[str]:
    """The newsletters that the letter names."""
    titles = {"events": "Events", "monthly": "Monthly", "weekly": "Weekly letter", "yearly": "Yearly"}
    return [slug for slug, title in titles.items() if title in letter.text]
