"""The hosted page with the form, and the page that says to look in the inbox."""

import secrets
from collections.abc import Mapping

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import NotFound

from app.newsletters.definitions import Newsletter
from app.web import current, language
from app.web.http import headers
from app.web.pages import code
from app.web.problems import FieldErrors
from app.web.signup import abuse_checks, webmail

blueprint = Blueprint("signup", __name__)


@blueprint.get("/newsletters/<slug>")
def page(slug: str) -> Response:
    """`?also=` names other newsletters to choose from; those that are not on offer are ignored."""
    newsletter = on_offer(slug)
    open_ = current.catalogue().open
    others = [open_[each] for each in dict.fromkeys(request.args.getlist("also")) if each in open_ and each != slug]
    return show_form([newsletter, *others], values={}, errors={})


@blueprint.get("/newsletters/<slug>/inbox")
def inbox(slug: str) -> Response:
    """The page after signing up. The same for every address, except for the form id that the form chose."""
    newsletter = on_offer(slug)
    page = render_template(
        "pages/inbox.html",
        newsletter=newsletter,
        spoken=newsletter.language_for(language.preferred()),
        attempt=request.args.get("attempt"),
        mailbox=webmail.find(request.args.get("mailbox")),
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = code.form_policy()
    return response


def on_offer(slug: str) -> Newsletter:
    """The open newsletter of this slug; its own language becomes the page's fallback. Raises NotFound."""
    newsletter = current.catalogue().open.get(slug)
    if newsletter is None:
        raise NotFound
    language.about([newsletter])
    return newsletter


def show_form(newsletters: list[Newsletter], *, values: Mapping[str, str], errors: FieldErrors) -> Response:
    """The signup page, with the values that were typed and their errors, if any."""
    preferred = language.preferred()
    asks_for_work = "proof_of_work" in errors or abuse_checks.asks_for_work(newsletters)
    page = render_template(
        "pages/signup.html",
        newsletters=newsletters,
        words={each.slug: each.words(preferred) for each in newsletters},
        spoken={each.slug: each.language_for(preferred) for each in newsletters},
        values=values,
        errors=errors,
        attempt=_attempt(values, errors),
        rendered=abuse_checks.form_token(values.get("rendered"), errors, asks_for_work=asks_for_work),
        asks_for_work=asks_for_work,
    )
    response = make_response(page)
    targets = [target for each in newsletters for target in each.redirects if target == values.get("redirect")]
    response.headers["Content-Security-Policy"] = headers.policy(targets)
    # Under `no-referrer` browsers send `Origin: null` with the form, as any site can. The URL holds no secret.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _attempt(values: Mapping[str, str], errors: FieldErrors) -> str | None:
    """The form id. None if the form redirects to a page other than ours, which did not ask for one."""
    kept = None if "attempt" in errors else values.get("attempt")
    return kept or (None if values.get("redirect") else new_attempt())


def new_attempt() -> str:
    """A random form id; nothing is stored."""
    return secrets.token_urlsafe(18)
