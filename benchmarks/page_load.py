"""How long the dashboard takes to open and to change, beside an empty Streamlit app, in a real browser.

Command: python -m benchmarks.page_load [--folder FOLDER]

The page is /unet_skip_connections on results of 500 pictures, published by the experiments' own code. It counts as open when
all pictures of the gallery are drawn and nothing runs any more, the empty app when its text is there; charts stand behind
tabs, and are made when those are opened. A change is a click until the gallery shows other pictures, all of them drawn; they
are always ones that nobody asked for before, though the dashboard makes a next page's ready ahead. Every repetition is a new
browser context, without any cache, ours and the empty app's in turn. Exit code 1 where a goal is missed.
"""

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from benchmarks.browsing import DASHBOARD, VIEWPORT_PX, chromium, dashboard_environment, streamlit_server
from benchmarks.street_results import publish_street_results

IMAGE_COUNT = 500
WARM_UPS, REPETITIONS = 2, 15
FIRST_LOAD, SORT_CHANGE, PAGE_CHANGE = "first load", "another order", "the next page"
GOALS = {FIRST_LOAD: 1.5, SORT_CHANGE: 2.5, PAGE_CHANGE: 2.5}
TIMEOUT_MS = 30_000
REST_MS = 300  # before a click, so that what the one before set off is over
EMPTY_APP = """import streamlit
streamlit.write("changed" if streamlit.button("change") else "empty")
"""

# All that runs inside the page, so that no round trip to it is measured: `opened` gives the time since navigation began,
# `changed(button)` that from a click until `what` differs and is drawn.
WATCH_SCRIPT = """
(() => {
  const when = (condition, start) => new Promise((resolve, reject) => {
    const look = () => {
      if (condition()) resolve(performance.now() - start);
      else if (performance.now() - start > TIMEOUT_MS) reject(new Error("not ready in time"));
      else requestAnimationFrame(look);
    };
    look();
  });
  const { what, drawn, finished } = (WATCHED)();
  window.opened = when(() => what() && drawn() && finished(), 0);
  window.changed = (button) => {
    const before = what(), start = performance.now();
    button.click();
    return when(() => what() !== before && drawn(), start);
  };
})();
"""
WATCHED_GALLERY = """() => {
  const hosts = () => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')];
  const all = (selector) => hosts().flatMap(({ shadowRoot }) => shadowRoot ? [...shadowRoot.querySelectorAll(selector)] : []);
  const loaded = (image) => image.complete && image.naturalWidth > 0;
  return {
    what: () => all(".title").map((title) => title.textContent).join("\\n"),
    drawn: () => all("img").length > 0 && all("img").every(loaded),
    finished: () => document.querySelector('[data-test-script-state="notRunning"]') !== null,
  };
}"""
WATCHED_TEXT = """() => ({
  what: () => [...document.querySelectorAll('[data-testid="stMarkdown"]')].map((text) => text.textContent).join(),
  drawn: () => true,
  finished: () => true,
})"""


def _open(browser: Browser, address: str, watched: str) -> Page:
    """A page in a new context, on its way to `address`."""
    width, height = VIEWPORT_PX
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.add_init_script(WATCH_SCRIPT.replace("TIMEOUT_MS", str(TIMEOUT_MS)).replace("WATCHED", watched))
    page.goto(address, wait_until="commit")
    return page


def _opened_ms(page: Page) -> float:
    return float(page.evaluate("window.opened"))


def _changed_ms(page: Page, button: str) -> float:
    """Time from a click on the one `button` of a page at rest, in ms."""
    page.wait_for_timeout(REST_MS)
    return float(page.locator(button).evaluate("(button) => window.changed(button)"))


def measure_dashboard(browser: Browser, address: str, repetition: int) -> dict[str, float]:
    """Times in ms of one visit; each repetition looks at another part of the gallery."""
    page = _open(browser, f"{address}/unet_skip_connections?page={2 * repetition + 1}", WATCHED_GALLERY)
    times_ms = {FIRST_LOAD: _opened_ms(page)}
    times_ms[SORT_CHANGE] = _changed_ms(page, '[role="radio"]:has-text("skips hurt most")')
    times_ms[PAGE_CHANGE] = _changed_ms(page, '[data-testid="stPaginationNext"]')
    page.context.close()
    return times_ms


def measure_empty_app(browser: Browser, address: str) -> dict[str, float]:
    """Times in ms of one visit; every change of ours is held against the one change of the empty app."""
    page = _open(browser, address, WATCHED_TEXT)
    first_load_ms = _opened_ms(page)
    change_ms = _changed_ms(page, "button:has-text('change')")
    page.context.close()
    return {FIRST_LOAD: first_load_ms, SORT_CHANGE: change_ms, PAGE_CHANGE: change_ms}


def measure(folder: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """All times in ms by what was measured, ours and the empty app's; `folder` is for results and logs."""
    results, images = publish_street_results(folder, IMAGE_COUNT)
    empty_app = folder / "empty_app.py"
    empty_app.write_text(EMPTY_APP)
    ours: dict[str, list[float]] = defaultdict(list)
    empty: dict[str, list[float]] = defaultdict(list)
    with (
        streamlit_server(DASHBOARD, dashboard_environment(results, images), folder / "dashboard.log") as dashboard_address,
        streamlit_server(empty_app, {}, folder / "empty_app.log") as empty_address,
        chromium() as browser,
    ):
        for repetition in range(WARM_UPS + REPETITIONS):
            visits = (
                (ours, measure_dashboard(browser, dashboard_address, repetition)),
                (empty, measure_empty_app(browser, empty_address)),
            )
            for all_times_ms, times_ms in visits:
                for what, time_ms in times_ms.items():
                    all_times_ms[what].append(time_ms)
    return {what: times[WARM_UPS:] for what, times in ours.items()}, {what: times[WARM_UPS:] for what, times in empty.items()}


def main() -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, help="keep the results here and use them again, instead of in a temporary folder"
    )
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory(prefix="page_load-") as temporary:
        ours, empty = measure(folder or Path(temporary))
    table = Table("", "Dashboard: median", "95 %", "Empty app: median", "95 %", "Ratio", "Goal", "")
    table.title = f"/unet_skip_connections on {IMAGE_COUNT} pictures, times in ms"
    missed = 0
    for what, goal in GOALS.items():
        ratio = statistics.median(ours[what]) / statistics.median(empty[what])
        missed += ratio > goal
        verdict = "[green]reached[/]" if ratio <= goal else "[red]missed[/]"
        figures = [f"{figure(times[what]):.0f}" for times in (ours, empty) for figure in (statistics.median, percentile_95)]
        table.add_row(what, *figures, f"{ratio:.2f}x", f"{goal}x", verdict)
    table.caption = (
        f"{REPETITIONS} interleaved repetitions, each in a new browser context. Ratio of medians. "
        "Both changes are held against the empty app's one button."
    )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 1 if missed else 0


def percentile_95(times_ms: list[float]) -> float:
    """The time that 95 % of `times_ms` do not exceed."""
    return statistics.quantiles(times_ms, n=20, method="inclusive")[-1]


if __name__ == "__main__":
    sys.exit(main())
