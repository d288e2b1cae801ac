"""The answer after a confirmation, by the link or by the code."""

from collections.abc import Iterable

from flask import jsonify, make_response, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.links import FRESH_FOR
from app.newsletters.definitions import Words
from app.subscriptions import agreed_wordings as agreed_words
from app.subscriptions import confirmation
from app.subscriptions.confirmation import Asked, Standing
from app.web import current, language
from app.web.negotiation import wants_page


def answer(asked: Asked) -> BaseResponse:
    """Idempotent: the same answer each time."""
    names = asked.those(Standing.CONFIRMED)
    if not wants_page():
        return jsonify(status="confirmed", newsletters=names)
    for target in redirects(names):
        return redirect(target, 303)
    return make_response(page(asked))


def page(asked: Asked) -> str:
    return render_template(
        "pages/confirmed.html",
        names=asked.those(Standing.CONFIRMED),
        words=words(asked),
        receipts=_receipts(asked),
        controller=current.catalogue().controller,
    )


def redirects(names: Iterable[str]) -> list[str]:
    """The URLs of the newsletters' own pages to which a confirmation redirects."""
    newsletters = current.catalogue().newsletters
    return [target for name in names if (target := newsletters[name].confirmed_redirect)]


def words(asked: Asked) -> dict[str, Words]:
    """By newsletter: the words that were agreed to, or the current ones if no evidence is left."""
    newsletters = current.catalogue().newsletters
    with current.database().read_only() as connection:
        agreed = agreed_words.find(connection, asked.letter_id)
    return {name: agreed.get(name) or newsletters[name].words(language.preferred()) for name in asked.standings}


def _receipts(asked: Asked) -> dict[str, str]:
    """Receipt links for confirmations within `FRESH_FOR`; no longer, because the letter may be forwarded."""
    with current.database().read_only() as connection:
        earliest = clock.now() - FRESH_FOR
        found = confirmation.confirmed_since(connection, asked.letter_id, earliest)
    links = current.links()
    return {name: links.receipt(each.subscription_id, each.since + FRESH_FOR) for name, each in found.items()}
