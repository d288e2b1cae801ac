"""The log as everyone may read it. It holds hashes and no personal data."""

from typing import Any

from flask import Response, jsonify
from sqlalchemy import Connection
from werkzeug.exceptions import NotFound

from app.ledger import log as ledger
from app.ledger import proofs
from app.ledger.model import SignedCheckpoint
from app.ledger.tree import Span
from app.ledger.verifier import encode
from app.web import current
from app.web.api import answers, schemas
from app.web.api.arguments import Blueprint
from app.web.problems import InvalidFields

PAGE = 1000
FOR_GOOD = "public, max-age=31536000, immutable"
TEXT = "text/plain; charset=utf-8"

blueprint = Blueprint("log", __name__, description="The signed log, for everyone")
public = blueprint.doc(security=[])


@blueprint.route("/checkpoint")
@public
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
@blueprint.alt_response(304, description="Nothing changed since the `ETag` that `If-None-Match` names")
def show_checkpoint() -> Response:
    """The newest signed head of the log (C2SP tlog-checkpoint)."""
    with current.database().read_only() as connection:
        answer = Response(_newest(connection).note, content_type=TEXT)
    answer.headers["Cache-Control"] = "no-cache"
    return answers.tagged(answer)


@blueprint.route("/log/key")
@public
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
def show_keys() -> Response:
    """The verification keys, newest first, a line each (C2SP signed-note)."""
    with current.database().read_only() as connection:
        keys = ledger.verification_keys(connection, current.services().log)
    answer = Response("".join(f"{key}\n" for key in keys), content_type=TEXT)
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@blueprint.route("/log/consistency")
@public
@blueprint.arguments(schemas.ConsistencyQuestion, location="query")
@blueprint.response(200, schemas.ConsistencyAnswer)
def show_consistency(question: dict[str, Any]) -> Response:
    """That the log of `from` entries is the beginning of the one of `to` entries (RFC 6962 section 2.1.2)."""
    older, newer = question["from"], question["to"]
    with current.database().read_only() as connection:
        size = _newest(connection).size
        if newer > size:
            raise InvalidFields({"to": [f"The newest checkpoint is of size {size}."]})
        proof = proofs.consistency(connection, older, newer)
    answer = jsonify({"from": older, "to": newer, "proof": [encode(each) for each in proof]})
    answer.headers["Cache-Control"] = FOR_GOOD
    return answer


@blueprint.route("/log/entries")
@public
@blueprint.arguments(schemas.EntriesQuestion, location="query")
@blueprint.response(200, schemas.EntriesAnswer)
def show_entries(question: dict[str, Any]) -> Response:
    """Leaf hashes by position. Fewer than asked for where the log, or the page, ends before."""
    begin = question["from"]
    end = min(question.get("to", begin + PAGE), begin + PAGE)
    with current.database().read_only() as connection:
        size = _newest(connection).size
        if begin > size:
            raise InvalidFields({"from": [f"The newest checkpoint is of size {size}."]})
        leaves = ledger.leaves(connection, Span(begin, min(end, size)))
    answer = jsonify({"from": begin, "entries": [encode(leaf) for leaf in leaves]})
    if end <= size:
        answer.headers["Cache-Control"] = FOR_GOOD
    return answer


def _newest(connection: Connection) -> SignedCheckpoint:
    found = ledger.newest_checkpoint(connection)
    if found is None:
        raise NotFound("Nothing is sealed yet.")
    return found
