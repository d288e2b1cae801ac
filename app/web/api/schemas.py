"""Schemas of requests and answers. Requests are validated against them; answers are only documented by them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from app.outbox import State
from app.subscriptions.model import Status
from app.subscriptions.status import UNKNOWN
from app.web.problem_texts import CodedMessage


def storable(text: str) -> None:
    """Raises ValidationError. PostgreSQL text cannot hold NUL, nor UTF-8 a lone surrogate; JSON can spell both."""
    if not _is_storable(text):
        raise ValidationError(NOT_STORABLE)


def _is_storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


REQUIRED = "Missing data for required field."
NOT_STORABLE = CodedMessage.of("not_storable", "Send a text, without NUL characters or lone surrogates.")


class Texts(fields.List[Any]):
    """A list of storable texts, checked in one pass: for a thousand, one call of marshmallow each is slow."""

    def __init__(self, **options: Any) -> None:
        super().__init__(fields.String(), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_rest: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError(CodedMessage.of("wrong_type", "Send a list of texts."))
        wrong = [number for number, each in enumerate(value) if not isinstance(each, str) or not _is_storable(each)]
        if wrong:
            raise ValidationError({number: [NOT_STORABLE] for number in wrong})
        return value


class Strict(Schema):
    class Meta:
        unknown = RAISE


class ConfirmationMailSchema(Schema):
    """Both are null where no mail is owed."""

    state = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([state for state in State if state != State.DROPPED]),
    )
    at = fields.AwareDateTime(required=True, allow_none=True)


class LinksSchema(Schema):
    unsubscribe = fields.String(
        required=True, metadata={"description": "For a key that is limited to newsletters it leaves this one alone."}
    )
    preferences = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Of all newsletters; null for a key that is limited to some."},
    )


class HeadersSchema(Schema):
    list_unsubscribe = fields.String(required=True, data_key="List-Unsubscribe")
    list_unsubscribe_post = fields.String(required=True, data_key="List-Unsubscribe-Post")
    list_id = fields.String(required=True, data_key="List-Id")


class SubscriptionSchema(Schema):
    id = fields.UUID(required=True)
    newsletter = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(list(Status)))
    mailable = fields.Boolean(required=True, metadata={"description": "Whether you may write to this person now."})
    since = fields.AwareDateTime(required=True)
    reason = fields.String(required=True, allow_none=True)
    confirmation_mail = fields.Nested(ConfirmationMailSchema, required=True)
    links = fields.Nested(LinksSchema, required=True)
    headers = fields.Nested(HeadersSchema, required=True, metadata={"description": "To put into each mail you send."})


class SubscriberSchema(Schema):
    id = fields.UUID(required=True)
    email = fields.String(required=True)
    language = fields.String(required=True)
    subscriptions = fields.List(fields.Nested(SubscriptionSchema), required=True)


class LookupQuestion(Strict):
    """Either `newsletter` and `emails`, or `ids`."""

    newsletter = fields.String(validate=storable)
    emails = Texts(validate=validate.Length(max=1000))
    ids = fields.List(
        fields.UUID(),
        validate=validate.Length(max=1000),
        metadata={"description": "Of subscribers, as in events. Instead of the other two."},
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def asks_one_thing(self, _read: object, sent: Mapping[str, Any], **_rest: object) -> None:
        named = [name for name in ("newsletter", "emails") if name in sent]
        if "ids" in sent and named:
            raise ValidationError(
                {name: [CodedMessage.of("one_of", "Leave this out, or send it without `ids`.")] for name in named}
            )
        if "ids" not in sent and len(named) < 2:
            raise ValidationError({name: [REQUIRED] for name in ("newsletter", "emails") if name not in named})


class LookupResult(Schema):
    email = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf([*Status, UNKNOWN]))
    mailable = fields.Boolean(required=True)


class LookupAnswer(Schema):
    results = fields.List(
        fields.Raw(
            metadata={
                "anyOf": [
                    {"$ref": f"#/components/schemas/{name}"} for name in ("LookupResult", "Subscriber", "Unknown")
                ]
            }
        ),
        required=True,
    )


class UnknownSchema(Schema):
    """A look-up by id of somebody whom the key does not see."""

    id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.Equal(UNKNOWN))


class PageQuestion(Schema):
    status = fields.String(validate=validate.OneOf(list(Status)))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))
    cursor = fields.UUID(metadata={"description": "`next` of the page before."})


class PageEntry(SubscriberSchema):
    status = fields.String(required=True, validate=validate.OneOf(list(Status)))
    mailable = fields.Boolean(required=True)


class PageAnswer(Schema):
    results = fields.List(fields.Nested(PageEntry), required=True)
    next = fields.String(required=True, allow_none=True)
    position = fields.Integer(
        required=True, metadata={"description": "Of the first page: the `after` by which the feed misses nothing."}
    )


class ReceiptSchema(Schema):
    """In full in docs/receipt.schema.json."""

    context = fields.Dict(required=True, data_key="@context")
    type = fields.String(required=True, data_key="@type")
    schema_version = fields.String(required=True)
    profile = fields.String(required=True)
    receipt_id = fields.UUID(required=True)
    receipt_created = fields.AwareDateTime(required=True)
    record = fields.Dict(required=True, metadata={"description": "ISO/IEC TS 27560: what was asked, agreed and done."})
    wordings = fields.List(fields.Dict(), required=True, metadata={"description": "The exact words, by SHA-256."})
    log_keys = fields.List(fields.String(), required=True)
    consistency_proofs = fields.List(
        fields.Dict(), required=True, metadata={"description": "That each checkpoint in it holds the one before."}
    )
    timestamp_tokens = fields.List(fields.Dict(), required=True)
    signature = fields.String(required=True, metadata={"description": "A signed note over all the rest."})
