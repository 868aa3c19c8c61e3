"""How long every page of the dashboard takes to open and to change, beside an empty Streamlit app, in a real browser.

Command: python -m benchmarks.page_load [--repetitions N] [--pages STEM ...] [--results FILE --images FOLDER]

The results are the published ones. A page has opened, or changed, with the last change of its contents before Streamlit's
script has finished, every chart and picture is drawn, and nothing changes any more; that time is taken inside the page, from
the start of navigation or from the click. The empty app, two pages of a text and a button, is measured by the same rule, before
each visit of ours, so that whatever else the machine does meets both: its first load, its button, and the way to its other
page, which is held against ours from page to page. Each visit is a new browser context without any cache; a visit's
clicks come one after the other. The first visit of each page is not counted. Exit code 1 where a goal is missed.
"""

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from benchmarks.browsing import DASHBOARD, REPOSITORY, VIEWPORT_PX, chromium, dashboard_environment, streamlit_server

WARM_UPS, REPETITIONS = 1, 20
FIRST_LOAD, BUTTON, OTHER_PAGE = "first load", "the button", "another page"
LOAD_GOAL, CHANGE_GOAL = 1.5, 2.5  # times what the empty app takes, by their medians
CHANGE_P95_MS = 600
TIMEOUT_MS, QUIET_MS = 30_000, 500
REST_MS = 300  # before a click, so that what the one before set off is over
NEXT = '[data-testid="stPaginationNext"]'
CHOICE, TAB, LINK = '[role="radio"]', '[role="tab"]', '[data-testid="stSidebarNavLink"]'
# A typical choice or two on each page: in words, and what is clicked.
CHANGES: dict[str, dict[str, str]] = {
    "overview": {OTHER_PAGE: f'{LINK}:has-text("Skip connections")'},
    "unet_skip_connections": {
        "another order": f'{CHOICE}:has-text("skips hurt most")',
        "the next page": NEXT,
        "tab: class by class": f'{TAB}:has-text("class by class")',
    },
    "segmentation_metric": {"another opacity": f'{CHOICE}:has-text("75 %")'},
    "segmentation_decoder_heads": {
        "another mean": f'{CHOICE}:has-text("per image")',
        "tab: pictures": f'{TAB}:has-text("pictures")',
    },
    "rn50_architectures": {"another stage": f'{CHOICE}:has-text("stage 2")'},
    "imagenet_rn50_vs_clip": {
        "first answers": f'{CHOICE}:has-text("first answer")',
        "tab: all pictures": f'{TAB}:has-text("all pictures")',
    },
    "wordnet_synsets": {
        "first answers": f'{CHOICE}:has-text("first answer")',
        "another synset": '[role="treeitem"] >> nth=3 >> .row >> nth=0',
        "tab: how far off": f'{TAB}:has-text("how far off")',
    },
    "fp32_vs_fp16": {"another precision": f'{CHOICE}:has-text("bf16")', "tab: memory": f'{TAB}:has-text("memory")'},
    "caption_sampling": {"another library": f'{CHOICE}:has-text("sacrebleu")', "tab: captions": f'{TAB}:has-text("captions")'},
    "image_text_retrieval": {"another cutoff": f'{CHOICE}:has-text("R@5")', "tab: browser": f'{TAB}:has-text("browser")'},
    "runs": {"one experiment": f'{CHOICE}:has-text("fp32 vs fp16")'},
}  # fmt: skip
EMPTY_APP = """import streamlit
def page():
    streamlit.write("changed" if streamlit.button("change") else "empty")
def other():
    streamlit.write("another")
streamlit.navigation([streamlit.Page(page, default=True), streamlit.Page(other)]).run()
"""
EMPTY_CHANGES = {BUTTON: "button:has-text('change')", OTHER_PAGE: f"{LINK} >> nth=1"}

# Runs inside the page, so that no round trip to it is measured: `opened()` gives the time since navigation began,
# `changed(element)` that from a click on it.
WATCH_SCRIPT = """
(() => {
  const MAIN = '[data-testid="stMain"]', STATE = "data-test-script-state";
  const followed = new WeakSet();
  let last = 0, begun = false;
  const follow = (root) => {
    if (followed.has(root)) return;
    followed.add(root);
    observer.observe(root, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: [STATE] });
  };
  const hosts = () => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')];
  const observer = new MutationObserver((changes) => {
    for (const { target, type } of changes) {
      const root = target.getRootNode();
      const place = root.host ?? (target.nodeType === 1 ? target : target.parentElement);
      if (type === "attributes" || place?.closest(MAIN)) {
        last = Infinity; // until it is on the screen
        begun = true;
      }
    }
    for (const { shadowRoot } of hosts()) if (shadowRoot) follow(shadowRoot);
    if (last === Infinity) requestAnimationFrame(() => setTimeout(() => (last = performance.now())));
  });
  follow(document);

  const drawn = () => {
    const main = document.querySelector(MAIN);
    if (!main?.querySelector('[data-testid="stMarkdown"]')) return false;
    if (main.querySelector('[data-stale="true"], [data-testid="stSkeleton"]')) return false;
    if (hosts().some(({ shadowRoot }) => !shadowRoot)) return false;
    const roots = [main, ...hosts().map(({ shadowRoot }) => shadowRoot)];
    const all = (selector) => roots.flatMap((root) => [...root.querySelectorAll(selector)]);
    return all("img").every(({ complete }) => complete) && all(".chart").every((chart) => chart.querySelector("svg.marks"));
  };
  const settled = (start, mustBegin) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const now = performance.now();
        if (!drawn()) last = now;
        const finished = document.querySelector(`[${STATE}="notRunning"]`) && (begun || !mustBegin);
        if (finished && now - last > QUIET_MS) resolve(last - start);
        else if (now - start > TIMEOUT_MS) reject(new Error(`${location.pathname}: drawn ${drawn()}, begun ${begun}`));
        else requestAnimationFrame(look);
      };
      look();
    });
  window.opened = () => settled(0, false);
  window.changed = (element) => {
    begun = false;
    const start = performance.now();
    element.click();
    return settled(start, true);
  };
})();
"""


@dataclass(frozen=True)
class Line:
    """Times in ms of one thing on a page, and of what the empty app takes for the like beside it."""

    page: str
    what: str
    ours: Sequence[float]
    empty: Sequence[float]

    @property
    def ratio(self) -> float:
        """How many times as long as the empty app, by their medians."""
        return statistics.median(self.ours) / statistics.median(self.empty)

    @property
    def goal(self) -> float:
        """The ratio that may not be exceeded."""
        return LOAD_GOAL if self.what == FIRST_LOAD else CHANGE_GOAL

    @property
    def is_reached(self) -> bool:
        """Whether the ratio is small enough, and for a change the 95th percentile as well."""
        return self.ratio <= self.goal and (self.what == FIRST_LOAD or percentile_95(self.ours) < CHANGE_P95_MS)


def percentile_95(times_ms: Sequence[float]) -> float:
    """The time that 95 % of `times_ms` do not exceed; of a single one itself."""
    return statistics.quantiles(times_ms, n=20, method="inclusive")[-1] if len(times_ms) > 1 else times_ms[0]


def visit(browser: Browser, address: str, changes: Mapping[str, str]) -> dict[str, float]:
    """Times in ms of the first load and of each click in turn, in a new context."""
    width, height = VIEWPORT_PX
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    script = WATCH_SCRIPT.replace("TIMEOUT_MS", str(TIMEOUT_MS)).replace("QUIET_MS", str(QUIET_MS))
    page.add_init_script(script)
    page.goto(address, wait_until="commit")
    times_ms = {FIRST_LOAD: float(page.evaluate("window.opened()"))}
    for what, target in changes.items():
        times_ms[what] = _changed_ms(page, target)
    page.context.close()
    return times_ms


def _changed_ms(page: Page, target: str) -> float:
    """Time from a click on the one `target` of a page at rest, in ms."""
    page.wait_for_timeout(REST_MS)
    return float(page.locator(target).first.evaluate("(element) => window.changed(element)"))


def measure(results: Path, images: Path, folder: Path, stems: Sequence[str], repetitions: int) -> list[Line]:
    """All times, the empty app's and ours in turn; `folder` is for what the servers say."""
    empty_app = folder / "empty_app.py"
    empty_app.write_text(EMPTY_APP)
    ours: dict[tuple[str, str], list[float]] = defaultdict(list)
    empty: dict[tuple[str, str], list[float]] = defaultdict(list)
    with (
        streamlit_server(DASHBOARD, dashboard_environment(results, images), folder / "dashboard.log") as dashboard_address,
        streamlit_server(empty_app, {}, folder / "empty_app.log") as empty_address,
        chromium() as browser,
    ):
        for repetition in range(WARM_UPS + repetitions):
            for stem in stems:
                beside = visit(browser, empty_address, EMPTY_CHANGES)
                page_address = f"{dashboard_address}/{'' if stem == 'overview' else stem}"
                for what, time_ms in visit(browser, page_address, CHANGES[stem]).items():
                    if repetition >= WARM_UPS:
                        ours[stem, what].append(time_ms)
                        empty[stem, what].append(beside[what if what in beside else BUTTON])
    return [Line(*key, times, empty[key]) for key, times in ours.items()]


def table_of(lines: Sequence[Line], repetitions: int) -> Table:
    """What was measured, a row for each thing."""
    table = Table("Page", "", "Median", "95 %", "Empty app", "95 %", "Ratio", "Goal", "")
    table.title = "Every page on the published results, times in ms"
    for line in lines:
        figures = [f"{figure(times):.0f}" for times in (line.ours, line.empty) for figure in (statistics.median, percentile_95)]
        verdict = "[green]reached[/]" if line.is_reached else "[red]missed[/]"
        table.add_row(line.page, line.what, *figures, f"{line.ratio:.2f}x", f"{line.goal}x", verdict)
    table.caption = (
        f"{repetitions} repetitions, the empty app before each visit, every visit in a new browser context. Ratio of medians. "
        f"A change is held against the empty app's button, and its 95 % must stay below {CHANGE_P95_MS} ms as well; the way to "
        "another page against that from one empty page to another."
    )
    return table


def main() -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--pages", nargs="+", choices=list(CHANGES), default=list(CHANGES), help="only these")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "results.duckdb")
    parser.add_argument("--images", type=Path, default=REPOSITORY / "images")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="page_load-") as folder:
        lines = measure(given.results, given.images, Path(folder), given.pages, given.repetitions)
    Console(width=None if sys.stdout.isatty() else 120).print(table_of(lines, given.repetitions))
    missed = [line for line in lines if not line.is_reached]
    print(f"{len(lines) - len(missed)} of {len(lines)} goals reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
