"""Fresh links: whoever has the mailbox is mailed a link to the preferences that shows and changes all there is.

Anybody may ask in anybody's name, so neither the answer nor the work tells whether the address is known: the same two
statements run, and its recipient limit is written. Lock order: `database.locks`.
"""

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.abuse import recipient_limit
from app.outbox import LetterKind
from app.subscriptions.model import Subscriber

A_DAY = 5
"""As for confirmation mails: whoever asks in somebody's name, again and again, fills no mailbox."""


def owe(session: Session, canonical: str, digest: str) -> None:
    """Owe whoever has the address the letter with the link, also where all their subscriptions have ended.

    Not where one is still owed, was asked for in the last 10 minutes, or went five times in the last day.
    """
    may = recipient_limit.take_link(session, digest, clock.now())
    known = select(Subscriber.id, Subscriber.language).where(Subscriber.canonical == canonical, literal(may))
    # Whoever is being erased is waited for, and then not found.
    outbox.owe_whom(session, LetterKind.PREFERENCES, known.with_for_update(read=True, key_share=True), a_day=A_DAY)
