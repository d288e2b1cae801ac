"""Who may call what: bearer keys with scopes, as far as a key's newsletters go."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from app.keys import Caller, Scope
from app.web import current

P = ParamSpec("P")
R = TypeVar("R")


def requires(scope: Scope) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Answer 401 without a good key, 403 without the scope (RFC 6750 section 3.1)."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.caller = _authenticate(scope)
            return view(*args, **kwargs)

        return guarded

    return decorate


def caller() -> Caller:
    return cast(Caller, g.caller)


def _authenticate(scope: Scope) -> Caller:
    given = request.authorization
    token = given.token if given and given.type == "bearer" else None
    found = current.services().key_ring.find(token) if token else None
    if found is None:
        challenge = WWWAuthenticate("bearer", {"realm": "jawel"})
        raise Unauthorized("Send `Authorization: Bearer KEY` with a key that is in force.", www_authenticate=challenge)
    if not found.has(scope):
        raise Forbidden(f"This key lacks the scope {scope}.")
    return found
