"""Posts that have to prove whose they are, read by a service with or without the keys of providers."""

from app.feedback import Report, providers
from app.feedback.providers import Ours
from app.feedback.providers.post import Post
from config import FeedbackChannels

CHANNELS = FeedbackChannels(None, None, None, None, None)


def read(
    provider: str, body: bytes, headers: dict[str, str] | None = None, channels: FeedbackChannels = CHANNELS
) -> list[Report]:
    known = Ours(channels, "a key", lambda _sender: None)
    return providers.read(provider, Post.of(body, (headers or {}).items()), known)
