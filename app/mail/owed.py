"""A letter with all that is needed to write it: recipient, newsletters and controller, as they stand at one instant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.addresses import EmailAddress
from app.newsletters.definitions import Controller, Newsletter
from app.outbox import Letter
from app.subscriptions.stated_requests import HERE, Origin


@dataclass(frozen=True, slots=True)
class AddressChangeDetails:
    """The details of an address change that a letter states."""

    change_id: UUID
    elsewhere: EmailAddress
    """The other address of the change. The letter may reach a stranger, so it is shown masked."""
    at: datetime
    """When the change was requested; for a confirmed change, when it was confirmed."""
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Owed:
    """A letter, its recipient and its newsletters, as they stand at this instant."""

    letter: Letter
    address: EmailAddress
    newsletters: Mapping[UUID, Newsletter]
    """By subscription id; not empty when a letter is composed."""
    controller: Controller
    commitment: str
    """`consent.commitment` to the address: evidence needs only this to show where the letter went."""
    move: AddressChangeDetails | None = None
    origin: Origin = HERE
    """Of a confirmation letter."""

    @property
    def first(self) -> Newsletter:
        return next(iter(self.newsletters.values()))
