"""Schemas of the feed and of the log. The numbers in both are positions and sizes of the log."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.consent import EventType
from app.web.problem_texts import CodedMessage

LARGEST = 2**63 - 1
"""The largest position: the database counts in 64-bit integers."""
LATEST = "latest"


class After(fields.Field[Any]):
    """A position, or `latest`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_rest: Any) -> Any:
        if value == LATEST:
            return value
        if not re.fullmatch(r"-1|[0-9]{1,19}", str(value)) or int(value) > LARGEST:
            raise ValidationError(CodedMessage.of("wrong_type", "Send a position, such as 41, or latest."))
        return int(value)


class EventsQuestion(Schema):
    after = After(
        load_default=-1,
        metadata={
            "oneOf": [
                {"type": "integer", "minimum": -1, "maximum": LARGEST},
                {"type": "string", "enum": [LATEST]},
            ],
            "description": "`next` of the answer before. Left out: from the start. `latest`: only what comes later.",
        },
    )
    log = fields.String(metadata={"description": "`log` of the answer before: `409` where the log is another."})
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))
    wait = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 30),
        metadata={"description": "Seconds to wait for something to happen, where nothing has."},
    )

    @validates_schema(pass_original=True)
    def names_the_position_of_its_log(
        self, question: dict[str, Any], original: Mapping[str, Any], **_rest: object
    ) -> None:
        if "log" in question and ("after" not in original or question.get("after") == LATEST):
            raise ValidationError(CodedMessage.of("required", "Send it beside the `after` of the same answer."), "log")


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
    log = fields.String(
        required=True, metadata={"description": "Names the history up to `next`: send it back beside `after`."}
    )
    events = fields.List(fields.Nested(EventSchema), required=True)
    next = fields.Integer(required=True, metadata={"description": "The `after` to ask with next time."})


class _Range(Schema):
    """`from` is a word of Python's own, so the fields that bear it are declared by their keys."""

    @validates_schema
    def begins_before_it_ends(self, question: dict[str, int], **_rest: object) -> None:
        if "to" in question and question["from"] > question["to"]:
            raise ValidationError(CodedMessage.of("out_of_range", "It must not be smaller than `from`."), "to")


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
