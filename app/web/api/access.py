"""Authorisation: bearer keys with scopes, optionally limited to newsletters."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from flask import g, request
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized

from app.api_keys import Caller, Scope
from app.web import current, security_log
from app.web.api import arguments
from app.web.security_log import Refusal

P = ParamSpec("P")
R = TypeVar("R")


class _Challenge(HTTPException):
    """Names the missing credential in `WWW-Authenticate`, each value in quotation marks (RFC 6750 section 3)."""

    def __init__(self, description: str, **told: str) -> None:
        super().__init__(description)
        self.told = {"realm": "jawel", **told}

    def get_headers(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        challenge = ", ".join(f'{name}="{value}"' for name, value in self.told.items())
        return [*super().get_headers(*arguments, **options), ("WWW-Authenticate", f"Bearer {challenge}")]


class NoGoodKey(_Challenge, Unauthorized):
    """401: no key, or one that is not in force."""

    kind = "key-missing"


class KeyNotInForce(NoGoodKey):
    """401: a key that is unknown, expired or revoked."""

    kind = "key-invalid"


class ScopeMissing(_Challenge, Forbidden):
    """403: a valid key without the scope."""

    kind = "scope-missing"


def requires(scope: Scope) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Answer 401 without a valid key, 403 without the scope (RFC 6750 section 3.1)."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.caller = _authenticate(scope)
            if request.path.startswith("/api/"):
                arguments.refuse_query(view)
            return view(*args, **kwargs)

        guarded.scope = scope  # type: ignore[attr-defined]
        return guarded

    return decorate


def caller() -> Caller:
    return cast(Caller, g.caller)


def presented_key() -> str:
    """The text of the key that the caller sent."""
    return _token()[1]


def identify(scope: Scope) -> Caller | None:
    """For endpoints that also work without a key; None if none is sent. Raises NoGoodKey or ScopeMissing.

    A wrong key is refused, because its sender would take the public part for the whole.
    """
    return _authenticate(scope) if "Authorization" in request.headers else None


def _authenticate(scope: Scope) -> Caller:
    kind, token = _token()
    if kind.lower() != "bearer" or not token:
        security_log.note(Refusal.NO_KEY)
        raise NoGoodKey("Send `Authorization: Bearer KEY` with a key that is in force.")
    found = current.resources().key_ring.find(token)
    if found is None:
        security_log.note(Refusal.BAD_KEY)
        raise KeyNotInForce("This key is not in force: make another with `jawel keys create`.", error="invalid_token")
    if not found.has(scope):
        security_log.note(Refusal.MISSING_SCOPE, key=found.name, scope=scope)
        raise ScopeMissing(f"This key lacks the scope {scope}.", error="insufficient_scope", scope=scope)
    return found


def _token() -> tuple[str, str]:
    """Kind and token. Werkzeug reads a token that is not of RFC 6750's form, such as `a=b`, as parameters."""
    kind, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return kind, token.strip()
