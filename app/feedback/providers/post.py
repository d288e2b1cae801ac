"""The post of a mail provider: untrusted JSON.

A provider's module has two plain functions: `prove` checks that a post comes from the provider, `events` yields its
`Event`s. A missing field, or one of an unexpected type, reads as empty, so that a field that a provider adds, drops or
gives another type costs at most the event that needs it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from app.errors import JawelError
from app.feedback.providers.claims import EventKind
from app.feedback.providers.letter_header import LetterHeader
from config import FeedbackChannels


class Malformed(JawelError):
    """The post is not JSON. A retry does not help."""


class Forged(JawelError):
    """The post does not prove that it comes from the provider."""


class ProofOutOfReach(JawelError):
    """Whether the post is genuine cannot be checked now, but maybe later."""


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A piece of JSON."""

    value: object

    def __getitem__(self, name: str) -> "JsonNode":
        return JsonNode(self.value.get(name) if isinstance(self.value, dict) else None)

    def __iter__(self) -> Iterator["JsonNode"]:
        """The members of a list. A single value is a list of one: some providers send batches, some do not."""
        return map(JsonNode, self.value if isinstance(self.value, list) else [self.value])

    def items(self) -> Iterator[tuple[str, "JsonNode"]]:
        """Of an object; anything else has none."""
        found = self.value if isinstance(self.value, dict) else {}
        return ((name, JsonNode(value)) for name, value in found.items())

    def __bool__(self) -> bool:
        return self.value is True

    @property
    def text(self) -> str:
        """Numbers as written. Empty for a text without UTF-8 encoding, such as lone surrogates, which JSON can hold."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            return ""
        text = str(self.value)
        return text if text.encode(errors="ignore").decode() == text else ""


def parse(text: str | bytes) -> JsonNode:
    """Raises Malformed."""
    try:
        return JsonNode(json.loads(text))
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None


def form(body: bytes) -> JsonNode:
    """An object with the fields of a form (application/x-www-form-urlencoded). Raises Malformed."""
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict"))
    except ValueError:
        fields = {}
    if not fields:
        raise Malformed("neither JSON nor a form")
    return JsonNode(fields)


def json_or_form(body: bytes) -> JsonNode:
    """Raises Malformed."""
    try:
        return parse(body)
    except Malformed:
        return form(body)


@dataclass(frozen=True, slots=True)
class Post:
    body: bytes
    headers: Mapping[str, str]
    """By name in lower case."""
    json: JsonNode
    url: str = field(default="", repr=False)
    """That was posted to, as the provider knows it. Holds the secret."""

    @classmethod
    def of(
        cls,
        body: bytes,
        headers: Iterable[tuple[str, str]],
        *,
        url: str = "",
        parse: Callable[[bytes], JsonNode] = parse,
    ) -> "Post":
        """Raises Malformed."""
        return cls(body, {name.lower(): value for name, value in headers}, parse(body), url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A provider's event about a mail, in its own terms; the mail may not be ours."""

    kind: EventKind
    ids: tuple[str, ...]
    """Distinguish it from the provider's other events, and stay the same when it is posted again."""
    address: str = ""
    sender: str = ""
    """The envelope sender."""
    message_id: str = ""
    letter_id: str = ""
    """As it was passed on to the provider in its `LetterHeader`."""
    left: str = ""
    """The provider's id of the list that was left, if it was one alone."""
    words: str = ""
    """The reply of the other mail server, with its codes; nothing that the provider says itself."""
    status: str = ""
    """The enhanced status code that the provider gives beside the reply, or made of it."""


@dataclass(frozen=True, slots=True)
class Provider:
    prove: Callable[[Post, FeedbackChannels], None]
    """Raises Forged or ProofOutOfReach."""
    events: Callable[[JsonNode], Iterator[Event]]
    """Raises Malformed."""
    parse: Callable[[bytes], JsonNode] = parse
    """Raises Malformed."""
    header: LetterHeader | None = None
    """None where its events name the letter without one, or cannot."""


def by_secret_path(_post: Post, _channels: FeedbackChannels) -> None:
    """The provider signs nothing: knowing the secret path is the only proof."""
