"""Bodies: of requests no longer than is allowed, of answers as one piece.

Of a body that says how long it is, Werkzeug reads nothing where that is too long. One that does not say it (chunked)
is cut off in silence at what is allowed, as if it had ended there; here it is refused like the other.

Werkzeug hands every body to the server as an iterator, which servers carry over to their own threads piece by piece:
for answers as short as ours that is work without use.
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
