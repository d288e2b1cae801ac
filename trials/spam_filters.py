"""SpamAssassin and rspamd as Debian has them, asked about letters with nothing but the letters to go by.

Both run with settings of their own in a folder that is gone afterwards, and without network: SpamAssassin with its
local tests, rspamd with a name server that knows no name. What they learnt from a machine's own mail is left out.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import click

from tests import name_server
from trials import stage
from trials.arrivals import RELAY, RELAY_IP, Incoming

Symbols = dict[str, float]
"""By name, the score: above 0 it counts against the letter."""
PATIENCE_SECONDS = 180
"""For rspamd to compile its expressions, on a busy machine."""
ON_THE_NETWORK = (
    *("arc", "asn", "bimi", "dcc", "dkim", "dmarc", "fuzzy_check", "mx_check", "rbl", "rspamd_update", "spf"),
    *("clickhouse", "elastic", "external_services", "greylist", "history_redis", "neural", "ratelimit", "replies"),
    *("reputation", "url_redirector"),
)
"""Modules of rspamd that ask DNS, other hosts, or a database of their own about earlier mail."""


def require(program: str) -> str:
    """Where it is. Raises ClickException. Debian's packages have the programs' names."""
    found = shutil.which(program)
    if found is None:
        raise click.ClickException(f"There is no {program} here: `apt-get install {program}`.")
    return found


def ask_spamassassin(letters: Sequence[Incoming]) -> list[Symbols]:
    """What each is found to be, in their order. Raises ClickException."""
    program = require("spamassassin")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _configure_spamassassin(folder)
        files = [folder / f"{number:04}.eml" for number in range(len(letters))]
        for file, letter in zip(files, letters, strict=True):
            file.write_bytes(letter.raw)
        options = ["--test-mode", "--local", f"--siteconfigpath={folder}", f"--prefspath={folder / 'prefs'}"]
        asked = subprocess.run(
            [program, *options, *files], capture_output=True, check=True, env={**os.environ, "HOME": name}
        )
    found = re.findall(rb"^X-Spam-Symbols: (.*)$", asked.stdout, re.MULTILINE)
    assert len(found) == len(letters), asked.stderr.decode()
    return [_symbols(line.decode()) for line in found]


def _symbols(listed: str) -> Symbols:
    pairs = (each.partition("=") for each in listed.split(",") if "=" in each)
    return {name: float(score) for name, _, score in pairs}


def _configure_spamassassin(folder: Path) -> None:
    """With the plugins of the machine, and its rules: those that `sa-update` brought, else Debian's.

    Which of four scores a rule has depends on whether there is a network, and enough mail learnt from. Here each has
    the highest of them.
    """
    sites = [site for site in (Path("/etc/spamassassin"), Path("/etc/mail/spamassassin")) if site.is_dir()]
    for file in sites[0].glob("*.pre") if sites else ():
        shutil.copy(file, folder)
    updated = sorted(Path("/var/lib/spamassassin").glob("*/updates_spamassassin_org"))
    rules = updated[-1] if updated else Path("/usr/share/spamassassin")
    lines = [
        "clear_headers",
        'add_header all Symbols "_TESTSSCORES(,)_"',
        "fold_headers 0",
        "report_safe 0",
        "use_bayes 0",
    ]
    for file in sorted(rules.glob("*.cf")):
        text = file.read_text(encoding="utf-8", errors="replace")
        for rule, scores in re.findall(r"^\s*score\s+(\w+)((?:\s+-?[\d.]+){4})", text, re.MULTILINE):
            lines.append(f"score {rule} {max(map(float, scores.split()))}")
    (folder / "local.cf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "prefs").touch()


def ask_rspamd(letters: Sequence[Incoming]) -> list[Symbols]:
    """What each is found to be, in their order. Raises ClickException."""
    with name_server.running() as names, _rspamd(names) as port:
        return [_ask(port, letter) for letter in letters]


def _ask(port: int, letter: Incoming) -> Symbols:
    """As a mail server does that got the letter from the relay."""
    envelope = {"From": letter.sender, "Rcpt": letter.recipient, "IP": RELAY_IP, "Helo": RELAY, "Hostname": RELAY}
    with urlopen(Request(f"http://127.0.0.1:{port}/checkv2", letter.raw, envelope), timeout=30) as answer:
        found = json.load(answer)["symbols"]
    return {name: float(each["score"]) for name, each in found.items()}


@contextmanager
def _rspamd(names: name_server.NameServer) -> Iterator[int]:
    """The port that it scans on."""
    program = require("rspamd")
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), stage.free_port()
        _configure_rspamd(folder, port, int(names.server_address[1]))
        variables = [f"--var={kind}={folder}" for kind in ("LOCAL_CONFDIR", "DBDIR", "RUNDIR", "LOGDIR")]
        command = [program, "--no-fork", "--insecure", "--config=/etc/rspamd/rspamd.conf", *variables]
        with (folder / "said.log").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
            try:
                _await_rspamd(port, process)
                yield port
            finally:
                process.terminate()


def _configure_rspamd(folder: Path, port: int, dns_port: int) -> None:
    settings = {
        "options.inc": f'dns {{ nameserver = ["127.0.0.1:{dns_port}"]; retransmits = 1; }}',
        "logging.inc": 'type = "console"; level = "error";',
        "worker-normal.inc": f'bind_socket = "127.0.0.1:{port}"; count = 1;',
        "worker-controller.inc": f'bind_socket = "127.0.0.1:{stage.free_port()}";',
        "worker-proxy.inc": "enabled = false;",
        **{f"{module}.conf": "enabled = false;" for module in ON_THE_NETWORK},
    }
    (folder / "local.d").mkdir()
    for file, text in settings.items():
        (folder / "local.d" / file).write_text(f"{text}\n", encoding="utf-8")


def _await_rspamd(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise click.ClickException("rspamd does not answer.")
