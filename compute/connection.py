"""How a results file is opened: to be read, or to be written to by `results`; and what is asked of it without a dashboard.

Every file is held to the contract first: another version's, or one with views or macros, is refused.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow

from compute.schema import CONTRACT_VERSION, TABLES

# Both far below DuckDB's own. An eighth of its blocks, as even a tiny table takes whole ones; and row groups so small that a
# big run fills its own: a checkpoint rewrites a group that gets more rows, and leaves the old one as a hole in the file.
# What was measured on whole outputs stands with `python -m benchmarks.imagenet_results`.
BLOCK_BYTES = 2**15
ROW_GROUP_ROWS = 8192
ANOTHER_FILE = "Name another file with --results."


class ResultsError(Exception):
    """A results file that cannot be used, or rows that must not be written; the message says which, and the remedy."""


@contextmanager
def connect(path: Path, named: Path, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open `path`; messages call it `named`. A file to be written to gets the tables and columns that it still lacks."""
    is_new = not path.exists()
    connection = duckdb.connect()
    quoted = str(path).replace("'", "''")
    options = "READ_ONLY" if read_only else f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
    if is_new:  # a file keeps the size of its blocks
        options += f", BLOCK_SIZE {BLOCK_BYTES}"
    try:
        connection.execute(f"ATTACH '{quoted}' AS results ({options})")
        connection.execute("USE results")
    except duckdb.Error as error:
        connection.close()
        raise ResultsError(
            f"{named}: is no readable DuckDB file ({first_line(error)}). Move it away, or name another file with --results."
        ) from error
    try:
        if is_new:
            connection.execute(f"CREATE TABLE contract ({TABLES['contract']})")
            connection.execute(f"CREATE TABLE run ({TABLES['run']})")
            connection.execute("INSERT INTO contract VALUES (?)", [CONTRACT_VERSION])
        _check_contract(connection, named)
        if not read_only:
            _add_what_is_new(connection)
        yield connection
    finally:
        connection.close()


def _check_contract(connection: duckdb.DuckDBPyConnection, named: Path) -> None:
    # A view could read any file, and a macro stands in for a function of the same name in all that is asked here. By their
    # whole names, as a macro could stand in for these functions, too.
    [(foreign,)] = connection.execute(
        """SELECT count(*) FROM (
               SELECT 1 FROM system.main.duckdb_views() WHERE database_name = 'results' AND NOT internal
               UNION ALL SELECT 1 FROM system.main.duckdb_functions() WHERE database_name = 'results')"""
    ).fetchall()
    if foreign:
        raise ResultsError(f"{named}: has views or macros, which no program of ours writes. {ANOTHER_FILE}")
    tables = {table for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if missing := sorted({"contract", "run"} - tables):
        raise ResultsError(f"{named}: lacks the tables {', '.join(missing)}, so this version did not write it. {ANOTHER_FILE}")
    try:
        versions = [version for (version,) in connection.execute("SELECT version FROM contract").fetchall()]
        connection.execute("SELECT trial_key, run_id FROM run LIMIT 0")
    except duckdb.Error as error:
        raise ResultsError(f"{named}: its tables are not as expected ({first_line(error)}). {ANOTHER_FILE}") from error
    if versions != [CONTRACT_VERSION]:
        raise ResultsError(f"{named}: has tables of version {versions}, this program writes {CONTRACT_VERSION}. {ANOTHER_FILE}")


def _add_what_is_new(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a file of an earlier release, whose rows all stay, the tables and the columns that were added since."""
    there = set(connection.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall())
    tables = {table for table, _ in there}
    for table, column, data_type in contract_columns():
        if table not in tables:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({TABLES[table]})")
        elif (table, column) not in there:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {data_type}")


@functools.cache
def contract_columns() -> list[tuple[str, str, str]]:
    """Table, name and type of every column of the contract, as DuckDB writes them."""
    with duckdb.connect() as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        listed = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        return connection.execute(listed).fetchall()


@contextmanager
def reading(results: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the file `results`, attached under that name, which changes nothing and reads no other file.

    Raises ResultsError where there is no such file or it cannot be used.
    """
    if not results.is_file():
        raise ResultsError(f"{results}: there is no such file. Run an experiment first, or name another file.")
    with connect(results, named=results, read_only=True) as connection:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def finished_trials(results: Path) -> dict[str, str]:
    """Trial keys in the file `results`, each with its run_id; none where there is no such file yet."""
    if not results.exists():
        return {}
    with connect(results, named=results, read_only=True) as connection:
        return dict(connection.execute("SELECT trial_key, run_id FROM run").fetchall())


@dataclass(frozen=True, eq=False)
class StoredOutputs:
    """A classifier's whole outputs as the file holds them: float32 or float16 (N, K), the images' in ascending order."""

    run_id: str
    weights_sha256: str | None
    device: str
    image_ids: tuple[str, ...]
    values: np.ndarray


def stored_outputs(results: Path, trial_key: str) -> StoredOutputs | None:
    """What the trial of that key left in the table `logit`; None where it is not finished, or left nothing."""
    if not results.exists():
        return None
    with connect(results, named=results, read_only=True) as connection:
        found = connection.execute("SELECT run_id, weights_sha256, device FROM run WHERE trial_key = ?", [trial_key]).fetchall()
        if not found:
            return None
        [(run_id, weights_sha256, device)] = found
        rows: pyarrow.Table = connection.sql(
            "SELECT image_id, single_values, half_bits FROM logit WHERE run_id = ? ORDER BY image_id", params=[run_id]
        ).to_arrow_table()
    if not len(rows):
        return None
    column, data_type = ("half_bits", np.float16) if rows["single_values"].null_count else ("single_values", np.float32)
    values = rows[column].combine_chunks().flatten().to_numpy().view(data_type).reshape(len(rows), -1)
    return StoredOutputs(run_id, weights_sha256, device, tuple(rows["image_id"].to_pylist()), values)


def first_line(error: Exception) -> str:
    """What DuckDB says first; hints and positions follow on lines of their own."""
    return str(error).partition("\n")[0]
