"""Figures of the reports that experiments reproduce, from a CSV file that people write, into the table `reference_result`."""

import math
from pathlib import Path

import pandas

from compute.data.errors import DataError
from compute.data.text_files import csv_rows, read_text
from compute.results import AddedReferences, add_references

COLUMNS = ("experiment", "variant", "metric", "value", "source")
EXPECTED = "Expected is a CSV with the columns experiment,variant,metric,value,source, one row for each figure."
_BOTH_WAYS = tuple(
    f"{direction} {figure}"
    for direction in ("image to text", "text to image")
    for figure in ("R@1 in percent", "R@5 in percent", "R@10 in percent", "median rank", "mean rank")
)
# What pages show beside their own figures.
METRICS = {
    "segmentation_decoder_heads": ("mIoU in percent",),
    "caption_sampling": ("BLEU in percent",),
    "image_text_retrieval": _BOTH_WAYS,
}


def add_file(file: Path, results: Path) -> AddedReferences:
    """Add every figure of `file` to the results, or none; one that is there with another value is replaced.

    Raises DataError, with the line, where a row cannot be used, and ResultsError where the results cannot.
    """
    return add_references(results, read_references(file))


def read_references(file: Path) -> pandas.DataFrame:
    """The rows of `file`, each once; raises DataError with the line and the remedy where one cannot be used."""
    text, _ = read_text(file)
    rows: dict[tuple[str, ...], tuple[int, float, str]] = {}
    for line, row in csv_rows(file, text, COLUMNS, EXPECTED):
        try:
            key, value, source = _row(row)
        except ValueError as error:
            raise DataError(f"{file}, line {line}: {error}") from error
        first = rows.setdefault(key, (line, value, source))
        if first[1:] != (value, source):
            raise DataError(f"{file}, line {line}: line {first[0]} has the same figure with another value or source. Keep one.")
    if not rows:
        raise DataError(f"{file}: has no rows below its first line. {EXPECTED}")
    return pandas.DataFrame([(*key, value, source) for key, (_, value, source) in rows.items()], columns=list(COLUMNS))


def _row(row: dict[str, str] | None) -> tuple[tuple[str, ...], float, str]:
    """Key, value and source; raises ValueError with what is wrong and what to do."""
    if row is None:
        raise ValueError("has more cells than the first line names. Put quotes around a cell with commas.")
    cells = {column: " ".join(row[column].replace("\0", "").split()) for column in COLUMNS}
    if empty := [column for column, cell in cells.items() if not cell]:
        raise ValueError(f"{' and '.join(empty)} is empty. Every figure needs {', '.join(COLUMNS)}.")
    known = METRICS.get(cells["experiment"])
    if known is None:
        raise ValueError(f"no page shows a report's figures for '{cells['experiment']}'. Those that do: {', '.join(METRICS)}.")
    if cells["metric"] not in known:
        raise ValueError(f"'{cells['metric']}' is no metric that {cells['experiment']} shows. They are: {', '.join(known)}.")
    value = _number(cells["value"])
    if cells["metric"].endswith(" in percent") and not 0 <= value <= 100:
        raise ValueError(f"{value:g} is no percentage. Write a number from 0 to 100.")
    if not cells["metric"].endswith(" in percent") and value < 1:
        raise ValueError(f"{value:g} is no rank. The first place is 1.")
    return (cells["experiment"], cells["variant"], cells["metric"]), value, cells["source"]


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"'{cell}' is no number. Write it with a point, such as 46.47, and without a unit.")
    return value
