"""SQL that compares a teammate's results, attached as `theirs`, with ours, attached as `results`, and inserts what is taken."""

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from compute.connection import ResultsError, contract_columns, first_line
from compute.merge_pictures import Pictures, printable
from compute.schema import CONTRACT_VERSION, KEPT, KEYS, OWNER, SHARED, TABLES

# When, where and how long: what every repetition of a trial has otherwise, though it finds the same.
CIRCUMSTANCES = {
    "run": ("trial_key", "profile", "started_at", "seconds", "device", "host", "python", "torch", "threads", "git_commit"),
    "training_step": ("milliseconds",),
    "caption": ("seconds",),
    "segmentation_mask": ("path",),
}
# A picture's place in the folder, and the bytes that a library made of the same picture.
STORED = {"image": ("path", "sha256"), "segmentation_mask": ("path",)}
OF_RUNS = tuple(table for table, columns in TABLES.items() if columns.strip().startswith("run_id"))
ALIKE = tuple(table for table in SHARED if table not in KEPT)
_IDENTIFIER = "[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
Connection = duckdb.DuckDBPyConnection


def attach(connection: Connection, path: Path) -> None:
    """Attach a foreign file as `theirs`, to be read only, with access to any other file off; raises ResultsError."""
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS theirs (READ_ONLY)")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        _check_tables(connection, path)
    except duckdb.Error as error:
        raise ResultsError(f"{path}: cannot be read as Contrast's results ({first_line(error)}). Fetch it again.") from error


def _check_tables(connection: Connection, path: Path) -> None:
    tables = "FROM duckdb_tables() WHERE database_name = 'theirs' AND schema_name = 'main'"
    there = {table for (table,) in connection.execute(f"SELECT table_name {tables}").fetchall()}
    if "contract" not in there:
        raise ResultsError(f"{path}: lacks the table contract, so it holds no results of Contrast. Name another file.")
    versions = [version for (version,) in connection.execute("SELECT version FROM theirs.main.contract").fetchall()]
    if versions != [CONTRACT_VERSION]:
        raise ResultsError(
            f"{path}: has tables of version {versions}, this program merges {CONTRACT_VERSION}. Use the same release of "
            "Contrast on both sides, and compute there anew where it was the older one."
        )
    columns = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'theirs' AND schema_name = 'main'"
    ).fetchall()
    found = {(table, column) for table, column in columns if table in there}
    wanted = {(table, column) for table in TABLES for column in columns_of(table)}
    if missing := sorted({table if table not in there else f"{table}.{column}" for table, column in wanted - found}):
        raise ResultsError(
            f"{path}: lacks {', '.join(missing)}, so it is damaged or of an earlier release. Have its owner compute one more "
            "trial with this release, which adds what is missing, or fetch the file again."
        )
    named = f"regexp_full_match(run_id, '{_IDENTIFIER}') AND regexp_full_match(trial_key, '{_IDENTIFIER}')"
    odd = connection.execute(
        f"""SELECT run_id FROM theirs.main.run WHERE NOT coalesce({named}, FALSE)
            UNION ALL SELECT any_value(run_id) FROM theirs.main.run GROUP BY trial_key HAVING count(*) > 1
            UNION ALL SELECT run_id FROM theirs.main.run GROUP BY run_id HAVING count(*) > 1"""
    ).fetchall()
    if odd:
        told = f"{path}: its run '{printable(odd[0][0])}' has an odd name or is there twice"
        raise ResultsError(f"{told}, so no program of ours wrote it. Fetch the file again.")


@functools.cache
def columns_of(table: str) -> tuple[str, ...]:
    """Names of a table's columns, in the contract's order."""
    return tuple(column for each, column, _ in contract_columns() if each == table)


def differences(connection: Connection, pairs: dict[str, str]) -> dict[str, dict[str, int]]:
    """What a run of theirs has otherwise than one of ours, by their run_id: how many rows, on either side, of which tables.

    `pairs` tells which of ours to compare each of theirs with. CIRCUMSTANCES do not count.
    """
    _fill(connection, "pair", theirs_id=list(pairs), ours_id=list(pairs.values()))
    found: dict[str, dict[str, int]] = {}
    for table in OF_RUNS:
        owner = OWNER.get(table, "run_id")
        compared = [name for name in columns_of(table) if name not in (owner, *CIRCUMSTANCES.get(table, ()))]
        own = ", ".join(compared)
        foreign = ", ".join(_linked(name) if name == "run_id" else f"t.{name}" for name in compared)
        rows = connection.execute(
            f"""WITH a AS (SELECT theirs_id, {foreign} FROM theirs.main.{table} t JOIN temp.pair ON theirs_id = t.{owner}),
                     b AS (SELECT theirs_id, {own} FROM results.main.{table} JOIN temp.pair ON ours_id = {owner})
                SELECT theirs_id, count(*) FROM ((FROM a EXCEPT ALL FROM b) UNION ALL (FROM b EXCEPT ALL FROM a))
                GROUP BY ALL"""
        ).fetchall()
        for run_id, count in rows:
            found.setdefault(run_id, {})[table] = count
    return found


def _linked(name: str) -> str:
    """SQL for our run_id of the run that a row of theirs was measured against."""
    return f"coalesce((SELECT any_value(ours_id) FROM temp.pair WHERE theirs_id = t.{name}), t.{name})"


def links(connection: Connection) -> list[tuple[str, str]]:
    """Each run of theirs that was measured against another one, after that other one."""
    return connection.execute("SELECT DISTINCT run_id, other_run_id FROM theirs.main.precision_drift ORDER BY ALL").fetchall()


def refuse_other_shared_rows(connection: Connection, path: Path) -> int:
    """Raise ResultsError where rows that runs share are keyed alike and differ; returns how many pictures differ in bytes.

    The same picture in the same data set is stored in other bytes where another library wrote the file.
    """
    for table in ALIKE:
        keys = KEYS[table]
        compared = [name for name in columns_of(table) if name not in (*keys, *STORED.get(table, ()))]
        if not compared:
            continue
        other = " OR ".join(f"t.{name} IS DISTINCT FROM o.{name}" for name in compared)
        condition = "t.run_id IS NULL AND" if table == "segmentation_mask" else ""
        found = connection.execute(
            f"SELECT {', '.join(keys)}, {', '.join(f't.{name} IS DISTINCT FROM o.{name}' for name in compared)} "
            f"FROM theirs.main.{table} t JOIN results.main.{table} o USING ({', '.join(keys)}) "
            f"WHERE {condition} ({other}) ORDER BY {', '.join(keys)}"
        ).fetchall()
        if found:
            named = ", ".join(printable(value) for value in found[0][: len(keys)])
            differing = [name for name, differs in zip(compared, found[0][len(keys) :], strict=True) if differs]
            more = f", and of {len(found) - 1} more" if len(found) > 1 else ""
            raise ResultsError(
                f"{path}: its row of the table {table} for {named}{more}, is another than ours in {', '.join(differing)}, so "
                "one file was changed or made with other code. Nothing was merged. Compute that data anew on one side."
            )
    [(stored_otherwise,)] = connection.execute(
        "SELECT count(*) FROM theirs.main.image t JOIN results.main.image o USING (image_id) WHERE t.sha256 <> o.sha256"
    ).fetchall()
    return stored_otherwise


def insert_runs(connection: Connection, taken: Sequence[tuple[str, str, str, str]], known: dict[str, str]) -> None:
    """Insert all rows of the runs `taken`: their run_id, and run_id, trial_key and profile here.

    `known` tells our run_id of each run of theirs that is here already.
    """
    theirs, ours, keys, profiles = (list(column) for column in zip(*taken, strict=True))
    _fill(connection, "taken", theirs_id=theirs, run_id=ours, trial_key=keys, profile=profiles)
    links = known | dict(zip(theirs, ours, strict=True))
    _fill(connection, "pair", theirs_id=list(links), ours_id=list(links.values()))
    for table in OF_RUNS:
        owner = OWNER.get(table, "run_id")
        replaced = {owner: "taken.run_id"}
        if table == "run":
            replaced |= {"trial_key": "taken.trial_key", "profile": "taken.profile"}
        elif table == "segmentation_mask":
            replaced["path"] = "(SELECT ours FROM temp.picture p WHERE p.run_id = taken.run_id AND p.theirs = t.path)"
        elif owner != "run_id":
            replaced["run_id"] = _linked("run_id")
        _insert(connection, table, replaced, f"JOIN temp.taken ON taken.theirs_id = t.{owner}", "taken.rowid, t.rowid")


def insert_shared(connection: Connection) -> int:
    """Insert the rows that runs share and that are not here yet; returns how many there were."""
    count = 0
    for table in SHARED:
        replaced = {}
        if "path" in columns_of(table):
            replaced["path"] = "(SELECT ours FROM temp.picture p WHERE p.run_id IS NULL AND p.theirs = t.path)"
        count += _insert(connection, table, replaced, _not_here(table), "t.rowid")
    return count


def _not_here(table: str) -> str:
    if table == "segmentation_mask":  # without a run: the truth
        same = "o.run_id IS NULL AND o.image_id = t.image_id"
        return f"WHERE t.run_id IS NULL AND NOT EXISTS (SELECT 1 FROM results.main.{table} o WHERE {same})"
    return f"ANTI JOIN results.main.{table} o USING ({', '.join(KEYS[table])})"


def _insert(connection: Connection, table: str, replaced: dict[str, str], which: str, order: str) -> int:
    names = columns_of(table)
    values = ", ".join(replaced.get(name, f"t.{name}") for name in names)
    [(count,)] = connection.execute(
        f"INSERT INTO results.main.{table} ({', '.join(names)}) "
        f"SELECT {values} FROM theirs.main.{table} t {which} ORDER BY {order}"
    ).fetchall()
    return count


def references(connection: Connection) -> tuple[int, int]:
    """How many figures of reports are only in theirs, and how many have another value or source there than here."""
    keys = ", ".join(KEYS["reference_result"])
    [(new,)] = connection.execute(
        f"SELECT count(*) FROM theirs.main.reference_result t ANTI JOIN results.main.reference_result o USING ({keys})"
    ).fetchall()
    [(other,)] = connection.execute(
        f"""SELECT count(*) FROM theirs.main.reference_result t JOIN results.main.reference_result o USING ({keys})
            WHERE t.value <> o.value OR t.source <> o.source"""
    ).fetchall()
    return new, other


def plan_pictures(
    connection: Connection, pictures: Pictures, taken: Iterable[tuple[str, str, str, str]], known: dict[str, str]
) -> None:
    """Plan a place for each picture that new rows name, and fetch those of known rows that are gone here."""
    places: dict[tuple[str | None, str], str] = {}
    for table in STORED:
        paths = connection.execute(
            f"SELECT DISTINCT t.path FROM theirs.main.{table} t {_not_here(table)} ORDER BY ALL"
        ).fetchall()
        places |= {(None, path): pictures.plan(path, path) for (path,) in paths if (None, path) not in places}
        same = "o.run_id IS NULL AND t.run_id IS NULL AND " if table == "segmentation_mask" else ""
        rows = connection.execute(
            f"SELECT t.path, o.path FROM theirs.main.{table} t JOIN results.main.{table} o ON {same}o.image_id = t.image_id"
        ).fetchall()
        for path, own in rows:
            pictures.plan_missing(path, own)
    masks = "SELECT DISTINCT path FROM theirs.main.segmentation_mask WHERE run_id = ? ORDER BY ALL"
    for theirs_id, run_id, _, _ in taken:
        for (path,) in connection.execute(masks, [theirs_id]).fetchall():
            # A run's pictures lie in a folder of its own, as they go with it.
            wanted = re.sub(f"^runs/{re.escape(theirs_id)}/", f"runs/{run_id}/", str(path))
            places[run_id, path] = pictures.plan(path, wanted)
    _fill(connection, "pair", theirs_id=list(known), ours_id=list(known.values()))
    rows = connection.execute(
        """SELECT t.path, o.path FROM theirs.main.segmentation_mask t JOIN temp.pair ON theirs_id = t.run_id
           JOIN results.main.segmentation_mask o ON o.run_id = ours_id AND o.image_id = t.image_id AND o.epoch = t.epoch"""
    ).fetchall()
    for path, own in rows:
        pictures.plan_missing(path, own)
    _fill(
        connection, "picture", run_id=[run for run, _ in places], theirs=[path for _, path in places], ours=[*places.values()]
    )


def _fill(connection: Connection, table: str, **columns: Sequence[str | None]) -> None:
    """Make a table of texts that lasts as long as the connection."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(f'{name} VARCHAR' for name in columns)})")
    values = ", ".join(f"unnest(${name}::VARCHAR[])" for name in columns)
    connection.execute(f"INSERT INTO temp.{table} SELECT {values}", {name: list(column) for name, column in columns.items()})
