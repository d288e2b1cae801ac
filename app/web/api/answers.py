"""The API's answers. `schemas` documents their shape, and a test compares both."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from flask import Response, request

from app.api_keys import Caller
from app.consent import timestamp
from app.links import one_click
from app.spreadsheets import inert
from app.subscriptions.status import SubscriberStatus, SubscriptionStatus
from app.web import current

COLUMNS = ("email", "status", "mailable", "since", "language", "id", "unsubscribe")


def subscriber(found: SubscriberStatus, reader: Caller) -> dict[str, Any]:
    """As the reader's key may see it: for a key limited to newsletters, each link leads to one newsletter only."""
    preferences = None if reader.is_limited else current.links().preferences(found.id)
    return {
        "id": str(found.id),
        "email": found.email,
        "language": found.language,
        "subscriptions": [subscription(each, preferences, _leave(each, reader)) for each in found.subscriptions],
    }


def subscription(found: SubscriptionStatus, preferences: str | None, unsubscribe: str) -> dict[str, Any]:
    """With the links to the person's preferences and to unsubscribe."""
    by_mail = current.links().unsubscribe_address(found.id)
    list_id = current.catalogue().newsletters[found.newsletter].list_id
    mail = found.confirmation_mail
    return {
        "id": str(found.id),
        "newsletter": found.newsletter,
        "status": found.status,
        "mailable": found.mailable,
        "since": timestamp(found.since),
        "reason": found.reason,
        "confirmation_mail": {
            "state": mail.state if mail else None,
            "at": timestamp(mail.at) if mail else None,
        },
        "links": {"unsubscribe": unsubscribe, "preferences": preferences},
        "headers": {**one_click(unsubscribe, by_mail), "List-Id": list_id},
    }


def _leave(found: SubscriptionStatus, reader: Caller) -> str:
    links = current.links()
    return links.unsubscribe_one(found.id) if reader.is_limited else links.unsubscribe(found.id)


def tagged(answer: Response) -> Response:
    """With an ETag of its content; 304 or 412 if the request is conditional (RFC 9110 section 13.1)."""
    answer.add_etag()
    if "If-None-Match" in request.headers or "If-Match" in request.headers:
        return answer.make_conditional(request)  # type: ignore[return-value]
    return answer


def entry(found: SubscriberStatus, reader: Caller) -> dict[str, Any]:
    """A subscriber on the page of one newsletter: the subscription's status is repeated at the top level."""
    only = found.subscriptions[0]
    return {**subscriber(found, reader), "status": only.status, "mailable": only.mailable}


def as_csv(found: Iterable[SubscriberStatus], reader: Caller) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for each in found:
        only = each.subscriptions[0]
        link = _leave(only, reader)
        row = (each.email, only.status, str(only.mailable).lower(), timestamp(only.since), each.language, each.id, link)
        writer.writerow([inert(str(cell)) for cell in row])
    return text.getvalue()
