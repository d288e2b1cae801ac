"""The API for other services, under `/api/v1`. Every answer is in the OpenAPI document."""

from http import HTTPStatus

from flask import Flask, Response
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from app.web import problems
from app.web.api import documentation, events, log, receipts, schemas, subscribers, subscriptions

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
    """Errors are problem documents (RFC 9457) instead of flask-smorest's own shape."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        return problems.answer(error)

    def _register_responses(self) -> None:
        """Called by flask-smorest for the responses that operations refer to: an error, and a 422 of `arguments`."""
        for name in ("DEFAULT_ERROR", HTTPStatus(422).name):
            self.spec.components.response(name, documentation.problem("What went wrong, as RFC 9457 has it"))


def register(app: Flask) -> None:
    app.config.update(OPENAPI)
    api = ProblemApi(app)
    for name, schema in (("LookupResult", schemas.LookupResult), ("Unknown", schemas.UnknownSchema)):
        api.spec.components.schema(name, schema=schema)
    for module in (subscribers, subscriptions, events, receipts, log):
        api.register_blueprint(module.blueprint)
    app.register_blueprint(documentation.blueprint(api))
