"""Names of problems: a kind for programs, which never changes, and a title and advice for people, in their language.

`docs/api.md` lists the kinds, and the error codes of messages about a field.
"""

import re
from typing import Any

from flask_babel import gettext as _

KINDS = {
    400: "bad-request",
    401: "key-refused",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    409: "conflict",
    410: "gone",
    412: "changed-since",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid-fields",
    429: "too-many-requests",
    500: "server-error",
    503: "unavailable",
}
"""By status, for an error that has no `kind` of its own."""

_CODES = (
    (r"Missing data", "required"),
    (r"Unknown field", "unknown_field"),
    (r"Field may not be null", "null"),
    (r"Not a valid", "wrong_type"),
    (r"Must be one of", "not_an_option"),
    (r"Must be (greater|less|equal)", "out_of_range"),
    (r"Shorter than|Longer than|Length must", "wrong_length"),
)
"""For the messages of marshmallow."""


class CodedMessage(str):
    """A message about a field, with its error code, which is the same in every language."""

    code: str

    @classmethod
    def of(cls, code: str, text: str) -> "CodedMessage":
        made = cls(text)
        made.code = code
        return made

    def format(self, *values: object, **named: object) -> "CodedMessage":
        """marshmallow formats each message, which would make a plain text of it."""
        return CodedMessage.of(self.code, super().format(*values, **named))


def code(message: object) -> str:
    if isinstance(message, CodedMessage):
        return message.code
    return next((found for pattern, found in _CODES if re.match(pattern, str(message))), "invalid")


def codes(errors: Any) -> Any:
    """In the same shape: a code for each message."""
    if isinstance(errors, dict):
        return {str(name): codes(each) for name, each in errors.items()}
    return [code(each) for each in errors] if isinstance(errors, list | tuple) else code(errors)


def title(status: int) -> str:
    titles = {
        401: _("This takes a key"),
        403: _("This is not allowed"),
        404: _("There is nothing here"),
        405: _("This does not work here"),
        408: _("This took too long to arrive"),
        409: _("This does not fit what is there"),
        410: _("This link no longer works"),
        412: _("This has changed since"),
        413: _("That was too long"),
        415: _("This kind of form is not understood"),
        422: _("Some fields need attention."),
        429: _("Too many requests"),
        503: _("Please come back in a moment"),
    }
    return str(titles.get(status, _("Something went wrong")))


def advice(status: int) -> str:
    texts = {
        403: _("The form is on a site that may not use it. Nothing was changed. Use the form on our own page."),
        404: _("Perhaps the link was cut off. Copy all of it from the mail, or open it there."),
        405: _("Nothing was changed. Go back, and press the button on the page."),
        410: _("It was good for a limited time, or what it led to was erased. Nothing was changed."),
        413: _("Nothing was changed. Go back, shorten what you filled in, and send it again."),
        415: _("Nothing was changed. Use the form on our own page."),
        429: _("Wait a minute, then try again."),
        503: _("Nothing was changed. Try again in a few seconds."),
    }
    return str(
        texts.get(status, _("It is our fault, not yours. Try again later, or write to us at the address below."))
    )
