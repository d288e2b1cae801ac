"""From the tables of a catalogue file to `terms`, with every problem found before any is reported."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from app.addresses import EmailAddress, InvalidAddress
from app.newsletters.terms import LANGUAGES, Catalogue, Controller, Newsletter

Path = tuple[str | int, ...]
Table = Mapping[str, Any]

PROOF_OF_WORK = ("never", "when attacked", "always")
LONGEST_CONFIRM_WITHIN = timedelta(days=14)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Problem:
    path: Path
    """Such as ("newsletter", 0, "title", "nl")."""
    remedy: str


class Invalid(ValueError):
    """One value that cannot be used; the text is the remedy."""


@dataclass(slots=True)
class Reader:
    """Reads one table, and notes what is wrong with it instead of stopping."""

    table: Table
    path: Path
    problems: list[Problem]
    known: set[str] = field(default_factory=set)

    def take(self, key: str, parse: Callable[[Any], Any], default: Any = ...) -> Any:
        self.known.add(key)
        if key not in self.table:
            if default is ...:
                self.problems.append(Problem((*self.path, key), "is missing"))
            return None if default is ... else default
        try:
            return parse(self.table[key])
        except Invalid as error:
            self.problems.append(Problem((*self.path, key), str(error)))
            return None if default is ... else default

    def finish(self) -> None:
        for key in self.table:
            if key not in self.known:
                self.problems.append(
                    Problem((*self.path, key), f"is not known here; known are {', '.join(sorted(self.known))}")
                )


def read(file: Table) -> tuple[Catalogue, list[Problem]]:
    """The catalogue, to be used only where there is no problem."""
    problems: list[Problem] = []
    top = Reader(file, (), problems)
    controller = top.take("controller", _table)
    tables = top.take("newsletter", _tables, [])
    top.finish()
    found = read_controller(controller, problems) if controller is not None else None
    newsletters = [read_newsletter(table, ("newsletter", n), problems) for n, table in enumerate(tables)]
    for n, newsletter in enumerate(newsletters):
        if newsletter.slug in [each.slug for each in newsletters[:n]]:
            problems.append(
                Problem(("newsletter", n, "slug"), f"{newsletter.slug!r} is taken by another newsletter above")
            )
    return Catalogue(found, {each.slug: each for each in newsletters}), problems


def read_controller(table: Table, problems: list[Problem]) -> Controller:
    reader = Reader(table, ("controller",), problems)
    controller = Controller(
        name=reader.take("name", _line),
        address=reader.take("address", _line),
        email=reader.take("email", _address),
        url=reader.take("url", _url),
        jurisdiction=reader.take("jurisdiction", _line),
        authority=reader.take("authority", _line),
    )
    reader.finish()
    return controller


def read_newsletter(table: Table, path: Path, problems: list[Problem]) -> Newsletter:
    reader = Reader(table, path, problems)
    languages = reader.take("languages", _languages, ())
    newsletter = Newsletter(
        slug=reader.take("slug", _slug),
        sender=reader.take("sender", _sender),
        languages=languages,
        frequency=reader.take("frequency", _line),
        allowed_origins=reader.take("allowed_origins", _origins, ()),
        redirects=reader.take("redirects", _urls, ()),
        confirmed_redirect=reader.take("confirmed_redirect", _url_or_nothing, None),
        confirm_within=reader.take("confirm_within", _confirm_within, timedelta(hours=72)),
        purge_pending_after=reader.take("purge_pending_after", duration, timedelta(hours=24)),
        keep_evidence=reader.take("keep_evidence", duration, timedelta(days=3 * 365)),
        acknowledge_unsubscribe=reader.take("acknowledge_unsubscribe", _boolean, default=True),
        proof_of_work=reader.take("proof_of_work", _proof_of_work, "when attacked"),
        reply_to=reader.take("reply_to", _address_or_nothing, None),
        title=_words(reader, "title", languages),
        purpose=_words(reader, "purpose", languages),
        consent=_words(reader, "consent", languages),
    )
    reader.finish()
    return newsletter


def _words(reader: Reader, key: str, languages: tuple[str, ...]) -> dict[str, str]:
    table = reader.take(key, _table)
    if table is None or not languages:
        return {}
    words = Reader(table, (*reader.path, key), reader.problems)
    found = {language: words.take(language, _text) for language in languages}
    words.finish()
    return found


def duration(value: object) -> timedelta:
    """`90s`, `30m`, `72h`, `14d`, `3y`; a year is 365 days."""
    match = re.fullmatch(r"([1-9]\d{0,8})([smhdy])", value) if isinstance(value, str) else None
    if match is None:
        raise Invalid('needs a duration such as "90s", "30m", "72h", "14d" or "3y"')
    count, unit = int(match[1]), match[2]
    try:
        return timedelta(days=365 * count) if unit == "y" else timedelta(**{_UNITS[unit]: count})
    except OverflowError:
        raise Invalid("is longer than anybody lives") from None


def _confirm_within(value: object) -> timedelta:
    found = duration(value)
    if found > LONGEST_CONFIRM_WITHIN:
        raise Invalid('can be "14d" at most: an address that nobody confirms must not be kept for longer')
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("needs a text that is not empty")
    return value


def _line(value: object) -> str:
    text = _text(value)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise Invalid("needs a text on one line, without control characters")
    return text


def _table(value: object) -> Table:
    if not isinstance(value, dict):
        raise Invalid("needs a table")
    return value


def _tables(value: object) -> list[Table]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Invalid("needs [[newsletter]] with two brackets")
    return value


def _list(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Invalid("needs a list of texts")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid("needs true or false")
    return value


def _slug(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value) or len(value) > 60:
        raise Invalid("needs up to 60 lower-case letters, digits and single hyphens")
    return value


def _languages(value: object) -> tuple[str, ...]:
    found = _list(value)
    if not found or any(each not in LANGUAGES for each in found) or len(set(found)) < len(found):
        raise Invalid(f"needs one or more of {', '.join(LANGUAGES)}, each once")
    return tuple(found)


def _address(value: object) -> str:
    try:
        return EmailAddress.parse(_line(value)).typed
    except InvalidAddress:
        raise Invalid("needs an e-mail address") from None


def _address_or_nothing(value: object) -> str | None:
    return None if value == "" else _address(value)


def _sender(value: object) -> str:
    match = re.fullmatch(r'(?:([^<>@"]+) <([^<>]+)>|([^<>\s]+))', _line(value))
    if match is None:
        raise Invalid('needs a sender such as "Voorbeeld <news@example.org>"')
    address = _address(match[2] or match[3])
    if not address.isascii():
        raise Invalid("needs a sender whose address is ASCII, for every mail server on the way to accept it")
    return f"{match[1].strip()} <{address}>" if match[1] else address


def _url(value: object) -> str:
    text = _line(value)
    try:
        parts = urlsplit(text)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"})
        good = secure and parts.hostname and parts.port != 0 and " " not in text and "\\" not in text
    except ValueError:
        good = False
    if not good:
        raise Invalid("needs an https address (http only for localhost)")
    return text


def _url_or_nothing(value: object) -> str | None:
    return None if value == "" else _url(value)


def _urls(value: object) -> tuple[str, ...]:
    return tuple(_url(each) for each in _list(value))


def _origins(value: object) -> tuple[str, ...]:
    found = _urls(value)
    for each in found:
        parts = urlsplit(each)
        if each != f"{parts.scheme}://{parts.netloc}".lower():
            raise Invalid('needs origins such as "https://example.org": scheme and host, without path or final slash')
    return found


def _proof_of_work(value: object) -> str:
    if value not in PROOF_OF_WORK:
        raise Invalid(f"needs one of {', '.join(map(repr, PROOF_OF_WORK))}")
    return str(value)
