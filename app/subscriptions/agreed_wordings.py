"""The exact words shown to a person at the request, as the evidence cites them, whatever the catalogue says now."""

import json
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, select

from app.consent import ConsentEvent, EventType
from app.newsletters.definitions import Words
from app.newsletters.tables import Wording
from app.outbox import Letter

_PARTS = ("title", "purpose", "consent")


def find(connection: Connection, letter_id: UUID) -> Mapping[str, Words]:
    """By newsletter: the words of the newest request by the letter's recipient."""
    requests = connection.execute(
        select(ConsentEvent.newsletter, ConsentEvent.evidence)
        .join(Letter, Letter.subscriber_id == ConsentEvent.subscriber_id)
        .where(Letter.id == letter_id, ConsentEvent.type == EventType.REQUESTED, ConsentEvent.evidence.is_not(None))
        .order_by(ConsentEvent.occurred_at)
    )
    cited = {each.newsletter: json.loads(each.evidence)["wordings"] for each in requests}
    digests = {digest for wordings in cited.values() for digest in wordings.values()}
    found = connection.execute(select(Wording.sha256, Wording.text).where(Wording.sha256.in_(digests)))
    texts = {row.sha256: row.text for row in found}
    return {newsletter: Words(*[texts[each[part]] for part in _PARTS]) for newsletter, each in cited.items()}
