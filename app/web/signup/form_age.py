"""How long a form of ours was open before it came back.

A hidden field says when it was shown, signed, and with nothing in it about anyone. Programs fill in forms at once, or
keep them for weeks. A form without the field is none of ours, and no worse for it.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask_babel import gettext as _

from app import clock
from app.tokens import Purpose, TokenInvalid
from app.web import current
from app.web.problems import InvalidFields

YOUNGEST = timedelta(seconds=2)
OLDEST = timedelta(hours=24)
_RANDOM_BITS = 80


@dataclass(frozen=True, slots=True)
class Shown:
    form: UUID
    """It begins with the milliseconds of when it was shown, as UUIDs of version 7 do."""

    @property
    def asked_for_work(self) -> bool:
        """It came with a puzzle. Where there is no solution nevertheless, its browser runs no scripts."""
        return bool(self.form.int & 1)

    @property
    def age(self) -> timedelta:
        return clock.now() - datetime.fromtimestamp((self.form.int >> _RANDOM_BITS) / 1000, UTC)


def new_token(*, asks_for_work: bool) -> str:
    instant = round(clock.now().timestamp() * 1000)
    chance = secrets.randbits(_RANDOM_BITS) >> 1 << 1 | asks_for_work
    return current.links().signer.sign(Purpose.FORM, UUID(int=instant << _RANDOM_BITS | chance))


def kept_or_new(token: str | None, *, asks_for_work: bool) -> str:
    """For a form that is shown again: the same while it is good, so that nobody has to wait anew."""
    shown = _read(token) if token else None
    is_good = shown is not None and shown.age < OLDEST and shown.asked_for_work == asks_for_work
    return token if token and is_good else new_token(asks_for_work=asks_for_work)


def check(token: str | None) -> Shown | None:
    """None for a form that is none of ours. Raises InvalidFields; what is forged counts as too old."""
    if token is None:
        return None
    shown = _read(token)
    if shown is None or shown.age >= OLDEST:
        text = _("This page was open for long. Please tick your choice and press the button once more.")
        raise InvalidFields({"rendered": [text]})
    if shown.age < YOUNGEST:
        raise InvalidFields(
            {"rendered": [_("That was quick. Please tick your choice and press the button once more.")]}
        )
    return shown


def _read(token: str) -> Shown | None:
    try:
        return Shown(current.links().signer.read(Purpose.FORM, token).subject)
    except TokenInvalid:
        return None
