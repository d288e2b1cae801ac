"""Letters about unsubscribing and its undo: they tell a person what the holder of a link did in their name.

Links get forwarded, and a press costs nothing. So one person is owed only a few letters of a kind a day, however often
a stranger presses. Nobody is resubscribed without a letter, nor if none would be left to acknowledge unsubscribing
again: so the last letter stays true until the person acts themselves. Lock order: `database.locks`.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import outbox
from app.outbox import LetterKind
from app.subscriptions.model import Subscriber, Subscription

A_DAY = 3
"""Letters of one kind to one person."""


def owe(session: Session, kind: LetterKind, about: Sequence[Subscription], spare: Sequence[LetterKind] = ()) -> bool:
    """Owe the person one letter about these subscriptions, which are locked.

    False, and nothing is owed, if the daily limit of this kind, or of a kind in `spare`, is used up.
    """
    # FOR NO KEY UPDATE: requests for the person do not wait,
    # and of two concurrent presses about different subscriptions the second counts the letter of the first.
    whose = select(Subscriber).where(Subscriber.id == about[0].subscriber_id).with_for_update(key_share=True)
    subscriber = session.scalars(whose).one()
    if any(outbox.owed_lately(session, each, subscriber.id) >= A_DAY for each in (kind, *spare)):
        return False
    nonces = {str(each.id): each.nonce for each in about}
    outbox.owe(session, kind, subscriber_id=subscriber.id, language=subscriber.language, about=nonces)
    return True
