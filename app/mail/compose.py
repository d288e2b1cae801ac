"""Composes a letter from an intent in the outbox.

Invariant: of the submitter's own input, only the address and the page of the form reach a letter.
A confirmation letter is bare: who asks, for what, when, where, until when, one link. A logo, a slogan or a "welcome"
made it advertising before German and Austrian courts (LG Stendal 22 S 87/20, VwGH 2012/03/0089).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from flask import current_app, render_template
from flask_babel import force_locale

from app import clock
from app.addresses import EmailAddress
from app.links import FRESH_FOR, Links, one_click
from app.mail.message import ComposedLetter
from app.newsletters.definitions import Controller, Newsletter
from app.outbox import Letter, LetterKind
from app.subscriptions import codes

PARTS = ("subject.txt", "body.txt", "body.html")


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

    @property
    def first(self) -> Newsletter:
        return next(iter(self.newsletters.values()))


@dataclass(frozen=True, slots=True)
class Composition:
    """The letter, and the hashes that evidence keeps of it."""

    letter: ComposedLetter
    expires_at: datetime
    template_sha256: str
    rendered_sha256: str
    """Of the parts with links and code masked: evidence of the letter must not be usable to confirm it."""


def compose(owed: Owed, links: Links) -> Composition:
    expires_at = owed.move.ends_at if owed.move else clock.now() + _valid_for(owed)
    inner, exit_link = _links(owed, links, expires_at)
    code = _code(owed, links)
    parts = _render(owed, inner, expires_at, code)
    letter = ComposedLetter(
        sender=owed.first.sender,
        envelope_sender=links.envelope_sender(owed.letter.id, owed.first.mailbox),
        plain_sender=owed.first.mailbox,
        reply_to=owed.first.reply_to,
        recipient=owed.address,
        subject=parts["subject.txt"].strip(),
        text=parts["body.txt"],
        html=parts["body.html"],
        message_id=f"<{owed.letter.id}@{owed.first.sender_domain}>",
        headers={
            "List-Id": owed.first.list_id,
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "OOF, AutoReply",
            **(one_click(exit_link) if exit_link else {}),
        },
    )
    masked = "\n".join(parts.values())
    for secret in [*inner, code] if code else inner:
        masked = masked.replace(secret, "…")
    return Composition(letter, expires_at, _template_sha256(owed.letter.kind), _sha256(masked))


def _valid_for(owed: Owed) -> timedelta:
    if owed.letter.kind == LetterKind.PREFERENCES:
        return FRESH_FOR
    return min(each.confirm_within for each in owed.newsletters.values())


def _links(owed: Owed, links: Links, expires_at: datetime) -> tuple[list[str], str | None]:
    """The links in the body, and the URL to which a mail program's own "unsubscribe" posts.

    None in a notice to a former address: its reader may not be the person, whose subscriptions are elsewhere.
    """
    if owed.letter.kind == LetterKind.CONFIRMATION:
        link = links.confirm(owed.letter.id, expires_at)
        return [link], f"{link}/decline"
    if owed.move and owed.letter.kind == LetterKind.ADDRESS_CHANGE:
        # The mailbox holder has no subscription to leave yet, and can only decline the request.
        link = links.change_address(owed.move.change_id, expires_at)
        return [link], f"{link}/decline"
    if owed.move:
        return [links.undo_address(owed.move.change_id, expires_at)], None
    subscription_id = next(iter(owed.newsletters))
    if owed.letter.kind == LetterKind.PREFERENCES:
        return [links.manage(owed.letter.subscriber_id, expires_at)], links.unsubscribe_all(subscription_id)
    exit_link = links.unsubscribe(subscription_id)
    if owed.letter.kind == LetterKind.RESUBSCRIBED and len(owed.newsletters) == 1:
        return [exit_link], exit_link
    return [links.preferences(owed.letter.subscriber_id)], exit_link


def _code(owed: Owed, links: Links) -> str | None:
    """None without a form id: no open page would accept the code."""
    return codes.grouped(codes.code(links.signer.keys[0], owed.letter.id)) if owed.letter.form_id else None


def _render(owed: Owed, links: list[str], expires_at: datetime, code: str | None) -> dict[str, str]:
    language = owed.letter.language
    with force_locale(language):
        return {
            part: render_template(
                f"letters/{owed.letter.kind}/{part}",
                controller=owed.controller,
                titles=[each.title[each.language_for([language])] for each in owed.newsletters.values()],
                purposes=[each.purpose[each.language_for([language])] for each in owed.newsletters.values()],
                asked_at=owed.letter.created_at,
                asked_from=owed.letter.asked_from,
                expires_at=expires_at,
                code=code,
                move=owed.move,
                language=language,
                link=links[0],
            )
            for part in PARTS
        }


@cache
def _template_sha256(kind: str) -> str:
    loader = current_app.jinja_env.loader
    assert loader is not None
    sources = (loader.get_source(current_app.jinja_env, f"letters/{kind}/{part}")[0] for part in PARTS)
    return _sha256("\n".join(sources))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
