"""The read-only connection to `results.duckdb`.

A results file may come from anyone: it is attached read-only with access to other files off and the configuration locked, and
it is held to the contract before any page asks for a row: `contract.csv` beside this file says each column's type, and whether
it may be empty. A reader keeps one `Results` for a whole page, so that what is published meanwhile shows on the next run,
never in half.
"""

import csv
import functools
import hashlib
import os
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pandas

CONTRACT_VERSION = 1
CONTRACT = Path(__file__).with_name("contract.csv")
LONGEST_SECONDS = 30  # for one query; the slowest page's takes a hundredth of it
MEMORY = "2GB"  # for all queries on one state of a file
VECTORS = 1024  # of 2048 rows each: no query of a page has more
MOST_ROWS = 2048 * VECTORS
MOST_STATES = 6  # of one file, that are open at once beside those of pages that are being drawn; each takes some 10 MB
MOST_KEPT, MOST_KEPT_ROWS = 300, 2000  # answers to queries that are kept, and the rows that one of them may have
# Nothing is fetched, kept or loaded for the sake of a foreign file.
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "python_enable_replacements": False,
    "threads": 2,
    "async_threads": 0,  # eight more of each state otherwise, which a file on the disk needs not
    "memory_limit": MEMORY,
    "temp_directory": "",
    "max_execution_time": str(1000 * LONGEST_SECONDS),
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
}
FETCH_AGAIN = "Fetch it again, or compute it anew with: python -m compute run"
_attaching = threading.Lock()


class ResultsError(Exception):
    """Results that cannot be shown; the message says why, and the remedy."""


class NoResultsError(ResultsError):
    """Nothing has been computed yet."""


class ReplacedError(Exception):
    """A state of a results file that was replaced too often since: what it is asked for is to be drawn on the latest one."""


@dataclass(frozen=True)
class Results:
    """One state of a results file, with the folder that its pictures lie in. Equal where the state is the same."""

    path: Path
    images: Path
    identity: str
    connections: list[duckdb.DuckDBPyConnection] = field(compare=False, repr=False)  # one, or none that is open any more
    kept: dict[str, pandas.DataFrame] = field(default_factory=dict, compare=False, repr=False)
    keeps_answers: ClassVar[bool] = True
    answers: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)  # of functions of these, see `kept`

    def query(self, sql: str, **parameters: Any) -> pandas.DataFrame:
        """The rows that one statement gives; raises ResultsError where these results lack what it asks for.

        Rows that were asked for before are kept: this state of the file never changes. A caller may change its frame.
        """
        asked = repr((sql, parameters))
        rows = self.kept.pop(asked, None)
        if rows is None:
            rows = self._ask(sql, parameters)
        if len(rows) <= MOST_KEPT_ROWS:
            self.kept[asked] = rows  # the last now, and so the last to go
            while len(self.kept) > MOST_KEPT:
                self.kept.pop(next(iter(list(self.kept)), ""), None)  # a list, as others change it meanwhile
        return rows.copy(deep=False)

    def _ask(self, sql: str, parameters: dict[str, Any]) -> pandas.DataFrame:
        if not (connections := self.connections.copy()):
            raise ReplacedError(f"{self.path} was replaced more than {MOST_STATES} times.")
        cursor = connections[0].cursor()
        try:
            cursor.execute("USE results")
            rows = cursor.execute(sql, parameters or None).fetch_df_chunk(VECTORS)
        except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
            raise ResultsError(
                f"{self.path} takes more than the {LONGEST_SECONDS} s or {MEMORY} that a page may use for one question. "
                f"Choose less, or look at a smaller file. DuckDB says: {str(error).splitlines()[0]}"
            ) from error
        except duckdb.Error as error:
            raise ResultsError(
                f"{self.path} does not hold what this page asks for. Compute it again, or update Contrast. "
                f"DuckDB says: {str(error).splitlines()[0]}"
            ) from error
        finally:
            cursor.close()
        if len(rows) >= MOST_ROWS:
            raise ResultsError(f"{self.path} has more than the {MOST_ROWS:,} rows that a page takes at once. Choose less.")
        return rows


_opened: list[weakref.ref[Results]] = []  # states that somebody shows, in the order in which they were opened
_drawn_on: Counter[str] = Counter()  # pages that are being drawn, by the identity of their state


def open_results(path: Path, images: Path) -> Results:
    """The current state of the file at `path`; the connection is shared by all who look at the same state.

    Raises NoResultsError where there is no file, and ResultsError where it is damaged or of another version.
    """
    with _attaching:  # many may come to a new state at once
        try:
            state = _state(path)
        except OSError as error:
            raise NoResultsError(f"There are no results at {path} yet.") from error
        results = _attach(path, images, state)
        if not any(opened() is results for opened in _opened):
            _make_room(path)
            _opened.append(weakref.ref(results))
    return results


@contextmanager
def drawing_on(results: Results) -> Iterator[None]:
    """Keep a state open while a page is drawn on it, however often it is replaced meanwhile."""
    with _attaching:
        _drawn_on[results.identity] += 1
    try:
        yield
    finally:
        with _attaching:
            _drawn_on[results.identity] -= 1
            if not _drawn_on[results.identity]:
                del _drawn_on[results.identity]


def _make_room(path: Path) -> None:
    """Of a file's earlier states keep nothing that can be worked out again, and close those that were replaced long ago.

    Sessions may show one for as long as nobody clicks in them.
    """
    _opened[:] = [opened for opened in _opened if opened() is not None]
    earlier = [results for opened in _opened if (results := opened()) is not None and results.path == path]
    for results in earlier:
        results.kept.clear()
        results.answers.clear()
    for results in earlier[: -(MOST_STATES - 1)]:
        if results.identity not in _drawn_on:
            results.connections.clear()  # closed once no query runs on it any more


def is_latest(results: Results) -> bool:
    """Whether the file is still in the state that these results are of."""
    try:
        return _identity(results.path, _state(results.path)) == results.identity
    except OSError:
        return False


def _state(path: Path) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _identity(path: Path, state: tuple[int, ...]) -> str:
    return hashlib.sha256(repr((path, state)).encode()).hexdigest()[:12]


@functools.lru_cache(maxsize=2)
def _attach(path: Path, images: Path, state: tuple[int, ...]) -> Results:
    # An in-memory database for each state: DuckDB would answer a second connect to the same path from the first one's file.
    connection = duckdb.connect(":memory:", config=SETTINGS)
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS results (READ_ONLY)")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        versions = connection.execute("SELECT version FROM results.contract").fetchall()
    except duckdb.Error as error:
        raise ResultsError(
            f"{path} cannot be read as Contrast's results: {str(error).splitlines()[0]} {FETCH_AGAIN}"
        ) from error
    if versions != [(CONTRACT_VERSION,)]:
        found = versions[0][0] if versions else "unknown"
        age = (
            "newer: update Contrast"
            if isinstance(found, int) and found > CONTRACT_VERSION
            else "older: compute it anew with python -m compute run"
        )
        raise ResultsError(f"{path} has tables of version {found}, this dashboard reads {CONTRACT_VERSION}. The file is {age}.")
    try:
        fault = _fault(connection)
    except duckdb.Error as error:
        fault = str(error).splitlines()[0]
    if fault:
        raise ResultsError(f"{path} is not as Contrast writes its results: {fault}. {FETCH_AGAIN}")
    return Results(path, images, _identity(path, state), [connection])


@functools.cache
def _contract() -> dict[tuple[str, str], tuple[str, bool]]:
    """Type of each column, by table and column, and whether it must hold something in every row."""
    with CONTRACT.open(encoding="utf-8", newline="") as file:
        return {
            (row["table"], row["column"]): (row["type"], row["required"] == "yes") for row in csv.DictReader(file, strict=True)
        }


def _fault(connection: duckdb.DuckDBPyConnection) -> str:
    """What sets a file apart from all that Contrast writes, in words; empty where nothing does.

    Tables and columns may be missing, as an earlier release knew fewer. A view could ask for anything, and a macro would stand
    in for a function of the same name in every query: `sum`, for one.
    """
    views = "SELECT view_name FROM duckdb_views() WHERE database_name = 'results' AND NOT internal"
    macros = "SELECT function_name FROM duckdb_functions() WHERE database_name = 'results'"
    for name, found in (("view", views), ("macro", macros)):
        if rows := connection.execute(f"{found} ORDER BY ALL").fetchall():
            return f"it has a {name} named {shown(rows[0][0])}"
    columns = connection.execute(
        """SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns()
           WHERE database_name = 'results' AND schema_name = 'main' ORDER BY ALL"""
    ).fetchall()
    for table, column, data_type, is_nullable in columns:
        wanted, required = _contract().get((table, column), (data_type, False))
        if data_type != wanted:
            return f"{table}.{column} is of type {shown(data_type)} instead of {wanted}"
        if required and is_nullable:
            empty = f"SELECT 1 FROM results.main.{table} WHERE {column} IS NULL LIMIT 1"
            if connection.execute(empty).fetchall():
                return f"{table}.{column} is empty in some rows"
    return ""


def shown(text: object, longest: int = 60) -> str:
    """Foreign text on one line of a message, no longer than that."""
    told = "".join(character if character.isprintable() else " " for character in str(text))
    return told if len(told) <= longest else f"{told[: longest - 1]}…"
