"""What a page costs on an old phone: bytes on the wire, and how soon something is seen over a slow network.

`python -m benchmarks.pages` starts a development service of its own and drives Chromium with the network and the
processor held back. Timings are medians; the bytes are counted from the browser's log, headers included.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import click
from playwright.sync_api import Browser, sync_playwright

from tests import machine

PROFILES = {
    # As the developer tools of Chromium name them: latency in ms, then bytes a second down and up.
    "slow 3G": (2000, 50_000, 50_000),
    "3G": (562, 180_000, 84_375),
}
CPU_SLOWER = 4
PAGES = ("/newsletters/weekly", "/newsletters/weekly/inbox", "/preferences", "/privacy/weekly", "/")
CATALOGUE = Path("newsletters.example.toml").resolve()
FIRST_PAINT = """() => new Promise(seen => new PerformanceObserver(list => {
    const paint = list.getEntriesByName('first-contentful-paint')[0]; if (paint) seen(paint.startTime) }
).observe({type: 'paint', buffered: true}))"""


@click.command()
@click.option("--rounds", default=5, show_default=True)
def main(rounds: int) -> None:
    click.echo(f"{'':34}{'kB':>8}" + "".join(f"{f'{name}, s':>14}" for name in PROFILES))
    program = machine.find_or_install(machine.CHROMIUM)
    if program is None:
        raise SystemExit("There is no Chromium here: `apt-get install chromium`.")
    with _service() as url, sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        for path in PAGES:
            seen = {
                name: [_first_paint(browser, url + path, profile) for _ in range(rounds)]
                for name, profile in PROFILES.items()
            }
            weight = next(iter(seen.values()))[0][1]
            times = "".join(
                f"{statistics.median(each for each, _bytes in runs) / 1000:14.2f}" for runs in seen.values()
            )
            click.echo(f"{path:34}{weight / 1000:8.1f}{times}")
        browser.close()


def _first_paint(browser: Browser, url: str, profile: tuple[int, int, int]) -> tuple[float, int]:
    """Milliseconds from the press of Enter, with nothing in the cache; and bytes received."""
    latency, down, up = profile
    with browser.new_context(viewport={"width": 320, "height": 640}, locale="nl") as context:
        page = context.new_page()
        tools = context.new_cdp_session(page)
        received: list[int] = []
        tools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        tools.send("Network.enable")
        conditions = {"offline": False, "latency": latency, "downloadThroughput": down, "uploadThroughput": up}
        tools.send("Network.emulateNetworkConditions", conditions)
        tools.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWER})
        page.goto(url, timeout=120_000)
        painted = page.evaluate(FIRST_PAINT)
        page.wait_for_load_state("networkidle")
        return float(painted), int(sum(received))


@contextmanager
def _service() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    jawel = [sys.executable, "-m", "app"]
    with tempfile.TemporaryDirectory(prefix="jawel-pages-") as folder:
        env = {**os.environ, "JAWEL_ENV": "development", "PUBLIC_URL": url}
        for command in (["migrate"], ["newsletters", "apply", CATALOGUE]):
            subprocess.run([*jawel, *command], cwd=folder, env=env, stdout=subprocess.DEVNULL, check=True)
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(
            [*jawel, "serve", "--port", str(port)], cwd=folder, env=env, stdout=quiet, stderr=quiet
        )
        try:
            _await(f"{url}/readyz")
            yield url
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def _await(url: str) -> None:
    while True:
        try:
            urlopen(url).close()
            return
        except URLError:
            time.sleep(0.05)


if __name__ == "__main__":
    main()
