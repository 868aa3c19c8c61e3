"""One HTML file with everything that the dashboard shows: `python -m dashboard.report --output report.html`.

A report is the dashboard, frozen: each page, and each of its views, is drawn once without a browser, and what it drew is
written as HTML that needs neither a server nor a network. So whatever a page shows is in its report, with the same figures.
"""

import argparse
import logging
import os
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard import notes, report_document
from dashboard.connection import Results, ResultsError, open_results
from dashboard.notes import Note
from dashboard.report_document import Page
from dashboard.report_elements import Drawing, PageWriter

SCRIPT = Path(__file__).with_name("pages.py")
ROOT = SCRIPT.parent.parent
LONGEST_SECONDS = 120  # for drawing one view
VIEW = "view"  # the parameter that names a page's open tab
NOT_FROZEN = {"results", "notes", "embed"}  # of an address, as it is no choice of the page's
Address = dict[str, list[str]]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PageName:
    """A page by its stem, with the section it stands in and its short name."""

    stem: str
    section: str
    title: str


def page_names() -> list[PageName]:
    """All pages in the order of the dashboard's navigation."""
    from dashboard.pages import SECTIONS  # not sooner: without a server Streamlit remarks on every page as it is imported

    return [
        PageName(module.__name__.rpartition(".")[2], section, module.TITLE)
        for section, modules in SECTIONS.items()
        for module in modules
    ]


def write(
    results_file: Path, images: Path, output: Path, only: str | None = None, address: str = "", progress: Progress | None = None
) -> None:
    """Write the report of all pages, or with a stem in `only` of that one with the choices in `address` (a query string).

    A page that cannot be drawn is a message in the report. Raises ResultsError where there are no results that can be read, and
    ValueError where there is no such page.
    """
    names = page_names()
    chosen = [name for name in names if only in (None, name.stem)]
    if not chosen:
        raise ValueError(f"There is no page {only!r}; there are {', '.join(name.stem for name in names)}.")
    open_results(results_file, images)  # fails early
    os.environ.update({"CONTRAST_RESULTS": str(results_file), "CONTRAST_IMAGES": str(images)})
    query = {key: values for key, values in urllib.parse.parse_qs(address).items() if key not in NOT_FROZEN}
    drawing, written = Drawing(), []
    for number, name in enumerate(chosen):
        if progress is not None:
            progress(number, len(chosen), name.title)
        written.append(_page(name, query, drawing, {name.stem for name in chosen}))
    results = open_results(results_file, images)  # the pages may have been drawn on a later state
    told, remark = _notes(results)
    content = report_document.html(results, written, drawing, told, remark)
    unfinished = output.with_name(f".{output.name}.unfinished")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(output)
    if progress is not None:
        progress(len(chosen), len(chosen), "written")


def _page(name: PageName, query: Address, drawing: Drawing, sections: set[str]) -> Page:
    """One page with all its views as HTML."""
    writer = PageWriter(drawing, name.stem, sections)
    try:
        drawn = _run(name, query)
        writer.views = dict(_views(name, query, drawn))
        nodes = [node for area in (0, 2) for node in drawn._tree.children[area].children.values()]  # main, and dialogs
        content = writer.blocks(nodes)
    except Exception as error:  # whatever went wrong, the other pages are still worth having
        print(f"{name.stem}: {error!r}", file=sys.stderr)
        return Page(name.stem, name.section, name.title, report_document.not_drawn(name.title, error), [])
    return Page(name.stem, name.section, name.title, content, writer.titles)


def _views(name: PageName, query: Address, drawn: AppTest) -> Iterator[tuple[str, Any]]:
    """What each tab of a page holds, those that were not open drawn by a run of their own; or why one cannot be drawn."""
    for tab in drawn.tabs:
        if _has_content(tab):
            yield tab.label, tab
            continue
        try:
            own = _run(name, {**query, VIEW: [tab.label]})
            drawn_tab = next((each for each in own.tabs if each.label == tab.label), tab)
            # A page ends with a message where something is missing; that of a view belongs to it.
            yield tab.label, drawn_tab if _has_content(drawn_tab) else "\n\n".join(each.value for each in own.error)
        except Exception as error:
            print(f"{name.stem}, {tab.label}: {error!r}", file=sys.stderr)
            yield tab.label, f"This view could not be drawn: {str(error)[:300]}"


def _has_content(block: Any) -> bool:
    return any(not hasattr(child, "children") or _has_content(child) for child in block.children.values())


def _run(name: PageName, query: Address) -> AppTest:
    """The page, drawn once."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=LONGEST_SECONDS)
    app.query_params.update(query)
    # AppTest.switch_page knows only pages that are files of their own.
    app._page_hash = calc_hash("" if name == page_names()[0] else name.stem)
    return app.run()


def _notes(results: Results) -> tuple[list[Note], str]:
    """The notes on these results, and where they cannot be read a remark that says why."""
    try:
        return notes.read(notes.beside(results.path)), ""
    except ResultsError as error:
        return [], str(error)


def main() -> None:
    """Write a report from the command line."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.report", description="Write all findings into one HTML file.")
    parser.add_argument(
        "--results", type=Path, default=Path(os.environ.get("CONTRAST_RESULTS", ROOT / "results.duckdb")), metavar="FILE"
    )
    parser.add_argument(
        "--images", type=Path, default=Path(os.environ.get("CONTRAST_IMAGES", ROOT / "images")), metavar="FOLDER"
    )
    parser.add_argument("--output", type=Path, default=Path("report.html"), metavar="FILE")
    parser.add_argument("--page", metavar="NAME", help="write this page alone, such as unet_skip_connections")
    parser.add_argument("--address", default="", metavar="QUERY", help="the choices of that page, as its address has them")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # Streamlit's remark that it runs without a server, for each view
    started = time.monotonic()

    def tell(done: int, total: int, what: str) -> None:
        print(f"{done}/{total} {what}", flush=True)

    try:
        write(arguments.results, arguments.images, arguments.output, arguments.page, arguments.address, tell)
    except (ResultsError, ValueError, OSError) as error:
        sys.exit(f"No report was written. {error}")
    size_mb = arguments.output.stat().st_size / 1e6
    print(f"{arguments.output}: {size_mb:.1f} MB in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
