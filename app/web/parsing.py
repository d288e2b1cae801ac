"""Parses a request body of one of three types into a signup.

Invariant: behind this module there are only frozen values, complete and of the right types. Unknown fields of a form
are dropped unread. Unknown fields in JSON are an error, because the program expects something that would not be done.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from flask import request
from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.addresses import EmailAddress, InvalidAddress
from app.subscriptions.codes import Guess
from app.web import problem_texts
from app.web.negotiation import FORM_TYPES
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields

MAX_BYTES = 16 * 1024
LANGUAGE_TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*\Z"
NO_LANGUAGE = CodedMessage.of("invalid_language", "Send the tag of a language, such as nl or nl-BE.")
BLANKS = " \t\N{NO-BREAK SPACE}"
"""Copied along with an address, so stripped. Line ends are not, because they would end a header's line as well."""


def body() -> dict[str, Any]:
    """The fields of the request. Raises UnsupportedMediaType, InvalidFields, or RequestEntityTooLarge."""
    if request.mimetype == "application/json":
        return _with_alias(json_object())
    if request.mimetype in FORM_TYPES:
        return _form()
    raise UnsupportedMediaType(_("Send one of %(types)s.", types=", ".join(("application/json", *FORM_TYPES))))


def optional_field(name: str) -> str:
    """A field of the body, for endpoints that take any body; empty if missing or if the body cannot be read."""
    try:
        found = request.get_json(silent=True)
        value = found.get(name, "") if isinstance(found, dict) else request.form.get(name, "")
    except (RecursionError, RequestEntityTooLarge):
        return ""
    text = str(int(value)) if isinstance(value, bool | int) else str(value)
    # A lone surrogate, which JSON can hold, cannot be encoded as UTF-8 and so cannot be shown on a page.
    return text if text.encode(errors="ignore").decode() == text else ""


def json_object() -> dict[str, Any]:
    """The body. Raises InvalidFields, also if a name occurs twice, which is ambiguous."""
    try:
        found = json.loads(request.get_data(), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError):
        raise InvalidFields({"body": [CodedMessage.of("not_json", _("This is not JSON."))]}) from None
    if not isinstance(found, dict):
        raise InvalidFields({"body": [CodedMessage.of("not_json", _("Send a JSON object."))]})
    return found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise InvalidFields(
            {name: [CodedMessage.of("repeated", _("Send this once."))] for name in found if names.count(name) > 1}
        )
    return found


def _with_alias(found: dict[str, Any]) -> dict[str, Any]:
    """Together with `newsletters` the alias is refused like any unknown field."""
    if "newsletter" in found and "newsletters" not in found:
        found["newsletters"] = found.pop("newsletter")
    return found


def _form() -> dict[str, Any]:
    found: dict[str, Any] = request.form.to_dict()
    found["newsletters"] = request.form.getlist("newsletters") + request.form.getlist("newsletter")
    return {name: value for name, value in found.items() if value not in ("", [])}


class AddressField(fields.Field[EmailAddress]):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_rest: Any) -> EmailAddress:
        if not isinstance(value, str):
            raise ValidationError(CodedMessage.of("wrong_type", _("Give an e-mail address as text.")))
        try:
            return EmailAddress.parse(value.strip(BLANKS))
        except InvalidAddress:
            raise ValidationError(
                CodedMessage.of("invalid_address", _("This is not an e-mail address that mail can be sent to."))
            ) from None


class Slugs(fields.Field[list[str]]):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_rest: Any) -> list[str]:
        slugs = [value] if isinstance(value, str) else value
        if not isinstance(slugs, list) or not slugs or not all(isinstance(each, str) for each in slugs):
            raise ValidationError(CodedMessage.of("wrong_type", _("Name one newsletter, or a list of them.")))
        return list(dict.fromkeys(slugs))


class Affirmation(fields.Field[bool]):
    """Consent is a clear affirmative act (GDPR Art. 4(11)): any value that is not plainly yes is no."""

    FORM = frozenset({"true", "yes", "on", "1"})

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_rest: Any) -> bool:
        if request.mimetype == "application/json" and value not in ("", None) and not isinstance(value, bool):
            raise ValidationError(
                CodedMessage.of("wrong_type", _("Send true, as JSON has it, where the person said yes."))
            )
        if value is not True and str(value).lower() not in self.FORM:
            raise ValidationError(CodedMessage.of("consent_required", _("Tick the box to agree.")))
        return True


def _said(message: str) -> str:
    """In the reader's language: what marshmallow says, and what is declared before there is a reader."""
    code = problem_texts.code(message)
    texts = {
        "unknown_field": _("Unknown field."),
        "invalid_language": _("Send the tag of a language, such as nl or nl-BE."),
        "null": _("Leave this out, or fill it in."),
        "wrong_length": _("Send 22 to 200 characters."),
    }
    if isinstance(message, CodedMessage) and code not in texts:
        return message
    return CodedMessage.of(code, texts.get(code, _("Send a text.")))


class AddressFields(Schema):
    email = AddressField(required=True)
    language = fields.String(
        validate=validate.Regexp(LANGUAGE_TAG, error=NO_LANGUAGE), error_messages={"invalid": NO_LANGUAGE}
    )

    error_messages = {"unknown": CodedMessage.of("unknown_field", "Unknown field.")}

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **_rest: Any) -> None:
        raise InvalidFields({name: [*map(_said, texts)] for name, texts in error.messages_dict.items()})


class SignupFields(AddressFields):
    newsletters = Slugs()
    consent = Affirmation(required=True)
    redirect = fields.String()
    website = fields.String(load_default="")
    attempt = fields.String(validate=validate.Length(min=22, max=200))
    rendered = fields.String()
    proof_of_work = fields.String()


@dataclass(frozen=True, slots=True)
class SignupForm:
    """A parsed signup. It has no field for consent, because a signup without it was refused."""

    email: EmailAddress
    newsletters: Sequence[str]
    language: str | None
    redirect: str | None
    website: str
    attempt: str | None
    rendered: str | None
    """The token of the form, if it is ours."""
    proof_of_work: str | None


def signup_form() -> SignupForm:
    """Raises InvalidFields."""
    fields = _load(_SIGNUP, {"email": "", "consent": "", **body()})
    return SignupForm(
        email=fields["email"],
        newsletters=fields.get("newsletters", []),
        language=fields.get("language"),
        redirect=fields.get("redirect"),
        website=fields["website"],
        attempt=fields.get("attempt"),
        rendered=fields.get("rendered"),
        proof_of_work=fields.get("proof_of_work"),
    )


def address_fields() -> dict[str, Any]:
    """`email`, and optionally `language`. Raises InvalidFields."""
    return _load(_ADDRESS, {"email": "", **body()})


def _load(schema: Schema, sent: Mapping[str, Any]) -> dict[str, Any]:
    unknown: Literal["raise", "exclude"] = "raise" if request.mimetype == "application/json" else "exclude"
    return cast(dict[str, Any], schema.load(sent, unknown=unknown))


def guess() -> Guess:
    """A code and its form id. A value that is missing or not text becomes empty, and so wrong."""
    found = body()
    attempt, typed = (value if isinstance(value := found.get(name), str) else "" for name in ("attempt", "code"))
    return Guess(attempt, typed)


_SIGNUP = SignupFields()
_ADDRESS = AddressFields()
