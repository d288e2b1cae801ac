"""Subscriber status for other services; withdrawal and erasure on a person's behalf."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, jsonify, request
from werkzeug.exceptions import NotFound

from app.addresses import EmailAddress, InvalidAddress
from app.api_keys import Scope
from app.consent import BY_KEY, Act, Actor
from app.ledger import feed
from app.privacy import erasure
from app.subscriptions import status, withdrawal
from app.subscriptions.model import Status
from app.web import current
from app.web.api import access, answers, idempotency, orders, preconditions, schemas
from app.web.api.arguments import Blueprint
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields

MAX_BYTES = 512 * 1024
"""Enough for a look-up of 1,000 of the longest addresses."""

blueprint = Blueprint("subscribers", __name__, url_prefix="/api/v1", description="Who may be written to")


@blueprint.before_request
def allow_long_questions() -> None:
    request.max_content_length = MAX_BYTES


@blueprint.route("/subscribers/<path:who>")
@access.requires(Scope.STATUS_READ)
@blueprint.response(200, schemas.SubscriberSchema)
@blueprint.alt_response(304, description="Nothing changed since the `ETag` that `If-None-Match` names")
def show(who: str) -> Response:
    """One person, by address or id, with every subscription that the key may see."""
    wanted = _identify(who)
    found = None
    if wanted is not None:
        with current.database().read_only() as connection:
            found = status.find(connection, wanted, visible=access.caller().newsletters)
    if found is None:
        raise NotFound("No subscriber by that address or id.")
    return answers.tagged(jsonify(answers.subscriber(found, access.caller())))


@blueprint.route("/subscribers/<path:who>", methods=["DELETE"])
@access.requires(Scope.SUBSCRIBERS_WRITE)
@blueprint.response(204)
def erase(who: str) -> Response:
    """Erase a person, by address or id: address, letters, evidence. Idempotent, and the same for who is not known.

    A key that is limited to newsletters erases what they know of the person; the rest stays with the others.
    With `If-Match`, `412` and nothing erased where the person is not as that `ETag` showed them.
    """
    wanted = _erasable(who)
    caller = access.caller()
    act = Act(Actor.CONTROLLER, {"method": f"{BY_KEY}{caller.name}"})
    with current.database().transaction() as session:
        preconditions.check_person(session, wanted if isinstance(wanted, UUID) else wanted.canonical)
        if caller.newsletters is None:
            erasure.erase(session, wanted, act)
        else:
            erasure.erase_within(session, wanted, caller.newsletters, act)
    current.database().scrub()
    return Response(status=204)


@blueprint.route("/subscribers/lookup", methods=["POST"])
@access.requires(Scope.STATUS_READ)
@idempotency.kept
@blueprint.arguments(schemas.LookupQuestion)
@blueprint.response(200, schemas.LookupAnswer)
def look_up(question: dict[str, Any]) -> Response:
    """Up to 1,000 addresses for one newsletter, or ids of whole subscribers, in the order asked.

    An address that left the newsletter and has been erased since is `unsubscribed`, until it confirms anew.
    """
    if "ids" in question:
        return _look_up_by_id(question["ids"])
    newsletter = _visible(question["newsletter"])
    with current.database().read_only() as connection:
        found = status.look_up(connection, newsletter, question["emails"], current.settings().suppression_key)
    return jsonify(results=[{"email": each.email, "status": each.status, "mailable": each.mailable} for each in found])


def _look_up_by_id(ids: Sequence[UUID]) -> Response:
    caller = access.caller()
    with current.database().read_only() as connection:
        found = status.find_all(connection, ids, visible=caller.newsletters)
    told = {each.id: answers.subscriber(each, caller) for each in found}
    return jsonify(results=[told.get(each, {"id": str(each), "status": status.UNKNOWN}) for each in ids])


@blueprint.route("/newsletters/<slug>/subscribers")
@access.requires(Scope.STATUS_READ)
@blueprint.arguments(schemas.PageQuestion, location="query")
@blueprint.response(200, schemas.PageAnswer)
@blueprint.doc(responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
def show_page(question: dict[str, Any], slug: str) -> Response:
    """The subscribers of a newsletter, page by page; as CSV where `Accept` says `text/csv`."""
    caller = access.caller()
    if slug not in current.catalogue().newsletters or not caller.sees(slug):
        raise NotFound("No such newsletter.")
    wanted = Status(question["status"]) if "status" in question else None
    limit = question["limit"]
    with current.database().read_only() as connection:
        # Before the page: what changes while it is read comes in the feed again, rather than never.
        position = feed.newest(connection)
        found = status.page(connection, slug, status=wanted, after=question.get("cursor"), limit=limit)
    cursor = str(found[-1].subscriptions[0].id) if len(found) == limit else None
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        answer = Response(answers.as_csv(found, caller), content_type="text/csv; charset=utf-8")
    else:
        answer = jsonify(results=[answers.entry(each, caller) for each in found], next=cursor, position=position)
    if cursor:
        # A CSV has no place for the cursor, so both carry it as a link (RFC 8288).
        following = f"{current.settings().public_url}{request.path}"
        query = {**request.args.to_dict(), "cursor": cursor}
        answer.headers["Link"] = f'<{following}?{urlencode(query)}>; rel="next"'
    return answer


@blueprint.route("/unsubscribe", methods=["POST"])
@access.requires(Scope.SUBSCRIBERS_WRITE)
@idempotency.kept
@blueprint.arguments(orders.UnsubscribeOrder)
@blueprint.response(200, orders.UnsubscribeAnswer)
def unsubscribe(order: dict[str, Any]) -> Response:
    """End one subscription, or all that the key may see. Idempotent, and the same for addresses that are not known."""
    caller = access.caller()
    catalogue = current.catalogue()
    names = [_visible(order["newsletter"])] if "newsletter" in order else [*filter(caller.sees, catalogue.newsletters)]
    try:
        address = EmailAddress.parse(order["email"])
    except InvalidAddress:
        raise InvalidFields({"email": [CodedMessage.of("invalid_address", "This is not an e-mail address.")]}) from None
    details = {"method": f"{BY_KEY}{caller.name}"} | ({"reason": order["reason"]} if "reason" in order else {})
    act = Act(Actor.CONTROLLER, details)
    with idempotency.transaction() as session:
        preconditions.check_person(session, address.canonical)
        withdrawal.leave_by_address(session, address, names, catalogue=catalogue, act=act)
    return jsonify(status=Status.UNSUBSCRIBED)


def _identify(who: str) -> str | UUID | None:
    """The canonical form of an address, or an id; else None. Neither PostgreSQL text nor an address can hold NUL."""
    if "@" in who:
        return None if "\0" in who else EmailAddress.canonical_of(who)
    try:
        return UUID(who)
    except ValueError:
        return None


def _erasable(who: str) -> erasure.ErasedAddress | UUID:
    wanted = _identify(who)
    if wanted is None:
        raise NotFound("That is neither an address nor an id.")
    if isinstance(wanted, UUID):
        return wanted
    digests = EmailAddress(typed=wanted, canonical=wanted).digests(current.settings().suppression_key)
    return erasure.ErasedAddress(wanted, digests.address, digests.mailbox)


def _visible(newsletter: str) -> str:
    if newsletter not in current.catalogue().newsletters or not access.caller().sees(newsletter):
        raise InvalidFields({"newsletter": [CodedMessage.of("unknown_newsletter", "There is no such newsletter.")]})
    return newsletter
