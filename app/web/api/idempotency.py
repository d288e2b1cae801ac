"""`Idempotency-Key`: a POST that is repeated gets its first answer, and has no second effect (`kept_answers`)."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, cast

from flask import Response, g, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, HTTPException, UnprocessableEntity

from app import clock, kept_answers
from app.kept_answers import Answer, FirstAnswer, IdempotencyKey
from app.web import current, problems
from app.web.api import access
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields

P = ParamSpec("P")

HEADER = "Idempotency-Key"
FORM = re.compile(r"[ -~]{1,255}")
NOT_KEPT = frozenset({401, 403, 429})
"""So that the same request may succeed later; nor is anything from 500."""
RETRY_SECONDS = 1


class KeyReused(UnprocessableEntity):
    """422: the key belongs to a request with another method, path or body."""

    kind = "idempotency-key-reused"


class UnderWay(Conflict):
    """409: the first request with this key is still being carried out."""

    kind = "request-under-way"

    def get_headers(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*arguments, **options), ("Retry-After", str(RETRY_SECONDS))]


def kept(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Above the arguments, so that answers to invalid requests are kept too; below `access.requires`.

    The view opens its transaction by `transaction`.
    """

    @wraps(view)
    def once(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if HEADER not in request.headers:
            return view(*args, **kwargs)
        key = IdempotencyKey(access.presented_key(), _key())
        with current.database().transaction() as session:
            return _answer(session, key, lambda: view(*args, **kwargs))

    return once


@contextmanager
def transaction() -> Iterator[Session]:
    """The one in which the answer is kept; one of its own for a request without a key."""
    if "session" in g:
        yield g.session
    else:
        with current.database().transaction() as session:
            yield session


def session() -> Session | None:
    """That of a request with a key, for a view whose work needs no transaction without one."""
    return cast("Session | None", g.get("session"))


def _key() -> str:
    key = request.headers[HEADER]
    if not FORM.fullmatch(key):
        raise InvalidFields({HEADER: [CodedMessage.of("wrong_length", "Send 1 to 255 printable characters of ASCII.")]})
    return key


def _answer(session: Session, key: IdempotencyKey, act: Callable[[], ResponseReturnValue]) -> Response:
    connection, now = session.connection(), clock.now()
    asked = key.fingerprint(f"{request.method} {request.full_path}\n".encode() + request.get_data())
    if not kept_answers.hold(connection, key):
        raise UnderWay("The first request with this Idempotency-Key is still under way.")
    if before := kept_answers.find(connection, key, now):
        return _replayed(before, asked)
    answer = _carry_out(session, act)
    headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
    told = Answer(answer.status_code, headers, answer.get_data(as_text=True))
    kept_answers.keep(session, key, FirstAnswer(asked, told), now)
    return answer


def _replayed(before: FirstAnswer, asked: str) -> Response:
    if before.request != asked:
        raise KeyReused("This Idempotency-Key belongs to another request. Send a new key with a new request.")
    answer = Response(before.answer.body, before.answer.status, before.answer.headers)
    answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _carry_out(session: Session, act: Callable[[], ResponseReturnValue]) -> Response:
    """Raises what is not kept; the transaction then keeps nothing at all."""
    g.session = session
    try:
        with session.begin_nested():
            return make_response(act())
    except HTTPException as error:
        if error.code is None or error.code >= 500 or error.code in NOT_KEPT:
            raise
        return problems.answer(error)
    finally:
        g.pop("session")
