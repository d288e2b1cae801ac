"""A real Postfix with a folder of its own, and one that hands mails over by LMTP, as docs/feedback.md has it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from smtplib import SMTP

from tests.commands import PATIENCE_SECONDS, eventually, free_port

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
"""
BY_LMTP = """
myhostname = mx.example.net
relay_domains = example.net
relayhost = [127.0.0.1]:{relay}
recipient_delimiter = +
transport_maps = inline:{{ {{ {address} = lmtp:inet:127.0.0.1:{lmtp} }} }}
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
flush     unix  n - n 1000 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
lmtp      unix  - - n - - lmtp
discard   unix  - - n - - discard
error     unix  - - n - - error
retry     unix  - - n - - error
showq     unix  n - n - - showq
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    program: Path
    folder: Path
    port: int

    def accept(self, mail: bytes, recipient: str, sender: str = "") -> None:
        """As from another mail server. An empty sender: a bounce."""
        with SMTP("127.0.0.1", self.port, timeout=PATIENCE_SECONDS) as client:
            client.sendmail(sender, [recipient], mail)

    def waiting(self) -> int:
        """How many mails it is still to hand over, or to try again."""
        queues = [self.folder / "queue" / name for name in ("maildrop", "incoming", "active", "deferred")]
        return sum(path.is_file() for queue in queues for path in queue.rglob("*"))

    def has_deferred(self) -> bool:
        return any(path.is_file() for path in (self.folder / "queue" / "deferred").rglob("*"))

    def try_again(self) -> None:
        subprocess.run([self.program.with_name("postqueue"), "-c", self.folder, "-f"], check=True)


def running_postfix(program: Path, address: str, *, lmtp: int, relay: int) -> AbstractContextManager[Postfix]:
    """Hands over to the port `lmtp` what is for `address`, and to `relay` whatever it bounces."""
    return postfix_with(program, BY_LMTP.format(address=address, lmtp=lmtp, relay=relay))


@contextmanager
def postfix_with(program: Path, settings: str) -> Iterator[Postfix]:
    """`settings` are further lines of main.cf. It starts for root alone."""
    # Not within pytest's own folder, which is closed to the user that Postfix runs as.
    folder = Path(tempfile.mkdtemp(prefix="jawel-postfix-"))
    folder.chmod(0o755)
    port = free_port()
    (folder / "main.cf").write_text(MAIN.format(folder=folder) + settings)
    (folder / "master.cf").write_text(MASTER.format(port=port))
    for name in ("queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    try:
        _control(program, folder, "start")
        eventually((folder / "queue/public/qmgr").exists)
        yield Postfix(program, folder, port)
    finally:
        _control(program, folder, "abort")
        shutil.rmtree(folder)


def _control(program: Path, folder: Path, command: str) -> None:
    silent = subprocess.DEVNULL
    path = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    subprocess.run([program, "-c", folder, command], env=path, stdout=silent, stderr=silent, check=True)
