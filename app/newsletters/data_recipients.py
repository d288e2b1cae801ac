"""Who receives the data and where it goes: one source for notice, pages, export, receipt and record.

Invariant: nothing is claimed that the catalogue does not say. Art. 13(1)(e) of the GDPR takes kinds of recipients where
none is named; nothing takes the place of countries that are not named (Art. 13(1)(f)).
"""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path

from babel import Locale
from babel.support import NullTranslations, Translations

from app.newsletters.definitions import EEA, Controller, Processor
from app.newsletters.fields import Problem

_FOLDER = Path(__file__).parents[1] / "translations"


def recipients(controller: Controller, language: str) -> tuple[str, ...]:
    """For people (Art. 13(1)(e), 15(1)(c)): those that are named, else the kinds that there must be."""
    _ = partial(gettext, language)
    kinds = _(
        "Whoever hosts this service, delivers its mail or sends the newsletters, where %(name)s does not do that.",
        name=controller.name,
    )
    return named(controller, language) or (kinds,)


def named(controller: Controller, language: str) -> tuple[str, ...]:
    """Empty if the catalogue names nobody. Texts in that language, else in any other."""
    told = controller.recipients.get(language) or next(iter(controller.recipients.values()), ())
    return (*told, *(_processor(each, language) for each in controller.processors))


def transfers(controller: Controller, language: str) -> tuple[str, ...]:
    """What the catalogue says of countries outside the EEA; empty if it says nothing."""
    told = _in(language, controller.transfers)
    return (*([told] if told else []), *(_abroad(each, language) for each in outside_eea(controller)))


def outside_eea(controller: Controller) -> tuple[Processor, ...]:
    return tuple(each for each in controller.processors if each.country not in EEA)


def unknown_countries(controller: Controller) -> Iterator[Problem]:
    """Not among the checks of a single value: each command that reads the stored catalogue would load all names."""
    for number, processor in enumerate(controller.processors):
        if processor.country and processor.country not in Locale("en").territories:
            yield Problem(("processor", number, "country"), "is no country of ISO 3166-1")


def tracking(controller: Controller, language: str) -> str | None:
    """What the program that sends the newsletters measures of their readers; None if the catalogue does not say."""
    return _in(language, controller.tracking)


def _processor(who: Processor, language: str) -> str:
    return f"{who.name}, {_country(who, language)}: {_in(language, who.role)}"


def _abroad(who: Processor, language: str) -> str:
    safeguard = _in(language, who.safeguard)
    return f"{who.name}: {_country(who, language)}" + (f" ({safeguard})" if safeguard else "")


def _country(who: Processor, language: str) -> str:
    return str(Locale(language).territories[who.country])


def _in(language: str, texts: Mapping[str, str]) -> str | None:
    return texts.get(language) or next(iter(texts.values()), None)


def gettext(language: str, message: str, **values: str) -> str:
    translated = _translations(language).gettext(message)
    return translated % values if values else translated


@cache
def _translations(language: str) -> NullTranslations:
    """An untranslated message stays in English."""
    return Translations.load(_FOLDER, [language])
