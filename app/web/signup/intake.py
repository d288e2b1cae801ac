"""Signup intake for every channel: the newsletters, one record, and one answer for every address."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

from flask import Response
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.newsletters.definitions import Newsletter
from app.subscriptions import requests
from app.subscriptions.decision import Signup
from app.web import current, language
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields
from app.web.signup import abuse_checks, webmail
from app.web.signup.abuse_checks import UNCHECKED, Verdict


def newsletters(named: Sequence[str], on_offer: Mapping[str, Newsletter]) -> tuple[Newsletter, ...]:
    """The named newsletters, or the only one on offer. Raises InvalidFields."""
    slugs = or_the_only_one(named, on_offer)
    if not slugs:
        raise InvalidFields({"newsletters": [CodedMessage.of("required", _("Say which newsletter."))]})
    if any(slug not in on_offer for slug in slugs):
        raise InvalidFields({"newsletters": [CodedMessage.of("unknown_newsletter", _("There is no such newsletter."))]})
    return tuple(on_offer[slug] for slug in slugs)


def or_the_only_one(named: Sequence[str], on_offer: Mapping[str, Newsletter]) -> Sequence[str]:
    return named or (list(on_offer) if len(on_offer) == 1 else [])


def record(signup: Signup, verdict: Verdict = UNCHECKED) -> None:
    """The one way to record a signup: from a form, the API, a new letter, or joining another newsletter.

    It commits. Raises InvalidFields if the proof of work of the verdict was used before.
    """
    with current.database().single_statement() as connection:
        # If the process dies in between, the proof is lost, and another is asked for.
        abuse_checks.spend(connection, verdict)
        digests = signup.address.digests(current.settings().suppression_key)
        requests.request(connection, signup, digests)


def record_within(session: Session, signup: Signup) -> None:
    """As `record`, in the caller's transaction, for a signup that needs no proof of work."""
    connection = session.connection()
    digests = signup.address.digests(current.settings().suppression_key)
    requests.request(connection, signup, digests, attempt_in=connection.begin_nested)


def accepted(domain: str) -> Response:
    """The same for every address in one language, except for a link to the web mail of a large provider's domain."""
    answer = Response(_text(language.chosen()), 202, mimetype="application/json")
    if mailbox := webmail.find(webmail.key_for(domain)):
        answer.headers["Link"] = f'<{mailbox.url}>; rel="related"; title="{mailbox.name}"'
    return answer


@cache
def _text(language: str) -> str:
    with force_locale(language):
        message = _("Please look in your inbox for a mail that asks you to confirm.")
    return json.dumps({"status": "accepted", "message": message}, separators=(",", ":")) + "\n"
