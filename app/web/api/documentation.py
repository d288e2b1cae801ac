"""API documentation: an OpenAPI 3.1 document, and Swagger UI from packaged files, under the strict policy."""

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template
from flask_smorest import Api

from app.web.http import headers

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "By field: what is wrong, and what to do about it.",
        },
        "error_codes": {
            "type": "object",
            "description": "By field: a word for each message, which never changes.",
        },
    },
}

_FIELDS: dict[str, Any] = {
    "type": "object",
    "required": ["email", "consent"],
    "properties": {
        "email": {"type": "string", "example": "ada@example.org"},
        "newsletters": {
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
            "description": "May be left out where there is one newsletter only. `newsletter` is an alias.",
        },
        "consent": {"description": "`true` in JSON; `true`, `yes`, `on` or `1` in a form. All else is no."},
        "language": {"type": "string"},
        "redirect": {"type": "string", "description": "On the newsletter's list of redirects."},
        "website": {"type": "string", "description": "A trap for programs: leave it empty."},
        "attempt": {"type": "string", "minLength": 22},
        "rendered": {"type": "string", "description": "From a form of ours: when it was shown, signed."},
        "proof_of_work": {
            "type": "string",
            "description": "Where it is asked for: a puzzle of `/challenge` and its solution, in the form of altcha.",
        },
    },
}

_ACCEPTED = {
    "description": "The same for every address.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["status", "message"],
                "properties": {"status": {"const": "accepted"}, "message": {"type": "string"}},
            }
        }
    },
}


def problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": PROBLEM}}}


METHODS = {"get", "post", "put", "patch", "delete"}
SEALED = {"/checkpoint", "/log/consistency", "/log/entries"}
"""404 before the first event is sealed."""

KEYED: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same request with the same key gets the first answer for 24 hours, and acts once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"},
}
MATCHING: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` last seen. `412` where it does not hold, and nothing happens.",
    "schema": {"type": "string"},
}

ERRORS = {
    401: "No key, or none that is in force.",
    403: "The key lacks the scope.",
    409: "Another log than the one that was followed; or a request with the same `Idempotency-Key` is under way.",
    412: "`If-Match` does not hold; `ETag` is that of now.",
    404: "Nothing by that name, or nothing that the key may see.",
    413: "More than the service reads.",
    415: "Another content type.",
    422: "Fields that need attention, each by its name in `errors`.",
    503: "Come back in a moment; see `Retry-After`.",
}

_FORM_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")

SUBSCRIBE: dict[str, Any] = {
    "post": {
        "summary": "Ask for double opt-in",
        "tags": ["signup"],
        "security": [],
        "requestBody": {"required": True, "content": {kind: {"schema": _FIELDS} for kind in _FORM_TYPES}},
        "responses": {
            "202": _ACCEPTED,
            "303": {"description": "For browsers: to `redirect`, or to a page that says to look in the inbox."},
            "403": problem("The site that sent the form is not on the newsletter's list."),
            "413": problem("More than 16 KiB."),
            "415": problem("Another content type."),
            "422": problem("Fields that need attention."),
            "429": problem("Too many signups from one client; see `Retry-After`."),
            "503": problem("Come back in a moment; see `Retry-After`."),
        },
    }
}
"""Written by hand: flask-smorest's decorators cannot express three body types."""

_TEXTS = ("algorithm", "nonce", "salt", "keyPrefix", "keySignature")
_NUMBERS = ("cost", "keyLength", "expiresAt")
_PUZZLE: dict[str, Any] = {
    "type": "object",
    "required": [*_TEXTS, *_NUMBERS],
    "properties": {
        **{name: {"type": "string"} for name in _TEXTS},
        **{name: {"type": "integer"} for name in _NUMBERS},
    },
}

CHALLENGE: dict[str, Any] = {
    "get": {
        "summary": "A puzzle for proof of work",
        "description": "In the shape of altcha, version 2. Each is good for an hour, and for one signup.",
        "tags": ["signup"],
        "security": [],
        "responses": {
            "200": {
                "description": "A new one each time.",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["parameters", "signature"],
                            "properties": {"parameters": _PUZZLE, "signature": {"type": "string"}},
                        }
                    }
                },
            }
        },
    }
}


def _with_headers(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Headers that change what a write does."""
    takes = [KEYED] if method == "post" and path.startswith("/api/") else []
    takes += [MATCHING] if method in {"delete", "patch"} or path == "/api/v1/unsubscribe" else []
    return {**operation, "parameters": [*operation.get("parameters", []), *takes]} if takes else operation


def _with_errors(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Derives an operation's error statuses from what it takes, and drops "default"."""
    headers = [each for each in operation.get("parameters", []) if each["in"] == "header"]
    asks = {
        401: operation.get("security") != [],
        403: operation.get("security") != [],
        404: "{" in path or path in SEALED,
        409: KEYED in headers or path == "/api/v1/events",
        412: MATCHING in headers,
        413: "requestBody" in operation,
        415: "requestBody" in operation,
        422: True,
        503: True,
    }
    errors = {str(status): problem(ERRORS[status]) for status, applies in asks.items() if applies}
    stated = {status: each for status, each in operation["responses"].items() if status not in {"default", "422"}}
    return {**operation, "responses": {**errors, **stated}}


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    return _with_errors(path, _with_headers(path, method, operation))


def _described(spec: dict[str, Any]) -> dict[str, Any]:
    paths = {
        path: {method: _operation(path, method, each) if method in METHODS else each for method, each in item.items()}
        for path, item in spec["paths"].items()
    }
    return {**spec, "paths": {"/subscribe": SUBSCRIBE, "/challenge": CHALLENGE, **paths}}


def blueprint(api: Api) -> Blueprint:
    pages = Blueprint("documentation", __name__)

    @pages.get("/openapi.json")
    def document() -> Response:
        return jsonify(_described(api.spec.to_dict()))

    @pages.get("/docs")
    def show() -> Response:
        page = make_response(render_template("pages/docs.html"))
        # Swagger UI's style sheet draws its arrows from data: URLs.
        page.headers["Content-Security-Policy"] = headers.POLICY.replace("img-src 'self'", "img-src 'self' data:")
        return page

    return pages
