"""One ground for each item of data (GDPR Art. 6(1), 13(1)(c)), and the same one wherever it is named."""

import json
import re

import pytest

from tests.commands import ROOT, Jawel
from tests.engines import on_sqlite
from tests.markdown import tables
from tests.service import Service

GROUND = re.compile(r"Art\. 6\(1\)\(([a-f])\)")
# What it is about: in the notice, in the record, and the row of the manual.
ITEMS = {
    "f, the first mail": ("To ask you by one mail", "The one mail that asks", "a request that nobody confirmed"),
    "a, the newsletter": ("To send you this newsletter", "Consent, by double opt-in", "a subscription"),
    "c, proof": ("To be able to show", "Legal obligation: GDPR Art. 6(1)(c) with 5(2)", "its evidence"),
    "f, claims": ("To answer claims", "After withdrawal", "a subscription that ended, and its evidence"),
    "f, abuse": ("To keep our forms", "Legitimate interest in a secure service", "a recipient limit"),
    "f, no mailbox": ("To keep our forms", "Mailboxes that do not exist", "a suppression: hard bounce"),
    "c, who left": ("Not to write to you again", "Left, declined, complained", "a leaving"),
    "c, who complained": ("Not to write to you again", "Left, declined, complained", "a suppression: complaint"),
    "c, another address": ("To send your mails to another", "A change of address", "an address change"),
}


def manual() -> dict[str, str]:
    """By what is kept, why."""
    text = (ROOT / "docs/privacy.md").read_text(encoding="utf-8")
    (kept,) = [rows for header, *rows in tables(text) if header[-1] == "why"]
    return {what: why for what, *_, why in kept}


def of(lines: list[str], start: str) -> list[str]:
    (line,) = [each for each in lines if each.startswith(start)]
    return GROUND.findall(line)


def test_each_row_of_the_manual_names_one_ground() -> None:
    rows = manual()
    assert len(rows) > 15
    assert [what for what, why in rows.items() if len(GROUND.findall(why)) != 1] == []


@on_sqlite
@pytest.mark.parametrize("item", ITEMS)
def test_notice_record_and_manual_name_the_same_ground(service: Service, jawel: Jawel, item: str) -> None:
    told, recorded, kept = ITEMS[item]
    notice = service.get("/privacy/weekly?language=en", headers={"Accept": "text/plain"}).text
    purposes = [line.removeprefix("- ") for line in notice.splitlines() if "Art. 6(1)" in line]
    record = json.loads(jawel("privacy", "record", "--format", "json").stdout)
    lines = list(dict.fromkeys(line for each in record["activities"] for line in each["legal_basis"]))
    assert [len(GROUND.findall(line)) for line in (*purposes, *lines)] == [1] * (len(purposes) + len(lines))
    (why,) = [why for what, why in manual().items() if re.sub(r" \(.*", "", what) == kept]
    assert of(purposes, told) == of(lines, recorded) == GROUND.findall(why) == [item[0]]
