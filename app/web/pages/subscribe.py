"""`POST /subscribe`: the one signup endpoint for all forms and programs."""

from collections.abc import Sequence
from dataclasses import replace

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app.newsletters.definitions import Newsletter
from app.subscriptions import codes
from app.subscriptions.decision import HoneypotResult, Signup
from app.web import client, current, language, origins, parsing, problems
from app.web.negotiation import FORM_TYPES, is_form_of_a_person, wants_page
from app.web.pages.signup import new_attempt, show_form
from app.web.parsing import SignupForm
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields
from app.web.signup import abuse_checks, intake, webmail
from app.web.signup.abuse_checks import Verdict, Work

blueprint = Blueprint("subscribe", __name__)
blueprint.after_request(origins.grant)


@blueprint.route("/subscribe", methods=["OPTIONS"])
def preflight() -> Response:
    return Response(status=204)


@blueprint.post("/subscribe")
def subscribe() -> BaseResponse:
    """Ask for double opt-in. The answer is the same for every address, known or not."""
    request.max_content_length = parsing.MAX_BYTES
    form = parsing.signup_form()
    language.use(form.language)
    newsletters = _newsletters(form.newsletters)
    origins.check(newsletters)
    _check_redirect(form.redirect, newsletters)
    for_a_page = wants_page()
    if for_a_page and not form.redirect and not form.attempt:
        # A form on another site may send no form id; it ends on our page, which needs one to ask for the code.
        form = replace(form, attempt=new_attempt())
    verdict = abuse_checks.judge(form, newsletters)
    signup = _signup(form, newsletters, verdict)
    intake.record(signup, verdict)
    if for_a_page:
        return redirect(form.redirect or _inbox(form, newsletters[0]), 303)
    return intake.accepted(form.email.domain)


@blueprint.errorhandler(InvalidFields)
def show_form_again(error: InvalidFields) -> Response:
    """The form with the typed values and the errors, for people; a client that sent JSON gets the problem document."""
    if not is_form_of_a_person():
        return problems.answer(error)
    open_ = current.catalogue().open
    asked = [slug for name in ("offered", "newsletters", "newsletter") for slug in request.form.getlist(name)]
    newsletters = [open_[slug] for slug in dict.fromkeys(intake.or_the_only_one(asked, open_)) if slug in open_]
    if not newsletters:
        return problems.answer(error)
    language.about(newsletters)
    response = show_form(newsletters, values=request.form, errors=error.errors)
    response.status_code = 422
    return response


def _newsletters(named: Sequence[str]) -> tuple[Newsletter, ...]:
    if not named and request.form.getlist("offered"):
        raise InvalidFields({"newsletters": [CodedMessage.of("required", _("Tick at least one newsletter."))]})
    return intake.newsletters(named, current.catalogue().open)


def _inbox(form: SignupForm, newsletter: Newsletter) -> str:
    """The URL tells nothing about the person except the mail provider, if it is a large one."""
    return url_for(
        "signup.inbox",
        slug=newsletter.slug,
        language=form.language,
        # A program's form id may hold characters that no URL can hold; then the code is typed where the id was chosen.
        attempt=form.attempt if form.attempt and form.attempt.isprintable() else None,
        mailbox=webmail.key_for(form.email.domain),
    )


def _check_redirect(wanted: str | None, newsletters: Sequence[Newsletter]) -> None:
    if wanted and not any(wanted in newsletter.redirects for newsletter in newsletters):
        raise InvalidFields(
            {
                "redirect": [
                    CodedMessage.of("redirect_refused", _("This page is not on the newsletter's list of redirects."))
                ]
            }
        )


def _signup(form: SignupForm, newsletters: tuple[Newsletter, ...], verdict: Verdict) -> Signup:
    page = client.form_url()
    reads = language.preferred()
    hosted = page is not None and page.startswith(_own_pages())
    return Signup(
        address=form.email,
        newsletters=newsletters,
        language=newsletters[0].language_for(reads),
        reads=reads,
        asked_from=origins.known(page, newsletters),
        form_id=_digest(form.attempt),
        sincerity=HoneypotResult.TRAPPED if form.website else HoneypotResult.HUMAN,
        is_unproven=verdict.work is Work.NONE,
        evidence={
            **client.details(),
            "checks": verdict.evidence,
            # Only our own pages are known to show unticked boxes; of a form on another site we know only what it sent.
            "control": {"type": "checkbox", "initial_state": "unchecked"} if hosted else {"type": "stated by the form"},
            "form_url": page,
            "method": "web_form" if request.mimetype in FORM_TYPES else "json",
        },
    )


def _own_pages() -> tuple[str, ...]:
    """URL prefixes of our own form: its page, and the page that shows its errors."""
    own = current.settings().public_url
    return f"{own}/newsletters/", f"{own}{url_for('subscribe.subscribe')}"


def _digest(attempt: str | None) -> str | None:
    return codes.digests(current.settings().secret_keys, attempt)[0] if attempt else None
