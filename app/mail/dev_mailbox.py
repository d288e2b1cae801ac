"""The built-in mailbox of a development machine: one file per letter, with its exact bytes."""

import email.policy
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

from app import clock, private_files
from app.errors import JawelError

_NAME = re.compile(r"[0-9a-f-]{36}\.eml")
_DRAFT = re.compile(r"\.[0-9a-f]{16}")
DRAFT_SECONDS = 60
"""Older drafts are abandoned: writing a letter never takes so long."""


class LetterNotFound(JawelError):
    """No letter by that name."""


@dataclass(frozen=True, slots=True)
class DevMailboxEntry:
    name: str
    subject: str
    sender: str
    recipient: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class DevLetter:
    entry: DevMailboxEntry
    text: str
    html: str
    raw: bytes


def keep(folder: Path, message_id: str, content: bytes) -> None:
    """Idempotent: a repeat under the same Message-ID replaces the letter."""
    private_files.make_folder(folder)
    draft = folder / f".{secrets.token_hex(8)}"
    private_files.write(draft, content)
    try:
        draft.rename(folder / f"{message_id.strip('<>').partition('@')[0]}.eml")
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def clear_drafts(folder: Path) -> None:
    """Remove drafts of killed processes: they may hold links. Recent ones stay: another process may be writing them."""
    for path in folder.glob(".*"):
        with suppress(OSError):
            if _DRAFT.fullmatch(path.name) and clock.seconds() - path.stat().st_mtime > DRAFT_SECONDS:
                path.unlink()


def list_letters(folder: Path) -> list[DevMailboxEntry]:
    """Newest first."""
    entries = [read_letter(folder, path.name).entry for path in folder.glob("*.eml")]
    return sorted(entries, key=lambda entry: entry.received_at, reverse=True)


def read_letter(folder: Path, name: str) -> DevLetter:
    path = folder / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise LetterNotFound(name)
    raw = path.read_bytes()
    message = message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    received_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    entry = DevMailboxEntry(name, message["Subject"], message["From"], message["To"], received_at)
    return DevLetter(entry, _part(message, "plain"), _part(message, "html"), raw)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content())
