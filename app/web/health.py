"""Health checks for an orchestrator: liveness and readiness."""

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from app.database import postgresql, schema
from app.database.write_check import NotWritable
from app.web import current

blueprint = Blueprint("health", __name__)

PATIENCE_SECONDS = 3.0


@blueprint.get("/healthz")
def alive() -> Response:
    return jsonify(status="alive")


@blueprint.get("/readyz")
def ready() -> tuple[Response, int]:
    """503 until the database answers with the newest schema: a new version takes no traffic before its migration. Also
    503 while the database takes no writes, which is checked once a second for all requests together."""
    try:
        with postgresql.answering_within(PATIENCE_SECONDS), current.database().read_only() as connection:
            is_current = schema.is_current(connection)
    except SQLAlchemyError:
        return jsonify(status="unavailable", database="unreachable"), 503
    if not is_current:
        return jsonify(status="unavailable", database="schema is not current; run `jawel migrate`"), 503
    try:
        with postgresql.answering_within(PATIENCE_SECONDS):
            current.resources().writable.check(PATIENCE_SECONDS)
    except NotWritable as error:
        return jsonify(status="unavailable", database=f"takes no writes: {error}"), 503
    return jsonify(status="ready"), 200
