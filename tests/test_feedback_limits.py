"""No mail of a stranger costs `jawel feedback` more than a look at it, and what mail systems send is read whole."""

import re
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.feedback import inbound
from app.feedback.parsers import limits
from app.feedback_mail import processor_time
from app.links import Links
from app.tokens import Signer
from tests.commands import ROOT
from tests.costly_mails import COSTLY

SECONDS = 2
DAEMON = b"From: MAILER-DAEMON@example.net\r\nReturn-Path: <>\r\n"
"""What it says of failures is read."""
LETTER = UUID("5f0c1ddc-8e0b-4d3c-9a3e-2f4b6c8d0e1f")
KEYS = ("a secret key for tests that is of some length", "another key for tests that is of some length")
LINKS = Links("", Signer(KEYS), "bounces@example.net")
SAMPLES = [each.read_bytes() for each in sorted((ROOT / "tests" / "bounces").glob("*.eml"))]


@pytest.mark.parametrize("recipient", [None, LINKS.envelope_sender(LETTER, "news@example.org")], ids=["", "known"])
@pytest.mark.parametrize("author", [b"", DAEMON], ids=["", "daemon"])
@pytest.mark.parametrize("name", COSTLY)
def test_no_mail_keeps_the_processor_busy(name: str, author: bytes, recipient: str | None) -> None:
    """Processor time, not time: 2 s is the promise, what takes most takes a fifth, and what took most took a minute."""
    mail = author + COSTLY[name](1024 * 1024)
    try:
        with processor_time.at_most(SECONDS):
            inbound.read(mail, recipient, LINKS)
    except processor_time.Exceeded:
        pytest.fail("it takes too long", pytrace=False)


def test_a_mail_to_a_hundred_recipients_is_understood_once() -> None:
    """For each of them anew it would take several times as long as it may."""
    mail = DAEMON + COSTLY["diagnostics in the text"](1024 * 1024)
    recipient = LINKS.envelope_sender(LETTER, "news@example.org")
    try:
        with processor_time.at_most(SECONDS):
            assert len([*inbound.read_for_each(mail, [recipient] * 100, LINKS)]) == 100
    except processor_time.Exceeded:
        pytest.fail("it takes too long", pytrace=False)


RECIPIENTS = (
    LINKS.unsubscribe_address(LETTER),
    LINKS.envelope_sender(LETTER, "news@example.org"),
    "bounces@example.net",
    None,
)


@pytest.mark.parametrize("mail", SAMPLES, ids=range(len(SAMPLES)))
def test_to_each_of_several_recipients_a_mail_says_what_it_says_to_that_one_alone(mail: bytes) -> None:
    alone = [inbound.read(mail, each, LINKS) for each in RECIPIENTS]
    assert [*inbound.read_for_each(mail, RECIPIENTS, LINKS)] == alone


@dataclass(frozen=True)
class Counting(Links):
    looked_at: list[str] = field(default_factory=list)

    def bounced_letter(self, address: str) -> UUID | None:
        self.looked_at.append(address)
        return super().bounced_letter(address)

    def left_subscription(self, address: str) -> UUID | None:
        self.looked_at.append(address)
        return super().left_subscription(address)


@pytest.mark.parametrize("name", COSTLY)
def test_however_many_addresses_it_names_few_are_looked_at(name: str) -> None:
    links = Counting("", LINKS.signer, LINKS.feedback_address)
    inbound.read(COSTLY[name](1024 * 1024), None, links)
    assert len(links.looked_at) <= 4 * inbound.MAX_SENDERS


PIECES = some.sampled_from(
    [
        b"\n",
        b"\r",
        b"--",
        b"--b",
        b" ",
        b"\t",
        b"a",
        b"a:",
        b";boundary=b",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"\xff",
    ]
)
TIMES = some.sampled_from([1, 2, 3, 40, 250, 1100, 9000])


@given(some.lists(some.tuples(PIECES, TIMES).map(lambda drawn: drawn[0] * drawn[1]), max_size=30))
def test_what_is_read_is_within_each_measure(pieces: list[bytes]) -> None:
    mail = b"".join(pieces)
    cut = limits.cut(mail)
    lines = cut.splitlines()
    assert len(cut) <= limits.MAX_BYTES
    assert len(lines) <= limits.MAX_LINES
    assert all(len(line) <= limits.LONGEST_LINE for line in lines)
    assert sum(line.startswith(b"--") for line in lines) <= limits.MOST_DELIMITERS
    message = message_from_bytes(cut, policy=policy.compat32)
    assert depth(message) <= limits.MOST_NESTINGS + 1
    assert all(len(value) <= limits.LONGEST_FIELD for value in longest_values(message))
    assert limits.cut(cut) == cut


def depth(message: "Message[str, str]") -> int:
    inner = message.get_payload()
    return 1 + max((depth(each) for each in inner if isinstance(each, Message)), default=0) if inner else 1


def longest_values(message: "Message[str, str]") -> list[str]:
    return [str(value) for part in message.walk() for _name, value in part.items()]


@pytest.mark.parametrize("mail", SAMPLES, ids=range(len(SAMPLES)))
def test_what_mail_systems_send_is_read_whole(mail: bytes) -> None:
    assert limits.cut(mail) == mail


def test_a_long_line_loses_its_end_and_nothing_else() -> None:
    long = b"To: " + b"a" * 2000
    for end in (b"\r\n", b"\n", b"\r"):
        assert limits.cut(long + end + b"Subject: x" + end) == long[: limits.LONGEST_LINE] + end + b"Subject: x" + end


def busy() -> None:
    while True:
        with suppress(Exception):
            list(range(1000))


def backtracking() -> None:
    re.match(r"(?:a|a)*b", "a" * 60)


@pytest.mark.parametrize("work", [busy, backtracking])
def test_what_takes_longer_than_its_time_is_interrupted(work: Callable[[], None]) -> None:
    before = signal.getsignal(signal.SIGPROF)
    with pytest.raises(processor_time.Exceeded), processor_time.at_most(0.05):
        work()
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
    assert signal.getsignal(signal.SIGPROF) == before
