"""Amazon SNS as far as we meet it: a server under its names, the certificates there, and messages that it signs.

Names are looked up by the system, so a test answers for the system; everything from the connection on is real.
"""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

from app import clock
from tests.certificates import Authority

HOST = "sns.eu-west-1.amazonaws.com"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
DAY = timedelta(days=1)
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - version 1 is so


@dataclass
class Sns:
    pages: dict[str, bytes] = field(default_factory=dict)
    """What is at each path."""
    asked: list[str] = field(default_factory=list)
    redirect: str | None = None
    """Where everything leads to, instead of being there."""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def certificate(self, name: str = "sns.amazonaws.com", until: timedelta = DAY) -> str:
        """The address of a new one, by which this key is SNS's."""
        names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = (
            x509.CertificateBuilder()
            .subject_name(names)
            .issuer_name(names)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(clock.now() - 2 * DAY)
            .not_valid_after(clock.now() + until)
            .sign(self.key, hashes.SHA256())
        )
        path = f"/SimpleNotificationService-{uuid4().hex}.pem"
        self.pages[path] = signed.public_bytes(serialization.Encoding.PEM)
        return f"https://{HOST}{path}"

    def notification(self, message: str, **different: str) -> dict[str, str]:
        return self.signed({"Type": "Notification", "Message": message, **different})

    def subscription_confirmation(self, **different: str) -> dict[str, str]:
        url = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f"
        message = "You have chosen to subscribe to the topic."
        return self.signed(
            {
                "Type": "SubscriptionConfirmation",
                "Message": message,
                "Token": "2336412f37fb687f",
                "SubscribeURL": url,
                **different,
            }
        )

    def signed(self, fields: dict[str, str]) -> dict[str, str]:
        message = {
            "MessageId": str(uuid4()),
            "TopicArn": TOPIC,
            "Timestamp": "2026-11-20T15:01:03.000Z",
            "SignatureVersion": "1",
            **fields,
        }
        message.setdefault("SigningCertURL", self.certificate())
        names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        hash_: hashes.HashAlgorithm = _HASHES[message["SignatureVersion"]]
        signature = self.key.sign(text.encode(), PKCS1v15(), hash_)
        return {**message, "Signature": base64.b64encode(signature).decode()}


@contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = HOST) -> Iterator[Sns]:
    """A server with a certificate for `name`, which is what everybody finds at any host of Amazon's or Scaleway's."""
    sns = Sns()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sns.asked.append(self.path)
            found = sns.pages.get(self.path)
            self.send_response(302 if sns.redirect else 200 if found is not None else 404)
            if sns.redirect:
                self.send_header("Location", sns.redirect)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority = Authority.in_folder(folder)
    server.socket = authority.server(x509.DNSName(name)).wrap_socket(server.socket, server_side=True)
    look_up = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **options: Any) -> Any:
        if str(host).endswith((".amazonaws.com", ".amazonaws.com.cn", ".scaleway.com")):
            return look_up("127.0.0.1", server.server_port, *rest[1:], **options)
        return look_up(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield sns
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def body(message: dict[str, str]) -> bytes:
    return json.dumps(message).encode()
