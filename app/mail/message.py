"""A composed letter, addressed to one person, not yet encoded for any protocol."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.addresses import EmailAddress


@dataclass(frozen=True, slots=True)
class ComposedLetter:
    sender: str
    envelope_sender: str
    """The address to which the letter bounces; it identifies the letter."""
    plain_sender: str
    """The same without the letter: for relays that let an account send only as itself."""
    reply_to: str | None
    recipient: EmailAddress
    subject: str
    text: str
    html: str
    message_id: str
    """Derived from the id in the outbox, so that a repeat after a crash is recognisable."""
    headers: Mapping[str, str]
