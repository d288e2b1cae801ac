"""What other services ask and tell, under `/api/v1`. Every answer is in the OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask, Response
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from app.web import problems
from app.web.api import documentation, subscribers
from app.web.problems import InvalidFields

OPENAPI = {
    "API_TITLE": "Jawel",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {"description": "Double opt-in subscriptions with proof of consent."},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`jawel keys create`"}},
        },
        "security": [{"key": []}],
    },
}


class ProblemApi(Api):
    """Errors are problem documents: flask-smorest has a shape of its own, which RFC 9457 came to replace."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        messages = getattr(error, "data", {}).get("messages", {})
        return problems.answer(InvalidFields(_by_field(messages)) if messages else error)

    def _register_responses(self) -> None:
        """Called by flask-smorest for the `DEFAULT_ERROR` that every operation refers to."""
        self.spec.components.response(
            "DEFAULT_ERROR",
            {
                "description": "What went wrong, as RFC 9457 has it",
                "content": {"application/problem+json": {"schema": documentation.PROBLEM}},
            },
        )


def _by_field(messages: Mapping[str, Any]) -> dict[str, list[str]]:
    """webargs says where in the request the field was, then its name, then where in it: `json`, `emails`, 3."""
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
            yield from ((here, str(text)) for text in inner)


def register(app: Flask) -> None:
    app.config.update(OPENAPI)
    api = ProblemApi(app)
    api.register_blueprint(subscribers.blueprint)
    app.register_blueprint(documentation.blueprint(api))
