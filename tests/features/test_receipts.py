"""Consent receipts: what they say, to whom, in which form."""

import copy
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import time_machine
from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import consent
from app.api_keys import Scope
from app.clock import now
from app.consent import Act, Actor, ConsentEvent, EventType, Step, timestamp
from app.ledger import verifier
from app.ledger.verifier import Trust
from app.resources import resources_of
from tests.catalogues import CATALOGUE
from tests.receipts import KEY, SCHEMA, ask, receipt, receipt_text, state, subscription
from tests.service import ADA, BROWSER, COOL_DOWN, Service


def test_it_tells_the_whole_story_in_the_exact_words(service: Service) -> None:
    service.confirmed(language="en")
    found = receipt(service)
    record = found["record"]
    assert state(found) == ("dpv:ConsentGiven", ["dpv:ConsentRequested", "jawel:LetterAccepted", "dpv:ConsentGiven"])
    assert record["consent_text"]["text"] == "Yes, send me the weekly letter by e-mail."
    assert record["purposes"][0]["name"] == "One mail a week with news about our books."
    assert record["purposes"][0]["granted"] is True
    assert (record["pii_principal_email"], record["pii_principal_hint"]) == (ADA, "a••@e••.org")
    assert [party["party_name"] for party in record["parties"]] == ["Voorbeeld BV", "Gegevensbeschermingsautoriteit"]
    assert [event["position"] for event in record["events"]] == [0, 1, 2]
    leave = record["withdrawal_method"]["url"].removeprefix("https://subscribe.example.org")
    assert service.post(leave).status_code == 200
    left = receipt(service)
    assert state(left)[0] == "dpv:ConsentWithdrawn"
    assert left["record"]["purposes"][0]["granted"] is False


def test_who_leaves_before_confirming_withdrew_nothing(service: Service) -> None:
    service.subscribe(language="en")
    service.work()
    leave = receipt(service)["record"]["withdrawal_method"]["url"].removeprefix("https://subscribe.example.org")
    assert service.post(leave).status_code == 200
    assert state(receipt(service))[0] == "dpv:ConsentRefused"


def test_words_that_changed_since_stay_the_words_that_were_agreed_to(service: Service) -> None:
    service.confirmed(language="en")
    changed = copy.deepcopy(CATALOGUE)
    changed["newsletter"][0]["consent"]["en"] = "Yes, send me three mails a day."
    service.apply(changed)
    assert receipt(service)["record"]["consent_text"]["text"] == "Yes, send me the weekly letter by e-mail."


def test_each_way_of_ending_has_its_own_word(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        assert service.post(service.letter().link + "/decline").status_code == 200
        assert state(receipt(service))[0] == "dpv:ConsentRefused"
        service.subscribe("grace@example.org", newsletters="events")
        service.work()
        clock.shift(timedelta(days=5))
        lapsed = receipt(service, "events")
        assert state(lapsed)[0] == "dpv:ConsentExpired"
        assert lapsed["record"]["pii_principal_hint"] is lapsed["record"]["withdrawal_method"]["url"] is None


def test_who_came_back_has_given_consent_anew(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.post(service.confirmed().one_click)
        service.work()
        clock.shift(COOL_DOWN)
        assert service.post(service.confirmed().link).status_code == 200
        found = receipt(service)
        service.post("/api/v1/unsubscribe", headers=service.key(Scope.ADMIN), json={"email": ADA, "all": True})
        assert state(receipt(service))[0] == "dpv:ConsentRevoked"
    assert state(found)[0] == "dpv:RenewedConsentGiven"


def test_it_is_the_canonical_form_that_is_signed_however_it_is_laid_out(service: Service) -> None:
    service.confirmed("Ada+Ünï@example.org")
    text = receipt_text(service)
    found = json.loads(text)
    unsigned = {name: value for name, value in found.items() if name != "signature"}
    assert verifier.receipt_text(unsigned) == verifier.receipt_text(found)
    assert found["signature"].startswith(verifier.receipt_text(found))
    assert json.dumps(found) != text


def test_a_stranger_gets_none(service: Service) -> None:
    service.confirmed()
    identity = subscription(service)
    path = f"/api/v1/subscriptions/{identity}/receipt"
    assert service.get(path).status_code == 401
    assert service.get(path, headers=service.key(Scope.STATUS_READ)).status_code == 403
    assert service.get(path, headers=service.key(Scope.RECEIPTS_READ, newsletters=["events"])).status_code == 404
    for unknown in (uuid4(), "nonsense"):
        assert ask(service, str(unknown)).status_code == 404


def test_after_erasure_there_is_none_any_more(service: Service) -> None:
    service.confirmed()
    service.work()
    identity = subscription(service)
    link = resources_of(service.app).links.receipt(UUID(identity), now() + timedelta(minutes=30))
    own = link.removeprefix("https://subscribe.example.org")
    assert service.get(own, headers=BROWSER).status_code == 200
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    assert service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=key).status_code == 204
    assert service.get(own, headers=BROWSER).status_code == 410
    answer = ask(service, identity)
    assert answer.status_code == 410
    assert answer.content_type == "application/problem+json"


def test_what_was_erased_in_part_is_shown_as_erased(service: Service) -> None:
    """As when an earlier request, which nobody confirmed, was purged."""
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        service.work()
        clock.shift(COOL_DOWN)
        service.confirmed()
        with service.database.transaction() as session:
            erase(session, ConsentEvent.occurred_at < now() - COOL_DOWN / 2)
        found = receipt(service)
    assert [bool(each["evidence"]) for each in found["record"]["events"]] == [False, False, True, True, True, True]
    findings = verifier.examine_receipt(json.dumps(found), Trust([KEY]))
    assert [each.text for each in findings if each.holds is False] == []
    assert sum("as its tombstone says" in each.text for each in findings) == 2
    forged = {**found, "record": {**found["record"], "events": found["record"]["events"][:-1]}}
    hidden = verifier.examine_receipt(json.dumps(forged), Trust([KEY]))
    assert sum("no tombstone says that it was erased" in each.text for each in hidden) == 2


def erase(session: Session, which: ColumnElement[bool]) -> None:
    """Blank some events, and write the tombstone that names them."""
    columns = ConsentEvent.__table__.columns
    blanked = session.execute(
        update(ConsentEvent).where(which).values(evidence=None, salt=None).returning(*columns)
    ).all()
    erased = [{"event": str(e.id), "type": e.type, "occurred_at": timestamp(e.occurred_at)} for e in blanked]
    step = Step(
        EventType.ERASED, blanked[0].subscriber_id, blanked[0].subscription_id, blanked[0].newsletter, occurred_at=now()
    )
    consent.record(session, step, Act(Actor.SERVICE, {"reason": "unconfirmed", "erased": erased}))


def test_linked_data_names_every_term(service: Service) -> None:
    service.confirmed()
    service.work()
    answer = ask(service, subscription(service), "application/ld+json")
    assert answer.content_type == "application/ld+json"
    found = json.loads(answer.data)
    context = found["@context"]
    prefixes = {name for name, value in context.items() if isinstance(value, str) and value.endswith((":", "/", "#"))}
    terms = [
        value if isinstance(value, str) else value["@id"] for name, value in context.items() if name not in prefixes
    ]
    values = [value for value in strings(found) if re.fullmatch(r"(?:dpv|eu-gdpr|pd|jawel|dct):[\w-]+", value)]
    assert {"dpv:ConsentGiven", "eu-gdpr:A6-1-a", "pd:EmailAddress"} <= set(values)
    assert {each.partition(":")[0] for each in (*terms, *values)} <= prefixes
    assert "@vocab" in context


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(inner)


def test_a_page_to_print_reads_without_knowing_json(service: Service) -> None:
    service.confirmed(language="nl")
    service.work()
    answer = ask(service, subscription(service), "text/html")
    assert answer.content_type == "text/html; charset=utf-8"
    for words in ("Bewijs van toestemming", ADA, "Voorbeeld BV", "Ja, stuur mij de weekbrief per e-mail.", "Bevestigd"):
        assert words in answer.text
    assert "Verzegeld in het logboek op positie 2." in answer.text
    assert "download" not in answer.text


class TestPersonsOwn:
    """From the page that says "you are subscribed"."""

    def test_it_is_one_link_away_with_the_address_masked(self, service: Service) -> None:
        service.subscribe(language="en")
        link = receipt_link(service.post(service.letter().link, headers=BROWSER))
        service.work()
        page = service.get(link, headers=BROWSER)
        assert page.status_code == 200
        assert "a••@e••.org" in page.text
        assert "Yes, send me the weekly letter by e-mail." in page.text
        file = service.get(f"{link}/json")
        assert f'href="{link}/json"' in page.text
        assert file.headers["Content-Disposition"].startswith("attachment")
        SCHEMA.validate(file.get_json())
        assert file.get_json()["record"]["pii_principal_email"] is None
        assert file.get_json()["record"]["address_commitment_key"] is None
        assert ADA not in page.text + file.text
        findings = verifier.examine_receipt(file.text, Trust([KEY]))
        assert [each.text for each in findings if each.holds is False] == []

    def test_what_is_not_sealed_yet_is_said_to_be_so(self, service: Service) -> None:
        service.subscribe(language="en")
        link = receipt_link(service.post(service.letter().link, headers=BROWSER))
        assert "Not sealed yet" in service.get(link, headers=BROWSER).text
        file = service.get(f"{link}/json")
        SCHEMA.validate(file.get_json())
        findings = verifier.examine_receipt(file.text, Trust([KEY]))
        assert any("not sealed yet" in each.text for each in findings if each.holds is False)

    def test_a_forwarded_letter_leads_there_for_half_an_hour_only(self, service: Service) -> None:
        with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
            service.subscribe(language="en")
            letter = service.letter()
            link = receipt_link(service.post(letter.link, headers=BROWSER))
            clock.shift(timedelta(minutes=29))
            assert receipt_link(service.get(letter.link, headers=BROWSER)) == link
            clock.shift(timedelta(minutes=2))
            for again in (service.get(letter.link, headers=BROWSER), service.post(letter.link, headers=BROWSER)):
                assert again.status_code == 200
                assert "/receipts/" not in again.text
            assert service.get(link, headers=BROWSER).status_code == 410
            assert service.get(f"{link}/json").status_code == 410
        assert service.get("/receipts/forged", headers=BROWSER).status_code == 404


def receipt_link(page: TestResponse) -> str:
    (link,) = re.findall(r'href="https://subscribe\.example\.org(/receipts/\w+)"', page.text)
    return str(link)


def heads(found: dict[str, Any]) -> set[int]:
    """The sizes of the checkpoints that its proofs lead to."""
    proofs = [each["tlog_proof"] for each in found["record"]["events"] if each["tlog_proof"]]
    return {int(proof.split("\n\n")[1].splitlines()[1]) for proof in proofs}


def test_a_receipt_that_is_asked_for_again_and_again_tells_nothing_of_how_the_log_grows(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False) as time:
        service.confirmed()
        service.work()
        link, controller = own_receipt(service), subscription_of(service)
        assert heads(service.get(link).get_json()) == {3}
        service.confirmed("grace@example.org")
        service.work()
        assert heads(service.get(link).get_json()) == {3}, "the first that holds all of its events"
        assert heads(ask(service, controller).get_json()) == {3}, "how the log grows is for keys of the feed"
        of_the_feed = service.key(Scope.RECEIPTS_READ, Scope.EVENTS_READ)
        answer = service.get(f"/api/v1/subscriptions/{controller}/receipt", headers=of_the_feed)
        assert heads(answer.get_json()) == {6}
        time.move_to("2026-11-24 00:00:01+00:00")
        service.confirmed("lovelace@example.org")
        service.work()
        assert heads(service.get(own_receipt(service)).get_json()) == {6}, "as of midnight"


def own_receipt(service: Service) -> str:
    url = resources_of(service.app).links.receipt(UUID(subscription_of(service)), now() + timedelta(minutes=30))
    return f"{url.removeprefix('https://subscribe.example.org')}/json"


def subscription_of(service: Service, email: str = ADA) -> str:
    return str(service.status(email)["weekly"]["id"])
