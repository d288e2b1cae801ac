"""Form age: the time between showing our own form and receiving it.

A hidden field holds the signed time at which the form was shown, and no personal data. Programs fill in forms at once,
or keep them for weeks. A form without the field is not ours, and is not penalised.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask_babel import gettext as _

from app import clock
from app.tokens import Purpose, TokenInvalid
from app.web import current
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields

YOUNGEST = timedelta(seconds=2)
OLDEST = timedelta(hours=24)
_RANDOM_BITS = 80


@dataclass(frozen=True, slots=True)
class Shown:
    form: UUID
    """Begins with the time at which the form was shown, in milliseconds, as UUIDs of version 7 do."""

    @property
    def asked_for_work(self) -> bool:
        """The form came with a puzzle. If it returns without a solution, the browser runs no scripts."""
        return bool(self.form.int & 1)

    @property
    def age(self) -> timedelta:
        return clock.now() - datetime.fromtimestamp((self.form.int >> _RANDOM_BITS) / 1000, UTC)


def new_token(*, asks_for_work: bool) -> str:
    instant = round(clock.now().timestamp() * 1000)
    chance = secrets.randbits(_RANDOM_BITS) >> 1 << 1 | asks_for_work
    return current.links().signer.sign(Purpose.FORM, UUID(int=instant << _RANDOM_BITS | chance))


def kept_or_new(token: str | None, *, asks_for_work: bool) -> str:
    """For a form that is shown again: the same token while it is valid, so that the person need not wait again."""
    shown = _read(token) if token else None
    is_good = shown is not None and shown.age < OLDEST and shown.asked_for_work == asks_for_work
    return token if token and is_good else new_token(asks_for_work=asks_for_work)


def check(token: str | None) -> Shown | None:
    """None for a form that is not ours. Raises InvalidFields if it is too new or too old; a forged token is too old."""
    if token is None:
        return None
    shown = _read(token)
    if shown is None or shown.age >= OLDEST:
        text = _("This page was open for long. Please tick your choice and press the button once more.")
        raise InvalidFields({"rendered": [CodedMessage.of("too_old", text)]})
    if shown.age < YOUNGEST:
        raise InvalidFields(
            {
                "rendered": [
                    CodedMessage.of(
                        "too_quick", _("That was quick. Please tick your choice and press the button once more.")
                    )
                ]
            }
        )
    return shown


def _read(token: str) -> Shown | None:
    try:
        return Shown(current.links().signer.read(Purpose.FORM, token).subject)
    except TokenInvalid:
        return None
