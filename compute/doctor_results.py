"""Says whether a results file is whole: every check of publishing on every run, and what only the whole file can tell."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from compute.checks import CHECKS, may_offend
from compute.connection import ResultsError, contract_columns, first_line, reading
from compute.doctor_pictures import examine_pictures
from compute.drift import drift
from compute.merge_pictures import printable
from compute.prediction_rows import summarise
from compute.run_checks import WHOLE_FILE_CHECKS
from compute.schema import OWNER, SHARED, TABLES

LARGEST_ROUNDING = 1e-6  # a probability, computed in double precision and stored in single
MOST_SHOWN = 50
LONGEST = 300  # characters of a text from the file
NOT_OURS = "something else wrote to the file; take a copy that is whole, or compute it anew with --results ANOTHER.duckdb"


@dataclass(frozen=True)
class Checked:
    """A table of the file, or its pictures: how many rows there are, how many checks were made, how many failed."""

    what: str
    rows: int
    checks: int
    failed: int = 0


@dataclass(frozen=True)
class Violation:
    """What does not hold, of which run (empty where it is no single run's), and the one line that mends it."""

    experiment: str
    run_id: str
    table: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Run:
    """What a violation says of a run."""

    run_id: str
    experiment: str
    profile: str
    seed: int

    def violation(self, table: str, what: str) -> Violation:
        """One of this run's rows, which computing it again puts right."""
        again = f"python -m compute run {self.experiment} --profile {self.profile} --seed {self.seed} --force"
        return Violation(self.experiment, self.run_id, table, what, again)


def examine_results(file: Path, images: Path) -> tuple[list[Checked], list[Violation]]:
    """Check the whole of `file` and the pictures below `images` that it names, changing nothing.

    Raises ResultsError where the file cannot be read at all.
    """
    with reading(file) as connection:
        try:
            violations = _contract_views(connection)
            rows = {table: _value(connection, f"SELECT count(*) FROM {table}") for table in TABLES}
            found = connection.execute(
                "SELECT run_id, experiment, profile, seed FROM run ORDER BY started_at, run_id"
            ).fetchall()
            runs = {run_id: Run(run_id, *rest) for run_id, *rest in found}
            present, orphans = _rows_of_runs(connection, set(runs))
        except duckdb.Error as error:
            told = first_line(error)
            raise ResultsError(f"{file}: cannot be read ({told}). It is damaged; take a copy that is whole.") from error
        made: dict[str, int] = defaultdict(int)
        violations += orphans
        for table, violation in _checked(connection, runs, present):
            made[table] += 1
            violations += [violation] if violation else []
        pictures, of_pictures = examine_pictures(connection, images)
        violations += [
            (runs[run_id].violation(table, what) if run_id in runs else Violation("", "", table, what, remedy))
            for run_id, table, what, remedy in of_pictures
        ]
    failed = {table: sum(violation.table == table for violation in violations) for table in (*TABLES, "pictures")}
    checked = [Checked(table, rows[table], made[table], failed[table]) for table in TABLES]
    return [*checked, Checked("pictures", pictures, pictures, failed["pictures"])], violations


def _contract_views(connection: duckdb.DuckDBPyConnection) -> list[Violation]:
    """Make every table of the contract askable, whatever the file lacks, and say what it lacks."""
    found = connection.execute(
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE database_name = 'results'"
    ).fetchall()
    there = {(table, column): data_type for table, column, data_type, _ in found}
    held = {table for table, *_ in found}
    violations, selected = [], defaultdict(list)
    for table, column, data_type in contract_columns():
        if (table, column) in there:
            selected[table].append(column)
            if there[table, column] != data_type:
                told = f"{column} is of type {printable(there[table, column])}, not {data_type}"
                violations.append(Violation("", "", table, told, NOT_OURS))
        else:
            selected[table].append(f"NULL::{data_type} AS {column}")
            if table in held:
                told = f"the file lacks its column {column}, as of an earlier release"
                violations.append(Violation("", "", table, told, "python -m compute run, which adds what is new"))
    for table, columns in selected.items():
        source = f"FROM results.main.{table}" if table in held else "WHERE FALSE"
        connection.execute(f"CREATE VIEW memory.main.{table} AS SELECT {', '.join(columns)} {source}")
        if table not in held:
            told = "the file has no such table, as of an earlier release"
            violations.append(Violation("", "", table, told, "python -m compute run, which adds what is new"))
    connection.execute("USE memory")
    return violations


def _rows_of_runs(connection: duckdb.DuckDBPyConnection, runs: set[str]) -> tuple[dict[str, set[str]], list[Violation]]:
    """Tables that each run has rows of its own in, and the rows whose run is not there."""
    present: dict[str, set[str]] = defaultdict(set)
    violations = []
    for table in TABLES:
        owner = OWNER.get(table, "run_id")
        if table in SHARED or owner not in TABLES[table]:
            continue
        counts = connection.execute(f"SELECT {owner}, count(*) FROM {table} GROUP BY ALL ORDER BY ALL").fetchall()
        for run_id, count in counts:
            present[run_id].add(table)
            if run_id not in runs:
                told = f"{count} rows are of run {printable(run_id, LONGEST)}, which is not in the table run"
                violations.append(Violation("", "", table, told, NOT_OURS))
    return present, violations


def _checked(
    connection: duckdb.DuckDBPyConnection, runs: dict[str, Run], present: dict[str, set[str]]
) -> Iterator[tuple[str, Violation | None]]:
    """Each check that is made, by its table, with what it finds."""
    whole = [check for check in CHECKS if "$run_id" not in check[1]]
    for complaint, offending in [*whole, *WHOLE_FILE_CHECKS, *_empty_columns()]:
        table, _, what = complaint.partition(": ")
        told = _offended(connection, offending, None)
        yield table, Violation("", "", table, f"{what} ({told})", NOT_OURS) if told else None
    for run_id, run in runs.items():
        for complaint, offending in CHECKS:
            if "$run_id" in offending and may_offend(offending, present[run_id]):
                table, _, what = complaint.partition(": ")
                told = _offended(connection, offending, {"run_id": run_id})
                yield table, run.violation(table, f"{what} ({told})") if told else None
        if "logit" in present[run_id]:
            wrong = _unlike_outputs(connection, run_id)
            told = f"answers and probabilities, which add up to 1, must follow from logit ({wrong})"
            yield "prediction", run.violation("prediction", told) if wrong else None
        if "precision_drift" in present[run_id]:
            wrong = _unlike_drift(connection, run_id)
            told = f"what drifted must follow from both runs' logit ({wrong})"
            yield "precision_drift", run.violation("precision_drift", told) if wrong else None


def _empty_columns() -> list[tuple[str, str]]:
    """A check for each table that its columns hold a value where the contract wants one."""
    checks = []
    for table, columns in TABLES.items():
        wanted = [column.split()[0] for column in columns.split(",") if column.endswith("NOT NULL")]
        if wanted:
            empty = " OR ".join(f"{column} IS NULL" for column in wanted)
            checks.append((f"{table}: {', '.join(wanted)} must not be empty", f"SELECT count(*) FROM {table} WHERE {empty}"))
    return checks


def _offended(connection: duckdb.DuckDBPyConnection, offending: str, parameters: dict[str, str] | None) -> str:
    """How many rows offend, in words; empty where none does."""
    try:
        [(count,)] = connection.execute(offending, parameters).fetchall()
    except duckdb.Error as error:
        return f"could not be checked: {printable(first_line(error), LONGEST)}"
    return f"{count} rows" if count else ""


def _unlike_outputs(connection: duckdb.DuckDBPyConnection, run_id: str) -> str:
    """How many of a run's answers are not those of its stored outputs, in words; empty where all are."""
    try:
        classes = connection.execute(
            """SELECT o.wnid, imagenet_index FROM classifier_output o JOIN synset USING (wnid)
               WHERE run_id = ? ORDER BY position""",
            [run_id],
        ).fetchall()
        rows: pyarrow.Table = connection.sql(
            """SELECT wnid, top5, top5_probability, label_rank, label_probability, margin, single_values, half_bits
               FROM prediction JOIN logit USING (run_id, image_id) WHERE run_id = ?""",
            params=[run_id],
        ).to_arrow_table()
        wrong = _wrong_answers(rows, classes)
    except (duckdb.Error, pyarrow.ArrowException, ValueError) as error:
        return f"could not be checked: {printable(first_line(error), LONGEST)}"
    return f"{wrong} rows" if wrong else ""


def _wrong_answers(rows: pyarrow.Table, classes: list[tuple[str, int]]) -> int:
    logits = _outputs(rows, len(classes))
    position = {wnid: place for place, (wnid, _) in enumerate(classes)}
    labels = np.array([position.get(wnid, -1) for wnid in rows["wnid"].to_pylist()], np.int64)
    index = np.array([imagenet_index for _, imagenet_index in classes])
    expected = summarise(logits, labels)
    top5, probability = (
        rows[name].combine_chunks().flatten().to_numpy().reshape(len(rows), -1) for name in ("top5", "top5_probability")
    )
    good = (top5 == index[expected.top]).all(axis=1) & _near(probability, expected.top_probability).all(axis=1)
    rank, of_label, margin = (rows[name].to_numpy() for name in ("label_rank", "label_probability", "margin"))
    labelled = (rank == expected.label_rank) & _near(of_label, expected.label_probability) & _near(margin, expected.margin)
    return int((~(good & (labelled | (labels < 0)))).sum())


def _unlike_drift(connection: duckdb.DuckDBPyConnection, run_id: str) -> str:
    """How many rows of a lower precision's drift are not that of the stored outputs, in words; empty where all are."""
    try:
        rows: pyarrow.Table = connection.sql(
            """SELECT d.*, a.single_values AS exact, b.single_values, b.half_bits FROM precision_drift d
               JOIN logit a ON a.run_id = d.run_id AND a.image_id = d.image_id
               JOIN logit b ON b.run_id = d.other_run_id AND b.image_id = d.image_id WHERE d.other_run_id = ?""",
            params=[run_id],
        ).to_arrow_table()
        exact = rows["exact"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
        expected = drift(exact, _outputs(rows, exact.shape[1]))
    except (duckdb.Error, pyarrow.ArrowException, ValueError) as error:
        return f"could not be checked: {printable(first_line(error), LONGEST)}"
    good = np.ones(len(rows), bool)
    for name in ("top1_flip", "top5_changes", "top5_left"):
        good &= rows[name].to_numpy() == getattr(expected, name)
    for name in ("largest_change", "kl_divergence", "margin"):
        good &= _near(rows[name].to_numpy(), getattr(expected, name))
    return "" if good.all() else f"{int((~good).sum())} rows"


def _outputs(rows: pyarrow.Table, classes: int) -> np.ndarray:
    """Whole outputs, float32 or float16 (N, K); raises ValueError where they are not K each."""
    column, data_type = ("half_bits", np.float16) if rows["single_values"].null_count else ("single_values", np.float32)
    return rows[column].combine_chunks().flatten().to_numpy().view(data_type).reshape(len(rows), classes)


def _near(stored: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return np.abs(stored.astype(np.float64) - expected) <= LARGEST_ROUNDING


def _value(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    [(value,)] = connection.execute(sql).fetchall()
    return value


def show_results(file: Path, images: Path, console: Console) -> bool:
    """Print what `examine_results` finds, calmly, and say whether all of it is well."""
    checked, violations = examine_results(file, images)
    title = f"{file}, with pictures in {images}"
    table = Table("", "What", "Rows", "Checks", title=escape(title), title_justify="left")
    for line in checked:
        if line.rows or line.failed:
            state = f"[red]{line.failed} failed[/]" if line.failed else "[green]ok[/]"
            table.add_row(state, line.what, f"{line.rows:,}", f"{line.checks:,}")
    console.print(table, highlight=False)
    for violation in violations[:MOST_SHOWN]:
        shown = replace(violation, **{name: printable(text, LONGEST) for name, text in vars(violation).items()})
        whose = f"{shown.experiment}, run {shown.run_id}: " if shown.run_id else ""
        told = f"{whose}{shown.table}: {shown.what}. Mend it: {shown.remedy}"
        console.print(f"[red]{escape(told)}[/]", highlight=False, soft_wrap=True)
    if len(violations) > MOST_SHOWN:
        console.print(f"And {len(violations) - MOST_SHOWN} more.", highlight=False)
    rows, checks = sum(line.rows for line in checked), sum(line.checks for line in checked)
    told = f"{len(violations)} do not hold" if violations else "all hold"
    console.print(f"{checks:,} checks on {rows:,} rows and pictures: {told}.", highlight=False)
    return not violations
