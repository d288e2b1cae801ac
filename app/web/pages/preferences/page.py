"""The preferences page: a person's subscriptions, the other newsletters, and small forms to change them.

Every form posts to the page, which answers with the new state. Every POST may be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from flask import Response, make_response, render_template, request
from flask_babel import gettext as _

from app.newsletters.definitions import LANGUAGES, Newsletter
from app.receipts import history
from app.subscriptions import subscriber as people
from app.subscriptions import withdrawal
from app.subscriptions.decision import HoneypotResult, Signup
from app.subscriptions.model import Status
from app.subscriptions.subscriber import Person
from app.web import client, current, language, parsing, problems, rate_limits
from app.web.negotiation import FORM_TYPES, wants_page
from app.web.pages.preferences import access, fresh_link
from app.web.pages.preferences.access import Visit, blueprint
from app.web.problem_texts import CodedMessage
from app.web.problems import FieldErrors, InvalidFields
from app.web.signup import intake


class Done(StrEnum):
    """The effect of the press, for the page to report."""

    LEFT = "left"
    LEFT_ALL = "left all"
    ASKED = "asked"
    NOT_ASKED = "not asked"
    """No confirmation mail may be sent to the address now."""
    SPEAKS = "speaks"


@dataclass(frozen=True, slots=True)
class PageOutcome:
    done: Done | None = None
    newsletter: str | None = None
    """The newsletter that the press was about."""
    errors: FieldErrors = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The exact words of the consent, and their language."""

    words: str
    language: str


@blueprint.get("/<token>")
def show(token: str) -> str:
    return _page(access.begin(token), PageOutcome())


@blueprint.post("/<token>")
def change(token: str) -> Response:
    """`leave` (repeatable) names a newsletter to leave; `all=1` leaves all. With a fresh link, `join` together with
    `consent` asks for a newsletter, and `language` sets the language of letters."""
    visit = access.begin(token)
    if "join" in request.form:
        rate_limits.refuse_beyond_limit()
        access.require_fresh(visit)
        return make_response(_page(visit, _join(visit, request.form["join"])))
    if "language" in request.form:
        rate_limits.refuse_beyond_limit()
        access.require_fresh(visit)
        return make_response(_page(visit, _speak(visit, request.form["language"])))
    return make_response(_page(visit, _leave(visit)))


def _leave(visit: Visit) -> PageOutcome:
    catalogue = current.catalogue()
    everything = request.form.get("all") == "1"
    names = [name for name in request.form.getlist("leave") if name in catalogue.newsletters]
    if not everything and not names:
        return PageOutcome()
    with current.database().transaction() as session:
        if everything:
            withdrawal.leave_all(session, visit.subscriber_id, catalogue=catalogue, act=visit.act)
        else:
            withdrawal.leave_newsletters(session, visit.subscriber_id, names, catalogue=catalogue, act=visit.act)
    return PageOutcome(Done.LEFT_ALL) if everything else PageOutcome(Done.LEFT, names[0])


def _speak(visit: Visit, wanted: str) -> PageOutcome:
    if wanted not in LANGUAGES:
        raise InvalidFields(
            {"language": [CodedMessage.of("invalid_language", _("Choose one of the languages on the list."))]}
        )
    with current.database().transaction() as session:
        people.speak(session, visit.subscriber_id, wanted, visit.act)
    return PageOutcome(Done.SPEAKS)


def _join(visit: Visit, wanted: str) -> PageOutcome:
    """Start a new double opt-in: the mailbox holder must confirm, although a fresh link came to that mailbox."""
    newsletter = current.catalogue().open.get(wanted)
    if newsletter is None:
        raise InvalidFields({"join": [CodedMessage.of("unknown_newsletter", _("There is no such newsletter."))]})
    if request.form.get("consent", "").lower() not in parsing.Affirmation.FORM:
        raise InvalidFields({"consent": [CodedMessage.of("consent_required", _("Tick the box to agree."))]})
    person = visit.find_person()
    if person is None or person.status_of(wanted) is Status.CONFIRMED:
        return PageOutcome()
    intake.record(_signup(person, newsletter))
    asked = visit.find_person()
    is_asked = asked is not None and asked.status_of(wanted) is Status.PENDING
    return PageOutcome(Done.ASKED if is_asked else Done.NOT_ASKED, wanted)


def _signup(person: Person, newsletter: Newsletter) -> Signup:
    return Signup(
        address=person.address,
        newsletters=(newsletter,),
        language=person.language,
        asked_from=current.links().origin,
        sincerity=HoneypotResult.HUMAN,
        evidence={
            **client.details(),
            "control": {"type": "checkbox", "initial_state": "unchecked"},
            "form_url": f"{current.settings().public_url}/preferences",
            "method": "preferences",
        },
        only_for=person.id,
    )


@blueprint.errorhandler(InvalidFields)
def show_again(error: InvalidFields) -> Response:
    """The page with the errors, for people; a client that asked for JSON gets the problem document."""
    if not wants_page():
        return problems.answer(error)
    token = (request.view_args or {}).get("token")
    if token is not None:
        outcome = PageOutcome(newsletter=request.form.get("join"), errors=error.errors)
        return make_response(_page(access.begin(token), outcome), 422)
    if request.mimetype not in FORM_TYPES:
        return problems.answer(error)
    language.use(request.form.get("language"))
    page = fresh_link.form(address=request.form.get("email", ""), errors=error.errors)
    page.status_code = 422
    return page


def _page(visit: Visit, outcome: PageOutcome) -> str:
    person = visit.find_person()
    if person is None:
        return access.nobody()
    newsletters = current.catalogue().newsletters
    words = {slug: each.words(language.preferred()) for slug, each in newsletters.items()}
    shown = {"person": person, "words": words, "outcome": outcome, "token": visit.token}
    if visit.fresh_until is None:
        return render_template("pages/preferences/weak.html", **shown)
    return render_template(
        "pages/preferences/fresh.html",
        **shown,
        fresh_until=visit.fresh_until,
        agreed=_agreed(person),
        on_offer=_on_offer(person),
        receipts={
            each.newsletter: current.links().receipt(each.subscription_id, visit.fresh_until) for each in person.held
        },
    )


def _agreed(person: Person) -> Mapping[str, Agreed]:
    """By newsletter, from the evidence."""
    found = {}
    with current.database().read_only() as connection:
        for each in person.those(Status.CONFIRMED):
            told = history.find(connection, each.subscription_id, current.resources().log)
            if told and told.basis:
                basis = told.basis.details
                found[each.newsletter] = Agreed(told.wordings[basis["wordings"]["consent"]], basis["language"])
    return found


def _on_offer(person: Person) -> Mapping[str, Newsletter]:
    """The newsletters to join, including those that the person left."""
    taken = {each.newsletter for each in person.held if each.status in withdrawal.LEAVABLE}
    return {slug: each for slug, each in current.catalogue().open.items() if slug not in taken}
