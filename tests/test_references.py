"""Figures of a report from a CSV file: added once, replaced where they differ, refused by line, left alone by later runs."""

from pathlib import Path

import pandas
import pytest
from caption_rows import publish_sampling, reference_table, sampling_tables
from heads_rows import publish_heads
from result_files import alter, check_refused, files_beside, query
from rich.console import Console
from typer.testing import CliRunner

from compute import __main__ as command_line
from compute.connection import ResultsError
from compute.data.errors import DataError
from compute.references import add_file, read_references
from compute.results import AddedReferences, add_references, publish

HEADER = "experiment,variant,metric,value,source\n"
GREEDY = "caption_sampling,greedy,BLEU in percent,21.5,my report\n"
SAMPLED = 'caption_sampling,top20_t0.7,BLEU in percent,11,"my report, table 2"\n'
RETRIEVED = "image_text_retrieval,evaluation,image to text median rank,1,my report\n"
ALL = "SELECT variant, value, source FROM reference_result ORDER BY ALL"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results file with one run of greedy sampling and no figures."""
    return publish_sampling(tmp_path, ("greedy",))[0]


def written(folder: Path, *rows: str) -> Path:
    path = folder / "figures.csv"
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return path


def test_figures_are_added_once(results: Path, tmp_path: Path) -> None:
    file = written(tmp_path, GREEDY, SAMPLED, GREEDY, "\n", RETRIEVED)
    missing = (("caption_sampling", "top20_t0.7"), ("image_text_retrieval", "evaluation"))
    assert add_file(file, results) == AddedReferences(3, 0, (), missing)
    assert query(results, ALL) == [("evaluation", 1.0, "my report"), ("greedy", 21.5, "my report"),
                                   ("top20_t0.7", 11.0, "my report, table 2")]  # fmt: skip
    assert add_file(file, results) == AddedReferences(0, 3, (), missing)
    assert query(results, "SELECT count(*) FROM reference_result") == [(3,)]
    assert query(results, "SELECT count(*) FROM caption") == [(4,)]
    assert files_beside(results) == {"results.duckdb", "figures.csv"}


def test_another_value_or_source_replaces_what_was_there(results: Path, tmp_path: Path) -> None:
    add_file(written(tmp_path, GREEDY, SAMPLED), results)
    added = add_file(written(tmp_path, GREEDY.replace("21.5", "22.5"), SAMPLED), results)
    key = ("caption_sampling", "greedy", "BLEU in percent")
    assert (added.new, added.already_there, added.replaced) == (0, 1, ((key, 21.5, 22.5),))
    again = add_file(written(tmp_path, GREEDY.replace("21.5,my", "22.5,your")), results)
    assert (again.new, again.already_there, again.replaced) == (0, 0, ((key, 22.5, 22.5),))
    assert query(results, ALL) == [("greedy", 22.5, "your report"), ("top20_t0.7", 11.0, "my report, table 2")]


def test_a_run_leaves_a_replaced_figure_alone(tmp_path: Path) -> None:
    results, _ = publish_heads(tmp_path, ("linear",))
    assert query(results, ALL)[1] == ("linear", 45.46, "a report, VOC 2012")
    add_file(written(tmp_path, "segmentation_decoder_heads,linear,mIoU in percent,46.5,another report\n"), results)
    publish_heads(tmp_path, ("linear", "transformer"))
    assert query(results, ALL) == [
        ("convolutional", 46.47, "a report, VOC 2012"),
        ("linear", 46.5, "another report"),
        ("transformer", 63.13, "a report, VOC 2012"),
        ("transformer_shared", 64.20, "a report, VOC 2012"),
    ]
    assert query(results, "SELECT count(*) FROM run") == [(2,)]


def test_two_figures_of_one_key_in_a_run_are_refused(results: Path, tmp_path: Path) -> None:
    tables = {**sampling_tables(tmp_path / "images", "top20_t0.1"), "reference_result": reference_table()}

    def tamper(tables: dict) -> None:
        other = tables["reference_result"].assign(value=2.0)
        tables["reference_result"] = pandas.concat([tables["reference_result"], other], ignore_index=True)

    check_refused(results, tmp_path / "images", tables, tamper, "reference_result: rows differ though their experiment")
    tables["reference_result"] = pandas.concat([reference_table()] * 2, ignore_index=True)
    publish(results, tmp_path / "images", tables)
    assert query(results, "SELECT count(*) FROM reference_result") == [(len(reference_table()),)]


REFUSED = [
    ("caption_sampling,greedy,BLEU in percent,21.5\n", "source is empty. Every figure needs experiment, variant, metric,"),
    (",greedy,BLEU in percent,,x\n", "experiment and value is empty. Every figure needs"),
    ("caption_sampling,greedy,BLEU in percent,21,5,x\n", "has more cells than the first line names. Put quotes around a cell"),
    ('caption_sampling,greedy,BLEU in percent,"21,5",x\n', "'21,5' is no number. Write it with a point, such as 46.47"),
    ("caption_sampling,greedy,BLEU in percent,nan,x\n", "'nan' is no number."),
    ("caption_sampling,greedy,BLEU in percent,inf,x\n", "'inf' is no number."),
    ("caption_sampling,greedy,BLEU in percent,101,x\n", "101 is no percentage. Write a number from 0 to 100."),
    ("caption_sampling,greedy,BLEU in percent,-0.5,x\n", "-0.5 is no percentage. Write a number from 0 to 100."),
    ("image_text_retrieval,a,text to image mean rank,0,x\n", "0 is no rank. The first place is 1."),
    ("caption_sampling,greedy,BLEU,21.5,x\n", "'BLEU' is no metric that caption_sampling shows. They are: BLEU in percent."),
    ("captions,greedy,BLEU in percent,21.5,x\n", "no page shows a report's figures for 'captions'. Those that do: segm"),
    (GREEDY.replace("21.5", "22"), "line 2 has the same figure with another value or source. Keep one."),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), REFUSED)
def test_a_row_that_cannot_be_used_is_refused_with_its_line(results: Path, tmp_path: Path, row: str, message: str) -> None:
    before, file = results.read_bytes(), written(tmp_path, GREEDY, row, SAMPLED)
    with pytest.raises(DataError) as caught:
        add_file(file, results)
    assert str(caught.value).startswith(f"{file}, line 3: {message}")
    assert results.read_bytes() == before


def test_files_that_hold_no_figures_are_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"figures.csv: has no rows below its first line\. Expected is a CSV with the columns"):
        read_references(written(tmp_path))
    (tmp_path / "figures.csv").write_text("experiment,value\ncaption_sampling,1\n")
    with pytest.raises(
        DataError, match=r"lacks the column variant and metric and source; its first line names experiment, value"
    ):
        add_file(tmp_path / "figures.csv", results)
    with pytest.raises(DataError, match=r"none.csv: cannot be read \(No such file or directory\)"):
        add_file(tmp_path / "none.csv", results)


def test_results_that_cannot_be_used_are_refused(results: Path, tmp_path: Path) -> None:
    file = written(tmp_path, GREEDY)
    with pytest.raises(ResultsError, match=r"none.duckdb: there is no such file\. Run an experiment first"):
        add_file(file, tmp_path / "none.duckdb")
    assert not (tmp_path / "none.duckdb").exists()
    bad = pandas.DataFrame([("caption_sampling", "greedy", "BLEU in percent", 101.0, "x")], columns=HEADER.strip().split(","))
    before = results.read_bytes()
    with pytest.raises(ResultsError, match="Nothing was written: reference_result: value must be a finite number"):
        add_references(results, bad)
    with pytest.raises(ResultsError, match="Nothing was written: reference_result: rows differ though their"):
        add_references(results, pandas.concat([bad.assign(value=1.0), bad.assign(value=2.0)]))
    assert results.read_bytes() == before
    assert files_beside(results) == {"results.duckdb", "figures.csv"}


def test_a_file_of_an_earlier_release_gets_the_table(results: Path, tmp_path: Path) -> None:
    alter(results, "DROP TABLE reference_result")
    assert add_file(written(tmp_path, GREEDY), results).new == 1
    assert query(results, ALL) == [("greedy", 21.5, "my report")]


def test_the_command_says_what_became_of_the_figures(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "console", Console(width=500))

    def call(*rows: str) -> tuple[int, list[str]]:
        arguments = ["references", str(written(tmp_path, *rows)), "--results", str(results)]
        result = CliRunner().invoke(command_line.app, arguments)
        return result.exit_code, result.output.splitlines()

    assert call(GREEDY, SAMPLED) == (
        0,
        [
            "2 figures added, 0 were there already.",
            "No run of caption_sampling is called top20_t0.7, so no page shows its figures yet.",
        ],
    )
    assert call(GREEDY.replace("21.5", "22.25"), RETRIEVED.replace("evaluation", "[red]")) == (
        0,
        [
            "1 figures added, 0 were there already.",
            "Replaced BLEU in percent of caption_sampling, greedy: 21.5 by 22.25.",
            "No run of image_text_retrieval is called [red], so no page shows its figures yet.",
        ],
    )
    code, [line] = call(GREEDY, GREEDY.replace("21.5", "x"))
    assert (code, line) == (
        1, f"{tmp_path / 'figures.csv'}, line 3: 'x' is no number. Write it with a point, such as 46.47, and without a unit.",
    )  # fmt: skip
