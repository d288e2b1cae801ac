"""How many letters a second leave: one worker, and the least that could hand over the same."""

import smtplib
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from sqlalchemy import func, select, update

from app.database import Database
from app.outbox import Letter, LetterKind, State
from app.subscriptions.model import Status, Subscription
from benchmarks.servers import BIN


def worker(database: Database, env: Mapping[str, str], letters: int) -> float:
    """Letters a second, counted from the first that was marked as sent to the last: start-up is another figure."""
    _owe(database, letters)
    subprocess.run([BIN / "jawel", "worker", "--once"], env=dict(env), stdout=subprocess.DEVNULL, check=True)
    with database.read_only() as connection:
        sent = select(func.min(Letter.state_at), func.max(Letter.state_at), func.count())
        first, last, number = connection.execute(sent.where(Letter.reply == "250 2.0.0")).one()
    if number < letters:
        raise SystemExit(f"Only {number} of {letters} letters left.")
    return float((number - 1) / (_instant(last) - _instant(first)).total_seconds())


def floor(port: int, letters: int) -> float:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "news@example.org", "ada@example.org", "Please confirm"
    message.set_content("x" * 700)
    message.add_alternative("x" * 1100, subtype="html")
    content = message.as_bytes()
    with smtplib.SMTP("127.0.0.1", port) as host:
        start = time.perf_counter()
        for _ in range(letters):
            host.sendmail("news@example.org", ["ada@example.org"], content)
        return letters / (time.perf_counter() - start)


def _owe(database: Database, letters: int) -> None:
    """Whoever has signed up so far and not confirmed waits for a letter; all but `letters` of them are dropped."""
    with database.transaction() as session:
        pending = select(Subscription.letter_id).where(Subscription.status == Status.PENDING)
        queued = select(Letter.id).where(Letter.kind == LetterKind.CONFIRMATION, Letter.state == State.QUEUED)
        kept = queued.where(Letter.id.in_(pending)).limit(letters).subquery()
        others = update(Letter).where(Letter.state == State.QUEUED, Letter.id.not_in(select(kept.c.id)))
        session.execute(others.values(state=State.DROPPED))


def _instant(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)
