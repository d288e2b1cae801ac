"""The privacy notice (GDPR Art. 13 and 14), composed from the catalogue in each of a newsletter's languages.

Plain text, so that its bytes can be cited by their SHA-256. Blocks are separated by blank lines: a line that begins
with `# ` is the title, one with `## ` a heading, lines that begin with `- ` are a list, anything else is a paragraph.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from babel import lists, units

from app.newsletters import receivers
from app.newsletters.definitions import TRACES_KEPT_FOR, Controller, Newsletter

_UNITS = (
    ("year", timedelta(days=365)),
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta(seconds=1)),
)
_WIDTHS: Mapping[tuple[str, str], Literal["short"]] = {("nl", "day"): "short", ("nl", "hour"): "short"}
"""Babel has no long Dutch form of these units and falls back to English; the short forms are the whole words."""


def compose(controller: Controller, newsletter: Newsletter) -> Mapping[str, str]:
    """The notice by language. The same text each time, until the catalogue or a translation changes."""
    return {language: _compose(_About(controller, newsletter, language)) for language in newsletter.languages}


def in_words(length: timedelta, language: str) -> str:
    """Exact, such as "3 years" or "1 day, 6 hours": a promise is not rounded."""
    parts = []
    for unit, one in _UNITS:
        count, length = divmod(length, one)
        if count:
            parts.append(units.format_unit(count, unit, _WIDTHS.get((language, unit), "long"), locale=language))
    return lists.format_list(parts, "unit", locale=language)


@dataclass(frozen=True, slots=True)
class _About:
    controller: Controller
    newsletter: Newsletter
    language: str

    def gettext(self, message: str, **values: str) -> str:
        return receivers.gettext(self.language, message, **values)

    def in_words(self, length: timedelta) -> str:
        return in_words(length, self.language)


def _compose(about: _About) -> str:
    sections = (_title, _responsible, _purposes, _data, _recipients, _transfers, _periods, _rights, _voluntary)
    return "\n\n".join(block.strip() for section in sections for block in section(about)) + "\n"


def _list(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _title(about: _About) -> Iterator[str]:
    _ = about.gettext
    yield "# " + _("Privacy notice: %(title)s", title=about.newsletter.title[about.language])
    yield _(
        "This newsletter is sent by %(name)s (“we”). Here you read what we do with your data, why and for how long, "
        "and what you can ask of us.",
        name=about.controller.name,
    )


def _responsible(about: _About) -> Iterator[str]:
    """Art. 13(1)(a) and (b)."""
    _, who = about.gettext, about.controller
    yield "## " + _("Who is responsible")
    yield _list(
        f"{who.name}, {who.address}",
        _("E-mail: %(email)s", email=who.email),
        _("Website: %(url)s", url=who.url),
        *([_("Representative in the European Union: %(name)s", name=who.representative)] if who.representative else []),
        *([_("Data protection officer: %(contact)s", contact=who.dpo)] if who.dpo else []),
    )


def _purposes(about: _About) -> Iterator[str]:
    """Art. 13(1)(c) and (d), 14(1)(c) and (2)(b): the first mail may go to who never gave us the address."""
    _ = about.gettext
    yield "## " + _("What we use your data for, and on what ground")
    yield about.newsletter.purpose[about.language]
    yield _list(
        _(
            "To ask you by one mail, when somebody has given us your address for this newsletter, whether that was "
            "you. The ground is the legitimate interest, yours and ours, that nobody is subscribed by somebody else "
            "(GDPR Art. 6(1)(f))."
        ),
        _("To send you this newsletter by e-mail. The ground is your consent (GDPR Art. 6(1)(a))."),
        _("To be able to show that you consented. The law obliges us to (GDPR Art. 6(1)(c) and 7(1))."),
        _(
            "To answer claims about our mails after you have left, and to keep our forms from being used to flood "
            "somebody's mailbox. These are our legitimate interests (GDPR Art. 6(1)(f))."
        ),
        _(
            "Not to write to you again once you have left or objected. The law obliges us to (GDPR Art. 6(1)(c) and "
            "21(3))."
        ),
    )


def _data(about: _About) -> Iterator[str]:
    """Art. 14(1)(d) and (2)(f)."""
    _ = about.gettext
    yield "## " + _("Which data, and where it comes from")
    yield _list(
        _("Your e-mail address, and the language in which we write to you."),
        _(
            "What shows your consent: what you asked for, confirmed or ended, and when; the words that you were "
            "shown; the form, the page it was on and the kind of browser; and the internet address that you used, "
            "of which normally no more than a part is kept, or nothing."
        ),
        _("Whether a mail server accepted the mails of this service to you."),
    )
    yield _(
        "We have your address from whoever filled in a form with it, which need not have been you, or from another "
        "service where it was given. The first mail says when, and as far as we know where."
    )
    yield _(
        "This service sets no cookies, and does not measure whether you open its own mails or click on a link in them. "
        "The newsletter itself is sent by another program."
    )
    if told := receivers.tracking(about.controller, about.language):
        yield told


def _recipients(about: _About) -> Iterator[str]:
    """Art. 13(1)(e): by name, or by category if the controller has named none."""
    yield "## " + about.gettext("Who receives your data")
    yield _list(*receivers.recipients(about.controller, about.language))


def _transfers(about: _About) -> Iterator[str]:
    """Art. 13(1)(f). Where the controller has said nothing of it, nothing is claimed."""
    _, told = about.gettext, receivers.transfers(about.controller, about.language)
    if told:
        yield "## " + _("Countries outside the European Economic Area")
        yield told[0] if len(told) == 1 else _list(*told)


def _periods(about: _About) -> Iterator[str]:
    """Art. 13(2)(a)."""
    _, terms = about.gettext, about.newsletter
    yield "## " + _("How long we keep it")
    yield _list(
        _(
            "If you do not confirm: your address for %(time)s; then, for %(traces)s more, what shows that somebody "
            "asked, without your address.",
            time=about.in_words(terms.confirm_within + terms.purge_pending_after),
            traces=about.in_words(TRACES_KEPT_FOR),
        ),
        _("If you confirm: your address and what shows your consent, for as long as you are subscribed."),
        _(
            "After you have left: the same, for %(time)s, in case of claims (GDPR Art. 17(3)(e)).",
            time=about.in_words(terms.keep_evidence),
        ),
        _(
            "Once that is erased, or at once if you have all of it erased: a code calculated from your address, and "
            "the day on which you left, so that nobody writes to you in our name as if you never had. Until you sign "
            "up again and confirm."
        ),
        _(
            "If you tell us that somebody else gave your address, for %(traces)s: a code calculated from it, by which "
            "we know that we must not write. If you report our mails as spam, or your mailbox does not exist: that "
            "code, until there is no more need for it. Nobody finds the address from it without our key.",
            traces=about.in_words(TRACES_KEPT_FOR),
        ),
        _(
            "Of each step its kind, its day and a fingerprint, for good, so that nothing can be changed unseen. Once "
            "your data is erased, they lead to nobody; for %(traces)s more, a number by which we tell those who "
            "received your data, and by which we erase it again should an older backup be restored.",
            traces=about.in_words(TRACES_KEPT_FOR),
        ),
    )


def _rights(about: _About) -> Iterator[str]:
    """Art. 13(2)(b), (c) and (d)."""
    _, who = about.gettext, about.controller
    yield "## " + _("Your rights")
    yield _(
        "You can withdraw your consent at any time, with one press on the unsubscribe link in any of our mails. "
        "What was done before stays lawful."
    )
    yield _list(
        _("You can see your data and get a copy of it (GDPR Art. 15)."),
        _("You can have it corrected (Art. 16) or erased (Art. 17)."),
        _("You can have its use restricted (Art. 18). Whoever received it from us is told of all this (Art. 19)."),
        _("You can take it along in a file that programs can read (Art. 20)."),
        _("You can object to its use: to advertising at any time and without giving a reason (Art. 21)."),
    )
    yield _(
        "Most of this you can do yourself on the preferences page of this service, /preferences: we mail the link to "
        "your address. For anything at all you can write to %(email)s. It costs nothing, and we answer within a month.",
        email=who.email,
    )
    yield _(
        "If you think that we do something wrong, you can complain to %(authority)s, or to the authority of the "
        "country in which you live or work (GDPR Art. 77).",
        authority=who.authority,
    )


def _voluntary(about: _About) -> Iterator[str]:
    """Art. 13(2)(e) and (f)."""
    _ = about.gettext
    yield "## " + _("Do you have to give us your data?")
    yield _(
        "No. No law and no contract asks you for it. Without your e-mail address we cannot send you this newsletter; "
        "nothing else follows from it."
    )
    yield _("No computer decides anything about you by itself, and we make no profile of you (GDPR Art. 22).")
