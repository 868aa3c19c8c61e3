"""A dashboard on small results, opened in a real Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from benchmarks.browsing import (
    DASHBOARD,
    VIEWPORT_PX,
    chromium,
    chromium_path,
    dashboard_environment,
    streamlit_server,
)
from benchmarks.street_results import publish_street_results

OpenPage = Callable[[str], Page]
ROOT = Path(__file__).parent.parent.parent

expect.set_options(timeout=15_000)


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard, and where it looks for its results."""

    address: str
    results: Path
    images: Path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if chromium_path() is None:
        message = "no Chromium is installed (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def street_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of both experiments on twelve pictures; not to be changed."""
    folder = tmp_path_factory.mktemp("street_results")
    publish_street_results(folder, image_count=12, seed_count=2, epochs=2)
    return folder


@contextmanager
def _serve(folder: Path, log: Path) -> Iterator[Dashboard]:
    results, images = folder / "results.duckdb", folder / "images"
    with streamlit_server(DASHBOARD, dashboard_environment(results, images), log) as address:
        yield Dashboard(address, results, images)


@pytest.fixture(scope="session")
def dashboard(browser: Browser, street_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard on `street_folder`."""
    with _serve(street_folder, tmp_path_factory.mktemp("dashboard") / "log") as served:
        yield served


@pytest.fixture
def published_dashboard(browser: Browser, tmp_path: Path) -> Iterator[str]:
    """The address of the dashboard on the results that are committed."""
    environment = dashboard_environment(ROOT / "results.duckdb", ROOT / "images")
    with streamlit_server(DASHBOARD, environment, tmp_path / "log") as address:
        yield address


@pytest.fixture(scope="session")
def _changing_dashboard(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("changing")
    with _serve(folder / "results", folder / "log") as served:
        yield served


@pytest.fixture
def changing_dashboard(_changing_dashboard: Dashboard) -> Dashboard:
    """A dashboard whose results a test may make, replace or spoil; there are none at first."""
    shutil.rmtree(_changing_dashboard.images.parent, ignore_errors=True)
    return _changing_dashboard


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Call with an address for a page in a new browser context. Whatever any of them reported as an error fails the test."""
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url', '')})")

    def note_stranger(request: Request) -> None:
        if urlsplit(request.url).hostname not in (None, "localhost"):  # data: and blob: have no host
            errors.append(f"asked another machine: {request.url}")

    def open_new(address: str) -> Page:
        width, height = VIEWPORT_PX
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", note_stranger)
        page.goto(address)
        return page

    yield open_new
    for context in contexts:
        context.close()
    assert errors == []
