"""The items that a privacy notice must contain (GDPR Art. 13), and the catalogue key that supplies each.

A newsletter whose notice would lack an item is not applied. Items that are the same for all, such as the rights of Art.
15 to 22, are in the text of `notice` itself; tests look for each of them there.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from app.newsletters.definitions import Controller, Newsletter
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
    return [
        f"controller.{key}: nothing is said, so the privacy notice {leaves} (GDPR Art. {article})"
        for key, article, leaves in (
            ("recipients", "13(1)(e)", "names kinds of recipients only: name who hosts, who delivers mail, who sends"),
            ("transfers", "13(1)(f)", "is silent on countries outside the EEA: name them, or say that none are"),
        )
        if not getattr(controller, key)
    ]


def _is_told(path: Path, told: Collection[Path]) -> bool:
    return any(path[:length] in told for length in range(1, len(path) + 1))


def _of_controller(controller: Controller, newsletters: Sequence[Newsletter]) -> Iterator[Item]:
    for key in ("name", "address", "email", "url"):
        yield Item("13(1)(a)", ("controller", key), bool(getattr(controller, key)))
    yield Item("13(2)(d)", ("controller", "authority"), bool(controller.authority))
    spoken = dict.fromkeys(language for each in newsletters for language in each.languages)
    for article, key in (("13(1)(e)", "recipients"), ("13(1)(f)", "transfers")):
        texts = getattr(controller, key)
        for language in spoken if texts else ():
            yield Item(article, ("controller", key, language), language in texts)


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
