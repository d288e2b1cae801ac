"""Composes a letter from an intent in the outbox.

Invariant: of the submitter's own input, only the address and the page of the form reach a letter.
A confirmation letter is bare: who asks, for what, when, where, until when, one link. Behind all else a link to the
privacy notice, because whoever reads it may not have given us their address (GDPR Art. 14(1) to (3)). A logo, a slogan
or a "welcome" made it advertising before German and Austrian courts (LG Stendal 22 S 87/20, VwGH 2012/03/0089).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app import clock
from app.links import FRESH_FOR, Links, one_click
from app.mail import letter_text
from app.mail.extra_headers import ExtraHeaders
from app.mail.message import ComposedLetter
from app.mail.owed import Owed
from app.outbox import LetterKind
from app.subscriptions import codes


@dataclass(frozen=True, slots=True)
class Composition:
    """The letter, and the hashes that evidence keeps of it."""

    letter: ComposedLetter
    expires_at: datetime
    template_sha256: str
    rendered_sha256: str


def compose(owed: Owed, links: Links, extra: ExtraHeaders) -> Composition:
    """Within an application context."""
    expires_at = owed.move.ends_at if owed.move else clock.now() + _valid_for(owed)
    link, exit_link = _links(owed, links, expires_at)
    written = letter_text.write(owed, links, expires_at)
    text, html = written.filled_in(link, codes.grouped(codes.code(links.signer.keys[0], owed.letter.id)))
    sender = owed.first
    letter = ComposedLetter(
        sender=sender.sender,
        envelope_sender=links.envelope_sender(owed.letter.id, sender.mailbox),
        plain_sender=sender.mailbox,
        reply_to=sender.reply_to,
        recipient=owed.address,
        subject=written.subject,
        text=text,
        html=html,
        message_id=f"<{owed.letter.id}@{sender.sender_domain}>",
        headers={
            "List-Id": sender.list_id,
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "OOF, AutoReply",
            **(one_click(exit_link) if exit_link else {}),
            **extra.of(owed.letter),
        },
    )
    return Composition(letter, expires_at, written.template_sha256, written.masked_sha256)


def _valid_for(owed: Owed) -> timedelta:
    if owed.letter.kind == LetterKind.PREFERENCES:
        return FRESH_FOR
    return min(each.confirm_within for each in owed.newsletters.values())


def _links(owed: Owed, links: Links, expires_at: datetime) -> tuple[str, str | None]:
    """The link in the body, and the URL to which a mail program's own "unsubscribe" posts.

    None in a notice to a former address: its reader may not be the person, whose subscriptions are elsewhere.
    """
    if owed.letter.kind == LetterKind.CONFIRMATION:
        link = links.confirm(owed.letter.id, expires_at)
        return link, f"{link}/decline"
    if owed.move and owed.letter.kind == LetterKind.ADDRESS_CHANGE:
        # The mailbox holder has no subscription to leave yet, and can only decline the request.
        link = links.change_address(owed.move.change_id, expires_at)
        return link, f"{link}/decline"
    if owed.move:
        return links.undo_address(owed.move.change_id, expires_at), None
    subscription_id = next(iter(owed.newsletters))
    if owed.letter.kind == LetterKind.PREFERENCES:
        return links.manage(owed.letter.subscriber_id, expires_at), links.unsubscribe_all(subscription_id)
    exit_link = links.unsubscribe(subscription_id)
    if owed.letter.kind == LetterKind.RESUBSCRIBED and len(owed.newsletters) == 1:
        return exit_link, exit_link
    return links.preferences(owed.letter.subscriber_id), exit_link
