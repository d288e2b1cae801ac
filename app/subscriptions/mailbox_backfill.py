"""Mailboxes of subscribers whose rows were written before there was `Subscriber.mailbox_digest`.

The digest takes the key, which a migration does not have. Until it is filled in, an objection of such a person holds
for their one address. One from another address of the mailbox holds for theirs all the same where somebody asks; only
a letter that was owed before is not kept back by it.
"""

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app import suppressions
from app.addresses import EmailAddress
from app.subscriptions.model import Subscriber


def complete(session: Session, key: str, *, at_most: int) -> int:
    """Fill in the digests that are missing, and share the objections of those people. Idempotent. Returns how many."""
    incomplete = select(Subscriber.id, Subscriber.canonical, Subscriber.digest)
    found = session.execute(
        incomplete.where(Subscriber.mailbox_digest.is_(None)).order_by(Subscriber.id).limit(at_most)
    ).all()
    if not found:
        return 0
    mailboxes = [EmailAddress(row.canonical, row.canonical).digests(key).mailbox for row in found]
    # Before the rows of the people, as whoever declines.
    suppressions.share(session, {row.digest: mailbox for row, mailbox in zip(found, mailboxes, strict=True)})
    values = [
        {"who": row.id, "spelling": row.canonical, "mailbox": mailbox}
        for row, mailbox in zip(found, mailboxes, strict=True)
    ]
    session.connection().execute(_FILLING, values)
    return len(found)


_FILLING = (
    update(Subscriber.__table__)  # type: ignore[arg-type]
    # Who has moved since has another mailbox.
    .where(Subscriber.id == bindparam("who"), Subscriber.canonical == bindparam("spelling"))
    .where(Subscriber.mailbox_digest.is_(None))
    .values(mailbox_digest=bindparam("mailbox"))
)
