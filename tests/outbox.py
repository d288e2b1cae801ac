"""What is known of letters that are owed: how far each is, and what mail servers replied."""

from typing import Any

from tests.service import ADA, Service


def state(service: Service, email: str = ADA) -> Any:
    mail = service.status(email)["weekly"]["confirmation_mail"]
    return mail and mail["state"]


def replies(service: Service) -> list[str]:
    return [row.reply for row in service.rows("SELECT reply FROM letters")]
