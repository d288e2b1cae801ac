"""Fresh links: a mailbox is mailed a link to the preferences of all its subscriptions.

Anybody may ask in anybody's name, so neither the answer nor the work reveals whether the address is known: the same two
statements run, and its recipient limit is written. Lock order: `database.locks`.
"""

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.abuse import recipient_limit
from app.outbox import LetterKind
from app.subscriptions.model import Subscriber

A_DAY = 5
"""As for confirmation mails: repeated requests by a stranger do not fill a mailbox."""


def owe(session: Session, canonical: str, digest: str) -> None:
    """Owe the holder of the address the letter with the link, even if all their subscriptions have ended.

    Not if one is still owed, was asked for in the last 10 minutes, or was owed five times in the last day.
    """
    may = recipient_limit.take_link(session, digest, clock.now())
    known = select(Subscriber.id, Subscriber.language).where(Subscriber.canonical == canonical, literal(may))
    # Waits for a concurrent erasure of the person, and then finds nobody.
    outbox.owe_found(session, LetterKind.PREFERENCES, known.with_for_update(read=True, key_share=True), a_day=A_DAY)
