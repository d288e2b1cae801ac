"""Receipts that the person asks for: a forwarded link may ask for the letter, and its reader alone gets to see them."""

import re
from datetime import timedelta

import time_machine

from app import clock, suppressions
from app.suppressions import Reason
from tests.features.test_letters_on_the_wire import Links, header
from tests.features.test_races import at_once
from tests.service import ADA, BROWSER, COOL_DOWN, Letter, Service
from tests.tombstones import erase

BOTH = ["weekly", "events"]


def preferences(service: Service) -> str:
    status = service.status()
    assert status
    return str(next(iter(status.values()))["links"]["preferences"].removeprefix("https://subscribe.example.org"))


def ask(service: Service, link: str) -> str:
    answer = service.post(f"{link}/receipts", headers=BROWSER)
    assert answer.status_code == 200
    return answer.text


def test_a_press_brings_a_letter_with_a_link_to_each_receipt(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    link = preferences(service)
    (action,) = re.findall(r'action="(/preferences/\w+/receipts)"', service.get(link, headers=BROWSER).text)
    assert service.post(action).status_code == 200
    letter = service.letter()
    assert letter.delivered.recipient == ADA
    events, weekly = (service.get(each, headers=BROWSER) for each in letter.links)
    assert events.status_code == weekly.status_code == 200
    assert "Yes, send me the weekly letter by e-mail." in weekly.text
    assert "Yes, send me the weekly letter by e-mail." not in events.text
    assert "a••@e••.org" in weekly.text
    assert ADA not in weekly.text + events.text
    file = service.get(f"{letter.links[1]}/json").get_json()
    assert file["record"]["pii_principal_hint"] == "a••@e••.org"


def test_the_links_are_good_for_half_an_hour_from_when_the_letter_is_written(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        ask(service, preferences(service))
        service.mail.answers_to_data.append("451 4.3.0 later")
        assert service.deliver() == []
        time.shift(timedelta(minutes=40))
        letter = service.letter()
        assert "This works until 23 November 2026, 22:10 CET" in letter.text
        time.shift(timedelta(minutes=29))
        assert service.get(letter.link, headers=BROWSER).status_code == 200
        time.shift(timedelta(minutes=2))
        assert service.get(letter.link, headers=BROWSER).status_code == 410
        assert service.get(f"{letter.link}/json").status_code == 410
        ask(service, preferences(service))
        assert service.get(service.letter().link, headers=BROWSER).status_code == 200
        assert service.get(letter.link, headers=BROWSER).status_code == 410


def test_a_forwarded_link_to_the_preferences_alone_shows_no_receipt(service: Service) -> None:
    service.confirmed(language="en")
    link = preferences(service)
    shown = service.get(link, headers=BROWSER).text + ask(service, link) + ask(service, link)
    assert "/receipts/" not in shown
    assert "Yes, send me the weekly letter by e-mail." not in shown
    assert ADA not in shown
    assert service.get(link.replace("/preferences/", "/receipts/"), headers=BROWSER).status_code == 404
    assert service.get(f"{link}/receipts", headers=BROWSER).status_code == 405
    assert service.post("/preferences/forged/receipts").status_code == 404


def test_asking_again_brings_no_second_letter_for_ten_minutes(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed()
        link = preferences(service)
        first = ask(service, link)
        time.shift(COOL_DOWN)
        assert ask(service, link) == first
        assert len(service.deliver()) == 1
        time.shift(COOL_DOWN / 2)
        assert ask(service, link) == first
        assert service.deliver() == []
        time.shift(COOL_DOWN / 2)
        assert ask(service, link) == first
        assert len(service.deliver()) == 1


def test_of_many_presses_at_once_one_brings_a_letter(service: Service) -> None:
    service.confirmed()
    link = preferences(service)
    answers = at_once([lambda: ask(service, link)] * 6)
    assert len(set(answers)) == 1
    assert len(service.deliver()) == 1


def test_neither_asking_nor_the_letter_adds_to_the_log(service: Service) -> None:
    service.confirmed()
    service.deliver()
    before = service.counts()
    ask(service, preferences(service))
    letter = service.letter()
    assert service.get(letter.link, headers=BROWSER).status_code == 200
    after = service.counts()
    assert after["letters"] == before["letters"] + 1
    assert {**after, "letters": 0, "api_keys": 0} == {**before, "letters": 0, "api_keys": 0}


def test_who_has_left_gets_the_receipt_of_that(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    link = preferences(service)
    service.post(link, data={"leave": "events"})
    service.deliver()
    ask(service, link)
    letter = service.letter()
    assert letter.subject == "Your receipts: Weekly letter, Events"
    weekly, events = (service.get(each, headers=BROWSER).text for each in letter.links)
    assert "Consent is given, until it is withdrawn." in weekly
    assert "Consent was given, and withdrawn since." in events
    service.post(letter.one_click)
    status = service.status()
    assert status
    assert status["weekly"]["status"] == "unsubscribed"


def test_an_erased_person_is_answered_alike_and_gets_nothing(service: Service) -> None:
    service.confirmed(language="en")
    link = preferences(service)
    answer = ask(service, link)
    letter = service.letter()
    erase(service)
    assert ask(service, link) == answer
    assert service.get(letter.link, headers=BROWSER).status_code == 410
    assert service.deliver() == []
    assert service.counts()["letters"] == 0


def test_erased_before_the_letter_goes_there_is_none(service: Service) -> None:
    service.confirmed()
    ask(service, preferences(service))
    erase(service)
    assert service.deliver() == []


def test_an_address_that_complained_gets_no_letter(service: Service) -> None:
    service.confirmed(language="en")
    link = preferences(service)
    answer = ask(service, link)
    complain(service)
    assert service.deliver() == []
    assert ask(service, link) == answer
    assert service.deliver() == []


def complain(service: Service) -> None:
    (person,) = service.rows("SELECT digest FROM subscribers")
    with service.database.transaction() as session:
        suppressions.suppress(session, person.digest, Reason.COMPLAINT, since=clock.now())


def test_the_letter_is_bare(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False):
        letter = asked_for(service, "en")
    for part in (letter.text, letter.delivered.part("html")):
        assert "Voorbeeld BV" in part
        assert "This works until 23 November 2026, 21:30 CET, for whoever has this mail." in part
        assert ADA not in part
    found = Links(letter.delivered.part("html"))
    assert found.addresses == [
        *[f"https://subscribe.example.org{link}" for link in letter.links],
        "mailto:privacy@example.org",
    ]
    assert found.tags == {"html", "head", "meta", "title", "body", "p", "ul", "li", "a", "br"}
    assert len(letter.links) == len(re.findall(r"https?://\S+", letter.text)) == 2
    assert header(letter, "Auto-Submitted") == "auto-generated"
    assert header(letter, "List-Id") == "events <events.example.org>"
    assert header(letter, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    assert letter.one_click.startswith("/unsubscribe/")


def test_it_is_in_the_language_of_the_person(service: Service) -> None:
    letter = asked_for(service, "nl")
    assert letter.subject.startswith("Je bewijzen: ")
    assert "Was jij het niet? Doe dan niets: er is niets veranderd." in letter.text
    assert "Kijk in je mailbox" in ask(service, preferences(service))


def asked_for(service: Service, language: str) -> Letter:
    service.confirmed(newsletters=BOTH, language=language)
    ask(service, preferences(service))
    return service.letter()
