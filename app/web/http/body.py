"""Length limit for request bodies, and response bodies as one piece.

Werkzeug refuses a body whose Content-Length exceeds the limit, unread. It silently cuts off a chunked body at the
limit, as if it had ended there; here a chunked body that is too long is refused too.

Werkzeug hands every response body to the server as an iterator, which servers pass to their own threads piece by
piece: needless work for responses as short as ours.
"""

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, cast

import flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream

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


class Request(flask.Request):
    @cached_property
    def stream(self) -> IO[bytes]:
        ends = self.environ.get("wsgi.input_terminated")
        if ends and self.content_length is None and self.max_content_length is not None:
            found = Unannounced(self.environ["wsgi.input"], self.max_content_length, is_max=True)
            return cast(IO[bytes], found)
        return super().stream


class Unannounced(LimitedStream):
    def readall(self) -> bytes:
        found = super().readall()
        if self.is_exhausted and self._stream.read(1):
            raise RequestEntityTooLarge
        return found
