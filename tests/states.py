"""Every state that an address can be in when somebody asks about it, and how it comes to be."""

from collections.abc import Callable

from sqlalchemy import select

from app.consent import Act, Actor
from app.subscriptions import transitions
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.transitions import Ended
from app.suppressions import Reason
from tests.service import ADA, Service
from tests.suppressions import suppress


def new(service: Service) -> None:
    pass


def pending(service: Service) -> None:
    service.subscribe()


def waiting(service: Service) -> None:
    """For another letter, which has not left yet and takes this request along."""
    service.subscribe(newsletters="events")


def confirmed(service: Service) -> None:
    service.confirmed()


def confirmed_and_told(service: Service) -> None:
    service.confirmed()
    service.subscribe()


def unsubscribed(service: Service) -> None:
    service.post(service.confirmed().one_click)


def declined(service: Service) -> None:
    service.subscribe()
    service.post(service.letter().link + "/decline")


def bounced(service: Service) -> None:
    ended(service, Status.BOUNCED, Reason.HARD_BOUNCE)


def complained(service: Service) -> None:
    ended(service, Status.COMPLAINED, Reason.COMPLAINT)


def suppressed_but_unknown(service: Service) -> None:
    suppress(service, Reason.COMPLAINT)


def out_of_budget(service: Service) -> None:
    for newsletters in ("weekly", "events"):
        service.subscribe(newsletters=newsletters)
        service.work()


def another_tag_declined(service: Service) -> None:
    service.subscribe("ada+1@example.org")
    service.post(service.letter().link + "/decline")


def mailbox_out_of_budget(service: Service) -> None:
    for number in range(10):
        service.subscribe(f"ada+{number}@example.org")
    service.work()


def ended(service: Service, status: Ended, reason: Reason) -> None:
    service.confirmed()
    with service.database.transaction() as session:
        subscription = session.scalars(select(Subscription).join(Subscriber).where(Subscriber.canonical == ADA)).one()
        transitions.end(session, subscription, status, Act(Actor.SERVICE, {"method": str(reason)}))
    suppress(service, reason)


STATES: list[Callable[[Service], None]] = [
    new,
    pending,
    waiting,
    confirmed,
    confirmed_and_told,
    unsubscribed,
    declined,
    bounced,
    complained,
    suppressed_but_unknown,
    out_of_budget,
    another_tag_declined,
    mailbox_out_of_budget,
]
