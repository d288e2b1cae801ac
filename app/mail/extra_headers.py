"""Headers that letters carry only where the settings ask for them: for the mail provider, and for mailbox providers."""

from dataclasses import dataclass

from app.feedback.providers.letter_header import LetterHeader
from app.outbox import Letter


@dataclass(frozen=True, slots=True)
class ExtraHeaders:
    for_provider: LetterHeader | None = None
    sender_id: str | None = None

    def of(self, letter: Letter) -> dict[str, str]:
        headers = {}
        if self.for_provider:
            headers[self.for_provider.name] = self.for_provider.filled_in(letter.id)
        if self.sender_id:
            # Gmail counts complaints for each part; the last one is the sender's (https://support.google.com/mail/answer/6254652).
            headers["Feedback-ID"] = f"{letter.kind}:{self.sender_id}"
        return headers
