"""Consent receipts for the controller, with the address in clear."""

from datetime import datetime
from uuid import UUID

from flask import Response, request
from werkzeug.exceptions import NotFound

from app.api_keys import Scope
from app.ledger import erasures
from app.receipts import history
from app.receipts.document import Reader
from app.web import current, log_publication, receipt_formats
from app.web.api import access, documentation, schemas
from app.web.api.arguments import Blueprint
from app.web.problems import EvidenceErased

blueprint = Blueprint("receipts", __name__, url_prefix="/api/v1", description="Proof of consent")

ALSO = {receipt_formats.LINKED: {"schema": schemas.ReceiptSchema}, receipt_formats.PAGE: {"schema": {"type": "string"}}}


@blueprint.route("/subscriptions/<subscription>/receipt")
@access.requires(Scope.RECEIPTS_READ)
@blueprint.response(200, schemas.ReceiptSchema)
@blueprint.doc(responses={200: {"content": ALSO}, 410: documentation.problem("Its evidence was erased.")})
def show(subscription: str) -> Response:
    """All that is known of one consent, with proofs: JSON, JSON-LD, or a page to print, as `Accept` says."""
    with current.database().read_only() as connection:
        wanted = _identify(subscription)
        found = history.find(connection, wanted, current.resources().log, _shown_until())
        erased = erasures.newsletter_of(connection, wanted) if found is None else None
    if erased and access.caller().sees(erased):
        raise EvidenceErased("The evidence of this subscription was erased.")
    if found is None or not access.caller().sees(found.newsletter):
        raise NotFound("No subscription by that id.")
    if found.is_erased:
        raise EvidenceErased("The evidence of this subscription was erased.")
    reader = Reader.ONE_NEWSLETTER if access.caller().is_limited else Reader.CONTROLLER
    kind = request.accept_mimetypes.best_match(receipt_formats.KINDS, receipt_formats.JSON)
    if kind == receipt_formats.PAGE:
        return receipt_formats.as_page(found, reader)
    return receipt_formats.as_json(found, reader, kind)


def _shown_until() -> datetime | None:
    """Only keys with the feed's scope may see the log grow; polling a receipt would show it too."""
    return None if access.caller().has(Scope.EVENTS_READ) else log_publication.until()


def _identify(subscription: str) -> UUID:
    try:
        return UUID(subscription)
    except ValueError:
        raise NotFound("No subscription by that id.") from None
