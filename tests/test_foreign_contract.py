"""A file of results that is damaged, or that no program of ours wrote, is refused with its name, what is wrong and a remedy.

Run as a program, this file writes the dashboard's list of columns anew from `compute/schema.py`.
"""

import csv
import io
import random
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program, too

from compute import connection as written
from compute.schema import TABLES
from dashboard.connection import CONTRACT, MOST_ROWS, SETTINGS, Results, ResultsError, open_results

OTHERS = [table for table in TABLES if table not in ("contract", "run")]
SECRET = "the secret of another folder"
# What queries of pages use, so that a macro of the same name would change their figures without a word.
FUNCTIONS = ("sum", "avg", "max", "coalesce", "list_contains", "row_number", "starts_with", "duckdb_views", "duckdb_functions")


def contract() -> str:
    """Every column of every table as CSV: table, column, type, and whether it must hold something in every row."""
    lines = csv.writer(listed := io.StringIO(), lineterminator="\n")
    lines.writerow(["table", "column", "type", "required"])
    with duckdb.connect() as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
            rows = connection.execute(f"DESCRIBE {table}").fetchall()
            lines.writerows([table, name, kind, "yes" if null == "NO" else "no"] for name, kind, null, *_ in rows)
    return listed.getvalue()


def test_the_dashboard_reads_by_the_contract_that_compute_writes_by() -> None:
    assert CONTRACT.read_text(encoding="utf-8") == contract(), "write it anew with: python tests/test_foreign_contract.py"


@pytest.fixture
def file(tmp_path: Path, empty_results: Path) -> Path:
    """A file of results with every table and no trial."""
    return Path(shutil.copy(empty_results, tmp_path / "foreign.duckdb"))


def alter(file: Path, *statements: str) -> None:
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)


def refused_by_the_dashboard(file: Path) -> str:
    with pytest.raises(ResultsError) as caught:
        open_results(file, file.parent)
    told = str(caught.value)
    assert told.startswith(str(file))
    assert "python -m compute run" in told
    assert SECRET not in told
    assert len(told) < 600
    return told


def refused_by_compute(file: Path) -> str:
    before = file.read_bytes()
    with pytest.raises(written.ResultsError) as caught:
        written.finished_trials(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert file.read_bytes() == before
    return str(caught.value)


COLUMNS = list(csv.DictReader(io.StringIO(contract())))
VALUES = {"VARCHAR": "'1'", "TIMESTAMP": "'2026-01-01'", "JSON": "'{}'", "BOOLEAN": "true"}


def values_of(own: dict[str, str], empty: str) -> list[str]:
    """A value for each column, and NULL for one."""
    whole = {name: "[]" if kind.endswith("[]") else VALUES.get(kind, "1") for name, kind in own.items()}
    return list((whole | ({empty: "NULL"} if empty else {})).values())


def with_one_table(file: Path, table: str, columns: dict[str, str], values: list[str]) -> None:
    """A file with one table of ours, which has one row."""
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE contract (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO contract VALUES (1)")
        connection.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join(values)})")


@pytest.mark.parametrize("table", OTHERS)
def test_a_column_of_another_type_is_named(tmp_path: Path, table: str) -> None:
    own = {row["column"]: row["type"] for row in COLUMNS if row["table"] == table}
    last, kind = list(own.items())[-1]
    with_one_table(tmp_path / "foreign.duckdb", table, own | {last: "DATE"}, values_of(own, last))
    assert f"{table}.{last} is of type DATE instead of {kind}" in refused_by_the_dashboard(tmp_path / "foreign.duckdb")


@pytest.mark.parametrize("table", OTHERS)
def test_a_row_without_what_it_must_have_is_named(tmp_path: Path, table: str) -> None:
    own = {row["column"]: row["type"] for row in COLUMNS if row["table"] == table}
    required = [row["column"] for row in COLUMNS if row["table"] == table and row["required"] == "yes"]
    with_one_table(tmp_path / "whole.duckdb", table, own, values_of(own, ""))
    open_results(tmp_path / "whole.duckdb", tmp_path)  # a column that could be empty is none that is
    for name in {required[0], required[-1]}:
        file = tmp_path / f"{name}.duckdb"
        with_one_table(file, table, own, values_of(own, name))
        assert f"{table}.{name} is empty in some rows" in refused_by_the_dashboard(file)


@pytest.mark.parametrize("table", ["contract", "run", "image", "synset", "prediction", "caption", "reference_result", "extra"])
def test_a_view_that_reads_another_file_is_refused_unread(file: Path, table: str) -> None:
    secret = file.parent / "secret.csv"
    secret.write_text(f"version\n{SECRET}\n", encoding="utf-8")
    alter(file, f"DROP TABLE IF EXISTS {table}", f"CREATE VIEW {table} AS SELECT * FROM read_csv('{secret}')")
    told = refused_by_the_dashboard(file)
    assert "cannot be read" in told if table == "contract" else f"it has a view named {table}" in told
    assert SECRET not in refused_by_compute(file)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_macro_in_the_place_of_a_function_is_refused(file: Path, function: str) -> None:
    body = "TABLE SELECT 1 AS view_name WHERE false" if function.startswith("duckdb_") else "42"
    alter(file, f"CREATE MACRO {function}({'' if 'duckdb' in function else 'x'}) AS {body}")
    assert f"it has a macro named {function}" in refused_by_the_dashboard(file)
    assert "has views or macros, which no program of ours writes" in refused_by_compute(file)


def test_a_macro_would_stand_in_for_a_function(file: Path) -> None:
    """Why macros are refused: DuckDB itself asks the file first."""
    alter(file, "CREATE MACRO sum(x) AS 42")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{file}' AS results (READ_ONLY)")
        connection.execute("USE results")
        assert connection.execute("SELECT sum(version) FROM contract").fetchall() == [(42,)]


@pytest.mark.parametrize("kept", [0, 1, 8, 100, 4096, 8192, 12288, 12289, 20_000, 65_536, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_refused(file: Path, kept: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert "cannot be read as Contrast's results" in refused_by_the_dashboard(file)
    assert "is no readable DuckDB file" in refused_by_compute(file) or kept == 0


@pytest.mark.parametrize("seed", range(25))
def test_changed_bytes_are_refused_or_change_nothing_that_is_read(file: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(file.read_bytes())
    for _ in range(1 + seed % 5):
        content[chance.randrange(len(content) if seed % 2 else 12_288)] ^= 1 << chance.randrange(8)
    file.write_bytes(content)
    for use, error in (
        (lambda: open_results(file, file.parent), ResultsError),
        (lambda: written.finished_trials(file), written.ResultsError),
    ):
        with suppress(error):  # and nothing else is raised
            use()


@pytest.mark.parametrize(("versions", "told"), [((0,), "older"), ((2,), "newer"), ((2**31 - 1,), "newer"), ((), "unknown"), ((1, 2), "version")])  # fmt: skip # noqa: E501
def test_another_version_is_named(file: Path, versions: tuple[int, ...], told: str) -> None:
    alter(file, "DELETE FROM contract", *(f"INSERT INTO contract VALUES ({version})" for version in versions))
    with pytest.raises(ResultsError, match=told):
        open_results(file, file.parent)
    assert "has tables of version" in refused_by_compute(file)


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "ATTACH '{folder}/other.duckdb'",
        "COPY (SELECT 1) TO '{folder}/written.csv'",
        "EXPORT DATABASE '{folder}/written'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "RESET lock_configuration",
        "CREATE SECRET (TYPE s3)",
        "INSERT INTO contract VALUES (2)",
        "DROP TABLE run",
        "SELECT * FROM duckdb_secrets(redact := false) UNION ALL SELECT error('no')",
    ],
)
def test_no_statement_leads_out_of_the_file(file: Path, question: str) -> None:
    secret = file.parent / "secret.csv"
    secret.write_text(SECRET, encoding="utf-8")
    before, there = file.read_bytes(), set(file.parent.iterdir())
    with pytest.raises(ResultsError) as caught:
        open_results(file, file.parent).query(question.format(secret=secret, folder=file.parent))
    assert SECRET not in str(caught.value)
    assert (file.read_bytes(), set(file.parent.iterdir())) == (before, there)


def limited(file: Path, **settings: str) -> Results:
    """The results of a file under smaller limits than the dashboard's own, with which a test would take too long."""
    connection = duckdb.connect(":memory:", config=SETTINGS | settings)
    connection.execute(f"ATTACH '{file}' AS results (READ_ONLY)")
    return Results(file, file.parent, "test", [connection])


def test_a_question_that_takes_too_long_is_stopped(file: Path) -> None:
    assert int(SETTINGS["max_execution_time"]) <= 60_000
    slow = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(100000) b"
    with pytest.raises(ResultsError, match="Choose less, or look at a smaller file"):
        limited(file, max_execution_time="100").query(slow)


def test_a_question_that_needs_too_much_memory_is_stopped(file: Path) -> None:
    large = "SELECT count(*) FROM (SELECT DISTINCT a.range * 1000 + b.range FROM range(20000) a, range(1000) b)"
    with pytest.raises(ResultsError, match="Choose less, or look at a smaller file"):
        limited(file, memory_limit="50MB").query(large)


def test_an_answer_of_too_many_rows_is_refused_before_it_fills_the_memory(file: Path) -> None:
    with pytest.raises(ResultsError, match=f"more than the {MOST_ROWS:,} rows"):
        open_results(file, file.parent).query("FROM range(1000000000000)")


if __name__ == "__main__":
    CONTRACT.write_text(contract(), encoding="utf-8")
