"""How questions to the API are read: by the same rules as every other body, with every error under its field's name."""

from typing import Any, NoReturn

import flask_smorest
from flask import Request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from app.web import intake
from app.web.problems import InvalidFields


class Parser(FlaskParser):
    """webargs takes another content type for an empty body, and words its errors for a shape that is not ours."""

    def load_json(self, req: Request, schema: Schema) -> dict[str, Any]:
        if req.mimetype != "application/json":
            raise UnsupportedMediaType("Send application/json.")
        return intake.json_object()

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_rest: Any) -> NoReturn:
        """The messages come sorted by where they were found: body or query."""
        found = error.messages_dict
        raise InvalidFields({name: texts for where in found.values() for name, texts in where.items()})


class Blueprint(flask_smorest.Blueprint):
    ARGUMENTS_PARSER = Parser()
