"""From the tables of a catalogue file to `terms`, with every problem found before any is reported."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from app.newsletters import completeness, values
from app.newsletters.terms import LANGUAGES, Catalogue, Controller, Newsletter
from app.newsletters.values import Path, Problem, Table

Parsed = TypeVar("Parsed")


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
        except values.Invalid as error:
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
    controller = top.take("controller", values.table)
    tables = top.take("newsletter", values.tables, [])
    top.finish()
    found = read_controller(controller, problems) if controller is not None else None
    newsletters = [read_newsletter(table, ("newsletter", n), problems) for n, table in enumerate(tables)]
    for n, newsletter in enumerate(newsletters):
        if newsletter.slug and newsletter.slug in [each.slug for each in newsletters[:n]]:
            problems.append(
                Problem(("newsletter", n, "slug"), f"{newsletter.slug!r} is taken by another newsletter above")
            )
    if found is not None:
        problems += completeness.lacking(found, newsletters, {problem.path for problem in problems})
    return Catalogue(found, {each.slug: each for each in newsletters}), problems


def read_controller(table: Table, problems: list[Problem]) -> Controller:
    reader = Reader(table, ("controller",), problems)
    controller = Controller(
        name=reader.take("name", values.line),
        address=reader.take("address", values.line),
        email=reader.take("email", values.address),
        url=reader.take("url", values.url),
        jurisdiction=reader.take("jurisdiction", values.line),
        authority=reader.take("authority", values.line),
        representative=reader.take("representative", values.line, None),
        dpo=reader.take("dpo", values.line, None),
        recipients=_by_language(reader, "recipients", values.lines),
        transfers=_by_language(reader, "transfers", values.text),
    )
    reader.finish()
    return controller


def read_newsletter(table: Table, path: Path, problems: list[Problem]) -> Newsletter:
    reader = Reader(table, path, problems)
    languages = reader.take("languages", values.languages) or ()
    newsletter = Newsletter(
        slug=reader.take("slug", values.slug),
        sender=reader.take("sender", values.sender),
        languages=languages,
        frequency=reader.take("frequency", values.line),
        allowed_origins=reader.take("allowed_origins", values.origins, ()),
        redirects=reader.take("redirects", values.urls, ()),
        confirmed_redirect=reader.take("confirmed_redirect", values.url_or_nothing, None),
        confirm_within=reader.take("confirm_within", values.confirm_within, timedelta(hours=72)),
        purge_pending_after=reader.take("purge_pending_after", values.duration, timedelta(hours=24)),
        keep_evidence=reader.take("keep_evidence", values.duration, timedelta(days=3 * 365)),
        acknowledge_unsubscribe=reader.take("acknowledge_unsubscribe", values.boolean, default=True),
        proof_of_work=reader.take("proof_of_work", values.proof_of_work, "when attacked"),
        role_addresses=reader.take("role_addresses", values.accept_or_ignore, "ignore"),
        disposable_domains=reader.take("disposable_domains", values.disposable_domains, "accept"),
        reply_to=reader.take("reply_to", values.address_or_nothing, None),
        title=_words(reader, "title", languages, values.line),
        purpose=_words(reader, "purpose", languages, values.text),
        consent=_words(reader, "consent", languages, values.text),
    )
    reader.finish()
    return newsletter


def _by_language(reader: Reader, key: str, parse: Callable[[Any], Parsed]) -> dict[str, Parsed]:
    """What may be left out; which languages there have to be depends on the newsletters."""
    table = reader.take(key, values.table, {})
    words = Reader(table, (*reader.path, key), reader.problems)
    found = {language: words.take(language, parse, None) for language in LANGUAGES}
    words.finish()
    return {language: value for language, value in found.items() if value is not None}


def _words(reader: Reader, key: str, languages: tuple[str, ...], parse: Callable[[Any], str]) -> dict[str, str]:
    table = reader.take(key, values.table)
    if table is None or not languages:
        return {}
    words = Reader(table, (*reader.path, key), reader.problems)
    found = {language: words.take(language, parse) for language in languages}
    words.finish()
    return found
