"""The only writer of `results.duckdb`: a finished trial, a teammate's trials or a report's figures, whole or not at all.

`publish` copies the current file, writes one trial's rows in one transaction, checks them, checkpoints, and puts the copy in
the file's place in one atomic step, all under a lock where concurrent writers queue. So the file is at every instant complete.
"""

import errno
import functools
import os
import shutil
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import duckdb
import numpy as np
import pandas
import pyarrow
from filelock import FileLock

from compute.checks import CHECKS, may_offend
from compute.lock_holder import lock_holder
from compute.schema import CONTRACT_VERSION, KEPT, KEYS, OWNER, SHARED, TABLES
from compute.unfinished import copy_file

LOCK_TIMEOUT_SECONDS = 600
NOTICE_SECONDS = 10
# Both far below DuckDB's own. An eighth of its blocks, as even a tiny table takes whole ones; and row groups so small that a
# big run fills its own: a checkpoint rewrites a group that gets more rows, and leaves the old one as a hole in the file.
# What was measured on whole outputs stands with `python -m benchmarks.imagenet_results`.
BLOCK_BYTES = 2**15
ROW_GROUP_ROWS = 8192
ANOTHER_FILE = "Name another file with --results."
Rows: TypeAlias = pandas.DataFrame | pyarrow.Table
Tables = Mapping[str, Rows]
Written = TypeVar("Written")


class ResultsError(Exception):
    """A results file that cannot be used, or rows that must not be written; the message says which, and the remedy."""


def publish(results: Path, images: Path, tables: Tables) -> None:
    """Add one trial to the file `results`: all rows of `tables`, or, on any error, none.

    `tables["run"]` holds the trial's one row; an earlier run of the same trial (same `trial_key`) is replaced. Pictures that
    rows name must already lie below `images`. Raises ResultsError where a check fails or the file cannot be used.
    """
    [(run_id, trial_key)] = tables["run"][["run_id", "trial_key"]].itertuples(index=False)
    _check_pictures(images, tables)
    replaced = _rewritten(results, lambda connection: _write_trial(connection, tables, run_id, trial_key))
    for old_run_id in replaced - {run_id}:
        shutil.rmtree(images / "runs" / old_run_id, ignore_errors=True)


@dataclass(frozen=True)
class AddedReferences:
    """What became of figures that were added: how many are new, how many were there, and key, old and new value of others."""

    new: int
    already_there: int
    replaced: tuple[tuple[tuple[str, str, str], float, float], ...]
    without_run: tuple[tuple[str, str], ...]  # experiments and variants that no run of the file has


def add_references(results: Path, rows: pandas.DataFrame) -> AddedReferences:
    """Add the figures of a report to the table `reference_result`, all or none; one of the same key is replaced.

    Raises ResultsError where there is no such file, it cannot be used, or a check fails.
    """
    if not results.exists():
        raise ResultsError(f"{results}: there is no such file. Run an experiment first, or name another file with --results.")
    return _rewritten(results, lambda connection: _write_references(connection, rows))


def add_many(
    results: Path, write: Callable[[duckdb.DuckDBPyConnection], Iterable[str] | None], finish: Callable[[], None], source: Path
) -> None:
    """Add what `write` inserts from the file `source`, all or none; the tables to be written to are in the catalog `results`.

    `write` is called under the lock, within a transaction, and returns the run_ids that are new, or None where nothing is to
    be added: then the file stays the same byte for byte. `finish` is called once all checks hold, right before the commit.
    Raises ResultsError where a check fails or the file cannot be used.
    """

    def write_and_check(connection: duckdb.DuckDBPyConnection) -> bool | None:
        connection.execute("BEGIN")
        run_ids = write(connection)
        if run_ids is not None:
            _check(connection, run_ids, f" in {source}")
        finish()
        if run_ids is None:
            return None
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
        return True

    _rewritten(results, write_and_check)


def _rewritten(results: Path, write: Callable[[duckdb.DuckDBPyConnection], Written]) -> Written:
    """Put a copy of the file `results`, to which `write` has written, in its place; on any error it stays as it was.

    It stays as it was, too, where `write` returns None.
    """
    with _writer_lock(results):
        unfinished = results.with_name(f".{results.name}.unfinished")
        _remove(unfinished)  # what a killed writer left behind
        try:
            if results.exists():
                copy_file(results, unfinished)
            with _connect(unfinished, named=results) as connection:
                written = write(connection)
            if written is not None:
                _flush(unfinished)
                os.replace(unfinished, results)
                _flush(results.parent)
        except (OSError, duckdb.Error) as error:
            raise ResultsError(
                f"{results}: could not be written ({_reason(error)}). What it held before is unharmed. See that it can be "
                "written to and that its disk has room for it twice, and run the same command again."
            ) from error
        finally:
            _remove(unfinished)
    return written


def finished_trials(results: Path) -> dict[str, str]:
    """Trial keys in the file `results`, each with its run_id; none where there is no such file yet."""
    if not results.exists():
        return {}
    with _connect(results, named=results, read_only=True) as connection:
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
    with _connect(results, named=results, read_only=True) as connection:
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


@contextmanager
def reading(results: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the file `results`, attached under that name, which changes nothing and reads no other file.

    Raises ResultsError where there is no such file or it cannot be used.
    """
    if not results.is_file():
        raise ResultsError(f"{results}: there is no such file. Run an experiment first, or name another file.")
    with _connect(results, named=results, read_only=True) as connection:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


@contextmanager
def _writer_lock(results: Path) -> Iterator[None]:
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(results.with_name(f".{results.name}.lock"))
        _acquire(lock, results)
    except OSError as error:
        raise ResultsError(f"{results}: its folder cannot be written to ({error.strerror}). {ANOTHER_FILE}") from error
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, results: Path) -> None:
    """Wait for the lock, and say for whom where that takes long; raises ResultsError where it takes too long."""
    notice = min(NOTICE_SECONDS, LOCK_TIMEOUT_SECONDS / 2)
    try:
        lock.acquire(timeout=notice)
    except TimeoutError:
        holder = lock_holder(Path(lock.lock_file))
        who = holder.words if holder else "another process"
        warnings.warn(f"{results}: waits for {who}, as only one at a time can write to it.", stacklevel=2)
    else:
        return
    try:
        lock.acquire(timeout=LOCK_TIMEOUT_SECONDS - notice)
    except TimeoutError as error:
        holder = lock_holder(Path(lock.lock_file))
        who, remedy = (holder.words, holder.remedy) if holder else ("another process", "Run again later.")
        raise ResultsError(f"{results}: {who} kept it locked for {LOCK_TIMEOUT_SECONDS:g} s. {remedy}") from error


@contextmanager
def _connect(path: Path, named: Path, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
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


def _write_trial(connection: duckdb.DuckDBPyConnection, tables: Tables, run_id: str, trial_key: str) -> set[str]:
    """Write and check all rows in one transaction; returns the runs of the same trial that they replace.

    What was measured against a replaced run goes with it, and is not done any more.
    """
    connection.execute("BEGIN")
    found = connection.execute(
        """WITH same AS (SELECT run_id FROM run WHERE trial_key = ?)
           FROM same UNION SELECT other_run_id FROM precision_drift JOIN same USING (run_id)""",
        [trial_key],
    ).fetchall()
    replaced = {old_run_id for (old_run_id,) in found}
    for table, columns in TABLES.items():
        if columns.strip().startswith("run_id"):
            owner = OWNER.get(table, "run_id")
            connection.execute(f"DELETE FROM {table} WHERE {owner} IN (SELECT unnest(?))", [list(replaced)])
    for table, rows in tables.items():
        _insert(connection, table, rows)
    _check(connection, [run_id], given=tables)
    _check_owner(tables, run_id)
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT")
    return replaced


def _check(
    connection: duckdb.DuckDBPyConnection, run_ids: Iterable[str], where: str = "", given: Collection[str] = tuple(TABLES)
) -> None:
    """Raise ResultsError where a check finds an offending row of these runs, or of those that runs share.

    These runs have rows of their own in no tables but `given`: checks that then cannot find anything are left out.
    """
    own = [{"run_id": run_id} for run_id in run_ids]
    for complaint, offending in CHECKS:
        if not may_offend(offending, given):
            continue
        for parameters in own if "$run_id" in offending else (None,):
            [(count,)] = connection.execute(offending, parameters).fetchall()
            if count:
                named = parameters or (own[0] if len(own) == 1 else None)
                whose = f" of run {named['run_id']}" if named else ""
                raise ResultsError(f"Nothing was written: {complaint} ({count} rows{whose}{where}).")


def _check_owner(tables: Tables, run_id: str) -> None:
    """Raise ResultsError where a row says that it came with another run."""
    for table, rows in tables.items():
        owner = OWNER.get(table, "run_id")
        if table not in SHARED and owner in TABLES[table] and (others := set(rows[owner].unique().tolist()) - {run_id}):
            raise ResultsError(f"Nothing was written: {table} has rows of run {min(map(str, others))}, not of run {run_id}.")


def _write_references(connection: duckdb.DuckDBPyConnection, rows: pandas.DataFrame) -> AddedReferences:
    keys = ", ".join(KEYS["reference_result"])
    connection.execute("BEGIN")
    connection.register("given", rows)
    pairs = connection.execute(
        f"""SELECT old.experiment, old.variant, old.metric, old.value, given.value, old.source = given.source
            FROM reference_result old JOIN given USING ({keys}) ORDER BY ALL"""
    ).fetchall()
    connection.execute(f"DELETE FROM reference_result WHERE ({keys}) IN (SELECT ({keys}) FROM given)")
    without_run = connection.execute(
        "SELECT DISTINCT experiment, variant FROM given ANTI JOIN run USING (experiment, variant) ORDER BY ALL"
    ).fetchall()
    connection.unregister("given")
    _insert(connection, "reference_result", rows)
    for complaint, offending in CHECKS:
        if complaint.startswith("reference_result:") and connection.execute(offending).fetchall() != [(0,)]:
            raise ResultsError(f"Nothing was written: {complaint}.")
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT")
    replaced = tuple((pair[:3], *pair[3:5]) for pair in pairs if pair[3] != pair[4] or not pair[5])
    return AddedReferences(len(rows) - len(pairs), len(pairs) - len(replaced), replaced, tuple(without_run))


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Rows) -> None:
    if table not in TABLES:
        raise ResultsError(f"'{table}' is no table of the contract; they are {', '.join(TABLES)}.")
    columns = ", ".join(rows.columns if isinstance(rows, pandas.DataFrame) else rows.column_names)
    known = ""
    if table in KEPT:
        keys = ", ".join(KEYS[table])
        known = f"WHERE ({keys}) NOT IN (SELECT ({keys}) FROM {table}) GROUP BY ALL"
    elif table in SHARED:
        known = f"EXCEPT SELECT {columns} FROM {table}"
    connection.register("new_rows", rows)
    try:
        connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new_rows {known}")
    except duckdb.Error as error:
        connection.execute("ROLLBACK")  # or the next statement, unregister, fails as well
        raise ResultsError(f"Nothing was written: rows do not fit the table {table} ({first_line(error)}).") from error
    finally:
        connection.unregister("new_rows")


def _check_pictures(images: Path, tables: Tables) -> None:
    """Raise ResultsError where a picture is missing; those that are there are on the disk itself when rows name them."""
    named = [(table, path) for table in ("image", "segmentation_mask") if table in tables for path in tables[table]["path"]]
    for table, path in named:
        if path.startswith("/") or ".." in path.split("/") or not os.path.isfile(f"{images}/{path}"):
            raise ResultsError(f"Nothing was written: {table} names the picture '{path}', which is not below {images}.")
    if named and hasattr(os, "sync"):
        os.sync()  # one call for all, as a call for each of thousands takes long


def first_line(error: Exception) -> str:
    """What DuckDB says first; hints and positions follow on lines of their own."""
    return str(error).partition("\n")[0]


def _reason(error: Exception) -> str:
    """What the system refused, without the names of unfinished files; or what DuckDB says."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    full = os.strerror(errno.ENOSPC)
    return full if full in str(error) else first_line(error)


def _flush(path: Path) -> None:
    """Have the system put a file, or a folder's entries, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(unfinished: Path) -> None:
    for path in (unfinished, unfinished.with_name(unfinished.name + ".wal")):
        path.unlink(missing_ok=True)
