"""Buttons that save what is shown: one page with the choices in its address, or the report of all pages.

A report draws pages as Streamlit's tests do, which a running server must not: it is written by a process of its own.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import streamlit
from streamlit.runtime.state import get_session_state

from dashboard import notes
from dashboard.connection import Results

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SECONDS = 600  # of waiting for others, and again of writing
MOST_MEGABYTES = 100  # of a report: it is in the server's memory while it is sent
REPORT = "report_made"  # what of this session's state holds the report, with the results that it is of
_one_at_a_time = threading.Lock()  # so that impatient people do not take all of a server
Tell = Callable[[float, str], object]


def page_button(results: Results, stem: str) -> None:
    """A small button that saves this page, with the choices in its address, as one HTML file."""
    with get_session_state().query_params() as address:
        pass  # the same object for the whole session: parts of the page that are drawn anew alone change it, too

    def content() -> bytes:
        query = urlencode({key: address.get_all(key) for key in address}, doseq=True)
        return _written(results, ["--page", stem, f"--address={query}"])

    streamlit.download_button(
        "Save this page",
        content,
        f"contrast_{stem}.html",
        "text/html",
        key="save_page",
        icon=":material/save:",
        help="This page with what is chosen now, as one HTML file that opens without a network.",
        type="tertiary",
        on_click="ignore",
    )


@streamlit.fragment
def report_button(results: Results) -> None:
    """A button that makes the report of all pages and tells how far it is, and then one that saves it."""
    made_of, content = streamlit.session_state.get(REPORT, ("", b""))
    if made_of == results.identity:
        streamlit.download_button(
            f"Download the report ({len(content) / 1e6:.1f} MB)",
            content,
            "contrast_report.html",
            "text/html",
            key="save_report",
            icon=":material/download:",
            on_click="ignore",
        )
        return
    place = streamlit.empty()
    about = "Everything here in one HTML file that opens without a network: findings, charts, pictures, tables and notes."
    if not place.button("Make a report to share", key="make_report", icon=":material/description:", help=about):
        return
    bar = place.progress(0.0, "Waiting for another report that is being made")
    try:
        content = _written(results, [], lambda share, name: bar.progress(share, f"Writing the report: {name}"))
    except RuntimeError as error:
        place.error(str(error))
        return
    streamlit.session_state[REPORT] = (results.identity, content)
    streamlit.rerun(scope="fragment")


@contextmanager
def _alone() -> Iterator[None]:
    """While nothing else is saved. Raises RuntimeError where that is waited for too long."""
    if not _one_at_a_time.acquire(timeout=LONGEST_SECONDS):
        raise RuntimeError("Others are saving pages and reports. Try again later.")
    try:
        yield
    finally:
        _one_at_a_time.release()


def _written(results: Results, options: list[str], tell: Tell | None = None) -> bytes:
    """The HTML that a process of its own writes. Raises RuntimeError with its last words where it writes none."""
    with _alone(), TemporaryDirectory() as folder:
        output = Path(folder) / "report.html"
        files = ["--results", str(results.path.absolute()), "--images", str(results.images.absolute()), "--output", str(output)]
        command = [sys.executable, "-m", "dashboard.report", *files, *options]
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "CONTRAST_NOTES": str(notes.beside(results.path).absolute())}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            limit = threading.Timer(LONGEST_SECONDS, partial(process.kill))
            limit.start()
            last = ""
            for line in process.stdout or ():
                last = line.strip() or last
                done, _, name = last.partition(" ")
                number, _, total = done.partition("/")
                if tell is not None and number.isdigit() and total.isdigit():
                    tell(int(number) / max(1, int(total)), name)
            limit.cancel()
        if process.returncode != 0 or not output.is_file():
            raise RuntimeError(f"This could not be saved: {last[:300] or 'it took too long'}")
        if output.stat().st_size > MOST_MEGABYTES * 10**6:
            raise RuntimeError(
                f"This is larger than the {MOST_MEGABYTES} MB that a dashboard saves. Write it with: python -m dashboard.report"
            )
        return output.read_bytes()
