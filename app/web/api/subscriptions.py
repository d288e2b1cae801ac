"""Signups collected by another service, which states how the person asked; the person must still confirm."""

from typing import Any

from flask import Response

from app.api_keys import Scope
from app.consent import BY_KEY, JsonValue, timestamp
from app.subscriptions.decision import HoneypotResult, Signup, StatedRequest
from app.web import client, current, origins
from app.web.api import access, idempotency, orders
from app.web.api.arguments import Blueprint
from app.web.signup import intake

blueprint = Blueprint("subscriptions", __name__, url_prefix="/api/v1", description="Who asks to be written to")


@blueprint.route("/subscriptions", methods=["POST"])
@access.requires(Scope.SUBSCRIBERS_WRITE)
@idempotency.kept
@blueprint.arguments(orders.SubscriptionOrder)
@blueprint.response(202, orders.Accepted)
def ask(order: dict[str, Any]) -> Response:
    """Ask for double opt-in on a person's behalf. The same answer for every address; nothing skips the confirmation.

    Nobody is asked who has left the newsletter later than `requested_at`, or at any time where that is left out.
    """
    visible = {slug: each for slug, each in current.catalogue().open.items() if access.caller().sees(slug)}
    newsletters = intake.newsletters(order.get("newsletters", []), visible)
    signup = Signup(
        address=order["email"],
        newsletters=newsletters,
        language=newsletters[0].language_for([order["language"]] if "language" in order else []),
        asked_from=origins.known(order.get("form_url"), newsletters),
        sincerity=HoneypotResult.HUMAN,
        evidence=_evidence(order),
        order=StatedRequest(order.get("requested_at")),
    )
    if session := idempotency.session():
        intake.record_within(session, signup)
    else:
        intake.record(signup)
    return intake.accepted(signup.address.domain)


def _evidence(order: dict[str, Any]) -> dict[str, JsonValue]:
    """As the other service states it: weaker than what we saw ourselves, and distinguished by `method`."""
    return {
        "browser": client.family(order["user_agent"]) if "user_agent" in order else None,
        "client": client.truncated_address(str(order["ip"]) if "ip" in order else None),
        "control": {"type": "stated by the service"},
        "form_url": order.get("form_url"),
        "method": f"{BY_KEY}{access.caller().name}",
        "requested_at": timestamp(order["requested_at"]) if "requested_at" in order else None,
        "source": order.get("source"),
    }
