"""A DNS server on loopback, for commands that ask the system's resolver about the sender's domain."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, UDPServer

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

GOOD = {
    "example.org": ["v=spf1 include:_spf.example.net -all", "unrelated"],
    "_dmarc.example.org": ["v=DMARC1; p=reject"],
    "spring._domainkey.example.org": ["v=DKIM1; p=MIIB"],
}
"""By name, the texts there: a sender's domain in order."""


class NameServer(UDPServer):
    """Answers from `texts`; with `rcode` only, if that is set; not at all, if `is_silent`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Question)
        self.forget()

    def forget(self) -> None:
        """Be as it was at first."""
        self.texts = dict(GOOD)
        self.rcode: dns.rcode.Rcode | None = None
        self.is_silent = False
        self.asked: list[str] = []

    @property
    def resolver(self) -> dns.resolver.Resolver:
        """As a machine would have it whose /etc/resolv.conf names this server."""
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port = [str(self.server_address[0])], int(self.server_address[1])
        return found


class _Question(BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        datagram, connection = self.request
        query = dns.message.from_wire(datagram)
        self.server.asked.append(query.question[0].name.to_text(omit_final_dot=True))
        if not self.server.is_silent:
            connection.sendto(_answer(self.server, query).to_wire(), self.client_address)


def _answer(server: NameServer, query: dns.message.Message) -> dns.message.Message:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.RA
    name = query.question[0].name
    asked = name.to_text(omit_final_dot=True)
    texts = server.texts.get(asked, [])
    # A name above another exists, though it may hold nothing (RFC 8020 section 2).
    is_there = any(each == asked or each.endswith(f".{asked}") for each in server.texts)
    answer.set_rcode(server.rcode or (dns.rcode.NOERROR if is_there else dns.rcode.NXDOMAIN))
    if texts and server.rcode is None:
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *map(_strings, texts)))
    return answer


def _strings(text: str) -> str:
    """A record of strings of at most 255 octets (RFC 1035 section 3.3.14), which readers put together."""
    return " ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200))


@contextmanager
def running() -> Iterator[NameServer]:
    with NameServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
