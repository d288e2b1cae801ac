"""Paths of token endpoints, as mail programs leave them.

Programs that turn text into links take a full stop or a bracket along, break long lines, and add invisible characters.
The token itself is letters and digits, so everything else around it and inside it is dropped, in this one place for all
endpoints and methods: the response is that of the token alone.

Invariant: a path without a token of the right length is passed on unchanged.
"""

import re
from collections.abc import Callable, Iterable
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
    clean, prefixes = _cleaner(endings), tuple(endings)

    def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        sent = str(environ.get("PATH_INFO", ""))
        if sent.startswith(prefixes):
            # WSGI hands over the bytes of the path as Latin-1 (PEP 3333).
            path = sent.encode("latin-1").decode("utf-8", "replace")
            environ["PATH_INFO"] = clean(path).encode().decode("latin-1")
        return application(environ, start_response)

    return answer


def _endings(app: Flask) -> dict[str, list[str]]:
    """What may follow a token, by what comes before it; the longest of each first."""
    found: dict[str, list[str]] = {}
    for rule in app.url_map.iter_rules():
        if match := _RULE.fullmatch(rule.rule):
            found.setdefault(match[1], []).append(match[2] or "")
    return {prefix: sorted(endings, key=len, reverse=True) for prefix, endings in sorted(found.items(), reverse=True)}


def _cleaner(endings: dict[str, list[str]]) -> Callable[[str], str]:
    def clean(path: str) -> str:
        for prefix, possible in endings.items():
            if path.startswith(prefix):
                rest = _GLUED.sub("", path[len(prefix) :])
                for ending in possible:
                    token = _letters(rest.removesuffix(ending)) if rest.endswith(ending) else ""
                    if len(token) in LENGTHS:
                        return f"{prefix}{token}{ending}"
        return path

    return clean


def _letters(text: str) -> str:
    """In small letters, as tokens are written; Unicode has others that turn into ASCII, so those are left alone."""
    found = "".join(character for character in text if character.isalnum())
    return found.lower() if found.isascii() else found
