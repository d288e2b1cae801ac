"""Schemas of requests and answers. Requests are validated against them; answers are only documented by them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from app.consent import EventType
from app.outbox import State
from app.subscriptions.model import Status
from app.subscriptions.status import UNKNOWN

LARGEST = 2**63 - 1
"""The largest position: the database counts in 64-bit integers."""


def storable(text: str) -> None:
    """Raises ValidationError. PostgreSQL text cannot hold NUL, nor UTF-8 a lone surrogate; JSON can spell both."""
    if not _is_storable(text):
        raise ValidationError(NOT_STORABLE)


def _is_storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


NOT_STORABLE = "Send a text, without NUL characters or lone surrogates."


class Texts(fields.List[Any]):
    """A list of storable texts, checked in one pass: for a thousand, one call of marshmallow each is slow."""

    def __init__(self, **options: Any) -> None:
        super().__init__(fields.String(), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_rest: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError("Send a list of texts.")
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
    newsletter = fields.String(required=True, validate=storable)
    emails = Texts(required=True, validate=validate.Length(max=1000))


class LookupResult(Schema):
    email = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf([*Status, UNKNOWN]))
    mailable = fields.Boolean(required=True)


class LookupAnswer(Schema):
    results = fields.List(fields.Nested(LookupResult), required=True)


class PageQuestion(Schema):
    """Unknown query parameters are left alone: links carry what others add to them."""

    status = fields.String(validate=validate.OneOf(list(Status)))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))
    cursor = fields.UUID(metadata={"description": "`next` of the page before."})


class PageEntry(SubscriberSchema):
    status = fields.String(required=True, validate=validate.OneOf(list(Status)))
    mailable = fields.Boolean(required=True)


class PageAnswer(Schema):
    results = fields.List(fields.Nested(PageEntry), required=True)
    next = fields.String(required=True, allow_none=True)


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


class EventsQuestion(Schema):
    after = fields.Integer(
        load_default=-1,
        validate=validate.Range(-1, LARGEST),
        metadata={"description": "`next` of the answer before. Left out: from the start."},
    )
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))
    wait = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 30),
        metadata={"description": "Seconds to wait for something to happen, where nothing has."},
    )


class EventSchema(Schema):
    position = fields.Integer(required=True)
    id = fields.UUID(required=True)
    type = fields.String(required=True, validate=validate.OneOf(list(EventType)))
    occurred_at = fields.AwareDateTime(required=True)
    subscriber = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "`null` once its evidence was erased, and in an erasure older than 30 days."},
    )
    newsletter = fields.String(required=True, allow_none=True)


class EventsAnswer(Schema):
    events = fields.List(fields.Nested(EventSchema), required=True)
    next = fields.Integer(required=True, metadata={"description": "The `after` to ask with next time."})


class _Range(Schema):
    """`from` is a word of Python's own, so the fields that bear it are declared by their keys."""

    @validates_schema
    def begins_before_it_ends(self, question: dict[str, int], **_rest: object) -> None:
        if "to" in question and question["from"] > question["to"]:
            raise ValidationError("It must not be smaller than `from`.", "to")


def _size(**options: Any) -> fields.Integer:
    return fields.Integer(validate=validate.Range(0, LARGEST), **options)


HASHES = fields.List(fields.String(), required=True, metadata={"description": "Base64 of 32 bytes each."})

ConsistencyQuestion = _Range.from_dict(
    {"from": _size(required=True), "to": _size(required=True)}, name="ConsistencyQuestion"
)
ConsistencyAnswer = Schema.from_dict(
    {"from": _size(required=True), "to": _size(required=True), "proof": HASHES}, name="ConsistencyAnswer"
)
EntriesQuestion = _Range.from_dict({"from": _size(load_default=0), "to": _size()}, name="EntriesQuestion")
EntriesAnswer = Schema.from_dict({"from": _size(required=True), "entries": HASHES}, name="EntriesAnswer")
