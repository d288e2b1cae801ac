"""Where other services ask about people and end their subscriptions."""

from tests.service import ADA

PERSON = f"/api/v1/subscribers/{ADA}"
PAGE = "/api/v1/newsletters/weekly/subscribers"
LOOKUP = "/api/v1/subscribers/lookup"
UNSUBSCRIBE = "/api/v1/unsubscribe"
