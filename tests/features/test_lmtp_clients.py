"""What clients do to `jawel feedback listen`: those that are slow, many, or write what no mail server would."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import pytest

from app.feedback_mail import lmtp as lmtp_of_ours
from app.feedback_mail.listener import MOST_CONNECTIONS
from app.feedback_mail.lmtp import MOST_RECIPIENTS, LmtpConnection
from tests.commands import PATIENCE_SECONDS, ROOT, Jawel, eventually
from tests.concurrency import in_a_loop
from tests.lmtp import NOBODY, Listening, listening


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def lmtp(jawel: Jawel, tmp_path: Path) -> Iterator[Listening]:
    assert jawel("newsletters", "apply", ROOT / "newsletters.example.toml").exit_code == 0
    with listening(jawel, tmp_path / "log") as running:
        yield running


def replies(lmtp: Listening, *packets: bytes) -> list[bytes]:
    """The replies to all of it, until the listener closes the connection."""
    with socket.create_connection(("127.0.0.1", lmtp.port), PATIENCE_SECONDS) as client, client.makefile("rb") as said:
        greeting = said.readline()
        assert greeting.startswith(b"220 ")
        for packet in packets:
            client.sendall(packet)
        return said.read().splitlines()


ENVELOPE = b"LHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.net>\r\n"


def test_nobody_is_held_up_by_clients_that_say_nothing_or_stop_amid_a_mail(lmtp: Listening) -> None:
    with ExitStack() as silent:
        for said in (b"", b"LHL", ENVELOPE, ENVELOPE + b"DATA\r\nSubject: he"):
            client = silent.enter_context(socket.create_connection(("127.0.0.1", lmtp.port)))
            client.sendall(said)
        assert lmtp.hand_over(b"Subject: hello\r\n\r\n") == [250]
    assert [line["event"] for line in lmtp.lines()] == ["feedback.ignored"]


def test_one_connection_too_many_is_sent_away_until_another_ends(lmtp: Listening) -> None:
    with ExitStack() as open_ones:
        for _ in range(MOST_CONNECTIONS):
            client = open_ones.enter_context(socket.create_connection(("127.0.0.1", lmtp.port), PATIENCE_SECONDS))
            assert client.recv(4) == b"220 "
        with socket.create_connection(("127.0.0.1", lmtp.port), PATIENCE_SECONDS) as client:
            assert client.recv(1000).startswith(b"421 4.3.2 ")
            assert client.recv(1000) == b""
    eventually(lambda: greeting(lmtp) == b"220 ")
    assert lmtp.hand_over(b"") == [250]


def greeting(lmtp: Listening) -> bytes:
    with socket.create_connection(("127.0.0.1", lmtp.port), PATIENCE_SECONDS) as client:
        return client.recv(4)


def test_commands_may_come_all_at_once(lmtp: Listening) -> None:
    before = ENVELOPE + b"RCPT TO:<b@example.net>\r\nDATA\r\n"
    said = replies(lmtp, before, b"Subject: hello\r\n\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nNOOP\r\nQUIT\r\n")
    assert {b"250-PIPELINING", b"250-ENHANCEDSTATUSCODES", b"250-8BITMIME", b"250-SMTPUTF8"} <= set(said)
    assert [line[:9] for line in said if line[3:4] == b" " and b"HELP" not in line] == [
        b"250 2.1.0",
        b"250 2.1.5",
        b"250 2.1.5",
        b"354 End d",
        b"250 2.0.0",
        b"250 2.0.0",
        b"250 2.1.0",
        b"250 2.0.0",
        b"250 2.0.0",
        b"221 2.0.0",
    ]
    assert not any(b"SIZE" in line for line in said)


ENVELOPES = [
    b"MAIL FROM:<> BODY=8BITMIME SMTPUTF8 SIZE=999999999\r\nRCPT TO:<feedback+x@example.net>\r\n",
    "MAIL FROM:<zoë@exämple.org> SMTPUTF8\r\nRCPT TO:<zoë@exämple.net>\r\n".encode(),
    b"mail from:<a@b@c> RET=HDRS ENVID=x AUTH=<>\r\nrcpt to:<@relay:a..b@example.net> NOTIFY=NEVER\r\n",
    b'MAIL FROM: <"no end@x>\r\nRCPT TO: a@example.net\r\n',
    b"MAIL FROM:<(((((((((((((((((((>\r\nRCPT TO:<\xff\xfe>\r\n",
]


def test_a_mail_is_taken_whatever_its_envelope_looks_like(lmtp: Listening) -> None:
    for envelope in ENVELOPES:
        said = replies(lmtp, b"LHLO mx\r\n" + envelope + b"DATA\r\n", b"\r\n.\r\nQUIT\r\n")
        assert [line[:3] for line in said[-5:]] == [b"250", b"250", b"354", b"250", b"221"], envelope


def test_more_recipients_than_one_mail_may_have_are_to_come_with_another(lmtp: Listening) -> None:
    many = b"".join(b"RCPT TO:<%d@example.net>\r\n" % number for number in range(MOST_RECIPIENTS + 2))
    said = replies(lmtp, b"LHLO mx\r\nMAIL FROM:<>\r\n" + many + b"DATA\r\n", b"\r\n.\r\nQUIT\r\n")
    assert sum(line.startswith(b"452 4.5.3") for line in said) == 2
    assert sum(line.startswith(b"250 2.0.0") for line in said) == MOST_RECIPIENTS


NONSENSE = {
    b"EHLO mx\r\n": b"500",
    b"MAIL FROM:<>\r\n": b"503",
    b"LHLO mx\r\nRCPT TO:<a@example.net>\r\n": b"503",
    b"LHLO mx\r\nMAIL FROM:<>\r\nDATA\r\n": b"503",
    b"LHLO mx\r\nMAIL\r\n": b"501",
    b"LHLO mx\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n": b"503",
    b"LHLO mx\r\nMAIL FROM:<>\r\nRCPT\r\n": b"501",
    b"LHLO mx\r\nMAIL FROM:<" + b"a" * 200_000 + b">\r\n": b"500",
    b"\xff\xff\r\n": b"500",
    b"GET / HTTP/1.1\r\n": b"500",
    b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n": b"503",
    b"STARTTLS\r\n": b"454",
}


def test_what_no_mail_server_says_is_answered_and_harms_nobody(lmtp: Listening) -> None:
    for nonsense, expected in NONSENSE.items():
        said = replies(lmtp, nonsense + b"QUIT\r\n")
        assert (said[-2][:3], said[-1][:3]) == (expected, b"221"), nonsense[:80]
    assert lmtp.hand_over(b"") == [250]
    assert [line["event"] for line in lmtp.lines()] == ["feedback.ignored"]


ORDINARY, RESET = struct.pack("ii", 0, 0), struct.pack("ii", 1, 0)
"""How a connection is closed."""


def test_a_client_that_hangs_up_early_leaves_nothing_in_the_log(lmtp: Listening) -> None:
    for said in (b"", b"LHLO mx\r\n", ENVELOPE + b"DATA\r\nSubject: he", ENVELOPE + b"DATA\r\n"):
        for linger in (ORDINARY, RESET):
            with socket.create_connection(("127.0.0.1", lmtp.port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.sendall(said)
    with closing(lmtp.client()) as mail_server:
        mail_server.begin(NOBODY)
        mail_server.send_whole(b"Subject: hello\r\n\r\n")
    eventually(lambda: lmtp.hand_over(b"") == [250])
    assert {line["event"] for line in lmtp.lines()} == {"feedback.ignored"}


@pytest.mark.parametrize("said", [b"", ENVELOPE, ENVELOPE + b"DATA\r\n"])
def test_who_takes_longer_than_a_minute_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(lmtp_of_ours, "SECONDS_OF_SILENCE", 0.2)
    connections: set[LmtpConnection] = set()

    async def nobody(_raw: bytes, recipients: list[str]) -> list[bool]:
        return [True] * len(recipients)

    async def drip() -> None:
        loop = asyncio.get_running_loop()
        accept = partial(LmtpConnection, nobody, connections, "mx.example.net")
        async with await loop.create_server(accept, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(said)
            with suppress(ConnectionError):
                while not reader.at_eof():
                    await reader.readline()
                    writer.write(b"x")
            writer.close()
            while connections:
                await asyncio.sleep(0.01)

    in_a_loop(drip)
