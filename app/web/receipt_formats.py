"""Consent receipts as answers: the same facts as JSON, as linked data, and as a page to print."""

from uuid import uuid4

from flask import Response, make_response, render_template, url_for

from app import clock
from app.ledger.verifier import standing
from app.newsletters import data_recipients
from app.receipts import issuing
from app.receipts.document import Reader, ReceiptIssue
from app.receipts.history import History
from app.web import current, language

JSON, LINKED, PAGE = KINDS = ("application/json", "application/ld+json", "text/html")


def as_text(history: History, reader: Reader) -> str:
    about = ReceiptIssue(uuid4(), clock.now(), reader, current.catalogue(), current.links())
    return issuing.issue(history, about, current.resources().log)


def as_json(history: History, reader: Reader, kind: str = JSON) -> Response:
    """Linked data is the same text: the @context that defines its names is always in it."""
    return Response(as_text(history, reader), mimetype=kind)


def as_page(history: History, reader: Reader, token: str | None = None) -> Response:
    """In the person's language for every reader. With a token it links to its JSON."""
    language.use(history.language)
    catalogue = current.catalogue()
    page = render_template(
        "pages/receipt.html",
        history=history,
        asked_by=history.asked_by,
        made_at=clock.now(),
        is_addressed=reader is not Reader.PERSON,
        controller=catalogue.controller,
        data_recipients=data_recipients,
        newsletter=catalogue.newsletters[history.newsletter],
        standing=standing(history.steps),
        download=url_for("receipt.download", token=token) if token else None,
    )
    return make_response(page)
