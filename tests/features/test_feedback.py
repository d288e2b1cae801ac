"""What becomes of subscriptions by what mail systems report: once, at once, everywhere."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from app import services
from app.newsletters import catalogue
from app.subscriptions import feedback
from app.subscriptions.feedback import Kind, Outcome, Report
from tests.service import Letter, Service

HARD = Report(Kind.HARD_BOUNCE, "dsn", "hard", code="5.1.1")
SOFT = Report(Kind.SOFT_BOUNCE, "dsn", "soft", code="5.2.2")
COMPLAINT = Report(Kind.COMPLAINT, "arf", "complaint")
UNSUBSCRIBE = Report(Kind.UNSUBSCRIBE, "mail", "unsubscribe")


def take(service: Service, report: Report, **more: Any) -> Outcome:
    with service.database.transaction() as session:
        return feedback.take(
            session,
            replace(report, **more),
            catalogue=catalogue.load(session.connection()),
            suppression_key=services.of(service.app).settings.suppression_key,
        )


def id_of(letter: Letter) -> UUID:
    return UUID(str(letter.delivered.message["Message-ID"])[1:37])


def test_a_pending_subscription_ends_at_once_when_its_letter_bounces(service: Service) -> None:
    service.subscribe()
    letter = service.letter()
    assert take(service, HARD, letter_id=id_of(letter)) is Outcome.TAKEN
    status = service.status()
    assert status
    assert status["weekly"]["status"] == "bounced"
    assert status["weekly"]["reason"] == "hard_bounce"
    assert status["weekly"]["confirmation_mail"]["state"] == "bounced"
    assert service.post(letter.link).status_code == 410
    assert service.events() == ["subscription.requested", "letter.accepted", "subscription.bounced"]
