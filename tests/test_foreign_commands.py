"""The commands on files from anyone: a message that names the file, a code other than 0, and never a traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from compute.__main__ import app
from dashboard import report
from dashboard.connection import ResultsError

SECRET = "the secret of another folder"


def sql(*statements: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with duckdb.connect(str(file)) as connection:
            for statement in statements:
                connection.execute(statement.format(folder=file.parent))

    return change


SPOILT: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("no database" * 1000),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:20_000]),
    "picture": lambda file: file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(10_000)),
    "newer": sql("UPDATE contract SET version = 99"),
    "no contract": sql("DROP TABLE contract"),
    "no runs": sql("DROP TABLE run"),
    "contract of another program": sql("DROP TABLE contract", "CREATE TABLE contract (terms VARCHAR)"),
    "run is a view of a file": sql("DROP TABLE run", "CREATE VIEW run AS SELECT * FROM read_csv('{folder}/secret.csv')"),
    "contract is a view of a file": sql("DROP TABLE contract", "CREATE VIEW contract AS FROM read_csv('{folder}/secret.csv')"),
    "image is a view of a file": sql("DROP TABLE image", "CREATE VIEW image AS SELECT * FROM read_text('{folder}/secret.csv')"),
}


@pytest.fixture(params=SPOILT)
def foreign(request: pytest.FixtureRequest, tmp_path: Path, empty_results: Path) -> Path:
    """A file that is no whole file of results, beside one with a secret."""
    (tmp_path / "secret.csv").write_text(f"version\n{SECRET}\n", encoding="utf-8")
    file = Path(shutil.copy(empty_results, tmp_path / "foreign.duckdb"))
    SPOILT[request.param](file)
    return file


def told(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "500"})
    assert result.exit_code == 1, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    assert SECRET not in result.output
    return result.output


def test_list_refuses_it(foreign: Path) -> None:
    assert str(foreign) in told("list", "--results", foreign)


def test_references_refuses_it_and_leaves_it_as_it_was(foreign: Path) -> None:
    before = foreign.read_bytes()
    figures = foreign.parent / "figures.csv"
    figures.write_text(
        "experiment,variant,metric,value,source\ncaption_sampling,greedy,BLEU in percent,1.0,a report\n", encoding="utf-8"
    )
    assert str(foreign) in told("references", figures, "--results", foreign)
    assert foreign.read_bytes() == before


def test_merge_refuses_it_and_leaves_ours_as_it_was(foreign: Path, empty_results: Path) -> None:
    ours = Path(shutil.copy(empty_results, foreign.parent / "ours.duckdb"))
    before = ours.read_bytes()
    assert str(foreign) in told("merge", foreign, "--results", ours)
    assert ours.read_bytes() == before


def test_merge_into_it_is_refused(foreign: Path, empty_results: Path) -> None:
    before = foreign.read_bytes()
    assert str(foreign) in told("merge", empty_results, "--results", foreign)
    assert foreign.read_bytes() == before


@pytest.mark.parametrize("foreign", [kind for kind in SPOILT if kind != "no runs"], indirect=True)
def test_no_report_is_written_of_it(foreign: Path) -> None:
    with pytest.raises(ResultsError, match=r"foreign\.duckdb") as caught:
        report.write(foreign, foreign.parent, foreign.parent / "report.html")
    assert SECRET not in str(caught.value)
    assert not (foreign.parent / "report.html").exists()


REFUSED = {
    "missing column": "experiment,variant,metric,value\na,b,c,1\n",
    "no header": "a,b,c,1,d\n",
    "empty": "",
    "not a number": "experiment,variant,metric,value,source\na,b,c,many,d\n",
    "infinite": "experiment,variant,metric,value,source\na,b,c,inf,d\n",
    "nan": "experiment,variant,metric,value,source\na,b,c,nan,d\n",
    "binary": "\x00\x01\x02\x00",
    "one long line": "a" * 2_000_000,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_figures_that_are_none_are_refused(tmp_path: Path, empty_results: Path, kind: str) -> None:
    ours = Path(shutil.copy(empty_results, tmp_path / "ours.duckdb"))
    before = ours.read_bytes()
    (tmp_path / "figures.csv").write_text(REFUSED[kind], encoding="utf-8")
    assert str(tmp_path / "figures.csv") in told("references", tmp_path / "figures.csv", "--results", ours)
    assert ours.read_bytes() == before


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\xd8", b"\x80\x81\x82", b"\xef\xbb\xbf\xff", bytes(range(256)) * 10])
def test_figures_in_a_broken_encoding_are_refused(tmp_path: Path, empty_results: Path, content: bytes) -> None:
    ours = Path(shutil.copy(empty_results, tmp_path / "ours.duckdb"))
    (tmp_path / "figures.csv").write_bytes(b"experiment,variant,metric,value,source\n" + content)
    told("references", tmp_path / "figures.csv", "--results", ours)
