"""Asking to subscribe: the hosted page, and the endpoint that every form posts to."""

import json
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from app import codes
from app.newsletters.terms import Newsletter
from app.subscriptions import requests
from app.subscriptions.decision import Signup, Sincerity
from app.web import client, current, headers, intake, language, limits, origins, problems
from app.web.pages import code
from app.web.problems import FieldErrors, InvalidFields, wants_page

blueprint = Blueprint("signup", __name__)


@blueprint.route("/subscribe", methods=["OPTIONS"])
def preflight() -> Response:
    return origins.grant(Response(status=204))


@blueprint.post("/subscribe")
def subscribe() -> BaseResponse:
    """Ask for double opt-in. The answer is the same for every address, whatever is known of it."""
    request.max_content_length = intake.MAX_BYTES
    limits.count_signup()
    if request.mimetype in intake.FORM_TYPES:
        language.use(request.form.get("language"))  # for what is said of the other fields
    fields = intake.signup_fields()
    language.use(fields.get("language"))
    newsletters = _newsletters(fields)
    origins.check(newsletters)
    _check_redirect(fields, newsletters)
    if wants_page() and not fields.get("redirect"):
        # Forms on other sites may have none to choose from, and end on our page, which can ask for the code.
        fields.setdefault("attempt", _new_attempt())
    signup = _signup(fields, newsletters)
    with current.database().single_statement() as connection:
        requests.request(connection, signup, signup.address.digest(current.settings().suppression_key))
    if wants_page():
        shown = {"language": fields.get("language"), "attempt": fields.get("attempt")}
        own = url_for("signup.inbox", slug=newsletters[0].slug, **shown)
        return redirect(fields.get("redirect") or own, 303)
    return Response(_accepted(str(get_locale())), 202, mimetype="application/json")


@cache
def _accepted(_language: str) -> str:
    """The same for everybody who reads the language."""
    message = _("Please look in your inbox for a mail that asks you to confirm.")
    return json.dumps({"status": "accepted", "message": message}) + "\n"


blueprint.after_request(origins.grant)


@blueprint.get("/newsletters/<slug>")
def page(slug: str) -> Response:
    newsletter = current.catalogue().open.get(slug)
    if newsletter is None:
        raise NotFound
    return _form([newsletter], values={}, errors={})


@blueprint.get("/newsletters/<slug>/inbox")
def inbox(slug: str) -> Response:
    """Where a browser lands after signing up. The same for everybody, but for the attempt that the form chose."""
    newsletter = current.catalogue().open.get(slug)
    if newsletter is None:
        raise NotFound
    page = render_template(
        "pages/inbox.html",
        newsletter=newsletter,
        spoken=newsletter.language_for(language.preferred()),
        attempt=request.args.get("attempt"),
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = code.form_policy()
    return response


@blueprint.errorhandler(InvalidFields)
def show_form_again(error: InvalidFields) -> Response:
    """The form with what was typed and what to change, for people; whoever sent JSON gets the problem document."""
    if not wants_page() or request.mimetype not in intake.FORM_TYPES:
        return problems.answer(error)
    on_offer = current.catalogue().open
    asked = request.form.getlist("newsletters") + request.form.getlist("newsletter")
    newsletters = [on_offer[slug] for slug in dict.fromkeys(_or_the_only_one(asked)) if slug in on_offer]
    if not newsletters:
        return problems.answer(error)
    response = _form(newsletters, values=request.form, errors=error.errors)
    response.status_code = 422
    return response


def _form(newsletters: list[Newsletter], *, values: Mapping[str, str], errors: FieldErrors) -> Response:
    page = render_template(
        "pages/signup.html",
        newsletters=newsletters,
        spoken=newsletters[0].language_for(language.preferred()),
        values=values,
        errors=errors,
        attempt=_attempt(values, errors),
    )
    response = make_response(page)
    targets = [target for each in newsletters for target in each.redirects if target == values.get("redirect")]
    response.headers["Content-Security-Policy"] = headers.policy(targets)
    # Under `no-referrer` browsers send `Origin: null` with the form, which anybody may send. The URL holds no secret.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _attempt(values: Mapping[str, str], errors: FieldErrors) -> str | None:
    """None where another page follows than ours, which did not ask for one."""
    kept = None if "attempt" in errors else values.get("attempt")
    return kept or (None if values.get("redirect") else _new_attempt())


def _new_attempt() -> str:
    """Nothing is stored of it."""
    return secrets.token_urlsafe(18)


def _newsletters(fields: Mapping[str, Any]) -> tuple[Newsletter, ...]:
    on_offer = current.catalogue().open
    slugs = _or_the_only_one(fields.get("newsletters", []))
    if not slugs:
        raise InvalidFields({"newsletters": [_("Say which newsletter.")]})
    if any(slug not in on_offer for slug in slugs):
        raise InvalidFields({"newsletters": [_("There is no such newsletter.")]})
    return tuple(on_offer[slug] for slug in slugs)


def _or_the_only_one(slugs: Sequence[str]) -> Sequence[str]:
    on_offer = list(current.catalogue().open)
    return slugs or (on_offer if len(on_offer) == 1 else [])


def _check_redirect(fields: Mapping[str, Any], newsletters: Sequence[Newsletter]) -> None:
    wanted = fields.get("redirect")
    if wanted and not any(wanted in newsletter.redirects for newsletter in newsletters):
        raise InvalidFields({"redirect": [_("This page is not on the newsletter's list of redirects.")]})


def _signup(fields: Mapping[str, Any], newsletters: tuple[Newsletter, ...]) -> Signup:
    page = client.form_url()
    hosted = page is not None and page.startswith(f"{current.settings().public_url}/newsletters/")
    sites = {current.links().origin, *(origin for each in newsletters for origin in each.allowed_origins)}
    return Signup(
        address=fields["email"],
        newsletters=newsletters,
        language=newsletters[0].language_for(language.preferred()),
        asked_from=next((site for site in sites if page and page.startswith(f"{site}/")), None),
        attempt=_digest(fields.get("attempt")),
        sincerity=Sincerity.TRAPPED if fields["website"] else Sincerity.HUMAN,
        evidence={
            **client.details(),
            "checks": {"honeypot": "empty"},
            # Only our own page is known to show an unticked box; of a foreign form we know what it sent.
            "control": {"type": "checkbox", "initial_state": "unchecked"} if hosted else {"type": "stated by the form"},
            "form_url": page,
            "method": "web_form" if request.mimetype in intake.FORM_TYPES else "json",
        },
    )


def _digest(attempt: str | None) -> str | None:
    return codes.digests(current.settings().secret_keys, attempt)[0] if attempt else None
