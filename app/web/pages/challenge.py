"""Puzzles for proof of work: for our own page, for forms on other sites, and for programs."""

from flask import Blueprint, Response, json

from app import clock
from app.abuse import proof_of_work
from app.web import current, origins

blueprint = Blueprint("challenge", __name__)


@blueprint.get("/challenge")
def show() -> Response:
    """A new puzzle for each request; nothing is stored."""
    puzzle = proof_of_work.puzzle(current.settings().secret_keys, clock.now())
    return Response(json.dumps(puzzle), mimetype="application/json")


blueprint.after_request(origins.grant)
