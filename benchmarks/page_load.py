"""How long every page of the dashboard takes to open and to change, beside an empty Streamlit app, in a real browser.

Command: python -m benchmarks.page_load [--repetitions N] [--pages STEM ...] [--results FILE --images FOLDER [--data LABEL]]
         python -m benchmarks.page_load --data "generated classes · full" --results FILE --images FOLDER

The results are the published ones, or, in the second form, those of `python -m benchmarks.large_results`: with --data the pages
of classifiers open on the data set of that label, and more of their galleries, trees and tables is clicked through.
A page has opened, or changed, with the last change of its contents before Streamlit's script has finished, every chart and
picture is drawn, and nothing changes any more; that time is taken inside the page, from the start of navigation or from the
click. The empty app is measured by the same rule, before each visit of ours, so that whatever else the machine does meets
both. It opens with a text and a button; like is held against like: a tab against a tab that holds one text, a choice against
a choice that one text repeats, the way to another page against that to a page of one text, anything else against the button,
which is the quickest. Each visit is a new browser context without any cache; a visit's clicks come one after the other. The
first visit of each page is not counted. Exit code 1 where a goal is missed.
"""

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from benchmarks.browsing import DASHBOARD, REPOSITORY, VIEWPORT_PX, chromium, dashboard_environment, streamlit_server

WARM_UPS, REPETITIONS = 1, 20
FIRST_LOAD, BUTTON, OTHER_PAGE, EMPTY_CHOICE, EMPTY_TAB = "first load", "the button", "another page", "a choice", "a tab"
LOAD_GOAL, CHANGE_GOAL = 1.5, 2.5  # times what the empty app takes, by their medians
CHANGE_P95_MS = 600
TIMEOUT_MS, QUIET_MS = 30_000, 500
REST_MS = 300  # before a click, so that what the one before set off is over
NEXT = '[data-testid="stPaginationNext"]'
CHOICE, TAB, LINK = '[role="radio"]', '[role="tab"]', '[data-testid="stSidebarNavLink"]'
# A typical choice or two on each page: in words, and what is clicked.
CHANGES: dict[str, dict[str, str]] = {
    "overview": {
        "notes": '[data-testid="stExpander"] summary:has-text("Notes")',
        OTHER_PAGE: f'{LINK}:has-text("Skip connections")',
    },
    "unet_skip_connections": {
        "another order": f'{CHOICE}:has-text("skips hurt most")',
        "the next page": NEXT,
        "tab: class by class": f'{TAB}:has-text("class by class")',
    },
    "segmentation_metric": {
        "tab: one picture": f'{TAB}:has-text("one picture")',
        "another opacity": f'{CHOICE}:has-text("75 %")',
    },
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
# Clicked as well where the data is named, as it may be large: galleries, the tree, matrices, tables.
CHANGES_OF_DATA: dict[str, dict[str, str]] = {
    "imagenet_rn50_vs_clip": {
        "the next pictures": NEXT,
        "one outcome": ".filters button.choice >> nth=1",
        "tab: style and class": f'{TAB}:has-text("by style")',
        "tab: confusions": f'{TAB}:has-text("confusions")',
        "tab: zero-shot": f'{TAB}:has-text("zero-shot")',
    },
    "wordnet_synsets": {"tab: four questions": f'{TAB}:has-text("four questions")'},
    "fp32_vs_fp16": {
        "back to fp16": f'{CHOICE}:has-text("fp16")',  # whose answers were compared on all data
        "one per class": f'{CHOICE}:has-text("one per class")',
        "tab: drift": f'{TAB}:has-text("drift")',
        "tab: picture by picture": f'{TAB}:has-text("picture by picture")',
        "by margin": f'{CHOICE}:has-text("smallest margin")',
        "the next pictures": NEXT,
        "tab: where it arises": f'{TAB}:has-text("where it arises")',
    },
}  # fmt: skip
EMPTY_APP = """import streamlit
NAMES = ["one", "two"]
def page():
    streamlit.write("changed" if streamlit.button("change") else "empty")
def other():
    streamlit.write("another")
def choices():
    chosen = streamlit.segmented_control("choice", NAMES, default="one", required=True, key="choice", bind="query-params")
    streamlit.write(chosen)
    tabs()
@streamlit.fragment
def tabs():
    for name, tab in zip(NAMES, streamlit.tabs(NAMES, key="view", bind="query-params")):
        if tab.open:
            tab.write(name)
streamlit.navigation([streamlit.Page(page, default=True), streamlit.Page(other), streamlit.Page(choices)]).run()
"""
EMPTY_CHANGES = {
    BUTTON: "button:has-text('change')",
    OTHER_PAGE: f"{LINK} >> nth=1",
    "the page of choices": f"{LINK} >> nth=2",
    EMPTY_CHOICE: f'{CHOICE}:has-text("two")',
    EMPTY_TAB: f'{TAB}:has-text("two")',
}

WATCH_SCRIPT = Path(__file__).with_name("page_watch.js").read_text()  # what runs inside the page, and takes the times


@dataclass(frozen=True)
class Line:
    """Times in ms of one thing on a page, and of what the empty app takes for the like beside it, and for its button."""

    page: str
    what: str
    ours: Sequence[float]
    empty: Sequence[float]
    button: Sequence[float]

    @property
    def ratio(self) -> float:
        """How many times as long as the empty app, by their medians."""
        return statistics.median(self.ours) / statistics.median(self.empty)

    @property
    def goal(self) -> float | None:
        """The ratio that may not be exceeded; none is set for the way to another page, which is neither."""
        return {FIRST_LOAD: LOAD_GOAL, OTHER_PAGE: None}.get(self.what, CHANGE_GOAL)

    @property
    def is_reached(self) -> bool:
        """Whether the ratio is small enough, and for a change the 95th percentile as well."""
        is_quick = self.what == FIRST_LOAD or percentile_95(self.ours) < CHANGE_P95_MS
        return is_quick and (self.goal is None or self.ratio <= self.goal)


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


def like(what: str, changes: Mapping[str, str]) -> str:
    """What of the empty app's is like one of these changes, or like a first load."""
    if what in (FIRST_LOAD, OTHER_PAGE):
        return what
    kinds = {CHOICE: EMPTY_CHOICE, TAB: EMPTY_TAB}
    return next((ours for selector, ours in kinds.items() if changes[what].startswith(selector)), BUTTON)


def _changed_ms(page: Page, target: str) -> float:
    """Time from a click on the one `target` of a page at rest, in ms."""
    page.wait_for_timeout(REST_MS)
    return float(page.locator(target).first.evaluate("(element) => window.changed(element)"))


def measure(
    results: Path, images: Path, folder: Path, stems: Sequence[str], repetitions: int, data: str | None = None
) -> list[Line]:
    """All times, the empty app's and ours in turn; `folder` is for what the servers say, `data` the label of a data set."""
    empty_app = folder / "empty_app.py"
    empty_app.write_text(EMPTY_APP)
    times: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    with (
        streamlit_server(DASHBOARD, dashboard_environment(results, images), folder / "dashboard.log") as dashboard_address,
        streamlit_server(empty_app, {}, folder / "empty_app.log") as empty_address,
        chromium() as browser,
    ):
        for repetition in range(WARM_UPS + repetitions):
            for stem in stems:
                beside = visit(browser, empty_address, EMPTY_CHANGES)
                page_address, changes = f"{dashboard_address}/{'' if stem == 'overview' else stem}", CHANGES[stem]
                if data is not None and stem in CHANGES_OF_DATA:
                    page_address += f"?{urlencode({'data': data})}"
                    changes = changes | CHANGES_OF_DATA[stem]
                for what, time_ms in visit(browser, page_address, changes).items():
                    if repetition >= WARM_UPS:
                        times[stem, what].append((time_ms, beside[like(what, changes)], beside[BUTTON]))
    return [Line(*key, *zip(*taken, strict=True)) for key, taken in times.items()]


def table_of(lines: Sequence[Line], repetitions: int, results: str) -> Table:
    """What was measured, a row for each thing."""
    table = Table("Page", "", "Median", "95 %", "Empty app", "95 %", "Ratio", "Goal", "", "Of its button")
    table.title = f"Every page on {results}, times in ms"
    for line in lines:
        figures = [f"{figure(times):.0f}" for times in (line.ours, line.empty) for figure in (statistics.median, percentile_95)]
        verdict = "[green]reached[/]" if line.is_reached else "[red]missed[/]"
        of_button = "" if line.what == FIRST_LOAD else f"{statistics.median(line.ours) / statistics.median(line.button):.2f}x"
        goal = f"{line.goal}x" if line.goal else "–"
        table.add_row(line.page, line.what, *figures, f"{line.ratio:.2f}x", goal, verdict if line.goal else "", of_button)
    table.caption = (
        f"{repetitions} repetitions, the empty app before each visit, every visit in a new browser context. Ratio of medians. "
        f"Like is held against like; the 95 % of a change must stay below {CHANGE_P95_MS} ms as well."
    )
    return table


def main() -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--pages", nargs="+", choices=list(CHANGES), default=list(CHANGES), help="only these")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "results.duckdb")
    parser.add_argument("--images", type=Path, default=REPOSITORY / "images")
    parser.add_argument("--data", help="open the pages of classifiers on the data set of this label")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="page_load-") as folder:
        lines = measure(given.results, given.images, Path(folder), given.pages, given.repetitions, given.data)
    size = f"{given.results.name} ({given.results.stat().st_size / 1e6:,.0f} MB)"
    Console(width=None if sys.stdout.isatty() else 120).print(table_of(lines, given.repetitions, size))
    judged = [line for line in lines if line.goal]
    missed = [line for line in judged if not line.is_reached]
    print(f"{len(judged) - len(missed)} of {len(judged)} goals reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
