"""The privacy notice (GDPR Art. 13 and 14), composed from the catalogue in each of a newsletter's languages.

Plain text, so that its bytes can be cited by their SHA-256. Blocks are separated by blank lines: a line that begins
with `# ` is the title, one with `## ` a heading, lines that begin with `- ` are a list, anything else is a paragraph.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.newsletters import data_recipients, durations
from app.newsletters.definitions import TRACES_KEPT_FOR, Controller, Newsletter


def compose(controller: Controller, newsletter: Newsletter) -> Mapping[str, str]:
    """The notice by language. The same text each time, until the catalogue or a translation changes."""
    return {language: _compose(_About(controller, newsletter, language)) for language in newsletter.languages}


@dataclass(frozen=True, slots=True)
class _About:
    controller: Controller
    newsletter: Newsletter
    language: str

    def gettext(self, message: str, **values: str) -> str:
        return data_recipients.gettext(self.language, message, **values)

    def in_words(self, length: timedelta) -> str:
        return durations.in_words(length, self.language)


def _compose(about: _About) -> str:
    sections = (
        _title,
        _responsible,
        _purposes,
        _data,
        _recipients,
        _transfers,
        _periods,
        _rights,
        _objection,
        _voluntary,
    )
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
        _("To answer claims about our mails after you have left. This is our legitimate interest (GDPR Art. 6(1)(f))."),
        _(
            "To keep our forms from being used to flood somebody's mailbox, and not to write to mailboxes that do not "
            "exist. This is a legitimate interest, ours and that of others (GDPR Art. 6(1)(f))."
        ),
        _(
            "Not to write to you again once you have left or objected. The law obliges us to (GDPR Art. 6(1)(c) and "
            "21(3))."
        ),
        _(
            "To send your mails to another address if you ask for it. The law obliges us to keep your data correct "
            "(GDPR Art. 6(1)(c) and 16)."
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
    if told := data_recipients.tracking(about.controller, about.language):
        yield told


def _recipients(about: _About) -> Iterator[str]:
    """Art. 13(1)(e): by name, or by category if the controller has named none."""
    yield "## " + about.gettext("Who receives your data")
    yield _list(*data_recipients.recipients(about.controller, about.language))


def _transfers(about: _About) -> Iterator[str]:
    """Art. 13(1)(f). Where the controller has said nothing of it, nothing is claimed."""
    _, told = about.gettext, data_recipients.transfers(about.controller, about.language)
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
    """Art. 13(2)(b), (c) and (d), 7(3), 19."""
    _, who = about.gettext, about.controller
    yield "## " + _("Your rights")
    yield _(
        "You have the right to withdraw your consent at any time. The unsubscribe link in any of our mails opens a "
        "page with one button for it. That does not affect the lawfulness of what was done by your consent before "
        "(GDPR Art. 7(3))."
    )
    yield _list(
        _("You can see your data and get a copy of it (GDPR Art. 15)."),
        _("You can have it corrected (Art. 16) or erased (Art. 17)."),
        _("You can have its use restricted (Art. 18)."),
        _(
            "We tell whoever received it from us that it was corrected, erased or restricted, unless that is "
            "impossible or takes disproportionate effort; and we tell you who they are if you ask (Art. 19)."
        ),
        _("You can take it along in a file that programs can read (Art. 20)."),
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


def _objection(about: _About) -> Iterator[str]:
    """Art. 21(4): presented clearly and separately from any other information."""
    _ = about.gettext
    yield "## " + _("Your right to object")
    yield _(
        "You can object at any time, and without giving a reason, to the use of your data for advertising. Then we no "
        "longer use it for that (GDPR Art. 21(2) and (3))."
    )
    yield _(
        "You can also object, for reasons that lie in your own situation, to what we do on the ground of legitimate "
        "interests. Then we stop, unless our reasons are compelling and outweigh yours, or we need the data for legal "
        "claims (Art. 21(1))."
    )
    yield _(
        "To object, unsubscribe by the link in any of our mails, or write to %(email)s.",
        email=about.controller.email,
    )


def _voluntary(about: _About) -> Iterator[str]:
    """Art. 13(2)(e) and (f)."""
    _ = about.gettext
    yield "## " + _("Do you have to give us your data?")
    yield _(
        "No. No law and no contract asks you for it. Without your e-mail address we cannot send you this newsletter; "
        "nothing else follows from it."
    )
    yield _(
        "No decision that has legal effects for you, or affects you as much, is made by a program alone, and we make "
        "no profile of you (GDPR Art. 22). What a program does by itself: it ends your subscription if a mail server "
        "says that your mailbox does not exist, or if our mails are reported as spam. If that was wrong, write to "
        "%(email)s.",
        email=about.controller.email,
    )
