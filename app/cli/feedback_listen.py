"""`jawel feedback listen`: mails by LMTP, without a process for each."""

import errno
import socket
from ipaddress import ip_address
from typing import Any

import click

from app import logs
from app.cli import heartbeats
from app.feedback_mail import listener


class HostAndPort(click.ParamType[tuple[str, int]]):
    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        is_bracketed = host.startswith("[") and host.endswith("]")
        is_port = port.isascii() and port.isdigit() and int(port) <= 65535
        if not host.strip("[]") or (":" in host and not is_bracketed) or not is_port:
            self.fail("it needs an address and a port, such as 127.0.0.1:8024 or [::1]:8024.", param, context)
        return host.strip("[]"), int(port)


@click.command()
@click.option("--lmtp", "address", type=HostAndPort(), required=True, help="Where to listen, such as 127.0.0.1:8024.")
@click.pass_obj
def listen(context: Any, address: tuple[str, int]) -> None:
    """Take mails by LMTP, from a mail server, without a process for each.

    A mail is answered by 250 once it is done with, and by 451 where the database is away.
    """
    logs.make_streams_safe()
    settings = context.settings
    with _bound(*address) as listening:
        heartbeats.ignore_signals()
        logs.configure(settings)
        listener.run(listening)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, _kind, _protocol, _name, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.create_server((str(where[0]), port), family=family)
    except OSError as error:
        # Python's own text goes on in brackets.
        reason = str(error.strerror).partition(" (")[0]
        is_taken = error.errno == errno.EADDRINUSE
        remedy = "stop what has the port, or name another" if is_taken else "name an address of this machine"
        raise click.ClickException(f"--lmtp: cannot listen on {host}:{port}: {reason}; {remedy}.") from None
    if not ip_address(bound.getsockname()[0]).is_loopback:
        click.echo(
            f"LMTP has no password: whoever reaches {host}:{port} can hand in mail."
            " Let a firewall admit your mail server only.",
            err=True,
        )
    return bound
