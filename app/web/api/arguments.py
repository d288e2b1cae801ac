"""Parsing of API requests: by the same rules as every other body, with every error under its field's name."""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import flask_smorest
from flask import Request, request
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from app.web import parsing
from app.web.problems import InvalidFields

ALWAYS_TAKEN = frozenset({"language"})
"""Query parameters of every page and answer."""
UNKNOWN = "Unknown field."


class Parser(FlaskParser):
    """webargs by itself takes another content type for an empty body, and shapes its errors differently."""

    def load_json(self, req: Request, schema: Schema) -> dict[str, Any]:
        if req.mimetype != "application/json":
            raise UnsupportedMediaType("Send application/json.")
        return parsing.json_object()

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        known = MultiDict((name, value) for name, value in req.args.items(multi=True) if name not in ALWAYS_TAKEN)
        return self._makeproxy(known, schema)

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_rest: Any) -> NoReturn:
        raise InvalidFields(_by_field(error.messages_dict))


def refuse_query(view: Any) -> None:
    """For a view without parameters in its query. Raises InvalidFields that names those that were sent."""
    parameters = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    if any(each.get("in") == "query" for each in parameters):
        return
    unknown = [name for name in request.args if name not in ALWAYS_TAKEN]
    if unknown:
        raise InvalidFields({name: [UNKNOWN] for name in unknown})


class Blueprint(flask_smorest.Blueprint):
    ARGUMENTS_PARSER = Parser()


def _by_field(messages: Mapping[str, Any]) -> dict[str, list[str]]:
    """webargs nests errors by location in the request, field name, then index in the field: `json`, `emails`, 3."""
    found: dict[str, list[str]] = {}
    for path, text in _leaves(messages, ()):
        found.setdefault(".".join(path[1:]) or "body", []).append(text)
    return found


def _leaves(messages: Mapping[Any, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, inner in messages.items():
        here = path if key == "_schema" else (*path, str(key))
        if isinstance(inner, Mapping):
            yield from _leaves(inner, here)
        else:
            yield from ((here, text) for text in inner)
