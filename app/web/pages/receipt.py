"""The person's own consent receipt, behind a link that is valid for half an hour.

The link is on the page after confirmation, and on the preferences page of a fresh link. It carries its expiry. Links
get forwarded: the receipt shows the address masked, and no letter links here.
"""

from flask import Blueprint, Response
from flask_babel import gettext as _

from app import clock
from app.receipts import history
from app.receipts.document import Reader
from app.receipts.history import History
from app.tokens import Purpose
from app.web import current, log_publication, receipt_formats
from app.web.problems import LinkExpired

blueprint = Blueprint("receipt", __name__, url_prefix="/receipts/<token>")


@blueprint.get("")
def show(token: str) -> Response:
    return receipt_formats.as_page(_find(token), Reader.PERSON, token)


@blueprint.get("/json")
def download(token: str) -> Response:
    found = _find(token)
    answer = receipt_formats.as_json(found, Reader.PERSON)
    answer.headers["Content-Disposition"] = f'attachment; filename="receipt-{found.subscription_id}.json"'
    return answer


def _find(token: str) -> History:
    claim = current.links().signer.read(Purpose.RECEIPT, token)
    with current.database().read_only() as connection:
        found = history.find(connection, claim.subject, current.resources().log, log_publication.until())
    if claim.has_expired(clock.now()) or found is None or found.is_erased:
        raise LinkExpired(_("The link was good for half an hour, or the evidence was erased."))
    return found
