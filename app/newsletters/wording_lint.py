"""Warnings about words that hold up a consent, or a confirmation mail, badly. Nothing is refused for them.

Title and purpose stand in the confirmation mail, which advertising makes unlawful (LG Stendal 22 S 87/20). The words of
consent have to stand by themselves: whose mails, and which (GDPR Art. 4(11), recital 42).
"""

import re
from collections.abc import Iterator

from app.newsletters.definitions import Catalogue, Newsletter

_ADVERTISING = re.compile(r"[%€!]|\bgratis\b|\bpromo\w*|\bhttps?://|\bwww\.", re.IGNORECASE)


def warnings(catalogue: Catalogue) -> Iterator[str]:
    """One line for each text, with the path of its key."""
    for newsletter in catalogue.newsletters.values():
        for language in newsletter.languages:
            yield from _advertising(newsletter, language)
            if catalogue.controller:
                yield from _consent(newsletter, language, catalogue.controller.name)


def _advertising(newsletter: Newsletter, language: str) -> Iterator[str]:
    for key in ("title", "purpose"):
        if found := _ADVERTISING.search(getattr(newsletter, key)[language]):
            yield (
                f"{newsletter.slug}.{key}.{language}: {found[0]!r} reads as advertising, and stands in the "
                "confirmation mail (LG Stendal 22 S 87/20)"
            )


def _consent(newsletter: Newsletter, language: str, controller: str) -> Iterator[str]:
    words = newsletter.consent[language].casefold()
    lacking = [each for each in (newsletter.title[language], controller) if each.casefold() not in words]
    if lacking:
        yield (
            f"{newsletter.slug}.consent.{language}: does not name {' and '.join(lacking)}; words of consent say by "
            "themselves which mails, and whose (GDPR Art. 4(11), recital 42)"
        )
