"""Who receives the data is said once, in the catalogue: notice, pages, export, receipt and record name the same."""

import json
import re
from datetime import date
from typing import Any

import pytest

from tests.catalogues import CATALOGUE, Write
from tests.commands import Jawel, findings
from tests.engines import on_sqlite
from tests.features.conftest import OpenService
from tests.preferences import download, fresh
from tests.receipts import ask, receipt, subscription
from tests.service import BROWSER, Service

LANGUAGES = ("nl", "fr", "de", "en")
POSTBODE = {
    "name": "Postbode BV",
    "role": {"nl": "verzending", "fr": "envoi", "de": "Versand", "en": "sending of mails"},
    "country": "NL",
    "contract": date(2026, 5, 1),
}
SENDGRID = {"name": "Twilio Inc.", "role": "SMTP", "country": "US", "safeguard": "Decision (EU) 2023/1795"}
MEASURES = "Our newsletters count who opens them."
SAID = {
    **CATALOGUE,
    "controller": {**CATALOGUE["controller"], "tracking": dict.fromkeys(LANGUAGES, MEASURES)},
    "processor": [POSTBODE, SENDGRID],
}
NAMED = ("Postbode BV, Netherlands: sending of mails", "Twilio Inc., United States: SMTP")
ABROAD = "Twilio Inc.: United States (Decision (EU) 2023/1795)"
KINDS = "Whoever hosts this service, delivers its mail or sends the newsletters, where Voorbeeld BV does not do that."
PROCESSOR = '[[processor]]\nname = "Postbode BV"\nrole = "verzending"\ncountry = "NL"\ncontract = 2026-05-01\n\n'
ABOVE = '[[newsletter]]\nslug = "weekly"'


def told(page: str, about: str) -> str:
    """What a page says under a term."""
    (found,) = re.findall(rf"<dt[^>]*>{about}</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return str(found)


def joined(service: Service) -> str:
    """A fresh link of a subscriber."""
    service.confirmed(language="en")
    return fresh(service)


def everywhere(service: Service, link: str) -> dict[str, Any]:
    """The recipients, by where people read of them."""
    notice = service.get("/privacy/weekly?language=en", headers={"Accept": "text/plain"}).text
    lines = notice.partition("## Who receives your data\n\n")[2].partition("\n\n")[0].splitlines()
    printed = ask(service, subscription(service), "text/html").text
    return {
        "notice": [line.removeprefix("- ") for line in lines],
        "page": told(service.get(f"{link}/data", headers=BROWSER).text, "Who gets to see it").split("; "),
        "export": download(service, link)["about"]["recipients"],
        "receipt to print": told(printed, "Who gets to see it").split("; "),
        "receipt": receipt(service)["record"]["recipient_third_parties"],
    }


def test_all_places_name_those_whom_the_catalogue_names(open_service: OpenService, jawel: Jawel) -> None:
    service = open_service(SAID)
    link = joined(service)
    assert {tuple(each) for each in everywhere(service, link).values()} == {NAMED}
    notice = service.get("/privacy/weekly?language=nl", headers={"Accept": "text/plain"}).text
    assert "- Postbode BV, Nederland: verzending\n- Twilio Inc., Verenigde Staten: SMTP\n" in notice
    assert f"\n\n{MEASURES}\n\n" in notice
    page = service.get(f"{link}/data", headers=BROWSER).text
    assert told(page, "Countries outside the European Economic Area") == ABROAD
    assert told(page, "What the newsletters measure") == MEASURES
    weekly = json.loads(jawel("privacy", "record", "--format", "json").stdout)["activities"][1]
    assert weekly["recipients"] == [
        *NAMED,
        "Contract with Postbode BV: of 2026-05-01",
        "MISSING: processor.contract of Twilio Inc.: say of which day the contract is (Art. 28(3))",
    ]
    assert weekly["transfers"] == [ABROAD]
    assert MEASURES in weekly["data"]


def test_where_it_names_nobody_all_say_the_same_and_nothing_is_made_up(service: Service) -> None:
    link = joined(service)
    kinds = {place: [KINDS] for place in ("notice", "page", "export", "receipt to print")}
    assert everywhere(service, link) == {**kinds, "receipt": []}
    about = download(service, link)["about"]
    assert (about["transfers_to_third_countries"], about["measured_by_newsletters"]) == ([], None)


@on_sqlite
def test_another_processor_is_a_change_and_a_new_notice(jawel: Jawel, write: Write) -> None:
    jawel("newsletters", "apply", write("", ""))
    file = write(ABOVE, PROCESSOR + ABOVE)
    changed = jawel("newsletters", "apply", file)
    assert changed.stdout.splitlines()[0] == "~ controller: processor"
    assert "~ weekly: notice.de, notice.en, notice.fr, notice.nl" in changed.stdout
    assert "controller.recipients" not in changed.stderr
    assert jawel("newsletters", "apply", file).stderr == "Nothing to change.\n"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"NL"', '"Netherlands"', "processor.country needs a country by the two letters of ISO 3166-1"),
        ('"NL"', '"QQ"', "processor.country is no country of ISO 3166-1"),
        ("2026-05-01", "2026-05-01T10:00:00", "processor.contract needs a day such as 2026-05-01"),
        ("2026-05-01", '"May"', "processor.contract needs a day such as 2026-05-01"),
        ('"verzending"', '{ nl = "verzending" }', "processor.role.de is missing (the privacy notice has to say it"),
        ('"verzending"', '{ es = "envío" }', "processor.role needs a text, or a table with a text for some of"),
    ],
)
@on_sqlite
def test_a_processor_that_cannot_be_named_is_refused_by_line(
    jawel: Jawel, write: Write, old: str, new: str, problem: str
) -> None:
    file = write(ABOVE, PROCESSOR.replace(old, new) + PROCESSOR + ABOVE)
    text = file.read_text(encoding="utf-8")
    line = text[: text.index(new)].count("\n") + 1
    result = jawel("newsletters", "apply", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{file}:{line}: {problem}" in result.stderr


def doctored(jawel: Jawel, host: str = "mail.example.org") -> str:
    result = jawel("doctor", MAIL_SERVER=host)
    (line,) = [line for line in result.stdout.splitlines() if "privacy notice: " in line]
    return line


@on_sqlite
def test_the_doctor_names_what_the_catalogue_leaves_unsaid(service: Service, jawel: Jawel) -> None:
    assert findings(jawel("doctor"))["privacy notice"] == "warn"
    for key in ("recipients", "transfers", "tracking"):
        assert f"controller.{key}: nothing is said" in doctored(jawel)
    service.apply({**SAID, "processor": [{**SENDGRID, "safeguard": {}}]})
    assert "processor.contract of Twilio Inc.: no day is given" in doctored(jawel)
    assert "processor.safeguard of Twilio Inc.: nothing is said" in doctored(jawel)
    service.apply({**SAID, "processor": [{**SENDGRID, "contract": date(2026, 5, 1)}]})
    assert doctored(jawel).startswith("ok    privacy notice: ")


@on_sqlite
def test_the_doctor_knows_relays_outside_the_union_unless_a_transfer_is_named(service: Service, jawel: Jawel) -> None:
    known = "MAIL_SERVER is smtp.sendgrid.net, whose operator is outside the EEA (US)"
    assert known in doctored(jawel, "smtp.sendgrid.net")
    assert "MAIL_SERVER" not in doctored(jawel, "notsendgrid.net")
    service.apply(SAID)
    assert known not in doctored(jawel, "smtp.sendgrid.net")
