"""Error answers: RFC 9457 problem documents for programs, a plain page for people.

The only mapping from exceptions to statuses. Invariant: the text of a foreign exception is never passed on, because it
may hold personal data.
"""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, json, render_template, request
from flask_babel import gettext as _
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    ServiceUnavailable,
    UnprocessableEntity,
)

from app.newsletters.definitions import CatalogueIsBehind
from app.subscriptions.requests import Overtaken
from app.tokens import TokenInvalid
from app.web.negotiation import wants_page

log = structlog.get_logger()

FieldErrors = Mapping[str, Sequence[str]]

RETRY_SECONDS = 5
UNREACHABLE = (OperationalError, InterfaceError, InternalError, PoolTimeout)
"""InternalError: the server has become a standby, which refuses writes, or fails internally."""


NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}


class InvalidFields(UnprocessableEntity):
    """422: the invalid fields of a request by name, each with texts that say how to correct it."""

    kind = "invalid-fields"

    def __init__(self, errors: FieldErrors) -> None:
        super().__init__(_("Some fields need attention."))
        self.errors = errors


def register(app: Flask) -> None:
    app.register_error_handler(HTTPException, answer)
    app.register_error_handler(TokenInvalid, lambda _error: answer(NotFound()))
    for passing in (Overtaken, CatalogueIsBehind):
        app.register_error_handler(passing, lambda _error: answer(ServiceUnavailable(retry_after=1)))
    for unreachable in UNREACHABLE:
        app.register_error_handler(unreachable, _database_is_away)
    app.register_error_handler(Exception, _crash)


def answer(error: HTTPException) -> Response:
    """A problem document or a page, with the error's own headers: `Allow`, `Retry-After`, `WWW-Authenticate`."""
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value]
    response = _page(error) if wants_page() else _document(error)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _document(error: HTTPException) -> Response:
    kind = getattr(error, "kind", None)
    problem: dict[str, Any] = {
        "type": f"urn:jawel:problem:{kind}" if kind else "about:blank",
        "title": error.name,
        "status": error.code,
        "detail": _detail(error),
    }
    if isinstance(error, InvalidFields):
        problem |= {"errors": error.errors}
    return Response(json.dumps(problem), error.code, content_type="application/problem+json")


def _detail(error: HTTPException) -> str | None:
    """Adds the size limit and the allowed methods, which Werkzeug puts into a header or nowhere."""
    if isinstance(error, RequestEntityTooLarge):
        return f"Send at most {request.max_content_length:,} bytes."
    if isinstance(error, MethodNotAllowed):
        return f"Allowed here: {', '.join(sorted(error.valid_methods or ()))}."
    return error.description


def _page(error: HTTPException) -> Response:
    errors = error.errors if isinstance(error, InvalidFields) else {}
    try:
        return Response(render_template("pages/problem.html", status=error.code, errors=errors), error.code)
    except OSError:
        # A template or a translation is not loaded yet and cannot be read now.
        return Response(f"{error.code} {error.name}\n", error.code, content_type="text/plain; charset=utf-8")


def _database_is_away(error: Exception) -> Response:
    log.error("database.unreachable", kind=type(error).__name__)
    return answer(ServiceUnavailable(retry_after=RETRY_SECONDS))


def _out_of_descriptors(error: BaseException | None) -> bool:
    """Also if a library raised another exception because of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_DESCRIPTOR:
            return True
        error = error.__cause__ or error.__context__
    return False


def _crash(error: Exception) -> Response:
    """Logs the place of the error, never its message: a driver's quotes the parameters of the statement."""
    if _out_of_descriptors(error):
        log.error("descriptors.used_up", kind=type(error).__name__)
        return answer(ServiceUnavailable(retry_after=RETRY_SECONDS))
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('site-packages/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    log.error("request.crashed", kind=type(error).__name__, route=str(request.url_rule), at=frames[-8:])
    return answer(InternalServerError())
