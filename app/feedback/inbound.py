"""One mail: a bounce, a complaint, an unsubscribe request, or none of these.

What it says is read first, whoever it is about. Anybody can send us mail, so a report is made only if a token of ours,
or the Message-ID of a letter that only its recipient has seen, proves which letter or subscription it is about; any
other mail changes nothing.
"""

import hashlib
from collections.abc import Iterator
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
    mail = Mail.read(limits.cut(raw), recipient)
    left = _left(mail, links)
    if left is not None:
        return [_unsubscribe(mail, left)] if leaving.read(mail).kind else []
    found = understand(mail)
    if found.kind is None:
        return []
    letters = islice(dict.fromkeys(_letters(mail, links)), MAX_LETTERS)
    reports = [
        about_letter(found.kind, SOURCES[found.reader], each, code=found.code, counts=found.counts) for each in letters
    ]
    return [*reports, *_about_newsletters(mail, found.kind, links)] if SOURCES[found.reader] == "arf" else reports


def understand(mail: Mail) -> MailReading:
    """What a mail says that is not to an unsubscribe address, whoever it is about."""
    recipients = dsn.read(mail)
    if recipients and origin.is_mail_system(mail):
        return dsn.bounce(mail, recipients)
    return arf.read(mail) or other_bounces.read(mail) or NOTHING


def _letters(mail: Mail, links: Links) -> Iterator[UUID]:
    for senders in (mail.recipients, mail.inner("Original-Mail-From"), mail.inner("Return-Path")):
        yield from filter(None, map(links.bounced_letter, islice(senders, MAX_SENDERS)))
    yield from mail.returned_letters()


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
