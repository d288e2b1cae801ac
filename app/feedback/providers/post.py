"""What a mail provider posts: JSON from outside, of which nothing may be taken for granted.

A provider's module says two things: how a post proves whose it is (`prove`), and which `Event`s are in it (`events`).
Both are plain functions over a `Post`. What is missing or of an unexpected type reads as empty, so that a field which
a provider adds, leaves out or turns into another type costs at most the event that needs it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.errors import JawelError
from app.feedback import FeedbackKind
from config import FeedbackChannels


class Malformed(JawelError):
    """The post is not JSON. Another try will not make it so."""


class Forged(JawelError):
    """The post does not prove that it comes from the provider."""


class ProofOutOfReach(JawelError):
    """Whether the post is genuine cannot be told now, but may be later."""


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A piece of JSON."""

    value: object

    def __getitem__(self, name: str) -> "JsonNode":
        return JsonNode(self.value.get(name) if isinstance(self.value, dict) else None)

    def __iter__(self) -> Iterator["JsonNode"]:
        """The members of a list. Whatever stands alone is a list of one: some providers send batches, some do not."""
        return map(JsonNode, self.value if isinstance(self.value, list) else [self.value])

    def __bool__(self) -> bool:
        return self.value is True

    @property
    def text(self) -> str:
        """Numbers as they are written. Empty for what has no UTF-8, such as the lone surrogates that JSON can hold."""
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


@dataclass(frozen=True, slots=True)
class Post:
    body: bytes
    headers: Mapping[str, str]
    """By name in lower case."""
    json: JsonNode

    @classmethod
    def of(cls, body: bytes, headers: Iterable[tuple[str, str]]) -> "Post":
        """Raises Malformed."""
        return cls(body, {name.lower(): value for name, value in headers}, parse(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that befell a mail, in the provider's own terms; maybe a mail that is not ours."""

    kind: FeedbackKind
    ids: tuple[str, ...]
    """Tell it from every other event of the provider, and are the same when it is posted again."""
    address: str = ""
    sender: str = ""
    """Of the envelope."""
    message_id: str = ""
    words: str = ""
    """What the other mail server said: good for an enhanced status code, if it has one."""


@dataclass(frozen=True, slots=True)
class Provider:
    prove: Callable[[Post, FeedbackChannels], None]
    """Raises Forged or ProofOutOfReach."""
    events: Callable[[JsonNode], Iterator[Event]]


def by_secret_path(_post: Post, _channels: FeedbackChannels) -> None:
    """The provider signs nothing: whoever knows the secret path is believed."""
