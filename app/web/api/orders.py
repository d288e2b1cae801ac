"""Schemas of write requests from other services, and of their answers."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app import clock
from app.subscriptions.model import Status
from app.web import client, parsing
from app.web.api import schemas
from app.web.problem_texts import CodedMessage

AHEAD = timedelta(minutes=5)
NOT_OLDER_THAN = timedelta(days=30)
NO_INSTANT = CodedMessage.of(
    "wrong_type", "Send an instant with its offset from UTC, such as 2026-11-24T09:30:00+01:00."
)


def in_the_past(instant: datetime) -> None:
    """Raises ValidationError. Allows a clock that is up to `AHEAD` ahead of ours.

    Who is asked long after they asked does not remember it, and evidence of it is seldom at hand any more.
    """
    now = clock.now()
    if instant > now + AHEAD:
        raise ValidationError(CodedMessage.of("out_of_range", "Send when the person asked: an instant that has been."))
    if instant < now - NOT_OLDER_THAN:
        raise ValidationError(
            CodedMessage.of("out_of_range", "This is more than 30 days ago. Ask the person again, in your own form.")
        )


def in_one_line(text: str) -> None:
    """Raises ValidationError. It stands in a letter."""
    if not text.isprintable():
        raise ValidationError(
            CodedMessage.of("not_storable", "Name the source in one line, without control characters.")
        )


class PageUrl(fields.String):
    """The URL of a page, stored without its query and fragment."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **rest: Any) -> str:
        page = client.without_query(super()._deserialize(value, attr, data, **rest))
        if page is None:
            raise ValidationError(
                CodedMessage.of("invalid_url", "Send the address of a page, such as https://example.org/newsletter.")
            )
        return page


class SubscriptionOrder(schemas.Strict):
    """What another service knows of a person's request. All but the address may be left out."""

    email = parsing.AddressField(required=True, metadata={"type": "string", "minLength": 1, "maxLength": 320})
    newsletters = parsing.Slugs(
        metadata={
            "type": ["string", "array"],
            "items": {"type": "string"},
            "description": "May be left out where there is one newsletter only.",
        }
    )
    language = fields.String(validate=validate.Regexp(parsing.LANGUAGE_TAG, error=parsing.NO_LANGUAGE))
    source = fields.String(
        validate=[schemas.storable, validate.Length(min=1, max=200), in_one_line],
        metadata={
            "description": "Where the person asked, such as `checkout`, in words that they know: letter and page name "
            "it. Nothing personal: it is kept as evidence."
        },
    )
    ip = fields.IP(metadata={"description": "Of the person. Kept as far as `CLIENT_IP` says."})
    user_agent = fields.String(
        validate=[schemas.storable, validate.Length(max=1000)],
        metadata={"description": "Of the person's browser. Its name is kept, and nothing else."},
    )
    form_url = PageUrl(
        validate=schemas.storable,
        metadata={"description": "The page with the form. Kept without query and fragment."},
    )
    requested_at = fields.AwareDateTime(
        validate=in_the_past,
        error_messages={"invalid": NO_INSTANT, "invalid_awareness": NO_INSTANT},
        metadata={"description": "When the person asked, at most 30 days ago. Letter and page say it."},
    )


class Accepted(Schema):
    status = fields.String(required=True, validate=validate.Equal("accepted"))
    message = fields.String(required=True)


class UnsubscribeOrder(schemas.Strict):
    email = fields.String(required=True, validate=[schemas.storable, validate.Length(min=1, max=320)])
    newsletter = fields.String(validate=schemas.storable)
    all = fields.Boolean(truthy={True}, falsy={False})
    reason = fields.String(validate=[schemas.storable, validate.Length(min=1, max=200)])

    @validates_schema
    def names_one_scope(self, order: dict[str, object], **_rest: object) -> None:
        if order.get("all") and "newsletter" in order:
            raise ValidationError(
                CodedMessage.of("one_of", "Send either a newsletter or all: true, not both."), "newsletter"
            )
        if not order.get("all") and "newsletter" not in order:
            raise ValidationError(CodedMessage.of("required", "Name a newsletter, or send all: true."), "newsletter")


class UnsubscribeAnswer(Schema):
    status = fields.String(required=True, validate=validate.Equal(str(Status.UNSUBSCRIBED)))
