"""How many bounces a second are taken: by `jawel feedback listen`, and by an LMTP server that only answers.

The mails are the bounces of tests/bounces, as real mail servers send them, each about a letter of its own. Before, they
are read in one process, and beside it only parsed by Python's own parser.
"""

import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from itertools import cycle, islice
from pathlib import Path
from threading import Thread
from uuid import UUID

import click
from sqlalchemy import func, select, update

from app.database import Database
from app.feedback import inbound
from app.feedback.explaining import explain
from app.feedback.report import FeedbackReport
from app.links import Links
from app.outbox import Letter, State
from app.tokens import Signer
from benchmarks import postman, sink
from benchmarks.servers import BIN, PATIENCE_SECONDS
from tests.lmtp import LISTEN, LmtpClient

FOLDER = Path("tests/bounces")
LETTER = b"5f0c1ddc-8e0b-4d3c-9a3e-2f4b6c8d0e1f"
"""Which those mails are about."""
MAILS = 1000
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Bounce:
    raw: bytes
    recipient: str


def compare(database: Database, env: Mapping[str, str], rounds: int) -> None:
    links = Links("", Signer((env["SECRET_KEYS"],)))
    mails = [_bounces(database, links) for _ in range(rounds)]
    _tell("bounces/s, read in a process", [(_reading(each, links), _parsing(each)) for each in mails])
    with sink.running() as floor:
        before = _processor_seconds()
        with _listener(env) as port:
            rates = [(_handing_over(port, each), _handing_over(floor.port, each)) for each in mails]
        seconds = _processor_seconds() - before
    with database.read_only() as connection:
        taken = connection.scalar(select(func.count()).select_from(FeedbackReport)) or 0
    if taken != rounds * MAILS:
        raise SystemExit(f"Only {taken} of {rounds * MAILS} bounces were taken; nothing is worth measuring here.")
    _tell("bounces/s, by LMTP", rates)
    click.echo(f"The listener took {1000 * seconds / taken:.1f} ms of processor time for each, its start included.")


def _bounces(database: Database, links: Links) -> Sequence[Bounce]:
    kinds = [raw for raw in (path.read_bytes() for path in sorted(FOLDER.glob("*.eml"))) if _is_bounce(raw)]
    letters = _sent(database)
    return [
        Bounce(raw.replace(LETTER, str(letter).encode()), links.envelope_sender(letter, "news@example.org"))
        for raw, letter in zip(islice(cycle(kinds), len(letters)), letters, strict=True)
    ]


def _is_bounce(raw: bytes) -> bool:
    return explain(raw, "news@example.org").verdict.endswith("_bounce")


def _sent(database: Database) -> Sequence[UUID]:
    postman.owe(database, MAILS)
    with database.transaction() as session:
        fresh = update(Letter).where(Letter.state == State.QUEUED).values(state=State.SENT).returning(Letter.id)
        return session.scalars(fresh).all()


def _reading(mails: Sequence[Bounce], links: Links) -> float:
    return _rate(len(mails), lambda: [inbound.read(each.raw, each.recipient, links) for each in mails])


def _parsing(mails: Sequence[Bounce]) -> float:
    return _rate(len(mails), lambda: [message_from_bytes(each.raw) for each in mails])


def _handing_over(port: int, mails: Sequence[Bounce]) -> float:
    """Over CONNECTIONS at once, each of which waits for the reply to one mail before it hands over the next."""
    threads = [Thread(target=_hand_over, args=(port, mails[first::CONNECTIONS])) for first in range(CONNECTIONS)]

    def all_of_them() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return _rate(len(mails), all_of_them)


def _hand_over(port: int, mails: Sequence[Bounce]) -> None:
    with LmtpClient("127.0.0.1", port, timeout=PATIENCE_SECONDS) as client:
        for each in mails:
            # Mail servers hand over whole lines.
            client.hand_over(each.raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), f"<{each.recipient}>")


def _processor_seconds() -> float:
    """Of all processes that have ended, of ours and of theirs."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _rate(number: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return number / (time.perf_counter() - start)


@contextmanager
def _listener(env: Mapping[str, str]) -> Iterator[int]:
    with tempfile.NamedTemporaryFile("w+", prefix="jawel-listener-") as output:
        process = subprocess.Popen([BIN / "jawel", *LISTEN, "127.0.0.1:0"], env=dict(env), stdout=output)
        try:
            yield _port(Path(output.name), process)
        finally:
            process.terminate()
            process.wait()


def _port(output: Path, process: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        line, ended, _rest = output.read_text().partition("\n")
        if ended:
            return int(json.loads(line)["port"])
        time.sleep(0.02)
    raise SystemExit("`jawel feedback listen` does not listen")


def _tell(name: str, rates: Sequence[tuple[float, float]]) -> None:
    ours, floors = (statistics.median(column) for column in zip(*rates, strict=True))
    spread = [mine / floor for mine, floor in rates]
    click.echo(f"{name:32}{ours:12,.1f}{floors:12,.1f}{ours / floors:9.2f}   ({min(spread):.2f} to {max(spread):.2f})")
