"""Reports of mail systems, taken as those of any channel are, and what becomes of a subscription."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from app import feedback
from app.feedback import FeedbackKind, Outcome, Report
from app.newsletters import load
from app.resources import resources_of
from tests.service import ADA, Letter, Service

HARD = Report(FeedbackKind.HARD_BOUNCE, "dsn", "hard", code="5.1.1")
SOFT = Report(FeedbackKind.SOFT_BOUNCE, "dsn", "soft", code="5.2.2")
COMPLAINT = Report(FeedbackKind.COMPLAINT, "arf", "complaint")
UNSUBSCRIBE = Report(FeedbackKind.UNSUBSCRIBE, "mail", "unsubscribe")


def take(service: Service, report: Report, **more: Any) -> Outcome:
    with service.database.transaction() as session:
        return feedback.take(
            session,
            replace(report, **more),
            catalogue=load.catalogue(session.connection()),
            suppression_key=resources_of(service.app).settings.suppression_key,
        )


def id_of(letter: Letter) -> UUID:
    return UUID(str(letter.delivered.message["Message-ID"])[1:37])


def status_of(service: Service, newsletter: str = "weekly", email: str = ADA) -> dict[str, Any]:
    found = service.status(email)
    assert found
    entry: dict[str, Any] = found[newsletter]
    return entry
