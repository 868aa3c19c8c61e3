"""The only writer of `results.duckdb`: a finished trial, a teammate's trials or a report's figures, whole or not at all.

`publish` copies the current file, writes one trial's rows in one transaction, checks them, checkpoints, and puts the copy in
the file's place in one atomic step, all under a lock where concurrent writers queue. So the file is at every instant complete.
"""

import errno
import os
import shutil
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import duckdb
import pandas
import pyarrow
from filelock import FileLock

from compute.checks import CHECKS, may_offend
from compute.connection import ANOTHER_FILE, ResultsError, connect, first_line
from compute.lock_holder import lock_holder
from compute.schema import KEPT, KEYS, OWNER, SHARED, TABLES
from compute.unfinished import copy_file

LOCK_TIMEOUT_SECONDS = 600
NOTICE_SECONDS = 10
Rows: TypeAlias = pandas.DataFrame | pyarrow.Table
Tables = Mapping[str, Rows]
Written = TypeVar("Written")


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
            with connect(unfinished, named=results) as connection:
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
