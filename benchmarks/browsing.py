"""A Streamlit server and a headless Chromium, each for as long as a `with` block lasts."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
DASHBOARD = REPOSITORY / "dashboard" / "app.py"
VIEWPORT_PX = (1440, 900)
START_SECONDS = 30
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def chromium_path() -> str | None:
    """Where a Chromium or Chrome is installed, or None."""
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """One headless browser. Raises RuntimeError where none is installed."""
    path = chromium_path()
    if path is None:
        raise RuntimeError(f"no browser is installed; looked for {', '.join(CHROMIUM_NAMES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=CHROMIUM_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def streamlit_server(script: Path, environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """Run `script` under the repository's Streamlit settings, its output going to `log`; gives its address.

    Raises RuntimeError where the server does not answer within START_SECONDS.
    """
    with streamlit_process(script, environment, log) as (address, _):
        yield address


@contextmanager
def streamlit_process(script: Path, environment: Mapping[str, str], log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """As `streamlit_server`; gives the process, too."""
    port = _free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), "--server.headless", "true"]
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=REPOSITORY, env=os.environ | dict(environment), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_healthy(f"http://localhost:{port}/_stcore/health", server, log)
            yield f"http://localhost:{port}", server
        finally:
            server.terminate()
            server.wait()


def dashboard_environment(results: Path, images: Path) -> dict[str, str]:
    """What tells the dashboard which results to show."""
    return {"CONTRAST_RESULTS": str(results), "CONTRAST_IMAGES": str(images)}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the Streamlit server did not start:\n{log.read_text()[-2000:]}")
