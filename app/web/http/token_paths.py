"""Paths of token endpoints, as mail programs leave them.

Programs that turn text into links take a full stop or a bracket along, break long lines, and add invisible characters.
The token itself is letters and digits, so everything else around it and inside it is dropped, in this one place for all
endpoints and methods: the response is that of the token alone.

Invariant: a path without a token of the right length is passed on unchanged.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask

from app.tokens import LENGTHS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_RULE = re.compile(r"(/[^<]*)<token>(/.*)?")
_GLUED = re.compile(r"[\W_]+\Z")


def cleaned(application: "WSGIApplication", app: Flask) -> "WSGIApplication":
    """To be called once all routes are registered."""
    endings = _endings(app)

    def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        sent = str(environ.get("PATH_INFO", ""))
        for prefix in filter(sent.startswith, endings):
            # WSGI hands over the bytes of the path as Latin-1 (PEP 3333).
            rest = sent[len(prefix) :].encode("latin-1").decode("utf-8", "replace")
            if found := _token(rest, endings[prefix]):
                environ["PATH_INFO"] = prefix + found
                break
        return application(environ, start_response)

    return answer


def _endings(app: Flask) -> dict[str, list[str]]:
    """What may follow a token, by what comes before it; the longest of each first."""
    found: dict[str, list[str]] = {}
    for rule in app.url_map.iter_rules():
        if match := _RULE.fullmatch(rule.rule):
            found.setdefault(match[1], []).append(match[2] or "")
    return {prefix: sorted(endings, key=len, reverse=True) for prefix, endings in sorted(found.items(), reverse=True)}


def _token(rest: str, endings: Sequence[str]) -> str | None:
    """The token and what has to follow it; None if there is none."""
    glued_off = _GLUED.sub("", rest)
    for ending in filter(glued_off.endswith, endings):
        token = _letters(glued_off.removesuffix(ending))
        if len(token) in LENGTHS and token.isascii():
            return token + ending
    return None


def _letters(text: str) -> str:
    """In small letters, as tokens are written."""
    return "".join(filter(str.isalnum, text)).lower()
