"""What all pages share: the heading, the words for a profile, the message where nothing has run, numbers as text."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas
import streamlit

from dashboard import charts, charts_svg
from dashboard.components import chart as chart_component
from dashboard.components import table as table_component
from dashboard.components.gallery import Row
from dashboard.connection import NoResultsError, ReplacedError, ResultsError
from dashboard.kept import kept

PROFILE_NOTES = {
    "mini": "a miniature that trains in minutes on a CPU; its figures stand for themselves, not for a published result",
    "gpu": "full-size networks on drawn pictures; real timings, but no published data",
    "full": "the published protocol on real data",
}
MERGED_PROFILE = re.compile(r"(?P<profile>.+) \((?P<name>[^()]+)\)", re.DOTALL)  # as `python -m compute merge` writes it
LONGEST_LABEL = 120
MOST_BUTTONS, MOST_PILLS, MOST_FOLDED = 4, 12, 40
MOST_SAVED_ROWS = 100_000  # of a chart, and of what is saved as CSV
FULL_PX, HALF_PX, THIRD_PX = 980, 466, 310  # widths on a screen of 1440 pixels: of the page, and of columns
OPACITIES = {"0 %": 0.0, "25 %": 0.25, "50 %": 0.5, "75 %": 0.75, "100 %": 1.0}
Pages = dict[str, Any]  # streamlit.Page by the stem that names experiment and page alike
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>:$&])")
# Within one line: emphasis but not an underscore amid a word, links and tags, formulas, entities, icons and colors, addresses
# of pages and of mail; at its start, what makes a heading, a quotation or a list.
OBEYED = re.compile(
    r"[\\`*\[\]<>$~|@]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|:(?=[a-z/])|(?<=www)\.|-(?=-)|^[#+\-](?=\s|$)|^\d{1,9}[.)](?=\s|$)"
)


@dataclass(frozen=True)
class Finding:
    """What an experiment found on one data set: a sentence in Markdown, the data's label, what it rests on, pictures.

    `view` is the query that opens what shows it on the experiment's page, `detail` what else was found, in Markdown, and
    `report` the figures that a report has for it; both may be empty.
    """

    sentence: str
    data: str
    basis: str
    pictures: list[Row]
    view: dict[str, str] = field(default_factory=dict)
    detail: str = ""
    report: str = ""


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Show in words why results cannot be shown, here instead of what could not be drawn.

    A fragment needs its own, for what fails in it is not raised to the page around it. A page that was left open while its
    results were replaced again and again is drawn on the latest.
    """
    try:
        yield
    except ReplacedError:
        streamlit.rerun()
    except NoResultsError as error:
        streamlit.title("Nothing has been computed yet")
        streamlit.info(plain(error, longest=1000))
        streamlit.code("python -m compute run --profile mini", language="bash")
        streamlit.caption("About four minutes on two processor cores, without any download. Then reload this page.")
    except ResultsError as error:
        streamlit.subheader("These results cannot be shown")
        streamlit.error(plain(error, longest=1000))


def heading(question: str, answer: str) -> None:
    """The page's question, and in a sentence how it is answered."""
    streamlit.title(question)
    streamlit.markdown(answer)


def plain(text: object, longest: int = 120) -> str:
    """Foreign text for use in Markdown, with every mark taken literally and no more than `longest` characters."""
    shown = str(text)
    return MARKDOWN.sub(r"\\\1", shown if len(shown) <= longest else f"{shown[: longest - 1]}…")


@kept
def as_label(name: str) -> str:
    """Foreign text for the label of a button: a mark is taken literally where Markdown would obey it, the rest stands as it is.

    A choice's label is what the address says, and a name should stand there as it is.
    """
    return OBEYED.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", str(name)[:LONGEST_LABEL])


def dataset_labels(found: pandas.DataFrame) -> list[str]:
    """What a person picks from: name, way of labelling and profile of each row, and the key where those are the same."""
    labels = [
        f"{row.dataset_name}{', k-means labels' if row.labels == 'kmeans' else ''} · {row.profile}"
        for row in found.itertuples()
    ]
    return [f"{label} · {key}" if labels.count(label) > 1 else label for label, key in zip(labels, found.dataset, strict=True)]


def not_run_yet(experiment: str) -> None:
    """Say that an experiment has no results here, and which command makes them."""
    streamlit.info("This experiment has not run yet. The miniature needs no download and no GPU:", icon=":material/science:")
    streamlit.code(f"python -m compute run {experiment} --profile mini", language="bash")
    streamlit.caption("This page fills by itself when the first trial is published.")


def seeds_text(count: int) -> str:
    """How many trainings or draws a figure rests on: 1 seed, 2 seeds averaged."""
    return "1 seed" if count == 1 else f"{count} seeds averaged"


def report_text(figures: Iterable[tuple[str, float]], unit: str, sources: Iterable[str]) -> str:
    """A report's figures by what they are of, in Markdown, with their unit and sources; empty where there are none."""
    told = [f"{plain(name, 60)} {value:.2f}".strip() for name, value in figures]
    return f"the report: {' · '.join(told)} ({plain(unit)}; {plain(', '.join(dict.fromkeys(sources)))})" if told else ""


def kind_of_profile(profile: str) -> str:
    """The profile that trials were computed in, whether here or, as "mini (lab)" tells, in results that were merged."""
    merged = MERGED_PROFILE.fullmatch(profile)
    return merged["profile"] if merged else profile


def profile_note(profile: str) -> str:
    """What a profile's figures are worth, in a few words of Markdown, and where those that were merged came from."""
    merged = MERGED_PROFILE.fullmatch(profile)
    known = PROFILE_NOTES.get(kind_of_profile(profile), "a profile that this dashboard does not know")
    origin = f"; merged from the results called {plain(merged['name'])}, kept apart from those here" if merged else ""
    return f"Profile **{plain(profile)}**: {known}{origin}."


def choose_data(found: pandas.DataFrame) -> pandas.Series:
    """Let a person pick one of the rows, which are data sets with their profiles; the choice is in the address.

    The first that was not merged from others' results is picked at first.
    """
    labels = dataset_labels(found)
    own = (place for place, profile in enumerate(found.profile) if not MERGED_PROFILE.fullmatch(str(profile)))
    first = next(own, 0)
    if len(labels) <= MOST_BUTTONS:  # buttons show all there is, and load much faster than a list that opens
        chosen = choose_button("Data", labels, "data", default=labels[first], shown=as_label)
    else:
        chosen = streamlit.selectbox("Data", labels, first, key="data", bind="query-params", width=320)
    return found.iloc[labels.index(chosen)]


def choose_button(
    label: str,
    options: Sequence[str],
    key: str,
    default: str | None = None,
    shown: Callable[[str], str] = str,
    labelled: bool = True,
) -> str:
    """Let a person pick one of a few options from a row of buttons, the first where no other is the default.

    The choice is in the address. The row may wrap: where it may not, Streamlit measures it, and lays the whole page out anew.
    """
    return streamlit.segmented_control(
        label,
        options,
        default=options[0] if default is None else default,
        required=True,
        key=key,
        bind="query-params",
        format_func=shown,
        label_visibility="visible" if labelled else "collapsed",
        wrap=True,
    )


def choose_one(label: str, options: Sequence[str], key: str, shown: Callable[[str], str] = as_label) -> str:
    """Let a person pick one of some options, the first at first; the choice is in the address. Many are folded."""
    if len(options) > MOST_PILLS:
        return choose_folded(label, options, key, options[0], shown)
    return _choose_pill(label, options, key, options[0], shown)


def choose_folded(label: str, options: Sequence[str], key: str, default: str, shown: Callable[[str], str] = as_label) -> str:
    """Let a person pick one of some options behind a button that says which it is; the choice is in the address.

    More than MOST_FOLDED are in a list, which takes a browser several times as long to show at first.
    """
    if len(options) > MOST_FOLDED:
        place = options.index(default)
        return streamlit.selectbox(label, options, place, key=key, bind="query-params", format_func=shown, width=260)
    asked = streamlit.session_state.get(key, streamlit.query_params.get(key))  # the address names it as it is shown
    picked = next((option for option in options if asked in (option, shown(option))), default)
    with streamlit.popover(f"{label}: {shown(picked)}"):
        return _choose_pill(label, options, key, default, shown)


def _choose_pill(label: str, options: Sequence[str], key: str, default: str, shown: Callable[[str], str]) -> str:
    return streamlit.pills(
        label, options, default=default, required=True, key=key, bind="query-params", format_func=shown, wrap=True
    )


def choose_opacity() -> float:
    """Let a person pick how much of a photo its mask hides, 0 to 1; the choice is in the address."""
    chosen = choose_button("Mask opacity", list(OPACITIES), "opacity", default="50 %")
    return OPACITIES[chosen]


def number(value: float, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def chart(drawing: partial[charts.Chart], rows: pandas.DataFrame, name: str, usual_px: int = FULL_PX, series: str = "") -> None:
    """The chart that `drawing` makes, with small buttons below it that save its `rows` and its picture.

    `usual_px` is the width of its place on a screen of 1440 pixels. Marks that tell the same under the title `series` stand
    out together where one of them is pointed at.
    """
    if _are_too_many(rows, name):
        return
    width_px = chart_component.width_px(name, usual_px)
    drawn = charts_svg.drawn(drawing, rows, width_px)
    chart_component.show(drawn.svg, drawn.csv, drawn.titles, width_px, name, series)


def table(
    rows: pandas.DataFrame, name: str, formats: Mapping[str, table_component.Format] | None = None, swatches: Sequence[str] = ()
) -> None:
    """A table that can be sorted; `formats` says by column how values are written, `swatches` the color before each row."""
    table_component.show(rows, name, formats, swatches)


def csv_button(rows: pandas.DataFrame, name: str) -> None:
    """A small button that saves rows as CSV."""
    if _are_too_many(rows, name):
        return
    _save_button("CSV", partial(charts_svg.csv, rows), f"{name}.csv", "text/csv", icon=":material/download:")


def _are_too_many(rows: pandas.DataFrame, name: str) -> bool:
    """Whether there are more rows than a server draws or sends for one person; says so where there are."""
    if len(rows) <= MOST_SAVED_ROWS:
        return False
    streamlit.info(
        f"{plain(name)}: {len(rows):,} rows are more than the {MOST_SAVED_ROWS:,} that a page draws or saves. Choose less, or "
        "ask the results file itself with DuckDB."
    )
    return True


def _save_button(label: str, content: Callable[[], bytes | str], file_name: str, kind: str, icon: str | None = None) -> None:
    key = f"save_{file_name}"
    streamlit.download_button(label, content, file_name, kind, key=key, icon=icon, type="tertiary", on_click="ignore")


def provenance(runs: pandas.DataFrame, run_ids: Iterable[str], pages: Pages) -> None:
    """Where the page's figures come from: device, date, commit and versions, with a link to all that is known of each run."""
    chosen = runs[runs.run_id.isin(list(run_ids))]
    if chosen.empty:
        return
    first = chosen.iloc[0]
    commits = ", ".join(sorted({str(commit)[:10] for commit in chosen.git_commit.dropna()})) or "unknown"
    streamlit.divider()
    streamlit.caption(
        f"From {len(chosen)} runs on {plain(first.device)}, {first.threads} threads · torch {plain(first.torch)} · "
        f"commit {plain(commits)} · {chosen.started_at.max():%Y-%m-%d %H:%M} UTC"
    )
    streamlit.page_link(
        pages["runs"],
        label="All that is known of each run",
        icon=":material/history:",
        query_params={"experiment": first.experiment},
    )
