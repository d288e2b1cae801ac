"""A letter as it leaves: composed, addressed to one person, not yet in the form of any protocol."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.addresses import EmailAddress


@dataclass(frozen=True, slots=True)
class ComposedLetter:
    sender: str
    envelope_sender: str
    """Where it comes back to."""
    reply_to: str | None
    recipient: EmailAddress
    subject: str
    text: str
    html: str
    message_id: str
    """Made from the id of the letter owed, so that a repeat after a crash is recognisable."""
    headers: Mapping[str, str]
