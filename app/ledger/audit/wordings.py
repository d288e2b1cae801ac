"""Checks each wording against the SHA-256 by which evidence cites it, as proof of what people were shown."""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, select

from app.ledger.audit.stored import stream
from app.newsletters.tables import Wording


def check(connection: Connection) -> Iterator[str]:
    with stream(connection, _WORDINGS) as wordings:
        for wording in wordings:
            if hashlib.sha256(wording.text.encode(errors="surrogateescape")).hexdigest() != wording.sha256:
                yield f"wording {wording.sha256}: its text has another SHA-256, so it is not what people were shown"


_WORDINGS = select(Wording.sha256, Wording.text)
