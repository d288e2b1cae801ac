"""The items that a privacy notice must contain (GDPR Art. 13), and the catalogue key that supplies each.

A newsletter whose notice would lack an item is not applied. Items that are the same for all, such as the rights of Art.
15 to 22, are in the text of `notice` itself; tests look for each of them there.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from app.newsletters.definitions import EEA, Controller, Newsletter
from app.newsletters.fields import Path, Problem

_TOO_VAGUE = frozenset(
    {
        "advertising", "commercial communication", "commerciële communicatie", "communication commerciale",
        "communications commerciales", "direct mailing", "direct marketing", "direktmarketing", "direktwerbung",
        "e mail marketing", "email marketing", "e mailmarketing", "marketing", "marketing direct", "promo", "promotie",
        "promotion", "promotions", "prospection", "prospection commerciale", "publicité", "publiciteit", "reclame",
        "werbung",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    article: str
    path: Path
    """The catalogue key that supplies it."""
    is_said: bool
    remedy: str = "is missing"


def missing_items(controller: Controller, newsletters: Sequence[Newsletter], told: Collection[Path]) -> list[Problem]:
    """A problem for each item that a notice would lack, except for keys in `told`, which have a problem already."""
    every = [*_of_controller(controller, newsletters)]
    for number, newsletter in enumerate(newsletters):
        every += _of_newsletter(newsletter, ("newsletter", number))
    silent = {item.path: item for item in every if not item.is_said and not _is_told(item.path, told)}
    return [
        Problem(path, f"{item.remedy} (the privacy notice has to say it: GDPR Art. {item.article})")
        for path, item in silent.items()
    ]


def unsaid(controller: Controller) -> list[str]:
    """What the notice leaves open, because the catalogue says nothing of it. Only the controller knows."""
    said = {
        "recipients": controller.recipients or controller.processors,
        "transfers": controller.transfers or any(each.country not in EEA for each in controller.processors),
        "tracking": controller.tracking,
    }
    silent = [
        f"controller.{key}: nothing is said, so the privacy notice {leaves} ({article})"
        for key, article, leaves in (
            (
                "recipients",
                "GDPR Art. 13(1)(e)",
                "names kinds of recipients only: name who hosts, who delivers mail, who sends",
            ),
            (
                "transfers",
                "GDPR Art. 13(1)(f)",
                "is silent on countries outside the EEA: name them, or say that none are",
            ),
            (
                "tracking",
                "Directive 2002/58/EC Art. 5(3)",
                "is silent on what your newsletters measure: say whether opens and clicks are",
            ),
        )
        if not said[key]
    ]
    return [*silent, *_of_processors(controller)]


def _of_processors(controller: Controller) -> Iterator[str]:
    for each in controller.processors:
        if not each.contract:
            yield f"processor.contract of {each.name}: no day is given; there has to be a contract (GDPR Art. 28(3))"
        if each.country not in EEA and not each.safeguard:
            yield (
                f"processor.safeguard of {each.name}: nothing is said, and {each.country} is outside the EEA; name the "
                "adequacy decision, or the clauses and where to get a copy (GDPR Art. 13(1)(f))"
            )


def _is_told(path: Path, told: Collection[Path]) -> bool:
    return any(path[:length] in told for length in range(1, len(path) + 1))


def _of_controller(controller: Controller, newsletters: Sequence[Newsletter]) -> Iterator[Item]:
    for key in ("name", "address", "email", "url"):
        yield Item("13(1)(a)", ("controller", key), bool(getattr(controller, key)))
    yield Item("13(2)(d)", ("controller", "authority"), bool(controller.authority))
    spoken = dict.fromkeys(language for each in newsletters for language in each.languages)
    texts: list[tuple[str, Path, Collection[str]]] = [
        ("13(1)(e)", ("controller", "recipients"), controller.recipients),
        ("13(1)(f)", ("controller", "transfers"), controller.transfers),
        ("13(1)(c)", ("controller", "tracking"), controller.tracking),
    ]
    for number, each in enumerate(controller.processors):
        texts.append(("13(1)(e)", ("processor", number, "role"), each.role))
        texts.append(("13(1)(f)", ("processor", number, "safeguard"), each.safeguard))
    for article, path, told in texts:
        for language in spoken if told else ():
            yield Item(article, (*path, language), language in told)


def _of_newsletter(newsletter: Newsletter, path: Path) -> Iterator[Item]:
    for language in newsletter.languages:
        purpose = newsletter.purpose.get(language) or ""
        yield Item(
            "13(1)(c)",
            (*path, "purpose", language),
            is_said=bool(purpose) and not _is_vague(purpose),
            remedy="is too vague: say what kind of mail it is, about what, and how often it comes",
        )
    for key in ("confirm_within", "purge_pending_after", "keep_evidence"):
        yield Item("13(2)(a)", (*path, key), bool(getattr(newsletter, key)))


def _is_vague(purpose: str) -> bool:
    """The Belgian authority rejects "direct marketing" as a purpose (recommendation 01/2020 and its successor)."""
    return " ".join(re.findall(r"\w+", purpose.casefold())) in _TOO_VAGUE
