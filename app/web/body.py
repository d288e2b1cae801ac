"""Answers as one piece.

Werkzeug hands every body to the server as an iterator. Granian sends a list at once, but carries an iterator over to
its own threads piece by piece, which for answers as short as ours is work without use.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


def in_one_piece(application: "WSGIApplication") -> "WSGIApplication":
    def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        body = application(environ, start_response)
        try:
            return [b"".join(body)]
        finally:
            if close := getattr(body, "close", None):
                close()

    return answer
