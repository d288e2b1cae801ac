"""A time-stamping authority of the tests' own: `openssl ts` behind HTTP, with a throw-away root."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import machine

CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[req]
distinguished_name = name
prompt = no
[name]
CN = Test authority
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass
class Authority:
    folder: Path
    port: int = 0
    asked: int = 0
    answer_with: bytes | None = None
    """Instead of a genuine answer."""
    status: int = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stamp"

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def stamp(self, question: bytes) -> bytes:
        self.asked += 1
        (self.folder / "question.tsq").write_bytes(question)
        options = ["-config", "tsa.conf", "-section", "authority", "-queryfile", "question.tsq"]
        _openssl(self.folder, "ts", "-reply", *options, "-signer", "signer.pem", "-inkey", "key.pem", "-out", "a.tsr")
        return (self.folder / "a.tsr").read_bytes() if self.answer_with is None else self.answer_with


@contextmanager
def running(folder: Path) -> Iterator[Authority]:
    """Root and signer are made by openssl as well."""
    folder.mkdir()
    (folder / "tsa.conf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "serial").write_text("01\n")
    key = ["req", "-config", "tsa.conf", "-newkey", "rsa:2048", "-noenc"]
    _openssl(folder, *key, "-x509", "-extensions", "root", "-days", "2", "-keyout", "root.key", "-out", "root.pem")
    _openssl(folder, *key, "-keyout", "key.pem", "-subj", "/CN=Signer", "-out", "signer.csr")
    signed = ["-CA", "root.pem", "-CAkey", "root.key", "-days", "2", "-extfile", "tsa.conf", "-extensions", "signer"]
    _openssl(folder, "x509", "-req", "-in", "signer.csr", *signed, "-out", "signer.pem")
    authority = Authority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = authority.stamp(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(authority.status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([machine.require(machine.OPENSSL), *arguments], cwd=folder, check=True, capture_output=True)
