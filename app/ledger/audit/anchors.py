"""Checks each anchor against its checkpoint.

The authority's signature and certificate are not checked: that is for a relying party with its own trust anchors.
Without the extra `timestamp` nothing is checked, because there is no decoder for the response.
"""

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Connection, select

from app.ledger.anchors import Anchor, name
from app.ledger.audit.stored import stream
from app.ledger.model import SignedCheckpoint

SHA256 = "2.16.840.1.101.3.4.2.1"


def check(connection: Connection) -> Iterator[str]:
    if find_spec("rfc3161_client") is None:
        return
    with stream(connection, _ANCHORS) as anchors:
        for anchor in anchors:
            if wrong := _wrong(anchor):
                yield f"anchor of checkpoint {anchor.size} by {name(anchor.authority)}: {wrong}"


def _wrong(anchor: Any) -> str | None:
    if anchor.note is None:
        return "there is no such checkpoint"
    try:
        algorithm, digest = _imprint(anchor.response)
    except ValueError:
        return "the authority's answer cannot be read"
    note = anchor.note.encode(errors="surrogateescape")
    if (algorithm, digest) != (SHA256, hashlib.sha256(note).digest()):
        return "the authority's answer is about something else"
    return None


def _imprint(response: bytes) -> tuple[str, bytes]:
    """The message imprint (RFC 3161 section 2.4.2): the hash algorithm's OID, and the hash."""
    from rfc3161_client import decode_timestamp_response  # noqa: PLC0415 - it is in the extra `timestamp`

    imprint = decode_timestamp_response(bytes(response)).tst_info.message_imprint
    return imprint.hash_algorithm.dotted_string, imprint.message


_ANCHORS = (
    select(Anchor.size, Anchor.authority, Anchor.response, SignedCheckpoint.note)
    .outerjoin(SignedCheckpoint, SignedCheckpoint.size == Anchor.size)
    .order_by(Anchor.size, Anchor.authority)
)
