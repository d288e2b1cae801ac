"""Error answers: RFC 9457 problem documents for programs, a plain page for people.

The only mapping from exceptions to statuses. Invariant: the text of a foreign exception is never passed on, because it
may hold personal data.
"""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, json, render_template, request
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import (
    Forbidden,
    Gone,
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
from app.web import problem_texts
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


class LinkExpired(Gone):
    """410: genuine, and too late. A new mail can be asked for."""

    kind = "link-expired"


class LinkEnded(Gone):
    """410: the person has left since, or the request was erased."""

    kind = "link-ended"


class UndoOver(Gone):
    """410: what was pressed cannot be taken back any more."""

    kind = "undo-over"


class EvidenceErased(Gone):
    """410: there was something, and it was erased."""

    kind = "erased"


class OriginRefused(Forbidden):
    """403: a web site that may not use the form."""

    kind = "origin-refused"


def register(app: Flask) -> None:
    app.register_error_handler(HTTPException, answer)
    app.register_error_handler(TokenInvalid, lambda _error: answer(NotFound(problem_texts.advice(404))))
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
    response.headers["Content-Language"] = str(get_locale())
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _document(error: HTTPException) -> Response:
    status = error.code or 500
    kind = getattr(error, "kind", None) or problem_texts.KINDS.get(status)
    problem: dict[str, Any] = {
        "type": f"urn:jawel:problem:{kind}" if kind else "about:blank",
        "title": problem_texts.title(status),
        "status": error.code,
        "detail": _detail(error),
    }
    if isinstance(error, InvalidFields):
        problem |= {"errors": error.errors, "error_codes": problem_texts.codes(error.errors)}
    return Response(json.dumps(problem), error.code, content_type="application/problem+json")


def _detail(error: HTTPException) -> str | None:
    """Our own words, or for Werkzeug's, which are English, others: it puts sizes and methods elsewhere."""
    if isinstance(error, RequestEntityTooLarge):
        return str(_("Send at most %(bytes)s bytes.", bytes=f"{request.max_content_length:,}"))
    if isinstance(error, MethodNotAllowed):
        return str(_("Allowed here: %(methods)s.", methods=", ".join(sorted(error.valid_methods or ()))))
    if error.description != type(error).description or "kind" in vars(type(error)):
        return error.description
    return str(_("There is nothing at this path.")) if error.code == 404 else problem_texts.advice(error.code or 500)


def _page(error: HTTPException) -> Response:
    errors = error.errors if isinstance(error, InvalidFields) else {}
    try:
        return Response(
            render_template("pages/problem.html", status=error.code, errors=errors, texts=problem_texts), error.code
        )
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
