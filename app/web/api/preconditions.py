"""`If-Match`: nothing happens unless what is changed is still as the caller last saw it (RFC 9110 section 13.1.1)."""

from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import PreconditionFailed

from app.subscriptions import status, subscriber
from app.web.api import access, answers

HEADER = "If-Match"


class Changed(PreconditionFailed):
    """412, with the `ETag` of now; without one where there is nothing."""

    kind = "changed-since"

    def __init__(self, etag: str | None) -> None:
        super().__init__("This has changed since. Read it anew, and decide again.")
        self.etag = etag

    def get_headers(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        given = [("ETag", f'"{self.etag}"')] if self.etag else []
        return [*super().get_headers(*arguments, **options), *given]


def check(shown: Response | None) -> None:
    """`shown`: what GET answers now; None where it answers 404. Raises Changed."""
    if HEADER not in request.headers:
        return
    if shown is None:
        raise Changed(None)
    shown.add_etag()
    etag, _is_weak = shown.get_etag()
    if etag is None or not (request.if_match.star_tag or request.if_match.contains(etag)):
        raise Changed(etag)


def check_person(session: Session, who: str | UUID) -> None:
    """Against what the caller would be shown of the person, who then stays so until the transaction ends."""
    if HEADER not in request.headers:
        return
    caller, connection = access.caller(), session.connection()
    if found := status.find(connection, who, visible=caller.newsletters):
        subscriber.hold(session, found.id)
        found = status.find(connection, who, visible=caller.newsletters)
    check(jsonify(answers.subscriber(found, caller)) if found else None)
