"""The read-only connection to `results.duckdb`.

A results file may come from anyone: it is attached read-only with access to other files off and the configuration locked. A
reader keeps one `Results` for a whole page, so that what is published meanwhile shows on the next run, never in half.
"""

import functools
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pandas

CONTRACT_VERSION = 1


class ResultsError(Exception):
    """Results that cannot be shown; the message says why, and the remedy."""


class NoResultsError(ResultsError):
    """Nothing has been computed yet."""


@dataclass(frozen=True)
class Results:
    """One state of a results file, with the folder that its pictures lie in. Equal where the state is the same."""

    path: Path
    images: Path
    identity: str
    connection: duckdb.DuckDBPyConnection = field(compare=False, repr=False)

    def query(self, sql: str, **parameters: Any) -> pandas.DataFrame:
        """Run one statement; raises ResultsError where these results lack what it asks for."""
        cursor = self.connection.cursor()
        try:
            cursor.execute("USE results")
            return cursor.execute(sql, parameters or None).df()
        except duckdb.Error as error:
            raise ResultsError(
                f"{self.path} does not hold what this page asks for. Compute it again, or update Contrast. "
                f"DuckDB says: {str(error).splitlines()[0]}"
            ) from error
        finally:
            cursor.close()


def open_results(path: Path, images: Path) -> Results:
    """The current state of the file at `path`; the connection is shared by all who look at the same state.

    Raises NoResultsError where there is no file, and ResultsError where it is damaged or of another version.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise NoResultsError(f"There are no results at {path} yet.") from error
    return _attach(path, images, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _attach(path: Path, images: Path, state: tuple[int, ...]) -> Results:
    # An in-memory database for each state: DuckDB would answer a second connect to the same path from the first one's file.
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False, "threads": 2})
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS results (READ_ONLY)")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        versions = connection.execute("SELECT version FROM results.contract").fetchall()
    except duckdb.Error as error:
        raise ResultsError(
            f"{path} cannot be read as Contrast's results: {str(error).splitlines()[0]} "
            "Fetch it again, or compute it anew with: python -m compute run"
        ) from error
    if versions != [(CONTRACT_VERSION,)]:
        found = versions[0][0] if versions else "unknown"
        age = (
            "newer: update Contrast"
            if isinstance(found, int) and found > CONTRACT_VERSION
            else "older: compute it anew with python -m compute run"
        )
        raise ResultsError(f"{path} has tables of version {found}, this dashboard reads {CONTRACT_VERSION}. The file is {age}.")
    identity = hashlib.sha256(repr((path, state)).encode()).hexdigest()[:12]
    return Results(path, images, identity, connection)
