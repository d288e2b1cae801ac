"""Addresses that are no person's own: what a newsletter does not take gets no mail, and whoever asks cannot tell."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.addresses import EmailAddress
from app.newsletters import fields
from app.subscriptions.address_policy import is_disposable, is_role
from tests.catalogues import CATALOGUE
from tests.commands import ROOT, Jawel
from tests.features.conftest import OpenService
from tests.service import Service
from tests.watching import asks, assert_alike, watched

EXAMPLE = (ROOT / "newsletters.example.toml").read_text(encoding="utf-8")


def differing(**by_newsletter: dict[str, str]) -> dict[str, Any]:
    """The example catalogue, with other policies for newsletters by slug."""
    return {
        **CATALOGUE,
        "newsletter": [{**each, **by_newsletter.get(each["slug"], {})} for each in CATALOGUE["newsletter"]],
    }


@pytest.mark.parametrize(
    "address",
    [
        "abuse@example.org",
        "ABUSE@example.org",
        "abuse+x@example.org",
        "postmaster@example.org",
        "hostmaster@example.org",
        "noc@example.org",
        "security@example.org",
        "mailer-daemon@example.org",
        "MAILER-DAEMON@example.org",
        "root@example.org",
        "weekly-request@example.org",
        "owner-weekly@example.org",
    ],
)
def test_an_office_of_a_network_is_no_person(address: str) -> None:
    assert is_role(EmailAddress.parse(address))


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org",
        "info@example.org",
        "sales@example.org",
        "support@example.org",
        "webmaster@example.org",
        "news@example.org",
        "abuse.of.power@example.org",
        "ada+abuse@example.org",
        "ada@abuse.example.org",
        "requests@example.org",
    ],
)
def test_people_have_such_addresses(address: str) -> None:
    assert not is_role(EmailAddress.parse(address))


@pytest.mark.parametrize(
    ("address", "disposable"),
    [("a@mailinator.com", True), ("a@x.y.mailinator.com", True), ("a@example.org", False), ("a@com", False)],
)
def test_a_disposable_domain_is_known_with_all_below_it(address: str, disposable: bool) -> None:
    assert is_disposable(EmailAddress(address, address)) == disposable


@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize("address", ["abuse@example.org", "somebody@mailinator.com"])
def test_whoever_asks_for_an_address_that_is_not_taken_cannot_tell(
    open_service: OpenService, kind: str, address: str
) -> None:
    service = open_service(differing(weekly={"disposable_domains": "ignore"}))
    fields = {"newsletters": "weekly", "language": "en", "redirect": "https://example.org/thanks"}
    taken = {**fields, "email": "somebody@example.org"}
    expected, work = watched(service, asks(service, taken, kind, client="192.0.2.1"))
    answer, done = watched(service, asks(service, {**fields, "email": address}, kind, client="192.0.2.2"))
    assert_alike(answer, expected)
    assert done == work
    assert service.status(address) is None
    assert [letter.delivered.recipient for letter in service.deliver()] == ["somebody@example.org"]
    assert sorted(service.events()) == ["letter.accepted", "subscription.requested"]


def test_a_newsletter_that_takes_them_goes_on_where_another_does_not(open_service: OpenService) -> None:
    service = open_service(differing(events={"role_addresses": "accept"}))
    letter = service.confirmed("postmaster@example.org", newsletters=["weekly", "events"])
    assert letter.delivered.recipient == "postmaster@example.org"
    assert (service.status("postmaster@example.org") or {}).keys() == {"events"}
    service.subscribe("postmaster@example.org", newsletters=["weekly", "events"])
    assert "/preferences/" in service.letter().text, "of the one that takes them it is told that it is confirmed"


def test_disposable_domains_are_taken_unless_the_catalogue_says_otherwise(service: Service) -> None:
    service.confirmed("somebody@mailinator.com")


@pytest.fixture
def catalogue(tmp_path: Path) -> Callable[[str], Path]:
    def write(line: str) -> Path:
        path = tmp_path / "newsletters.toml"
        path.write_text(EXAMPLE.replace('frequency = "weekly"', f'frequency = "weekly"\n{line}', 1), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("key", ["role_addresses", "disposable_domains"])
def test_the_catalogue_says_accept_or_ignore_and_nothing_else(
    jawel: Jawel, catalogue: Callable[[str], Path], key: str
) -> None:
    refused = jawel("newsletters", "apply", catalogue(f'{key} = "refuse"'))
    assert refused.exit_code == 2
    assert f"newsletter.{key} needs one of 'accept', 'ignore'" in refused.stderr
    for policy in fields.ACCEPT_OR_IGNORE:
        assert jawel("newsletters", "apply", catalogue(f'{key} = "{policy}"')).exit_code == 0


def test_without_the_list_disposable_domains_cannot_be_ignored(
    jawel: Jawel, catalogue: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "disposable_email_domains", None)  # as where the extra is not installed
    path = catalogue('disposable_domains = "ignore"')
    refused = jawel("newsletters", "apply", path)
    assert refused.exit_code == 2
    line = path.read_text(encoding="utf-8").splitlines().index('disposable_domains = "ignore"') + 1
    assert refused.stderr.strip() == (
        f"{path}:{line}: newsletter.disposable_domains needs a list of such domains:"
        " install jawel[disposable], or set it to 'accept'"
    )
    assert jawel("newsletters", "list").stdout == ""


def test_where_the_list_went_missing_since_everybody_is_taken(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process reads a version of a newsletter once; no other test has had this one read.
    service = open_service(differing(weekly={"disposable_domains": "ignore", "frequency": "once in a blue moon"}))
    monkeypatch.setitem(sys.modules, "disposable_email_domains", None)
    service.confirmed("somebody@mailinator.com")
