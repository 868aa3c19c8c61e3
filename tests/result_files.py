"""What tests of results files do to them: ask them, alter them, and tamper with the rows of a trial."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas
import pytest

from compute.connection import ResultsError
from compute.results import publish
from compute.schema import TABLES

Tables = dict[str, pandas.DataFrame]
MakeTrial = Callable[..., Tables]
FileAndImages = tuple[Path, Path]
Tamper = Callable[[Tables], None]


def query(results: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(results), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def counts(results: Path) -> dict[str, int]:
    return {table: query(results, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def alter(results: Path, *statements: str) -> None:
    with duckdb.connect(str(results)) as connection:
        for statement in statements:
            connection.execute(statement)


def files_beside(results: Path) -> set[str]:
    return {path.name for path in results.parent.iterdir() if path.is_file()} - {f".{results.name}.lock"}


def set_value(table: str, column: str, value: object, row: int | None = 0) -> Tamper:
    """Write a value into one row of a table, or with None into all."""

    def tamper(tables: Tables) -> None:
        rows = tables[table].copy()
        rows[column] = pandas.Series(
            [value if row in (None, number) else old for number, old in enumerate(rows[column])],
            dtype=object if isinstance(value, list | None) else None,
        )
        tables[table] = rows

    return tamper


def repeat_row(table: str, **changed: object) -> Tamper:
    """Add the last row of a table once more, with some columns changed."""

    def tamper(tables: Tables) -> None:
        last = tables[table].iloc[[-1]].assign(**changed)
        tables[table] = pandas.concat([tables[table], last], ignore_index=True)

    return tamper


def drop_row(table: str, row: int) -> Tamper:
    """Leave one row of a table out."""

    def tamper(tables: Tables) -> None:
        tables[table] = tables[table].drop(index=row).reset_index(drop=True)

    return tamper


def all_of(*tampers: Tamper) -> Tamper:
    """One tampering after the other."""

    def tamper(tables: Tables) -> None:
        for each in tampers:
            each(tables)

    return tamper


def check_refused(results: Path, images: Path, trial: Tables, tamper: Tamper, complaint: str) -> None:
    """Publish a trial with tampered rows: it must be refused with `complaint`, and the file stay as it was."""
    before = results.read_bytes()
    tables = dict(trial)
    tamper(tables)
    with pytest.raises(ResultsError, match="Nothing was written") as caught:
        publish(results, images, tables)
    assert complaint in str(caught.value)
    assert results.read_bytes() == before
    assert files_beside(results) == {"results.duckdb"}
