"""One mail: a bounce, a complaint, an unsubscribe request, or none of these.

What it says is read first, whoever it is about. Anybody can send us mail, so a report is made only if a token of ours,
or the Message-ID of a letter that only its recipient has seen, proves which letter or subscription it is about; any
other mail changes nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from uuid import UUID

from app.feedback import FeedbackKind, Report, about_letter, fingerprint
from app.feedback.parsers import arf, dsn, leaving, limits, origin, other_bounces
from app.feedback.parsers.mail import Mail
from app.feedback.parsers.reading import MailReading
from app.links import Links

MAX_LETTERS = 5
MAX_SENDERS = 10
"""Limits the mail's recipients, and each header that names the letter's sender: each costs hundreds of hashes."""
SOURCES = {"dsn": "dsn", "text": "mail", "arf": "arf", "jmrp": "arf"}
"""By reader: the `source` of its reports."""
NOTHING = MailReading("none", None)


def read(raw: bytes, recipient: str | None, links: Links) -> list[Report]:
    """The same report about each candidate, likeliest first: the first that is known is the right one.

    `recipient`: from the envelope, if the mail server passes it on. Raises any error of the parser on malformed mail;
    the text of such an error may be personal.
    """
    return next(read_for_each(raw, [recipient], links))


def read_for_each(raw: bytes, recipients: Sequence[str | None], links: Links) -> Iterator[list[Report]]:
    """As `read`, for each recipient of the envelope; what does not depend on them is read once."""
    mail = Mail.read(limits.cut(raw), None)
    content = _Content(mail, links)
    for recipient in recipients:
        yield _reports(mail.addressed_to(recipient), content)


@dataclass(frozen=True)
class _Content:
    """What a mail says to whichever recipient, read when it is asked for."""

    mail: Mail
    links: Links

    @cached_property
    def found(self) -> MailReading:
        return understand(self.mail)

    @cached_property
    def letters(self) -> tuple[UUID, ...]:
        """Named in what the mail contains."""
        named = (self.mail.inner("Original-Mail-From"), self.mail.inner("Return-Path"))
        by_sender = [each for senders in named for each in _bounced(senders, self.links)]
        return tuple(islice(dict.fromkeys([*by_sender, *self.mail.returned_letters()]), MAX_LETTERS))

    @cached_property
    def about_newsletters(self) -> tuple[Report, ...]:
        return tuple(_about_newsletters(self.mail, self.found.kind, self.links) if self.found.kind else ())


def _reports(mail: Mail, content: _Content) -> list[Report]:
    left = _left(mail, content.links)
    if left is not None:
        return [_unsubscribe(mail, left)] if leaving.read(mail).kind else []
    found = content.found
    if found.kind is None:
        return []
    source = SOURCES[found.reader]
    candidates = dict.fromkeys([*_bounced(mail.recipients, content.links), *content.letters])
    letters = islice(candidates, MAX_LETTERS)
    reports = [about_letter(found.kind, source, each, code=found.code, counts=found.counts) for each in letters]
    return [*reports, *content.about_newsletters] if source == "arf" else reports


def understand(mail: Mail) -> MailReading:
    """What a mail says that is not to an unsubscribe address, whoever it is about."""
    recipients = dsn.read(mail)
    if recipients and origin.is_mail_system(mail):
        return dsn.bounce(mail, recipients)
    return arf.read(mail) or other_bounces.read(mail) or NOTHING


def _bounced(senders: Iterable[str], links: Links) -> Iterator[UUID]:
    yield from filter(None, map(links.bounced_letter, islice(senders, MAX_SENDERS)))


def _left(mail: Mail, links: Links) -> UUID | None:
    return next(filter(None, map(links.left_subscription, mail.recipients[:MAX_SENDERS])), None)


def _unsubscribe(mail: Mail, subscription_id: UUID) -> Report:
    """Each mail is a separate request: the person may have resubscribed in between."""
    told_apart = fingerprint("unsubscribe", str(subscription_id), _identity(mail))
    return Report(FeedbackKind.UNSUBSCRIBE, "mail", told_apart, subscription_id=subscription_id)


def _about_newsletters(mail: Mail, kind: FeedbackKind, links: Links) -> Iterator[Report]:
    """Of mails that another tool sent: they carry the List-Unsubscribe that the API gave it, often unredacted."""
    found = map(links.unsubscribed, islice(mail.inner("List-Unsubscribe"), MAX_SENDERS))
    for subscription_id in dict.fromkeys(filter(None, found)):
        told_apart = fingerprint(kind, str(subscription_id), _identity(mail))
        yield Report(kind, "arf", told_apart, subscription_id=subscription_id)


def _identity(mail: Mail) -> str:
    return mail.header("Message-ID") or hashlib.sha256(mail.raw).hexdigest()
