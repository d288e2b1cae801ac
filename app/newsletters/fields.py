"""Validators for single values of the catalogue file: each takes a TOML value and returns a valid one.

Each raises `Invalid` for a value that cannot be used; its text is the remedy.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.utils import quote
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from app.addresses import EmailAddress, InvalidAddress
from app.newsletters.definitions import LANGUAGES

Table = Mapping[str, Any]
Path = tuple[str | int, ...]

ACCEPT_OR_IGNORE = ("accept", "ignore")
PROOF_OF_WORK = ("never", "when attacked", "always")
LONGEST = timedelta(days=100 * 365)
"""With a longer one, a sum with the present instant could exceed the years of `datetime`."""
LONGEST_CONFIRM_WITHIN = timedelta(days=14)
_SPECIALS = re.compile(r"[][\\()<>@,:;.]")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Invalid(ValueError):
    """One value that cannot be used; the text is the remedy."""


@dataclass(frozen=True, slots=True)
class Problem:
    path: Path
    """Such as ("newsletter", 0, "title", "nl")."""
    remedy: str


def duration(value: object) -> timedelta:
    """`90s`, `30m`, `72h`, `14d`, `3y`; a year is 365 days."""
    match = re.fullmatch(r"([1-9]\d{0,8})([smhdy])", value) if isinstance(value, str) else None
    if match is None:
        raise Invalid('needs a duration such as "90s", "30m", "72h", "14d" or "3y"')
    count, unit = int(match[1]), match[2]
    found = timedelta(days=365 * count) if unit == "y" else timedelta(**{_UNITS[unit]: count})
    if found > LONGEST:
        raise Invalid('can be "100y" at most')
    return found


def confirm_within(value: object) -> timedelta:
    found = duration(value)
    if found > LONGEST_CONFIRM_WITHIN:
        raise Invalid('can be "14d" at most: an address that nobody confirms must not be kept for longer')
    return found


def text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("needs a text that is not empty")
    if any(_is_control(letter) for letter in value if letter not in "\n\t"):
        raise Invalid("needs a text without control characters")
    return value


def line(value: object) -> str:
    found = text(value)
    if any(_is_control(letter) for letter in found):
        raise Invalid("needs a text on one line, without control characters")
    return found


def _is_control(letter: str) -> bool:
    """Includes whatever a mail program may take for the end of a line, such as U+2028."""
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp")


def table(value: object) -> Table:
    if not isinstance(value, dict):
        raise Invalid("needs a table")
    return value


def tables(value: object) -> list[Table]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Invalid("needs a table with two brackets, such as [[newsletter]]")
    return value


def texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Invalid("needs a list of texts")
    return value


def lines(value: object) -> tuple[str, ...]:
    found = tuple(line(each) for each in texts(value))
    if not found:
        raise Invalid("needs at least one line")
    return found


def in_languages(value: object) -> dict[str, str]:
    """A line that is the same in each language, or a table with one for each."""
    if not isinstance(value, dict):
        return dict.fromkeys(LANGUAGES, line(value))
    if not value or not set(value) <= set(LANGUAGES):
        raise Invalid(f"needs a text, or a table with a text for some of {', '.join(LANGUAGES)}")
    return {language: line(text) for language, text in value.items()}


def country(value: object) -> str:
    found = line(value)
    if not re.fullmatch("[A-Z]{2}", found):
        raise Invalid('needs a country by the two letters of ISO 3166-1, such as "BE"')
    return found


def day(value: object) -> date:
    """A date of TOML, or the text as which the database stores it."""
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, date) or isinstance(found, datetime):
        raise Invalid("needs a day such as 2026-05-01")
    return found


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid("needs true or false")
    return value


def slug(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value) or len(value) > 60:
        raise Invalid("needs up to 60 lower-case letters, digits and single hyphens")
    return value


def languages(value: object) -> tuple[str, ...]:
    found = texts(value)
    if not found or any(each not in LANGUAGES for each in found) or len(set(found)) < len(found):
        raise Invalid(f"needs one or more of {', '.join(LANGUAGES)}, each once")
    return tuple(found)


def address(value: object) -> str:
    try:
        return EmailAddress.parse(line(value)).typed
    except InvalidAddress:
        raise Invalid("needs an e-mail address") from None


def ascii_address(value: object) -> str:
    found = address(value)
    if not found.isascii():
        raise Invalid("needs an address in ASCII, for every mail server on the way to accept it")
    return found


def address_or_nothing(value: object) -> str | None:
    return None if value == "" else ascii_address(value)


def sender(value: object) -> str:
    """As in a From header: a name with a comma or the like is quoted (RFC 5322 section 3.2.3)."""
    match = re.fullmatch(r'(?:([^<>@"]+) <([^<>]+)>|([^<>\s]+))', line(value))
    if match is None:
        raise Invalid('needs a sender such as "Voorbeeld <news@example.org>"')
    mailbox = ascii_address(match[2] or match[3])
    name = (match[1] or "").strip()
    written = f'"{quote(name)}"' if _SPECIALS.search(name) else name
    return f"{written} <{mailbox}>" if name else mailbox


def url(value: object) -> str:
    found = line(value)
    try:
        parts = urlsplit(found)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"})
        good = secure and parts.hostname and parts.port != 0 and " " not in found and "\\" not in found
    except ValueError:
        good = False
    if not good:
        raise Invalid("needs an https address (http only for localhost)")
    return found


def url_or_nothing(value: object) -> str | None:
    return None if value == "" else url(value)


def urls(value: object) -> tuple[str, ...]:
    return tuple(url(each) for each in texts(value))


def origins(value: object) -> tuple[str, ...]:
    found = urls(value)
    for each in found:
        parts = urlsplit(each)
        if each != f"{parts.scheme}://{parts.netloc}".lower():
            raise Invalid('needs origins such as "https://example.org": scheme and host, without path or final slash')
    return found


def provider_lists(value: object) -> tuple[str, ...]:
    found = tuple(texts(value))
    if not all(re.fullmatch(r"[a-z0-9-]+/[^\s/](?:.*\S)?", each) for each in found):
        raise Invalid('needs lists such as "sendgrid/10": the provider as in its feedback URL, and its id of the list')
    return found


def proof_of_work(value: object) -> str:
    return _one_of(PROOF_OF_WORK, value)


def accept_or_ignore(value: object) -> str:
    return _one_of(ACCEPT_OR_IGNORE, value)


def _one_of(choices: Sequence[str], value: object) -> str:
    if value not in choices:
        raise Invalid(f"needs one of {', '.join(map(repr, choices))}")
    return str(value)


def disposable_domains(value: object) -> str:
    found = accept_or_ignore(value)
    if found == "ignore" and not find_spec("disposable_email_domains"):
        raise Invalid("needs a list of such domains: install jawel[disposable], or set it to 'accept'")
    return found
