"""Posts that have to prove whose they are, read by a service with or without the keys of providers."""

from app.feedback import Report, providers
from app.feedback.providers import PROVIDERS, Ours
from app.feedback.providers.post import Post
from config import FeedbackChannels

URL = "https://subscribe.example.org/feedback/mandrill/a-secret"
CHANNELS = FeedbackChannels(None, None, None, None, None)


def read(
    provider: str, body: bytes, headers: dict[str, str] | None = None, channels: FeedbackChannels = CHANNELS
) -> list[Report]:
    known = Ours(channels, "a key", lambda _sender: None)
    post = Post.of(body, (headers or {}).items(), url=URL, parse=PROVIDERS[provider].parse)
    return providers.read(provider, post, known)
