"""Effects of a report: subscriptions end, an address is suppressed. Lock order: `database.locks`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, outbox, suppressions
from app.consent import Act, Actor, ConsentEvent, EventType
from app.feedback import recipient
from app.feedback.recipient import Mailbox, Recipient
from app.feedback.report import FeedbackKind, FeedbackReport, Outcome, Report, note
from app.newsletters.definitions import TRACES_KEPT_FOR, Catalogue
from app.outbox import Letter, State
from app.subscriptions import transitions, undo, withdrawal
from app.subscriptions.model import Status, Subscription

SOFT_BOUNCES = 5
"""On this many different days within `TRACES_KEPT_FOR`, they count as one hard bounce."""


@dataclass(frozen=True, slots=True)
class _Case:
    report: Report
    recipient: Recipient
    catalogue: Catalogue
    now: datetime

    @property
    def mailbox(self) -> Mailbox:
        return self.recipient.mailbox

    @property
    def letter(self) -> Letter | None:
        return self.recipient.letter

    def act(self, actor: Actor, method: str) -> Act:
        code = {"code": self.report.code} if self.report.code else {}
        return Act(actor, {"method": method, "source": self.report.source, **code})


def take(session: Session, report: Report, *, catalogue: Catalogue, suppression_key: str = "") -> Outcome:
    """Apply the report. Idempotent. One report per transaction: two may be about the same people.

    `suppression_key` is needed if the report may have to be matched by address.
    """
    found = recipient.find(session, report, suppression_key)
    if found is None:
        return Outcome.UNKNOWN
    now = clock.now()
    if not note(session, report, found.mailbox.digest, now):
        return Outcome.REPEATED
    _ACTS[report.kind](session, _Case(report, found, catalogue, now))
    return Outcome.TAKEN


def _bounce_hard(session: Session, case: _Case) -> None:
    held = recipient.hold(session, case.mailbox)
    if case.letter is not None:
        outbox.record_bounce(session, case.letter.id, State.BOUNCED, case.report.code)
        # A press since then proves that the mailbox exists: the bounce is from an address that it forwards to.
        if any(pressed_at >= case.letter.created_at for pressed_at in _presses(session, held)):
            return
    _give_mailbox_up(session, case, held, "hard_bounce")


def _bounce_soft(session: Session, case: _Case) -> None:
    held = recipient.hold(session, case.mailbox)
    if case.letter is not None:
        outbox.record_bounce(session, case.letter.id, State.FAILED, case.report.code)
    since = max([case.now - TRACES_KEPT_FOR, *_presses(session, held)])
    if _days_of_soft_bounces(session, case.mailbox, since) >= SOFT_BOUNCES:
        _give_mailbox_up(session, case, held, "soft_bounces")


def _presses(session: Session, held: Sequence[Subscription]) -> list[datetime]:
    """When confirmed subscriptions were confirmed through a letter. An undo is pressed without one."""
    confirmed = [each.id for each in held if each.status == Status.CONFIRMED]
    pressed = session.execute(
        select(ConsentEvent.occurred_at, ConsentEvent.evidence).where(
            ConsentEvent.subscription_id.in_(confirmed),
            ConsentEvent.type == EventType.CONFIRMED,
            ConsentEvent.evidence.is_not(None),
        )
    )
    return [each.occurred_at for each in pressed if json.loads(each.evidence)["method"] != undo.UNDO_METHOD]


def _days_of_soft_bounces(session: Session, mailbox: Mailbox, since: datetime) -> int:
    theirs = (FeedbackReport.digest == mailbox.digest) & (FeedbackReport.kind == FeedbackKind.SOFT_BOUNCE)
    counted = theirs & FeedbackReport.counts & (FeedbackReport.received_at > since)
    found = session.scalars(select(FeedbackReport.received_at).where(counted))
    return len({received_at.date() for received_at in found})


def _give_mailbox_up(session: Session, case: _Case, held: Sequence[Subscription], method: str) -> None:
    for subscription in held:
        if subscription.status in withdrawal.LEAVABLE:
            _end(session, case, subscription, Status.BOUNCED, case.act(Actor.SERVICE, method))
    until = case.now + TRACES_KEPT_FOR
    suppressions.suppress_mailbox(session, case.mailbox.digest, case.now, until=until)


def _complain(session: Session, case: _Case) -> None:
    """Includes subscriptions that have ended: the complainant must not be asked again."""
    for subscription in recipient.hold(session, case.mailbox):
        if subscription.status != Status.COMPLAINED:
            _end(session, case, subscription, Status.COMPLAINED, case.act(Actor.MAILBOX_HOLDER, "complaint"))
    suppressions.note_complaint(session, case.mailbox.known_by, since=case.now)


def _end(session: Session, case: _Case, subscription: Subscription, status: transitions.Ended, act: Act) -> None:
    if transitions.is_unconfirmed(subscription):
        subscription.lapses_at = case.now + case.catalogue.newsletters[subscription.newsletter].purge_pending_after
    transitions.end(session, subscription, status, act)


def _unsubscribe(session: Session, case: _Case) -> None:
    held = recipient.hold(session, case.mailbox)
    leaves = [each.newsletter for each in held if _is_left(case, each)]
    if leaves:
        act = case.act(Actor.MAILBOX_HOLDER, "mailto" if case.report.source == "mail" else "unsubscribe_report")
        withdrawal.leave_newsletters(session, held[0].subscriber_id, leaves, catalogue=case.catalogue, act=act)


def _is_left(case: _Case, subscription: Subscription) -> bool:
    """By the id of the link, else by the letter, else by the provider's list. If none of them names any: everything.

    A withdrawal must not be lost for want of knowing what it is about (GDPR Art. 7(3)).
    """
    if case.report.subscription_id is not None:
        return subscription.id == case.report.subscription_id
    if case.letter is not None and case.letter.about:
        return str(subscription.id) in case.letter.about
    on_list = case.catalogue.on_list(case.report.provider_list)
    return not on_list or subscription.newsletter in on_list


_ACTS: Mapping[FeedbackKind, Callable[[Session, _Case], None]] = {
    FeedbackKind.HARD_BOUNCE: _bounce_hard,
    FeedbackKind.SOFT_BOUNCE: _bounce_soft,
    FeedbackKind.COMPLAINT: _complain,
    FeedbackKind.UNSUBSCRIBE: _unsubscribe,
}
