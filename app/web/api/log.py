"""The signed log, for strangers and for keys. It holds hashes and no personal data.

Its entries reveal nothing about anyone, but its growth does, so strangers see only the part that is published
(`log_publication`).
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Response, g, jsonify
from sqlalchemy import Connection
from werkzeug.exceptions import NotFound

from app.api_keys import Scope
from app.ledger import log as ledger
from app.ledger import proofs
from app.ledger.model import SignedCheckpoint
from app.ledger.tree import Span
from app.ledger.verifier import encode
from app.web import current, log_publication
from app.web.api import access, answers, arguments, log_schemas
from app.web.api.arguments import Blueprint
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields
from config import LogPublish

P = ParamSpec("P")
R = TypeVar("R")

PAGE = 1000
FOR_GOOD = "public, max-age=31536000, immutable"
TEXT = "text/plain; charset=utf-8"

blueprint = Blueprint("log", __name__, description="The signed log, for everyone")
public = blueprint.doc(security=[])
public_in_part = blueprint.doc(security=[{}, {"key": []}])


def shown(view: Callable[P, R]) -> Callable[P, R]:
    """Identifies the caller before all else. Raises NotFound for strangers if LOG_PUBLISH is `never`."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.sees_all = access.identify(Scope.EVENTS_READ) is not None
        arguments.refuse_query(view)
        if not g.sees_all and current.settings().log_publish is LogPublish.NEVER:
            raise NotFound("The log is shown to keys with the scope events:read.")
        return view(*args, **kwargs)

    return guarded


@blueprint.after_request
def tell_caches(answer: Response) -> Response:
    answer.vary.add("Authorization")
    return answer


@blueprint.route("/checkpoint")
@public_in_part
@shown
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
@blueprint.alt_response(304, description="Nothing changed since the `ETag` that `If-None-Match` names")
def show_checkpoint() -> Response:
    """The newest signed head of the log (C2SP tlog-checkpoint); without a key, as of the last midnight UTC."""
    with current.database().read_only() as connection:
        answer = Response(_head(connection).note, content_type=TEXT)
    answer.headers["Cache-Control"] = "private, no-cache" if g.sees_all else "no-cache"
    return answers.tagged(answer)


@blueprint.route("/log/key")
@public
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
def show_keys() -> Response:
    """The verification keys, newest first, a line each (C2SP signed-note)."""
    arguments.refuse_query(show_keys)
    with current.database().read_only() as connection:
        keys = ledger.verification_keys(connection, current.resources().log)
    answer = Response("".join(f"{key}\n" for key in keys), content_type=TEXT)
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@blueprint.route("/log/consistency")
@public_in_part
@shown
@blueprint.arguments(log_schemas.ConsistencyQuestion, location="query")
@blueprint.response(200, log_schemas.ConsistencyAnswer)
def show_consistency(question: dict[str, Any]) -> Response:
    """That the log of `from` entries is the beginning of the one of `to` entries (RFC 6962 section 2.1.2)."""
    older, newer = question["from"], question["to"]
    with current.database().read_only() as connection:
        size = _head(connection).size
        if newer > size:
            raise InvalidFields(
                {"to": [CodedMessage.of("out_of_range", f"The newest checkpoint that you see is of size {size}.")]}
            )
        proof = proofs.consistency(connection, older, newer)
    answer = jsonify({"from": older, "to": newer, "proof": [encode(each) for each in proof]})
    answer.headers["Cache-Control"] = _kept(FOR_GOOD)
    return answer


@blueprint.route("/log/entries")
@public_in_part
@shown
@blueprint.arguments(log_schemas.EntriesQuestion, location="query")
@blueprint.response(200, log_schemas.EntriesAnswer)
def show_entries(question: dict[str, Any]) -> Response:
    """Leaf hashes by position. Fewer than asked for where the log, or the page, ends before."""
    begin = question["from"]
    end = min(question.get("to", begin + PAGE), begin + PAGE)
    with current.database().read_only() as connection:
        size = _head(connection).size
        if begin > size:
            raise InvalidFields(
                {"from": [CodedMessage.of("out_of_range", f"The newest checkpoint that you see is of size {size}.")]}
            )
        leaves = ledger.leaves(connection, Span(begin, min(end, size)))
    answer = jsonify({"from": begin, "entries": [encode(leaf) for leaf in leaves]})
    if end <= size:
        answer.headers["Cache-Control"] = _kept(FOR_GOOD)
    return answer


def _head(connection: Connection) -> SignedCheckpoint:
    """The newest checkpoint that the caller may see. Raises NotFound, for strangers also if newer ones exist."""
    until = None if g.sees_all else log_publication.until()
    found = ledger.checkpoint_at(connection, until) if until else ledger.newest_checkpoint(connection)
    if found is None:
        raise NotFound("Nothing is sealed yet." if g.sees_all else "Nothing is published yet.")
    return found


def _kept(how: str) -> str:
    """Keeps the answer out of shared caches if a key may have opened more than strangers see."""
    return how.replace("public", "private") if g.sees_all else how
