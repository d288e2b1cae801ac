"""A catalogue that leaves out what the privacy notice has to tell: it is refused, by line and with the remedy."""

from pathlib import Path

import pytest

from tests.catalogues import EXAMPLE, Write
from tests.commands import Jawel

HEADER = 'authority = "Gegevensbeschermingsautoriteit"\n'
PURPOSE = "One mail a week with news about our books."
GAPS = {
    "recipients in one language": (
        HEADER,
        f'{HEADER}[controller.recipients]\nnl = ["Postbode BV"]\nfr = ["Postbode BV"]\nen = ["Postbode BV"]\n',
        "[controller.recipients]",
        "controller.recipients.de is missing (the privacy notice has to say it: GDPR Art. 13(1)(e))",
    ),
    "transfers in one language": (
        HEADER,
        f'{HEADER}[controller.transfers]\nnl = "Zwitserland"\nde = "Schweiz"\nen = "Switzerland"\n',
        "[controller.transfers]",
        "controller.transfers.fr is missing (the privacy notice has to say it: GDPR Art. 13(1)(f))",
    ),
    "nobody among the recipients": (
        HEADER,
        f"{HEADER}[controller.recipients]\nnl = []\n",
        "nl = []",
        "controller.recipients.nl needs at least one line",
    ),
    "a purpose that is none": (PURPOSE, "Direct marketing!", 'en = "Direct', "newsletter.purpose.en is too vague"),
    "a purpose that is none, in Dutch": (PURPOSE, "Promotie.", 'en = "Promotie', "newsletter.purpose.en is too vague"),
    "no authority": (HEADER, 'authority = " "\n', "authority =", "controller.authority needs a text that is not empty"),
    "no address": ("Kerkstraat 1, 9000 Gent, Belgium", "", "address =", "controller.address needs a text"),
    "no officer": ("# dpo = ", 'dpo = "" #', "dpo =", "controller.dpo needs a text that is not empty"),
    "no duration": (
        '# keep_evidence = "3y"',
        'keep_evidence = ""',
        "keep_evidence =",
        "newsletter.keep_evidence needs a duration",
    ),
    "no language": (
        'languages = ["nl", "fr", "de", "en"]',
        "",
        "[[newsletter]]",
        "newsletter.languages is missing",
    ),
    "a language that nobody knows": (
        HEADER,
        f'{HEADER}[controller.transfers]\nes = "Suiza"\n',
        'es = "Suiza"',
        "controller.transfers.es is not known here; known are de, en, fr, nl",
    ),
}


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_newsletter_whose_notice_would_have_a_gap_is_refused(jawel: Jawel, write: Write, gap: str) -> None:
    old, new, at, problem = GAPS[gap]
    file = write(old, new)
    found = file.read_text(encoding="utf-8")
    line = found[: found.index(f"\n{at}") + 1].count("\n") + 1
    result = jawel("newsletters", "apply", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{file}:{line}: {problem}" in result.stderr
    assert jawel("newsletters", "list").stdout == ""


@pytest.mark.parametrize("engine", ["sqlite"])
def test_only_languages_that_are_spoken_are_asked_for(jawel: Jawel, tmp_path: Path) -> None:
    events = EXAMPLE[EXAMPLE.index('[[newsletter]]\nslug = "events"') :]
    recipients = '[controller.recipients]\nnl = ["Postbode BV"]\nen = ["Postbode BV"]\n'
    file = tmp_path / "newsletters.toml"
    file.write_text(EXAMPLE[: EXAMPLE.index("[[newsletter]]")] + recipients + events, encoding="utf-8")
    assert jawel("newsletters", "apply", file).exit_code == 0
