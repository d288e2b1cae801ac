"""`jawel privacy access`: all that is kept, for people who have no link, or cannot use one (GDPR Art. 15)."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from tests.clocks import Clock
from tests.commands import Jawel
from tests.declining import ask, decline
from tests.engines import on_sqlite
from tests.leaving import leave, leave_link
from tests.moving import ask as ask_to_move
from tests.preferences import download, fresh
from tests.service import ADA, Service
from tests.tombstones import erase

GRACE = "grace@example.org"


def told(jawel: Jawel, *options: str, address: str = ADA) -> dict[str, Any]:
    result = jawel("privacy", "access", address, *options)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def page(jawel: Jawel, *options: str, address: str = ADA) -> str:
    result = jawel("privacy", "access", address, "--format", "page", *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_subscriber_is_told_what_the_link_would_tell(service: Service, jawel: Jawel) -> None:
    service.confirmed(language="fr")
    link = fresh(service)
    service.work()
    by_link = download(service, link)
    assert {**told(jawel), "created": by_link["created"]} == by_link


def test_who_declined_and_was_erased_is_told_what_is_kept_under_digests(
    service: Service, jawel: Jawel, moved: Clock
) -> None:
    decline(service, ask(service).link)
    moved.shift(timedelta(hours=1))
    service.work()
    assert service.status() is None
    found = told(jawel)
    assert found["person"] == []
    (suppressed,) = found["suppressions"]
    assert suppressed["reason"] == "declined"
    kept = {row.digest for row in service.rows("SELECT digest FROM suppressions")}
    assert kept == set(found["digests"].values())
    assert "“This was not me”: no confirmation mail" in page(jawel, "--language", "en")


def test_who_left_and_was_erased_is_told_so_in_the_language_of_the_newsletter(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    leave(service, leave_link(service))
    erase(service)
    (left,) = told(jawel)["leavings"]
    assert left["newsletter"] == "weekly"
    (kept,) = service.rows("SELECT digest FROM leavings")
    assert told(jawel)["digests"]["address"] == kept.digest
    printed = page(jawel)
    assert '<html lang="nl"' in printed
    assert ADA in printed
    assert kept.digest in printed
    assert "Weekbrief: " in printed


@on_sqlite
@pytest.mark.parametrize(
    ("language", "title"), [("fr", "Ce que nous conservons à votre sujet"), ("de", "Was über Sie"), ("en", "What")]
)
def test_the_page_is_in_the_language_that_is_named_else_in_the_persons_own(
    service: Service, jawel: Jawel, language: str, title: str
) -> None:
    service.confirmed(language="de")
    assert f'<html lang="{language}"' in page(jawel, "--language", language)
    assert f"<h1>{title}" in page(jawel, "--language", language)
    assert '<html lang="de"' in page(jawel)


@on_sqlite
def test_the_page_stands_by_itself_and_leads_nowhere_that_takes_a_link(service: Service, jawel: Jawel) -> None:
    service.confirmed(language="en")
    printed = page(jawel)
    assert re.findall(r'(?:href|src)="(?!mailto:)[^"]*"', printed) == []
    assert "<style>" in printed
    assert "Yes, send me the weekly letter by e-mail." in printed


@on_sqlite
def test_whoever_others_wanted_to_move_to_is_told_when_and_not_who(service: Service, jawel: Jawel) -> None:
    service.confirmed(language="en")
    ask_to_move(service, GRACE)
    (wanted,) = told(jawel, address=GRACE)["address_wanted_by_others"]
    assert set(wanted) == {"asked_at", "ends_at"}
    printed = page(jawel, "--language", "en", address=GRACE)
    assert "somebody else asked to have their mails sent to your address" in printed
    assert ADA not in printed
    assert told(jawel)["address_wanted_by_others"] == []


@on_sqlite
def test_it_changes_nothing_and_of_who_is_unknown_it_says_so(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    before = service.counts(), service.events()
    result = jawel("privacy", "access", GRACE)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing is kept about that address.\n")
    assert told(jawel)["person"]
    assert (service.counts(), service.events()) == before


@on_sqlite
def test_the_address_may_come_by_standard_input_and_a_wrong_one_is_not_repeated(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    given = jawel.fed(f"{ADA}\n".encode(), "privacy", "access", "-")
    assert json.loads(given.stdout)["person"][0]["address"] == ADA
    wrong = jawel("privacy", "access", "ada at example")
    assert wrong.exit_code == 2
    assert "ADDRESS: needs an address such as ada@example.org." in wrong.stderr
    assert "ada at" not in wrong.stderr
