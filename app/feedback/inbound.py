"""One mail from standard input: a bounce, a complaint, an unsubscribe request, or none of these.

Anybody can send us mail. A report is made only if a token of ours, or the Message-ID of a letter that only its
recipient has seen, proves which letter or subscription it is about; any other mail changes nothing.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

from app.feedback import FeedbackKind, Report, about_letter, fingerprint
from app.feedback.parsers import arf, dsn, limits, other_bounces
from app.feedback.parsers.mail import Mail, headers
from app.links import Links

MAX_LETTERS = 5
MAX_SENDERS = 10
"""Limits the mail's recipients, and each header that names the letter's sender: each costs hundreds of hashes."""


def read(raw: bytes, recipient: str | None, links: Links) -> list[Report]:
    """The same report about each candidate letter, likeliest first: the first known letter is the right one.

    `recipient`: from the envelope, if the mail server passes it on. Raises any error of the parser on malformed mail;
    the text of such an error may be personal.
    """
    mail = Mail.read(limits.cut(raw), recipient)
    letters = list(islice(dict.fromkeys(_letters(mail, links)), MAX_LETTERS))
    if mail.part(*dsn.TYPES) is not None:
        return _bounces(dsn.read(mail), "dsn", letters)
    if mail.part(arf.TYPE) is not None:
        kind = arf.read(mail)
        return [about_letter(kind, "arf", each) for each in letters] if kind else []
    left = _left(mail, links)
    if left is not None:
        return [] if mail.is_automatic_reply else [_unsubscribe(mail, left)]
    return _bounces(other_bounces.read(mail), "mail", letters) if letters else []


def _letters(mail: Mail, links: Links) -> Iterator[UUID]:
    for senders in (mail.recipients, mail.inner("Original-Mail-From"), mail.inner("Return-Path")):
        yield from filter(None, map(links.bounced_letter, islice(senders, MAX_SENDERS)))
    yield from mail.returned_letters()


def _left(mail: Mail, links: Links) -> UUID | None:
    return next(filter(None, map(links.left_subscription, mail.recipients[:MAX_SENDERS])), None)


def _bounces(bounce: dsn.Bounce | None, source: str, letters: list[UUID]) -> list[Report]:
    if bounce is None:
        return []
    return [about_letter(bounce.kind, source, each, code=bounce.code, counts=bounce.counts) for each in letters]


def _unsubscribe(mail: Mail, subscription_id: UUID) -> Report:
    """Each mail is a separate request: the person may have resubscribed in between."""
    identity = next(iter(headers(mail.message, "Message-ID")), "") or hashlib.sha256(mail.raw).hexdigest()
    told_apart = fingerprint("unsubscribe", str(subscription_id), identity)
    return Report(FeedbackKind.UNSUBSCRIBE, "mail", told_apart, subscription_id=subscription_id)
