"""Backfills `Subscriber.mailbox_digest` in rows that are older than the column.

The digest needs the key, which a migration does not have. Until it is filled in, such a person's objection applies only
to their one address. An objection from another address of the mailbox still blocks requests for theirs, but does not
hold back a letter that was owed before.
"""

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app import suppressions
from app.addresses import EmailAddress
from app.subscriptions.model import Subscriber


def complete(session: Session, key: str, *, at_most: int) -> int:
    """Fill in missing digests, and share the objections of those people. Idempotent. Returns how many."""
    incomplete = select(Subscriber.id, Subscriber.canonical, Subscriber.digest)
    found = session.execute(
        incomplete.where(Subscriber.mailbox_digest.is_(None)).order_by(Subscriber.id).limit(at_most)
    ).all()
    if not found:
        return 0
    mailboxes = [EmailAddress(row.canonical, row.canonical).digests(key).mailbox for row in found]
    # Before the subscribers, in the same order as a decline.
    suppressions.share(session, {row.digest: mailbox for row, mailbox in zip(found, mailboxes, strict=True)})
    values = [
        {"who": row.id, "spelling": row.canonical, "mailbox": mailbox}
        for row, mailbox in zip(found, mailboxes, strict=True)
    ]
    session.connection().execute(_FILLING, values)
    return len(found)


_FILLING = (
    update(Subscriber.__table__)  # type: ignore[arg-type]
    # A person who has changed address since has another mailbox.
    .where(Subscriber.id == bindparam("who"), Subscriber.canonical == bindparam("spelling"))
    .where(Subscriber.mailbox_digest.is_(None))
    .values(mailbox_digest=bindparam("mailbox"))
)
