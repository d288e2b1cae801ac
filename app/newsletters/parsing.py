"""Parses the tables of a catalogue file into `definitions`, collecting all problems before any is reported."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from app.newsletters import art13, fields
from app.newsletters.definitions import LANGUAGES, Catalogue, Controller, Newsletter, Processor
from app.newsletters.fields import Path, Problem, Table

Parsed = TypeVar("Parsed")


@dataclass(slots=True)
class TableParser:
    """Parses one table, and collects problems instead of stopping."""

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
        except fields.Invalid as error:
            self.problems.append(Problem((*self.path, key), str(error)))
            return None if default is ... else default

    def finish(self) -> None:
        for key in self.table:
            if key not in self.known:
                self.problems.append(
                    Problem((*self.path, key), f"is not known here; known are {', '.join(sorted(self.known))}")
                )


def read(file: Table) -> tuple[Catalogue, list[Problem]]:
    """The catalogue; use it only if there are no problems."""
    problems: list[Problem] = []
    top = TableParser(file, (), problems)
    controller = top.take("controller", fields.table)
    tables = top.take("newsletter", fields.tables, [])
    processors = top.take("processor", fields.tables, [])
    top.finish()
    found = read_controller(controller, problems) if controller is not None else None
    named = tuple(read_processor(table, ("processor", n), problems) for n, table in enumerate(processors))
    newsletters = [read_newsletter(table, ("newsletter", n), problems) for n, table in enumerate(tables)]
    for n, newsletter in enumerate(newsletters):
        if newsletter.slug and newsletter.slug in [each.slug for each in newsletters[:n]]:
            problems.append(
                Problem(("newsletter", n, "slug"), f"{newsletter.slug!r} is taken by another newsletter above")
            )
    if found is not None:
        found = replace(found, processors=named)
        problems += art13.missing_items(found, newsletters, {problem.path for problem in problems})
    return Catalogue(found, {each.slug: each for each in newsletters}), problems


def read_controller(table: Table, problems: list[Problem]) -> Controller:
    parser = TableParser(table, ("controller",), problems)
    controller = Controller(
        name=parser.take("name", fields.line),
        address=parser.take("address", fields.line),
        email=parser.take("email", fields.address),
        url=parser.take("url", fields.url),
        jurisdiction=parser.take("jurisdiction", fields.line),
        authority=parser.take("authority", fields.line),
        representative=parser.take("representative", fields.line, None),
        dpo=parser.take("dpo", fields.line, None),
        recipients=_by_language(parser, "recipients", fields.lines),
        transfers=_by_language(parser, "transfers", fields.text),
        tracking=_by_language(parser, "tracking", fields.text),
    )
    parser.finish()
    return controller


def read_processor(table: Table, path: Path, problems: list[Problem]) -> Processor:
    parser = TableParser(table, path, problems)
    processor = Processor(
        name=parser.take("name", fields.line),
        role=parser.take("role", fields.in_languages) or {},
        country=parser.take("country", fields.country),
        contract=parser.take("contract", fields.day, None),
        safeguard=parser.take("safeguard", fields.in_languages, {}),
    )
    parser.finish()
    return processor


def read_newsletter(table: Table, path: Path, problems: list[Problem]) -> Newsletter:
    parser = TableParser(table, path, problems)
    languages = parser.take("languages", fields.languages) or ()
    newsletter = Newsletter(
        slug=parser.take("slug", fields.slug),
        sender=parser.take("sender", fields.sender),
        languages=languages,
        frequency=parser.take("frequency", fields.line),
        allowed_origins=parser.take("allowed_origins", fields.origins, ()),
        redirects=parser.take("redirects", fields.urls, ()),
        confirmed_redirect=parser.take("confirmed_redirect", fields.url_or_nothing, None),
        confirm_within=parser.take("confirm_within", fields.confirm_within, timedelta(hours=72)),
        purge_pending_after=parser.take("purge_pending_after", fields.duration, timedelta(hours=24)),
        keep_evidence=parser.take("keep_evidence", fields.duration, timedelta(days=3 * 365)),
        acknowledge_unsubscribe=parser.take("acknowledge_unsubscribe", fields.boolean, default=True),
        proof_of_work=parser.take("proof_of_work", fields.proof_of_work, "when attacked"),
        role_addresses=parser.take("role_addresses", fields.accept_or_ignore, "ignore"),
        disposable_domains=parser.take("disposable_domains", fields.disposable_domains, "accept"),
        reply_to=parser.take("reply_to", fields.address_or_nothing, None),
        provider_lists=parser.take("provider_lists", fields.provider_lists, ()),
        title=_words(parser, "title", languages, fields.line),
        purpose=_words(parser, "purpose", languages, fields.text),
        consent=_words(parser, "consent", languages, fields.text),
    )
    parser.finish()
    return newsletter


def _by_language(parser: TableParser, key: str, parse: Callable[[Any], Parsed]) -> dict[str, Parsed]:
    """An optional table; the languages it needs depend on the newsletters."""
    table = parser.take(key, fields.table, {})
    words = TableParser(table, (*parser.path, key), parser.problems)
    found = {language: words.take(language, parse, None) for language in LANGUAGES}
    words.finish()
    return {language: value for language, value in found.items() if value is not None}


def _words(parser: TableParser, key: str, languages: tuple[str, ...], parse: Callable[[Any], str]) -> dict[str, str]:
    table = parser.take(key, fields.table)
    if table is None or not languages:
        return {}
    words = TableParser(table, (*parser.path, key), parser.problems)
    found = {language: words.take(language, parse) for language in languages}
    words.finish()
    return found
