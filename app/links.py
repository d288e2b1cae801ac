"""The links that letters and answers carry.

Every one is built from the configured address, never from what a request claims about its host.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from app.tokens import Purpose, Signer

FRESH_FOR = timedelta(minutes=30)
"""How long a link is good that shows or changes more than a subscription: to the preferences, from when the letter with
it was written; to a receipt, from the press that confirmed."""


@dataclass(frozen=True, slots=True)
class Links:
    public_url: str
    signer: Signer

    @property
    def origin(self) -> str:
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    def confirm(self, letter_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/confirm/{self.signer.sign(Purpose.CONFIRM, letter_id, until)}"

    def unsubscribe(self, subscription_id: UUID) -> str:
        return f"{self.public_url}/unsubscribe/{self.signer.sign(Purpose.UNSUBSCRIBE, subscription_id)}"

    def undo(self, subscription_id: UUID, until: datetime) -> str:
        """A token and no link: it travels in the form of one page, and in no URL."""
        return self.signer.sign(Purpose.UNDO, subscription_id, until)

    def preferences(self, subscriber_id: UUID) -> str:
        return f"{self.public_url}/preferences/{self.signer.sign(Purpose.PREFERENCES, subscriber_id)}"

    def manage(self, subscriber_id: UUID, until: datetime) -> str:
        """The preferences with all rights: only for the mailbox itself, and not for long."""
        return f"{self.public_url}/preferences/{self.signer.sign(Purpose.PREFERENCES, subscriber_id, until)}"

    def change_address(self, change_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/address/{self.signer.sign(Purpose.ADDRESS, change_id, until)}"

    def undo_address(self, change_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/address/undo/{self.signer.sign(Purpose.FORMER_ADDRESS, change_id, until)}"

    def receipt(self, subscription_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/receipts/{self.signer.sign(Purpose.RECEIPT, subscription_id, until)}"


def one_click(url: str) -> dict[str, str]:
    """The pair of headers that lets a mail program unsubscribe with one POST (RFC 8058 section 3.1)."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
