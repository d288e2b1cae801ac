"""`jawel feedback listen`, as an operator starts it: where it listens, and what it says if it cannot."""

import json
import signal
import socket

import pytest

from tests.commands import PATIENCE_SECONDS, Jawel
from tests.lmtp import LISTEN

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "8024",
        ":8024",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:lmtp",
        "127.0.0.1:65536",
        "::1:8024",
        "unix:/run/jawel",
    ],
)
def test_an_address_that_is_none_is_named_with_the_remedy(jawel: Jawel, address: str) -> None:
    result = jawel(*LISTEN, address)
    assert result.exit_code == 2
    assert "'--lmtp': it needs an address and a port, such as 127.0.0.1:8024 or [::1]:8024." in result.stderr


def test_it_has_to_be_told_where_to_listen(jawel: Jawel) -> None:
    result = jawel("feedback", "listen")
    assert (result.exit_code, "'--lmtp'" in result.stderr) == (2, True)


def test_a_recipient_is_told_of_one_mail_only(jawel: Jawel) -> None:
    result = jawel("feedback", "--to", "a@example.net", *LISTEN[1:], "127.0.0.1:0")
    assert (result.exit_code, "--to goes with a mail on standard input" in result.stderr) == (2, True)


def test_a_port_that_is_taken_is_an_error_at_once(jawel: Jawel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = jawel(*LISTEN, f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert result.output == (
        f"Error: --lmtp: cannot listen on 127.0.0.1:{port}: Address already in use; stop what has the port, or name"
        " another.\n"
    )


def test_a_host_that_is_not_here_is_an_error_at_once(jawel: Jawel) -> None:
    result = jawel(*LISTEN, "192.0.2.1:8024")
    assert (result.exit_code, "cannot listen on 192.0.2.1:8024" in result.output) == (1, True)


def test_settings_that_are_wrong_are_an_error_at_once(jawel: Jawel) -> None:
    result = jawel(*LISTEN, "127.0.0.1:0", SECRET_KEYS="too short")
    assert (result.exit_code, "SECRET_KEYS" in result.stderr) == (1, True)


@pytest.mark.parametrize(("address", "is_warned"), [("0.0.0.0:0", True), ("127.0.0.1:0", False), ("[::1]:0", False)])
def test_who_lets_strangers_reach_it_is_warned(jawel: Jawel, address: str, is_warned: bool) -> None:
    with jawel.started(*LISTEN, address) as process:
        assert process.stdout
        first = process.stdout.readline()
        assert first.startswith("LMTP has no password: whoever reaches ") == is_warned
        if is_warned:
            first = process.stdout.readline()
        line = json.loads(first)
        assert (line["event"], f"[{line['host']}]:0" if ":" in line["host"] else f"{line['host']}:0") == (
            "feedback.listening",
            address,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
