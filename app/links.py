"""The links in letters and responses.

Every link is built from the configured address, never from the host that a request claims.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from app.tokens import Purpose, Signer, TokenInvalid

FRESH_FOR = timedelta(minutes=30)
"""Lifetime of a link that shows or changes more than a subscription: to the preferences, from when its letter was
written; to a receipt, from the confirmation."""
LONGEST_MAILBOX = 20
"""Maximum local part, in characters, of a mailbox that gets a `+` and 43 more."""

UNSUBSCRIBE_SUBJECT = "unsubscribe"
"""Of a mail to an unsubscribe address."""
_PRESSED = re.compile(r"/unsubscribe/([A-Za-z2-7]{45,60})")
_USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Links:
    public_url: str
    signer: Signer
    feedback_address: str | None = None
    """The mailbox for bounces; None: each newsletter's own sender, and no unsubscribing by mail."""

    @property
    def origin(self) -> str:
        """As browsers write it (RFC 6454 section 6.2): in lower case, without the scheme's default port."""
        parts = urlsplit(self.public_url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = "" if parts.port in {None, _USUAL_PORTS.get(parts.scheme)} else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}"

    def confirm(self, letter_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/confirm/{self.signer.sign(Purpose.CONFIRM, letter_id, until)}"

    def unsubscribe(self, subscription_id: UUID) -> str:
        return f"{self.public_url}/unsubscribe/{self.signer.sign(Purpose.UNSUBSCRIBE, subscription_id)}"

    def unsubscribe_all(self, subscription_id: UUID) -> str:
        """Ends every subscription of the person by one POST: RFC 8058 leaves no room for that in the body."""
        return f"{self.unsubscribe(subscription_id)}?all=1"

    def unsubscribe_one(self, subscription_id: UUID) -> str:
        """For parties that may not learn the person's other subscriptions: it ends that one only."""
        return f"{self.public_url}/unsubscribe/{self.signer.sign(Purpose.UNSUBSCRIBE_ONE, subscription_id)}"

    def preferences(self, subscriber_id: UUID) -> str:
        return f"{self.public_url}/preferences/{self.signer.sign(Purpose.PREFERENCES, subscriber_id)}"

    def manage(self, subscriber_id: UUID, until: datetime) -> str:
        """The preferences with all rights: only for the mailbox itself, and only for a short time."""
        return f"{self.public_url}/preferences/{self.signer.sign(Purpose.PREFERENCES, subscriber_id, until)}"

    def change_address(self, change_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/address/{self.signer.sign(Purpose.ADDRESS, change_id, until)}"

    def undo_address(self, change_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/address/undo/{self.signer.sign(Purpose.FORMER_ADDRESS, change_id, until)}"

    def receipt(self, subscription_id: UUID, until: datetime) -> str:
        return f"{self.public_url}/receipts/{self.signer.sign(Purpose.RECEIPT, subscription_id, until)}"

    def notice(self, slugs: Sequence[str], language: str) -> str:
        """The privacy notice of the first newsletter, from which those of the others are linked."""
        query = [("language", language), *(("also", each) for each in slugs[1:])]
        return f"{self.public_url}/privacy/{slugs[0]}?{urlencode(query)}"

    def envelope_sender(self, letter_id: UUID, sender: str) -> str:
        """Where bounces go: the address identifies the letter.

        Without a token if there is no room for one.
        """
        mailbox = self.feedback_address or sender
        token = self.signer.sign_short(Purpose.BOUNCE, letter_id)
        return _detailed(mailbox, f"b{token}") if can_be_signed(mailbox) else mailbox

    def bounced_letter(self, address: str) -> UUID | None:
        """The letter that was sent from that address; None if the address is not ours."""
        return self.signer.find(Purpose.BOUNCE, address)

    def unsubscribe_address(self, subscription_id: UUID) -> str | None:
        """A mail to it unsubscribes; None if such mails are not read."""
        if self.feedback_address is None:
            return None
        return _detailed(self.feedback_address, f"u{self.signer.sign_short(Purpose.UNSUBSCRIBE_MAIL, subscription_id)}")

    def left_subscription(self, address: str) -> UUID | None:
        """The subscription that a mail to that address ends; None if the address is not ours."""
        return self.signer.find(Purpose.UNSUBSCRIBE_MAIL, address)

    def unsubscribed(self, header: str) -> UUID | None:
        """The subscription that this List-Unsubscribe ends; None if it is not ours.

        The host does not matter: whoever passes a complaint on may have replaced it.
        """
        text = "".join(header.split())
        for token in _PRESSED.findall(text)[:1]:
            for purpose in (Purpose.UNSUBSCRIBE, Purpose.UNSUBSCRIBE_ONE):
                with suppress(TokenInvalid):
                    return self.signer.read(purpose, token).subject
        return self.left_subscription(text.partition("mailto:")[2])


def can_be_signed(mailbox: str) -> bool:
    """Whether a token fits behind the local part, which may have 64 octets (RFC 5321 section 4.5.3.1.1)."""
    return len(mailbox.rpartition("@")[0]) <= LONGEST_MAILBOX


def one_click(url: str, address: str | None = None) -> dict[str, str]:
    """The pair of headers that lets a mail program unsubscribe with one POST (RFC 8058 section 3.1).

    The address is for older programs, which only mail: they use the first way that they know (RFC 2369 section 3.2).
    """
    by_mail = f", <mailto:{address}?subject={UNSUBSCRIBE_SUBJECT}>" if address else ""
    return {"List-Unsubscribe": f"<{url}>{by_mail}", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _detailed(mailbox: str, detail: str) -> str:
    local, _, domain = mailbox.rpartition("@")
    return f"{local}+{detail}@{domain}"
