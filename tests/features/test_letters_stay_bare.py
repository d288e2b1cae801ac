"""What a confirmation letter may not be is advertising: courts have found a logo, a slogan or a welcome to be enough.

So all letters are held to it, in every language: who asks for what, when, where, until when, and what to do.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
import time_machine

from app import clock
from app.newsletters.definitions import LANGUAGES
from tests.catalogues import CATALOGUE
from tests.correspondence import LETTERS, SHOP
from tests.service import ADA, COOL_DOWN, Letter, Service

TEMPLATES = Path(__file__).parents[2] / "app/templates/letters"
CONTROLLER = CATALOGUE["controller"]
OURS = "https://subscribe.example.org/"
SITE = SHOP["Origin"]
TEMPTING = re.compile(
    r"\b(welcome|welkom|bienvenue|willkommen"
    r"|offers?|aanbod|aanbieding\w*|offres?|angebot\w*"
    r"|discounts?|korting\w*|remises?|rabatt\w*"
    r"|free|gratis|gratuit\w*|kostenlos\w*"
    r"|thank\w*|thanks|bedankt|dank\w*|merci|congratulations|gefeliciteerd|félicitations|glückwunsch\w*"
    r"|discover|ontdek\w*|découvr\w*|entdeck\w*)\b|!",
    re.IGNORECASE,
)


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    """What a letter says does not depend on the database."""
    return str(request.param)


def test_every_kind_of_letter_is_looked_at() -> None:
    assert {each.name for each in TEMPLATES.iterdir() if each.is_dir()} <= set(LETTERS), "say how one comes to be"


@dataclass
class Seen(HTMLParser):
    """What a mail program shows of the HTML part, and what it would fetch."""

    html: str
    texts: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._in_head = False
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_head = tag == "head" or (self._in_head and tag != "body")
        if tag not in ALLOWED_TAGS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name == "href":
                self.targets.append(value or "")
            elif name not in ALLOWED_ATTRIBUTES and not (name == "style" and LAYOUT.fullmatch(value or "")):
                self.found.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        if not self._in_head and data.strip():
            self.texts.append(" ".join(data.split()))


ALLOWED_TAGS = {"html", "head", "meta", "title", "body", "div", "p", "ul", "li", "a", "b", "br"}
ALLOWED_ATTRIBUTES = {"lang", "charset", "name", "content"}
LAYOUT = re.compile(r"((max-width|font|font-size|overflow-wrap|word-break|white-space): [\w .,/'-]+(; )?)+")


def faults(subject: str, text: str, html: str) -> list[str]:
    """What makes a letter more than it may be. Its words, links and tags; not the catalogue's own texts."""
    seen = Seen(html)
    own_words = "\n".join([subject, text, *seen.texts])
    for given in [
        *CONTROLLER.values(),
        *(word for each in CATALOGUE["newsletter"] for word in each["purpose"].values()),
    ]:
        own_words = own_words.replace(given, "")
    found = [f"says {match[0]!r}" for match in TEMPTING.finditer(own_words)]
    links = [*re.findall(r"\bhttps?://\S+", text), *seen.targets]
    allowed = (OURS, f"mailto:{CONTROLLER['email']}")
    # Where it was asked is said by the site's name alone.
    found += [f"leads to {each}" for each in links if not each.startswith(allowed) and each.rstrip(".,") != SITE]
    found += [f"leads to {each}" for each in re.findall(r"\bwww\.\S+", own_words)]
    return found + [f"holds {each}" for each in seen.found]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_is_bare(service: Service, kind: str, language: str) -> None:
    letter = LETTERS[kind](service, language)
    assert faults(letter.subject, letter.text, letter.delivered.part("html")) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_makes_sense_in_the_list_of_an_inbox(service: Service, kind: str, language: str) -> None:
    letter = LETTERS[kind](service, language)
    first, *_rest = letter.text.splitlines()
    assert len(letter.subject) <= 60
    titles = [each["title"].get(language, each["title"]["nl"]) for each in CATALOGUE["newsletter"]]
    about = [*titles, CONTROLLER["name"]]
    assert any(each in letter.subject for each in about), "what it is about"
    assert "Voorbeeld" in str(letter.delivered.message["From"]), "who writes"
    assert len(first) >= 40, "enough to fill the line beside the subject"
    assert first != letter.subject
    # Mail programs show what comes first in the HTML.
    assert Seen(letter.delivered.part("html")).texts[0] == " ".join(first.split())
    assert ADA not in letter.subject + letter.text


def test_the_first_line_of_a_confirmation_says_who_asks(service: Service) -> None:
    for language in LANGUAGES:
        service.subscribe(f"{language}@example.org", language=language)
        assert CONTROLLER["name"] in service.letter().text.splitlines()[0]


PLANTED = "BuyNowAtEvil"
SENDER_OF_SPAM: dict[str, dict[str, str]] = {
    "path of the form": {"Referer": f"https://subscribe.example.org/newsletters/{PLANTED}?{PLANTED}#{PLANTED}"},
    "path of a form of the newsletter's": {"Referer": f"https://example.org/{PLANTED}"},
    "a form elsewhere": {"Referer": f"https://{PLANTED}.example/"},
    "host": {"Host": f"{PLANTED}.example", "X-Forwarded-Host": f"{PLANTED}.example"},
    "program": {"User-Agent": f"Mozilla/5.0 ({PLANTED}) Firefox/140.0 {PLANTED}"},
    "language": {"Accept-Language": f"{PLANTED},en;q=0.5"},
    "client": {"X-Forwarded-For": PLANTED, "Forwarded": f"for={PLANTED}"},
    "any header": {"From": PLANTED, "Subject": PLANTED, "Via": PLANTED, "Cookie": f"name={PLANTED}"},
}
FIELDS = {
    "name": PLANTED,
    "first_name": PLANTED,
    "subject": PLANTED,
    "message": f"https://{PLANTED}.example",
    "language": "en-Evil1",
    "redirect": "https://example.org/thanks",
    "attempt": f"{PLANTED}-of-twenty-two-characters",
    "proof_of_work": PLANTED,
}


@pytest.mark.parametrize("headers", SENDER_OF_SPAM.values(), ids=SENDER_OF_SPAM)
def test_no_text_of_whoever_filled_in_the_form_is_in_a_letter(service: Service, headers: dict[str, str]) -> None:
    """Else a form is a way to have any text sent to anybody, from a sender of good name."""
    address = f"{PLANTED}@example.org"
    for newsletter in ("weekly", "events"):
        fields = {"email": address, "newsletters": newsletter, "consent": "yes", **FIELDS}
        assert service.post("/subscribe", data=fields, headers=headers).status_code in (202, 303)
        with time_machine.travel(clock.now() + COOL_DOWN):
            delivered = service.letter().delivered
            assert service.post(f"{Letter(delivered).link}").status_code == 200
        heads, _, body = delivered.raw.partition(b"\r\n\r\n")
        named = [line for line in heads.splitlines() if PLANTED.lower().encode() in line.lower()]
        assert named == [f"To: {address}".encode()], "whom it is for"
        shown = [body.decode(), delivered.part("plain"), delivered.part("html")]
        assert [each for each in shown if PLANTED.lower() in each.lower() or "evil1" in each.lower()] == []


BARE = '<html lang="en"><head><title>t</title></head><body><p>Open this page:</p></body></html>'


@pytest.mark.parametrize(
    ("part", "planted"),
    [
        ("text", "Welcome to our letter."),
        ("text", "Welkom bij de weekbrief."),
        ("text", "Bienvenue"),
        ("text", "Willkommen"),
        ("text", "See our offer."),
        ("text", "Bekijk ons aanbod"),
        ("text", "Nos offres"),
        ("text", "Unser Angebot"),
        ("text", "Thank you."),
        ("text", "Vielen Dank"),
        ("text", "Press the button!"),
        ("text", "https://shop.example/sale"),
        ("text", "www.shop.example"),
        ("html", "<p>Welcome</p>"),
        ("html", '<img src="https://subscribe.example.org/pixel.gif">'),
        ("html", '<p style="background: url(https://t.example/x)">x</p>'),
        ("html", "<style>p { background: url(https://t.example/x) }</style>"),
        ("html", '<p style="display: none">x</p>'),
        ("html", '<a href="https://t.example/">x</a>'),
        ("html", '<a href="mailto:sales@example.org">x</a>'),
        ("html", '<link rel="stylesheet" href="https://subscribe.example.org/static/jawel.css">'),
        ("html", '<table background="x"></table>'),
        ("subject", "Welcome: Weekly letter"),
        ("subject", "Please confirm!"),
    ],
)
def test_what_is_planted_is_found(part: str, planted: str) -> None:
    letter = {"subject": "Please confirm: Weekly letter", "text": "Open this page:\n", "html": BARE}
    assert faults(**letter) == []
    letter[part] = BARE.replace("</body>", f"{planted}</body>") if part == "html" else f"{letter[part]} {planted}"
    assert len(faults(**letter)) >= 1
