"""The token of an undo: in the form of the page that answered a press, and in no URL."""

from uuid import UUID

from flask import request

from app import clock
from app.subscriptions.undo import UNDO_WITHIN
from app.tokens import Claim, Purpose
from app.web import current


def make(purpose: Purpose, subject: UUID) -> str:
    return current.links().signer.sign(purpose, subject, clock.now() + UNDO_WITHIN)


def read(purpose: Purpose) -> Claim | None:
    """The claim that the form holds. None if there is none, or it has expired. Raises TokenInvalid."""
    given = request.form.get("undo")
    claim = current.links().signer.read(purpose, given) if given else None
    return None if claim is None or claim.has_expired(clock.now()) else claim
