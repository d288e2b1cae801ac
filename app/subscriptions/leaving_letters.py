"""The letters about leaving and coming back: they tell a person what was done in their name, by whoever had a link.

Links get forwarded, and a press costs nothing. So one person is owed a few of a kind a day, however often a stranger
presses. Nobody is brought back without one, nor where no acknowledgement would be left for leaving again: so what the
last mail said stays so, until the person does something themselves.
Lock order: `database.locks`.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import outbox
from app.outbox import LetterKind
from app.subscriptions.model import Subscriber, Subscription

A_DAY = 3
"""Of one kind, to one person."""


def owe(session: Session, kind: LetterKind, about: Sequence[Subscription], spare: Sequence[LetterKind] = ()) -> bool:
    """Owe the person one letter about these subscriptions, which are locked.

    False, and nothing is owed, where they had their share of it today, or of one of those that are to be left to spare.
    """
    # It keeps no request for the person waiting (FOR NO KEY UPDATE),
    # and of two presses at once, about different subscriptions, the second counts the letter of the first.
    whose = select(Subscriber).where(Subscriber.id == about[0].subscriber_id).with_for_update(key_share=True)
    subscriber = session.scalars(whose).one()
    if any(outbox.owed_lately(session, each, subscriber.id) >= A_DAY for each in (kind, *spare)):
        return False
    nonces = {str(each.id): each.nonce for each in about}
    outbox.owe(session, kind, subscriber_id=subscriber.id, language=subscriber.language, about=nonces)
    return True
