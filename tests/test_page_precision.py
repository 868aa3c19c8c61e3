"""The page fp32_vs_fp16, run without a browser: every view, with only some trials, without tables, and on foreign rows."""

import csv
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from opened_pages import charts, figures, open_page, tables, words
from precision_rows import DATASET, publish_precisions, trial_tables
from synset_rows import publish_hierarchy

from compute.results import publish
from dashboard.app_pages import fp32_vs_fp16
from dashboard.connection import CONTRACT, open_results

PAGE = "fp32_vs_fp16"
VIEWS = [
    {},
    {"view": "time", "batch": "8"},
    {"view": "drift"},
    {"view": "drift", "image": f"{DATASET}/4"},
    {"view": "picture by picture", "pictures": "one per class", "precision": "bf16", "sort": "smallest margin"},
    {"pictures": "first five", "show": "flips only", "image": f"{DATASET}/4"},
    {"view": "where it arises"},
    {"view": "memory", "precision": "bf16"},
    {"image": f"{DATASET}/4"},
]
# Each table with a view that asks for it, and what that view says without the table's rows.
USES = [
    ("latency", "time", "No pass has been timed."),
    ("device_rate", "time", "The device’s rates were not measured for this batch."),
    ("encoder_work", "time", "The device’s rates were not measured for this batch."),
    ("precision_drift", "drift", "No picture’s answers have been compared."),
    ("precision_drift", "picture by picture", "No picture’s answers have been compared."),
    ("prediction", "drift", "**It cannot be tested**"),
    ("layer_drift", "drift", "of its size; the largest change of a probability is 0.0061"),
    ("layer_drift", "where it arises", "These results hold no errors of single layers."),
    ("parameter_precision", "where it arises", "These results do not list the model’s tensors."),
    ("parameter_precision", "memory", "A number takes 2 bytes instead of 4."),
    ("memory", "memory", "batch 8 · torch"),
    ("memory_peak", "memory", "At its peak a pass holds **0.53** of fp32’s memory"),
]
# Columns that a file of somebody else's may lack numbers or texts in, by the view that asks for them.
FOREIGN = {
    "time": {
        "latency": ["precision", "batch_size", "repetition", "clock", "milliseconds"],
        "device_rate": ["precision", "kind", "per_second"],
        "encoder_work": ["precision", "batch_size", "operations", "bytes"],
        "run": ["threads", "device", "torch", "python", "started_at", "variant", "settings"],
    },
    "drift": {
        "precision_drift": ["ordinal", "largest_change", "changed_class", "margin", "encoder_change", "kl_divergence",
                            "top1_flip", "top5_changes", "top5_left", "label_change", "wnid"],
        "prediction": ["ordinal", "label_rank", "label_probability", "top5", "margin"],
    },
    "where it arises": {
        "layer_drift": ["relative_error", "own_error", "largest_value", "below_normal", "layer", "ordinal"],
        "parameter_precision": ["part", "name", "kind", "data_type", "elements"],
    },
    "memory": {
        "memory": ["precision", "batch_size", "moment", "layer", "category", "milliseconds", "mebibytes"],
        "memory_peak": ["precision", "batch_size", "measure", "mebibytes"],
    },
}  # fmt: skip
FOREIGN["picture by picture"] = FOREIGN["drift"]
UNFIT = {
    **dict.fromkeys(("FLOAT", "DOUBLE"), ("nan", "inf", "-inf", "-1")),
    **dict.fromkeys(("INTEGER", "BIGINT"), ("0", "-1")),
    "VARCHAR": ("",),
}
OF_PICTURES = ("drift", "picture by picture")
NO_DRIFT = {
    **dict.fromkeys(
        OF_PICTURES, "“fp16” has not run here yet. If its outputs overflow, it stops with a message and leaves nothing here."
    ),
    "where it arises": "No layer’s output",
}
MALFORMED = [
    {"data": "x", "precision": "'; DROP TABLE run", "pictures": "9", "view": "y", "image": "<b>none</b>"},
    {"view": "picture by picture", "sort": "z", "show": "<script>", "page": "-7"},
    {"page": "99999"},
    {"view": "time", "batch": "7", "clock": "sundial"},
]


@pytest.fixture(scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("precisions")
    publish_precisions(folder)
    return folder


@pytest.fixture
def files(tmp_path: Path, _published: Path) -> tuple[Path, Path]:
    """A copy of the results of all trials, and of their images."""
    shutil.copytree(_published, tmp_path / "copied")
    return tmp_path / "copied" / "results.duckdb", tmp_path / "copied" / "images"


@pytest.mark.parametrize("query", [*VIEWS, *MALFORMED])
def test_every_view_is_drawn_whatever_the_address_says(monkeypatch, files, query):
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == fp32_vs_fp16.QUESTION


def test_the_answer_is_computed_from_the_rows(monkeypatch, files):
    shown = words(open_page(monkeypatch, *files, PAGE))
    assert "fp16 (emulated) changes the first answer on **1 of 14** pictures" in shown
    assert "no probability by more than **0.0061**." in shown
    assert "No effect on accuracy was shown (-0.071 [-0.233, +0.108])" in shown
    assert "fp16 takes **3.91 [" in shown
    assert "At its peak a pass holds **0.53** of fp32’s memory" in shown
    shown = words(open_page(monkeypatch, *files, PAGE, precision="bf16", pictures="first five"))
    assert "bf16 (emulated) changes the first answer on **1 of 5** pictures" in shown
    assert "bf16 encodes one picture **2.05" in shown


@pytest.mark.parametrize(
    "query, told",
    [
        ({"view": "time", "batch": "8"}, ["2 threads · wall clock · batch 8 · torch 2", "2 threads · wall clock · torch 2"]),
        ({"view": "drift"}, ["**fp16 is emulated here**"]),
        ({"view": "where it arises"}, ["**fp16 is emulated here**"]),
        ({"view": "memory"}, ["2 threads · batch 8 · torch 2"]),
    ],
)
def test_every_figure_says_where_it_was_measured(monkeypatch, files, query, told):
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert all(place in words(app) for place in told)
    measured = [caption.value for caption in app.caption if "Measured on" in caption.value]
    assert len(measured) == (3 if query["view"] == "time" else 1)  # of the time its repetitions, cost by batch, and limits
    assert all(re.search(r"CPU.* · 2 threads · .*torch 2.* · Python 3", caption.replace("\\", "")) for caption in measured)


def test_the_headline_names_the_place_of_drift_times_and_memory(monkeypatch, files, tmp_path):
    one_place = "2 threads · torch 2 · Python 3.11: drift (14 pictures, one seed, emulated arithmetic), times ("
    shown = words(open_page(monkeypatch, *files, PAGE)).replace("\\", "")
    assert one_place in shown
    assert "native arithmetic, wall clock), memory. In brackets 95 % intervals. Profile **mini**" in shown
    other = Path(shutil.copy(files[0], tmp_path / "other.duckdb"))
    with duckdb.connect(str(other)) as connection:
        connection.execute("UPDATE run SET device = 'NVIDIA H100', threads = 1 WHERE variant = 'memory'")
    shown = words(open_page(monkeypatch, other, files[1], PAGE)).replace("\\", "")
    assert "wall clock). On NVIDIA H100 · 1 thread · torch 2 · Python 3.11: memory. In brackets" in shown


@pytest.mark.parametrize(
    "variants, missing",
    [
        (("fp32", "fp16"), {"time": "No pass has been timed", "memory": "No pass’s memory has been recorded"}),
        (("latency",), {"memory": "No pass’s memory", **NO_DRIFT}),
        (("memory",), {"time": "No pass has been timed", **NO_DRIFT}),
        (("fp32",), {"time": "No pass has been timed", "memory": "No pass’s memory", **NO_DRIFT}),
    ],
)
def test_with_some_trials_each_tab_says_what_is_missing_and_the_command(monkeypatch, tmp_path, variants, missing):
    file, images = publish_precisions(tmp_path, variants)
    for view in fp32_vs_fp16.VIEWS:
        app = open_page(monkeypatch, file, images, PAGE, view=view, image=f"{DATASET}/4")
        assert not app.exception
        assert not app.error
        shown = words(app)
        if view in missing:
            assert missing[view] in shown
            assert "python -m compute run fp32_vs_fp16" in shown
        else:
            assert "has not run here yet" not in shown


def test_findings_of_what_there_is(files, tmp_path):
    [finding] = fp32_vs_fp16.findings(open_results(*files))
    assert "**1 of 14** pictures" in finding.sentence
    assert finding.data == "Fourteen · mini"
    assert finding.pictures[0].cells[0].caption.startswith("construction crane: 0.0061")
    [timed] = fp32_vs_fp16.findings(open_results(*publish_precisions(tmp_path / "timed", ("latency",))))
    assert timed.sentence.startswith("fp16 takes **3.91")
    assert timed.data == "timings only · mini"
    assert fp32_vs_fp16.findings(open_results(*publish_precisions(tmp_path / "one", ("fp32",)))) == []


def test_without_labels_there_is_no_picture_of_a_class(monkeypatch, files):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE precision_drift SET wnid = NULL, label_change = NULL")
    for view in fp32_vs_fp16.VIEWS:
        app = open_page(monkeypatch, *files, PAGE, view=view, pictures="one per class")
        assert not app.exception
        assert ("Largest change of a probability", "–", "no such pictures") in figures(app)
        assert "changes the first answer" not in words(app)


@pytest.mark.parametrize("only_lower, told", [(0, "is **less** often right"), (7, "No effect on accuracy was shown")])
def test_the_headline_names_the_effect_on_accuracy(monkeypatch, files, only_lower, told):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE prediction SET label_rank = 1")
        connection.execute("UPDATE prediction SET label_rank = 2 WHERE run_id = 'run-fp16' AND ordinal <= 7")
        connection.execute(f"UPDATE prediction SET label_rank = 2 WHERE run_id = 'run-fp32' AND ordinal > {14 - only_lower}")
    [headline] = [line for line in words(open_page(monkeypatch, *files, PAGE)).split("\n") if line.startswith("## ")]
    assert told in headline


def test_native_arithmetic_is_not_called_emulated(monkeypatch, tmp_path):
    file, images = tmp_path / "results.duckdb", tmp_path / "images"
    for variant in ("fp32", "fp16"):
        tables = trial_tables(images, variant)
        publish(file, images, tables | {"run": tables["run"].assign(settings='{"arithmetic": "native"}')})
    shown = words(open_page(monkeypatch, file, images, PAGE, view="drift"))
    assert "emulated here" not in shown
    assert "fp16 is the device’s own arithmetic" in shown


def test_without_runs_the_page_says_which_command_makes_some(monkeypatch, tmp_path):
    file, images = publish_hierarchy(tmp_path)
    with duckdb.connect(str(file)) as connection:
        for table in ("precision_drift", "latency", "memory", "prediction"):
            connection.execute(f"DROP TABLE {table}")  # as in a file of an earlier release
    app = open_page(monkeypatch, file, images, PAGE)
    assert not app.exception
    assert not app.error
    assert "python -m compute run fp32_vs_fp16" in words(app)
    assert fp32_vs_fp16.findings(open_results(file, images)) == []


@pytest.mark.parametrize("table, view", [use[:2] for use in USES])
def test_a_missing_table_is_a_message_and_no_traceback(monkeypatch, files, table, view):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute(f"DROP TABLE {table}")
    app = open_page(monkeypatch, *files, PAGE, view=view)
    assert not app.exception
    assert app.error
    assert all(table in error.value.replace("\\", "") for error in app.error)


@pytest.mark.parametrize("table, view, told", USES)
def test_missing_rows_are_said_to_be_missing(monkeypatch, files, table, view, told):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute(f"DELETE FROM {table}")
    app = open_page(monkeypatch, *files, PAGE, view=view)
    assert not app.exception
    assert not app.error
    assert told in words(app)


@pytest.mark.parametrize("query", [*VIEWS, {"view": "picture by picture", "page": "2"}])
def test_hostile_rows_are_shown_as_text(monkeypatch, files, query):
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** :red[x] $y$ " + "long" * 3000
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE dataset SET name = ?", [nasty])
        connection.execute("UPDATE image SET path = '../results.duckdb', author = ?, license = ?, style = ?", [nasty] * 3)
        connection.execute("UPDATE run SET device = ?, torch = ?, python = ?, profile = ?", [nasty] * 4)
        connection.execute("UPDATE run SET variant = ? WHERE variant = 'bf16'", [nasty])
        connection.execute("UPDATE run SET settings = json_object('arithmetic', ?) WHERE variant = 'fp16'", [nasty])
        for table in ("latency", "memory", "memory_peak", "device_rate", "encoder_work"):
            connection.execute(f"UPDATE {table} SET precision = ? WHERE precision = 'bf16'", [nasty])
        connection.execute("UPDATE latency SET clock = ? WHERE repetition > 10", [nasty])
        connection.execute("UPDATE memory SET layer = ?, category = ? WHERE category = 'temporary'", [nasty] * 2)
        connection.execute("UPDATE memory_peak SET measure = ? WHERE measure = 'process peak'", [nasty])
        connection.execute("UPDATE layer_drift SET layer = ? WHERE layer = 'logits'", [nasty])
        connection.execute("UPDATE parameter_precision SET name = ?, kind = ?, part = ?", [nasty] * 3)
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert "<script>" not in words(app)


@pytest.mark.parametrize(
    "view, table, column",
    [(view, table, column) for view, tables in FOREIGN.items() for table, columns in tables.items() for column in columns],
)
def test_what_compute_never_writes_leaves_the_page_standing(monkeypatch, files, view, table, column):
    spoil(files[0], table, column)
    app = open_page(monkeypatch, *files, PAGE, view=view, **({"image": f"{DATASET}/4"} if view in OF_PICTURES else {}))
    assert not app.exception
    assert not app.error
    assert not re.search(r"\b(nan|inf|NaT)\b", words(app))


def spoil(file: Path, table: str, column: str) -> None:
    """Leave two of every seven rows of a table as they are; in the rest make a column unfit.

    That is NULL, where a file with it is not refused as a whole, an empty text, or a number that none can be.
    """
    with CONTRACT.open(encoding="utf-8", newline="") as contract:
        required = {(row["table"], row["column"]) for row in csv.DictReader(contract) if row["required"] == "yes"}
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TABLE spoilt AS SELECT * FROM {table}")  # without its constraints
        if (table, column) not in required:
            connection.execute(f"UPDATE spoilt SET {column} = NULL WHERE rowid % 7 > 1")
        [(data_type,)] = connection.execute(f"SELECT DISTINCT typeof({column}) FROM {table}").fetchall()
        for remainder, value in enumerate(UNFIT.get(data_type, ()), start=3):
            connection.execute(f"UPDATE spoilt SET {column} = '{value}' WHERE rowid % 7 = {remainder}")
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE spoilt RENAME TO {table}")


@pytest.mark.parametrize("column", ["largest_change", "margin", "encoder_change", "kl_divergence"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_drift_that_is_no_number_counts_nowhere(files, column, value):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute(f"UPDATE precision_drift SET {column} = '{value}' WHERE ordinal <= 5")
    [finding] = fp32_vs_fp16.findings(open_results(*files))
    assert "changes the first answer on **0 of 9** pictures (0.0 [0.0, 29.9] %)" in finding.sentence
    assert finding.sentence.endswith("no probability by more than **5.2 × 10⁻⁴**.")


def test_pictures_of_one_number_are_shown_once(files):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE precision_drift SET ordinal = 4")
    [finding] = fp32_vs_fp16.findings(open_results(*files))
    assert len(finding.pictures[0].cells) == 1


def test_a_range_that_is_unknown_is_not_called_too_small(monkeypatch, files):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE layer_drift SET largest_value = 'nan' WHERE ordinal = 1")
    shown = words(open_page(monkeypatch, *files, PAGE, view="drift"))
    assert "**Why**: rounding to fp16" in shown
    assert "After every stage" not in shown


@pytest.mark.parametrize(
    "view, statement, told",
    [
        ("time", "INSERT INTO latency SELECT 'run-latency', 'fp32', 1, i, 'wall', 2 + i / 1e6 FROM range(21, 200000) t(i)",
         "The first 1,000 of each."),
        ("time", """INSERT INTO latency SELECT 'run-latency', concat('p', i), 1 + i, 1, concat('c', i), 1
                    FROM range(5000) t(i)""", "Every repetition"),
        ("memory", """INSERT INTO memory SELECT 'run-memory', concat('p', i), 8, j, j, 'stem', 'inputs', 1
                      FROM range(200) t(i), range(1, 500) u(j)""", ">p10</text>"),
        ("memory", """INSERT INTO memory_peak SELECT 'run-memory', concat('p', i), 8, concat('m', i), 1
                      FROM range(5000) t(i)""", "At the peak"),
        ("picture by picture", "UPDATE precision_drift SET ordinal = 4; UPDATE prediction SET ordinal = 4",
         "Below each picture the five first answers"),
        ("where it arises", """INSERT INTO layer_drift SELECT 'run-fp16', 'x', 5, concat('layer', i), 1e-3, 1e-3, 1, 0
                               FROM range(5000) t(i)""", "Error after each layer"),
        ("where it arises", """INSERT INTO parameter_precision SELECT 'run-fp16', i, concat('part', i), 'n', 'k', 'float32',
                                      1, 0 FROM range(10, 5000) t(i)""", "What stays in fp32"),
    ],
)  # fmt: skip
def test_more_rows_than_a_page_can_draw_are_cut(monkeypatch, files, view, statement, told):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute(statement)
    app = open_page(monkeypatch, *files, PAGE, view=view, **({"image": f"{DATASET}/4"} if view in OF_PICTURES else {}))
    assert not app.exception
    assert not app.error
    assert told in words(app) + "".join(chart["svg"] for chart in charts(app))
    assert len(words(app)) < 20_000
    assert len(charts(app)) <= 6
    assert all(len(table) <= 1000 for table in tables(app))


def test_pictures_that_are_gone_leave_the_page_standing(monkeypatch, files):
    shutil.rmtree(files[1])
    for query in ({"view": "picture by picture"}, {"view": "drift", "image": f"{DATASET}/4"}):
        app = open_page(monkeypatch, *files, PAGE, **query)
        assert not app.exception
        assert not app.error


def test_a_picture_that_is_not_there_is_named(monkeypatch, files):
    app = open_page(monkeypatch, *files, PAGE, image="<b>none</b>")
    assert "holds no picture" in app.warning[0].value


def test_an_opened_picture_shows_both_whole_answers(monkeypatch, files):
    app = open_page(monkeypatch, *files, PAGE, view="drift", image=f"{DATASET}/4")
    found = [table for table in tables(app) if "rank, fp16" in table]
    assert [table["class"].tolist()[:2] for table in found] == [["construction crane", "sofa"]]
    assert found[0]["rank, fp16"].tolist()[:2] == ["2", "1"]
