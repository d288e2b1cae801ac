"""What a link from a letter shows of a person's subscriptions.

Mails get forwarded, so whoever holds the link sees a masked address and may leave, and nothing else. What shows more
goes to the mailbox first: as links that are good for half an hour.
"""

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.consent import Act, Actor
from app.receipts import mailing
from app.subscriptions import withdrawal
from app.subscriptions.withdrawal import Membership
from app.tokens import Claim, Purpose
from app.web import client, current, language

blueprint = Blueprint("preferences", __name__, url_prefix="/preferences/<token>")


@blueprint.get("")
def show(token: str) -> ResponseReturnValue:
    return _page(token)


@blueprint.post("")
def leave(token: str) -> ResponseReturnValue:
    """`leave` names a newsletter, once or more; `all=1` means every one. Answers with the page as it is afterwards."""
    claim = current.links().signer.read(Purpose.PREFERENCES, token)
    act = Act(Actor.MAILBOX_HOLDER, {"method": "preferences", "browser": client.browser_family()})
    catalogue = current.catalogue()
    with current.database().transaction() as session:
        if request.form.get("all") == "1":
            withdrawal.leave_all(session, claim.subject, catalogue=catalogue, act=act)
        else:
            names = [name for name in request.form.getlist("leave") if name in catalogue.newsletters]
            withdrawal.leave_newsletters(session, claim.subject, names, catalogue=catalogue, act=act)
    return make_response(_page(token))


@blueprint.post("/receipts")
def mail_receipts(token: str) -> str:
    """Answers alike whatever comes of it: no letter where one was asked for lately, or where nobody is left."""
    claim = current.links().signer.read(Purpose.PREFERENCES, token)
    with current.database().transaction() as session:
        mailing.owe(session, claim.subject)
    _find(claim)
    return render_template("pages/receipts_mailed.html")


def _page(token: str) -> str:
    membership = _find(current.links().signer.read(Purpose.PREFERENCES, token))
    return render_template("pages/preferences.html", membership=membership, words=_words(membership), token=token)


def _find(claim: Claim) -> Membership | None:
    """Whoever is found is answered in their language."""
    with current.database().read_only() as connection:
        membership = withdrawal.find_membership(connection, claim.subject)
    if membership:
        language.use(membership.language)
    return membership


def _words(membership: Membership | None) -> dict[str, object]:
    newsletters = current.catalogue().newsletters
    names = membership.confirmed if membership else []
    return {name: newsletters[name].words(language.preferred()) for name in names}
