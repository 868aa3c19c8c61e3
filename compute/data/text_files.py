"""Text files that people wrote with whatever program: their encoding, and rows of CSV by column."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from compute.data.errors import DataError
from compute.data.files import read_limited

DELIMITERS = ",;\t"  # spreadsheets of some countries write semicolons
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file and its encoding's name: UTF-16 or UTF-8 by what it holds, else Windows-1252, else Latin-1.

    Raises DataError where it cannot be read.
    """
    try:
        content = read_limited(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Name another file, or mend its permissions.") from error
    if content.startswith(BYTE_ORDER_MARKS):
        return content.decode("utf-16", "replace"), "UTF-16"
    for encoding, name in (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")):
        try:
            return content.decode(encoding), name
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "Latin-1"


def csv_rows(path: Path, text: str, needed: Sequence[str], expected: str) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line numbers and rows by the lower-case names of the first line; cells that are missing are empty.

    A row of more cells than columns is None; blank rows are left out. Raises DataError, which ends with `expected`, where a
    needed column is missing or the text is no CSV.
    """
    header = text.lstrip().partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=max(DELIMITERS, key=header.count))
    columns: list[str] = []
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [column.strip().lower() for column in cells]
                _check_columns(path, columns, needed, expected)
                continue
            filled = cells + [""] * (len(columns) - len(cells))
            yield rows.line_num, dict(zip(columns, filled, strict=True)) if len(cells) <= len(columns) else None
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: is no CSV ({error}). Save it as 'CSV UTF-8'.") from error
    if not columns:
        _check_columns(path, columns, needed, expected)


def _check_columns(path: Path, columns: list[str], needed: Sequence[str], expected: str) -> None:
    if missing := [column for column in needed if column not in columns]:
        named = ", ".join(columns)[:200] or "none"
        raise DataError(f"{path}: lacks the column {' and '.join(missing)}; its first line names {named}. {expected}")
