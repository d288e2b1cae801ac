"""Whom a receipt names: who asked, as sealed with the request, and beside them today's controller if it is another.

Evidence of older versions does not say who asked; then only today's controller is named.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.ledger.verifier import PARTY
from app.newsletters.definitions import Controller

ASKED, TODAY = "party:controller", "party:controller-today"


def of(asked_by: Mapping[str, str] | None, controller: Controller) -> dict[str, Any]:
    """The members of the record that name parties."""
    today = _controller(json.loads(controller.identity), TODAY)
    then = _controller(asked_by or json.loads(controller.identity), ASKED)
    controllers = [then] if {**then, "party_id": TODAY} == today else [then, today]
    return {
        "asked_by": ASKED if asked_by else None,
        "pii_controllers": [each["party_id"] for each in controllers],
        "parties": [
            *controllers,
            {
                "party_id": "party:authority",
                "party_role": "dpv:DataProtectionAuthority",
                "party_type": "dpv:Authority",
                "party_name": controller.authority,
                "party_address": controller.jurisdiction,
                "party_contact": None,
                "party_url": None,
            },
        ],
    }


def _controller(identity: Mapping[str, str], party: str) -> dict[str, Any]:
    return {
        "party_id": party,
        "party_role": "dpv:DataController",
        "party_type": "dpv:Organisation",
        **{name: identity[ours] for name, ours in PARTY.items()},
    }
