"""Making the catalogue match a file. Applying twice changes nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import clock
from app.newsletters import notice, parsing
from app.newsletters.definitions import sha256
from app.newsletters.fields import Table
from app.newsletters.tables import ControllerRow, NewsletterRow, Wording

WORDS = ("title", "purpose", "consent", "notice")


@dataclass(frozen=True, slots=True)
class Change:
    """`sign` is `+` added, `~` changed, `-` retired; `keys` are the paths that differ."""

    sign: str
    slug: str
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        notes = {"-": "retired: takes no more signups; who is subscribed can still leave"}
        details = ", ".join(self.keys) or notes.get(self.sign, "")
        new_words = any(key.partition(".")[0] in WORDS for key in self.keys)
        version = " (new words make a new version; the old ones stay)" if new_words else ""
        return f"{self.sign} {self.slug}{': ' if details else ''}{details}{version}"


def await_turn(session: Session) -> None:
    """Serialises hosts that apply at once; on SQLite the transaction itself lets one writer in."""
    if session.connection().dialect.name == "postgresql":
        # This blocks neither readers of the catalogue nor signups, whose foreign keys read it.
        session.execute(text("LOCK TABLE newsletters IN SHARE ROW EXCLUSIVE MODE"))


def plan(session: Session, file: Table) -> list[Change]:
    """The changes that applying the tables of a file would make, in printing order."""
    before = {row.slug: row for row in session.scalars(select(NewsletterRow).order_by(NewsletterRow.slug))}
    wanted = {table["slug"]: table for table in file.get("newsletter", [])}
    row = session.scalars(select(ControllerRow)).first()
    controller = {**row.terms, "processor": row.processors} if row else None
    texts = _notices(file)
    return [
        *_compared("controller", controller, {**file["controller"], "processor": _processors(file)}),
        *(change for slug, table in wanted.items() for change in _newsletter(before.get(slug), table, texts[slug])),
        *(Change("-", slug) for slug, row in before.items() if slug not in wanted and row.retired_at is None),
    ]


def apply(session: Session, file: Table) -> None:
    now = clock.now()
    notices = _notices(file)
    session.merge(ControllerRow(id=1, terms=dict(file["controller"]), processors=_processors(file)))
    wanted = {table["slug"]: table for table in file.get("newsletter", [])}
    for slug, table in wanted.items():
        row = session.merge(NewsletterRow(slug=slug, terms=dict(table), retired_at=None))
        row.notices = _with_newest(row.notices or {}, notices[slug])
    for row in session.scalars(select(NewsletterRow).where(NewsletterRow.retired_at.is_(None))):
        if row.slug not in wanted:
            row.retired_at = now
    cited = [each for slug, table in wanted.items() for each in (*_texts(table), *notices[slug].values())]
    texts = {sha256(each): each for each in (parsing.read_controller(file["controller"], []).identity, *cited)}
    known = set(session.scalars(select(Wording.sha256).where(Wording.sha256.in_(texts))))
    session.add_all(
        Wording(sha256=digest, text=words, first_used_at=now) for digest, words in texts.items() if digest not in known
    )


def _processors(file: Table) -> list[dict[str, Any]]:
    """As JSON, which has no dates."""
    return [
        {key: value.isoformat() if isinstance(value, date) else value for key, value in table.items()}
        for table in file.get("processor", [])
    ]


def _texts(table: Table) -> Iterable[str]:
    return parsing.read_newsletter(table, (), []).texts()


def _notices(file: Table) -> dict[str, Mapping[str, str]]:
    """By slug, the notice in each language."""
    controller = parsing.read(file)[0].controller
    assert controller is not None
    newsletters = (parsing.read_newsletter(table, (), []) for table in file.get("newsletter", []))
    return {each.slug: notice.compose(controller, each) for each in newsletters}


def _with_newest(known: Mapping[str, list[str]], notices: Mapping[str, str]) -> dict[str, list[str]]:
    """Notices in a dropped language stay: evidence cites them."""
    kept = dict(known)
    for language, words in notices.items():
        newest = sha256(words)
        kept[language] = [newest, *(each for each in known.get(language, []) if each != newest)]
    return kept


def _newsletter(row: NewsletterRow | None, table: Table, notices: Mapping[str, str]) -> Iterator[Change]:
    slug = table["slug"]
    if row is None:
        yield Change("+", slug)
    elif row.retired_at is not None:
        yield Change("+", slug, ("taken up again",))
    else:
        renewed = (f"notice.{each}" for each in notices if row.notices.get(each, [""])[0] != sha256(notices[each]))
        if keys := sorted([*_differing(row.terms, table), *renewed]):
            yield Change("~", slug, tuple(keys))


def _compared(name: str, before: Table | None, after: Table) -> Iterator[Change]:
    if before is None:
        yield Change("+", name)
    elif keys := tuple(_differing(before, after)):
        yield Change("~", name, keys)


def _differing(before: Table, after: Table, prefix: str = "") -> Iterator[str]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differing(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}"
