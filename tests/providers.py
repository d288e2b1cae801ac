"""Posts of mail providers to the secret address that they were given, and what became of somebody since."""

from typing import Any

from werkzeug.test import TestResponse

from config import FeedbackChannels
from tests.feedback_samples import Sample
from tests.service import ADA, Letter, Service

SECRET = "a-secret-of-32-letters-and-digits"
CHANNELS = FeedbackChannels(None, SECRET, None, None, None)


def about(letter: Letter, each: Sample) -> str:
    return each.filled_in(
        sender=letter.delivered.sender, message_id=str(letter.delivered.message["Message-ID"]).strip()
    )


def post(service: Service, provider: str, body: str | bytes, secret: str = SECRET, **options: Any) -> TestResponse:
    return service.post(f"/feedback/{provider}/{secret}", data=body, **options)


def weekly(service: Service, who: str = ADA) -> dict[str, Any]:
    status = service.status(who)
    assert status is not None
    found = status["weekly"]
    assert isinstance(found, dict)
    return found
