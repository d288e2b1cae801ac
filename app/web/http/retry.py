"""Retry of a request after a deadlock, and a time limit on the database for each request.

Invariant: a request is retried only if all that it did was rolled back. That holds for every transaction that did not
commit, so it is enough to know that the request committed none.
"""

import random
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy.exc import DBAPIError

from app import database
from app.database import postgresql

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

ATTEMPTS = 4
LONGEST_PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 10.0


def register(app: Flask) -> None:
    dispatch, answer = app.dispatch_request, app.wsgi_app

    def dispatch_again() -> Any:
        for _ in range(ATTEMPTS - 1):
            before = database.commits()
            try:
                return dispatch()
            except DBAPIError as error:
                if not database.was_undone(error) or database.commits() != before:
                    raise
            # A random pause, so that the same transactions do not collide again.
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311 - chance, no secret
        return dispatch()

    def answer_in_time(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        with postgresql.answering_within(PATIENCE_SECONDS):
            return answer(environ, start_response)

    app.dispatch_request = dispatch_again  # type: ignore[method-assign]
    app.wsgi_app = answer_in_time  # type: ignore[method-assign]
