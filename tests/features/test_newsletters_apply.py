"""`jawel newsletters apply`: the catalogue as a file says it, or every reason why not."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import cache
from tests.commands import ROOT, Jawel
from tests.service import BROWSER, Service

EXAMPLE = (ROOT / "newsletters.example.toml").read_text(encoding="utf-8")
EVENTS_AT = EXAMPLE.index('[[newsletter]]\nslug = "events"')
CONSENT = "Yes, send me the weekly letter by e-mail."
CATALOGUE_TABLES = ("controllers", "newsletters", "wordings")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """The example catalogue, with one text in it replaced by another."""

    def write(old: str = "", new: str = "", content: str = EXAMPLE) -> Path:
        assert old in content
        path = tmp_path / "newsletters.toml"
        path.write_text(content.replace(old, new, 1), encoding="utf-8")
        return path

    return write


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A running process notices a new catalogue within a second; here it does at once."""
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 0)


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ('en = "Weekly letter"', 'en = "Weekly letter: -20% promo!"', "weekly.title.en: '%' reads as advertising"),
        ("news about our books.", "gratis books.", "weekly.purpose.en: 'gratis' reads as advertising"),
        ('en = "Yes, send me the weekly letter by e-mail."', 'en = "Yes."', "weekly.consent.en: does not name Weekly"),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_words_that_advertise_or_say_nothing_are_taken_and_warned_of(
    jawel: Jawel, write: Write, old: str, new: str, warning: str
) -> None:
    result = jawel("newsletters", "apply", write(old, new))
    assert result.exit_code == 0
    assert f"warn  {warning}" in result.stderr
    before = jawel("newsletters", "apply", "--check", write())
    assert f"warn  {warning}" not in before.stderr


def contents(service: Service) -> list[Any]:
    return [sorted(map(repr, service.rows(f"SELECT * FROM {table}"))) for table in CATALOGUE_TABLES]


def test_the_first_time_everything_is_added_and_the_second_time_nothing_changes(jawel: Jawel, write: Write) -> None:
    first = jawel("newsletters", "apply", write())
    assert (first.exit_code, first.stdout) == (0, "+ controller\n+ weekly\n+ events\n")
    assert [line.split(":")[0] for line in first.stderr.splitlines() if line.startswith("warn  controller")] == [
        "warn  controller.recipients",
        "warn  controller.transfers",
        "warn  controller.tracking",
    ], "the catalogue is silent, and so is the notice"
    second = jawel("newsletters", "apply", write())
    assert (second.exit_code, second.stdout, second.stderr) == (0, "", "Nothing to change.\n")
    assert jawel("newsletters", "list").stdout.split() == ["events", "weekly"]


def test_a_check_says_what_would_change_and_changes_nothing(jawel: Jawel, write: Write) -> None:
    first = jawel("newsletters", "apply", write(), "--check")
    assert (first.exit_code, first.stdout) == (1, "+ controller\n+ weekly\n+ events\n")
    assert jawel("newsletters", "list").stdout == ""
    jawel("newsletters", "apply", write())
    same = jawel("newsletters", "apply", write(), "--check")
    assert (same.exit_code, same.stdout) == (0, "")


def test_a_second_application_writes_no_row(service: Service, jawel: Jawel, write: Write) -> None:
    before = contents(service)
    assert jawel("newsletters", "apply", write()).exit_code == 0
    assert contents(service) == before


def test_the_plan_names_what_is_added_changed_and_retired(service: Service, jawel: Jawel, write: Write) -> None:
    changed = EXAMPLE.replace("Kerkstraat 1", "Kerkstraat 2").replace('slug = "events"', 'slug = "readings"')
    file = write('frequency = "weekly"', 'frequency = "every week"\nconfirm_within = "48h"', content=changed)
    plan = [
        "~ controller: address",
        "~ weekly: confirm_within, frequency, notice.de, notice.en, notice.fr, notice.nl"
        " (new words make a new version; the old ones stay)",
        "+ readings",
        "- events: retired: takes no more signups; who is subscribed can still leave",
    ]
    before = contents(service)
    check = jawel("newsletters", "apply", file, "--check")
    assert (check.exit_code, check.stdout.splitlines()) == (1, plan)
    assert contents(service) == before
    assert jawel("newsletters", "apply", file).stdout.splitlines() == plan
    assert jawel("newsletters", "list").stdout.split() == ["readings", "weekly"]


@pytest.mark.usefixtures("noticed")
def test_new_words_make_a_version_and_the_old_ones_stay_for_whoever_agreed_to_them(
    service: Service, jawel: Jawel, write: Write
) -> None:
    service.subscribe(language="en")
    result = jawel("newsletters", "apply", write(CONSENT, "Yes, please."))
    assert result.stdout == "~ weekly: consent.en (new words make a new version; the old ones stay)\n"
    service.subscribe("grace@example.org", language="en")
    cited = service.rows("SELECT evidence FROM consent_events ORDER BY occurred_at")
    for words, event in zip((CONSENT, "Yes, please."), cited, strict=True):
        digest = hashlib.sha256(words.encode()).hexdigest()
        assert digest in event.evidence
        assert [row.text for row in service.rows(f"SELECT text FROM wordings WHERE sha256 = '{digest}'")] == [words]


def test_words_that_come_back_are_the_version_they_were(service: Service, jawel: Jawel, write: Write) -> None:
    before = contents(service)
    jawel("newsletters", "apply", write(CONSENT, "Yes, please."))
    jawel("newsletters", "apply", write())
    assert len(service.rows("SELECT * FROM wordings")) == len(before[2]) + 1
    assert contents(service)[:2] == before[:2]


@pytest.mark.usefixtures("noticed")
def test_a_retired_newsletter_takes_no_signups_and_lets_everybody_leave(
    service: Service, jawel: Jawel, write: Write
) -> None:
    service.confirmed(newsletters="events")
    leave = service.status()["events"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    assert jawel("newsletters", "apply", write(content=EXAMPLE[:EVENTS_AT])).exit_code == 0

    assert service.get("/newsletters/events", headers=BROWSER).status_code == 404
    assert service.subscribe("grace@example.org", newsletters="events").status_code == 422
    assert service.status()["events"]["mailable"] is True
    assert service.get(leave, headers=BROWSER).status_code == 200
    assert service.post(leave).status_code == 200
    assert service.status()["events"]["status"] == "unsubscribed"
    assert service.letter().subject == "Je bent uitgeschreven: Agenda"

    again = jawel("newsletters", "apply", write())
    assert again.stdout == "+ events: taken up again\n"
    assert service.subscribe("grace@example.org", newsletters="events").status_code == 202


WRONG = [
    ('en = "Weekly letter"\n', "", "[newsletter.title]", "newsletter.title.en is missing"),
    ('en = "One mail a week', 'es = "One mail a week', "[newsletter.purpose]", "newsletter.purpose.en is missing"),
    ('en = "One mail a week', 'es = "One mail a week', 'es = "One', "newsletter.purpose.es is not known here"),
    ("[newsletter.consent] ", "[newsletter.assent] ", "[[newsletter]]", "newsletter.consent is missing"),
    ("[newsletter.consent] ", "[newsletter.assent] ", "[newsletter.assent]", "newsletter.assent is not known here"),
    ('en = "Weekly letter"', 'en = ""', 'en = ""', "newsletter.title.en needs a text that is not empty"),
    ('en = "Weekly letter"', 'en = "Weekly\\nBcc: x"', 'en = "Weekly', "newsletter.title.en needs a text on one line"),
    ('en = "One mail', 'en = "\\u0000One mail', 'en = "\\u0000', "newsletter.purpose.en needs a text without control"),
    ('frequency = "weekly"', 'colour = "red"', 'colour = "red"', "newsletter.colour is not known here"),
    ('frequency = "weekly"', "", "[[newsletter]]", "newsletter.frequency is missing"),
    ('authority = "', 'autority = "', 'autority = "', "controller.autority is not known here; known are address,"),
    ('authority = "', 'autority = "', "[controller]", "controller.authority is missing"),
    ('email = "privacy@example.org"', 'email = "privacy"', 'email = "privacy"', "controller.email needs an e-mail"),
    ('url = "https', 'url = "gopher', 'url = "gopher', "controller.url needs an https address"),
    ("[controller]", "[contoller]", "[contoller]", "contoller is not known here; known are controller, newsletter"),
    ('["nl", "fr", "de", "en"]', '["nl", "es"]', 'languages = ["nl", "es"]', "newsletter.languages needs one or more"),
    ('["nl", "fr", "de", "en"]', "[]", "languages = []", "newsletter.languages needs one or more of nl, fr, de, en"),
    ("Voorbeeld <news@", "Voorbeeld news@", "sender =", "newsletter.sender needs a sender such as"),
    ("Voorbeeld <news@", "Voorbeeld\\r\\nBcc: <news@", "sender =", "newsletter.sender needs a text without control"),
    ("<news@example.org>", "<ñews@example.org>", "sender =", "newsletter.sender needs an address in ASCII"),
    ('slug = "weekly" ', 'slug = "Weekly!" ', 'slug = "W', "newsletter.slug needs up to 60 lower-case letters"),
    ('slug = "events"', 'slug = "weekly"', 'slug = "weekly"\n', "newsletter.slug 'weekly' is taken by another"),
    (
        '# confirm_within = "72h"',
        'confirm_within = "72"',
        "confirm_within",
        "newsletter.confirm_within needs a duration",
    ),
    (
        '# confirm_within = "72h"',
        'confirm_within = "15d"',
        "confirm_within",
        'newsletter.confirm_within can be "14d" at',
    ),
    ("# provider_lists = []", 'provider_lists = ["10"]', "provider_l", "newsletter.provider_lists needs lists such"),
    ("# provider_lists = []", 'provider_lists = ["sendgrid/"]', "provider_l", "newsletter.provider_lists needs lists"),
    ("# provider_lists = []", 'provider_lists = "sendgrid/1"', "provider_l", "newsletter.provider_lists needs a list"),
    ('# keep_evidence = "3y"', "keep_evidence = 3", "keep_evidence =", "newsletter.keep_evidence needs a duration"),
    ('# keep_evidence = "3y"', 'keep_evidence = "101y"', "keep_evidence =", "newsletter.keep_evidence can be"),
    (
        '["https://example.org"]',
        '["https://example.org/"]',
        "allowed_origins",
        "newsletter.allowed_origins needs origins",
    ),
    ("https://example.org/thanks", "http://example.org/", "redirects =", "newsletter.redirects needs an https address"),
    (
        '# confirmed_redirect = ""',
        'confirmed_redirect = "javascript:alert(1)"',
        "confirmed_redirect",
        "newsletter.confirmed_redirect needs an https address",
    ),
    (
        "# acknowledge_unsubscribe = true",
        'acknowledge_unsubscribe = "yes"',
        "acknowledge_unsubscribe",
        "newsletter.acknowledge_unsubscribe needs true or false",
    ),
    ('# proof_of_work = "when attacked"', 'proof_of_work = "maybe"', "proof_of_work", "newsletter.proof_of_work needs"),
    ('# reply_to = ""', 'reply_to = "nobody"', "reply_to", "newsletter.reply_to needs an e-mail address"),
]


@pytest.mark.parametrize("case", WRONG, ids=[f"{case[3]}-{case[2]}" for case in WRONG])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_error_names_file_line_and_key(jawel: Jawel, write: Write, case: tuple[str, str, str, str]) -> None:
    old, new, at, problem = case
    file = write(old, new)
    found = file.read_text(encoding="utf-8")
    # Of a slug that is taken, the later one is at fault.
    line = found[: found.rindex(at) if "is taken" in problem else found.index(at)].count("\n") + 1
    result = jawel("newsletters", "apply", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"{file}:{line}: {problem}" in result.stderr


@pytest.mark.parametrize("engine", ["sqlite"])
def test_one_mistake_is_told_once(jawel: Jawel, write: Write) -> None:
    for old, new in (('["nl", "fr", "de", "en"]', '["nl", "es"]'), ('slug = "weekly"', 'slug = "Weekly!"')):
        assert len(jawel("newsletters", "apply", write(old, new)).stderr.splitlines()) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_all_mistakes_are_told_at_once(jawel: Jawel, write: Write) -> None:
    twice = EXAMPLE.replace('slug = "weekly"', 'slug = "Weekly!"').replace('slug = "events"', 'slug = "Events!"')
    told = jawel("newsletters", "apply", write('en = "Weekly letter"', "", content=twice)).stderr
    assert [line.split(": ")[1].split()[0] for line in told.splitlines()] == [
        "newsletter.slug",
        "newsletter.title.en",
        "newsletter.slug",
    ]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_file_that_is_no_toml_is_refused_with_its_line(jawel: Jawel, write: Write, tmp_path: Path) -> None:
    file = write('slug = "weekly"', "slug = weekly")
    line = file.read_text(encoding="utf-8").partition("slug = weekly")[0].count("\n") + 1
    result = jawel("newsletters", "apply", file)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{file}: ")
    assert f"line {line}," in result.stderr
    file.write_bytes(b"\xff\xfe")
    assert jawel("newsletters", "apply", file).stderr == f"{file}: is not UTF-8 text\n"
    assert "cannot be read" in jawel("newsletters", "apply", tmp_path / "nowhere.toml").stderr
    assert "cannot be read" in jawel("newsletters", "apply", tmp_path).stderr


def test_a_file_with_a_mistake_changes_nothing(service: Service, jawel: Jawel, write: Write) -> None:
    before = contents(service)
    half = EXAMPLE.replace("Kerkstraat 1", "Kerkstraat 2").replace(CONSENT, "Yes, please.")
    assert jawel("newsletters", "apply", write('slug = "events"', 'slug = "weekly"', content=half)).exit_code == 2
    assert contents(service) == before


def test_the_words_of_a_language_that_is_left_out_are_not_asked_for(jawel: Jawel, write: Write) -> None:
    file = write('languages = ["nl", "en"]', 'languages = ["en"]')
    told = jawel("newsletters", "apply", file).stderr
    assert "newsletter.title.nl is not known here; known are en" in told


def test_before_the_migration_the_operator_is_told_whom_to_ask(
    jawel: Jawel, empty_database_url: str, write: Write
) -> None:
    result = jawel("newsletters", "apply", write(), DATABASE_URL=empty_database_url)
    assert result.exit_code == 1
    assert result.stderr == "Error: The schema is not the newest. Run `jawel migrate` first.\n"
