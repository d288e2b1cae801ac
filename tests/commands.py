"""The `jawel` command, as operators run it: within this process where that will do, else as one of its own."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from app.cli import main
from config import Settings

ROOT = Path(__file__).parent.parent
VARIABLES = [
    line.removeprefix("# ").partition("=")[0]
    for line in (ROOT / ".env.example").read_text().splitlines()
    if "=" in line and " " not in line.removeprefix("# ").partition("=")[0]
]


def environment(settings: Settings) -> dict[str, str]:
    """Settings as an operator writes them."""
    server = settings.mail_server
    return {
        "JAWEL_ENV": settings.environment,
        "PUBLIC_URL": settings.public_url,
        "DATABASE_URL": settings.database_url,
        "SECRET_KEYS": ",".join(settings.secret_keys),
        "SUPPRESSION_KEY": settings.suppression_key,
        "LOG_SIGNING_KEY": ",".join(base64.b64encode(seed).decode() for seed in settings.log_signing_keys),
        "MAIL_SERVER": server.host if server else "",
        "MAIL_PORT": str(server.port if server else 25),
        "MAIL_TIMEOUT": str(server.timeout if server else 10),
    }


@dataclass
class Jawel:
    environment: dict[str, str]
    folder: Path
    """Where processes run: `instance` comes to be here."""

    def __call__(self, *arguments: str | Path, **variables: str) -> Result:
        """Run it to its end."""
        nothing: Mapping[str, str | None] = dict.fromkeys(VARIABLES)
        return CliRunner().invoke(main, [*map(str, arguments)], env={**nothing, **self.environment, **variables})

    @contextmanager
    def started(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """A process; whatever is left of it when the block ends is killed."""
        inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *arguments],
            cwd=self.folder,
            env={**inherited, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()
