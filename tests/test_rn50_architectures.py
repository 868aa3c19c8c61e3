"""The two RN50 encoders: their rows against known totals and an independent count, and the page that is made of them."""

import io
import json
import shutil
from collections import Counter
from xml.etree import ElementTree

import duckdb
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from opened_pages import cards, figures
from result_files import alter
from rich.console import Console
from test_pages import open_page, words
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from compute.experiments import rn50_architectures as experiment
from compute.merge import merge
from compute.models.layer_table import layers_of
from compute.trials import run_trials
from dashboard.components.markup import as_html
from dashboard.connection import open_results
from dashboard.views import architecture_comparison as comparison
from dashboard.views.architecture_comparison import DIFFERENT, RESIZED, SAME, Layer, Pair, align, short
from dashboard.views.architecture_drawing import drawing
from dashboard.views.architecture_tables import differences, layer_table, stage_table

PAGE = "rn50_architectures"
KNOWN = {"torchvision_rn50": (25_557_032, 4_089_184_256), "clip_rn50": (38_316_896, 5_793_153_024)}
IMAGE_SIZE_PX = 224


def run_into(folder, force=False):
    console = Console(file=io.StringIO())
    arguments = folder / "results.duckdb", folder / "images", folder / "cache", torch.device("cpu"), force, console
    return run_trials(experiment.trials("mini", 7), *arguments)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("architectures")
    assert run_into(folder).finished == 2
    return folder


@pytest.fixture
def results_file(tmp_path, published):
    """A copy that a test may change."""
    return shutil.copyfile(published / "results.duckdb", tmp_path / "results.duckdb")


@pytest.fixture(scope="module")
def rows(published):
    """All rows of the table, with the variant of their run."""
    with duckdb.connect(str(published / "results.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT * FROM model_layer JOIN run USING (run_id) ORDER BY variant, ordinal").df()


@pytest.fixture(scope="module")
def stages(published):
    return comparison.encoder_stages(open_results(published / "results.duckdb", published))


def of(rows, variant):
    return rows[rows.variant == variant].set_index("name")


# The experiment


@pytest.mark.parametrize("variant", KNOWN)
def test_totals_are_the_known_ones_and_those_of_the_module(rows, variant):
    encoder = of(rows, variant)
    module = experiment.ENCODERS[variant].build(IMAGE_SIZE_PX)
    parameters, multiply_adds = KNOWN[variant]
    assert encoder.parameters.sum() == parameters == sum(parameter.numel() for parameter in module.parameters())
    assert encoder.multiply_adds.sum() == multiply_adds
    assert set(encoder.parameters_1) == {parameters}  # of the table run
    assert set(encoder.seed) == {0}


@pytest.mark.parametrize("variant", KNOWN)
def test_multiply_adds_are_half_of_the_operations_that_torch_counts(rows, variant):
    module = experiment.ENCODERS[variant].build(IMAGE_SIZE_PX).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, IMAGE_SIZE_PX, IMAGE_SIZE_PX))
    assert 2 * of(rows, variant).multiply_adds.sum() == counter.get_total_flops()
    by_module = {name.partition(".")[2]: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    encoder = of(rows, variant)
    counted = encoder[encoder.multiply_adds > 0]
    if variant == "clip_rn50":
        assert by_module["attnpool"] == 2 * counted.multiply_adds["attnpool"]
    for name, multiply_adds in counted.multiply_adds.items():
        assert by_module[name] == 2 * multiply_adds, name


def test_rows_that_were_worked_out_by_hand(rows):
    theirs, clips = of(rows, "torchvision_rn50"), of(rows, "clip_rn50")
    columns = ["stage", "kind", "detail", "output_shape", "parameters", "multiply_adds"]
    stem = ["stem", "convolution", "7x7, 3→64, stride 2", "64x112x112", 7 * 7 * 3 * 64, 112 * 112 * 64 * 3 * 49]
    assert theirs.loc["conv1", columns].tolist() == stem
    assert stem[-1] == 118_013_952
    norm = ["stem", "batch norm", "64 channels", "64x112x112", 128, 0]
    assert theirs.loc["bn1", columns].tolist() == norm
    strided = ["stage 2", "convolution", "3x3, 128→128, stride 2", "128x28x28", 9 * 128 * 128, 28 * 28 * 9 * 128 * 128]
    assert theirs.loc["layer2.0.conv2", columns].tolist() == strided
    full = ["stage 2", "convolution", "3x3, 128→128", "128x56x56", 9 * 128 * 128, 56 * 56 * 9 * 128 * 128]
    assert clips.loc["layer2.0.conv2", columns].tolist() == full
    assert theirs.loc["fc", columns].tolist() == ["head", "linear", "2048→1000", "1000", 2_049_000, 2_048_000]
    assert theirs.loc["maxpool", columns].tolist() == ["stem", "max pooling", "3x3, stride 2", "64x56x56", 0, 0]
    assert theirs.loc["avgpool", columns].tolist() == ["head", "average pooling", "all to 1x1", "2048x1x1", 0, 0]
    assert clips.loc["avgpool", columns].tolist() == ["stem", "average pooling", "2x2, stride 2", "64x56x56", 0, 0]
    pool = clips.loc["attnpool"]
    assert pool[["kind", "detail", "output_shape"]].tolist() == [
        "attention pooling",
        "50 tokens, 32 heads, 2048→1024",
        "1024",
    ]
    assert pool.parameters == 3 * (2048 * 2048 + 2048) + 2048 * 1024 + 1024 + 50 * 2048
    # One query, 50 keys, 50 values; 50 products and as many weighted values of 2048; the last projection.
    assert pool.multiply_adds == 101 * 2048 * 2048 + 2 * 50 * 2048 + 2048 * 1024


def test_every_call_has_a_row_in_the_order_of_the_stages(rows):
    kinds = rows.groupby("variant").kind.value_counts()
    assert kinds["torchvision_rn50"].to_dict() == {
        "convolution": 53, "batch norm": 53, "ReLU": 49, "max pooling": 1, "average pooling": 1, "linear": 1,
    }  # fmt: skip
    assert kinds["clip_rn50"].to_dict() == {
        "convolution": 55, "batch norm": 55, "ReLU": 51, "average pooling": 8, "attention pooling": 1,
    }  # fmt: skip
    for variant in KNOWN:
        encoder = rows[rows.variant == variant]
        assert encoder.ordinal.tolist() == list(range(1, len(encoder) + 1))
        assert encoder.stage.drop_duplicates().tolist() == ["stem", "stage 1", "stage 2", "stage 3", "stage 4", "head"]
    assert (rows.name == "layer3.4.relu").sum() == 3  # torchvision's blocks call theirs three times


def test_a_module_that_is_called_twice_has_two_rows_and_its_parameters_once():
    shared = nn.Conv2d(4, 4, 3, padding=1, groups=2)
    model = nn.Sequential(shared, nn.Identity(), nn.ReLU(), shared)
    found = layers_of(model, torch.zeros(1, 4, 5, 6))
    assert [(layer.kind, layer.parameters, layer.multiply_adds) for layer in found] == [
        ("convolution", 9 * 2 * 4 + 4, 30 * 9 * 2 * 4),
        ("ReLU", 0, 0),
        ("convolution", 0, 30 * 9 * 2 * 4),
    ]
    assert found[0].output_shape == (4, 5, 6)
    assert not shared._forward_hooks  # nothing stays behind


def test_an_unknown_kind_of_layer_is_an_error_that_names_it():
    with pytest.raises(TypeError, match="Dropout"):
        layers_of(nn.Sequential(nn.Dropout()), torch.zeros(1, 3, 4, 4))


def test_a_finished_encoder_does_not_run_again(published):
    outcome = run_into(published)
    assert (outcome.finished, outcome.already_there, outcome.failed) == (0, 2, ())


# The comparison


def test_stages_add_up_to_the_encoders(stages, rows):
    for position, (parameters, multiply_adds) in enumerate(KNOWN.values()):
        assert sum(stage.parameters[position] for stage in stages) == parameters
        assert sum(topic.multiply_adds[position] for topic in comparison.topics(stages)) == multiply_adds
        assert sum(stage.layer_counts[position] for stage in stages) == len(of(rows, list(KNOWN)[position]))
    # The blocks of all four stages have the same weights; what is added are the stem's convolutions and the head.
    assert [stage.parameters[1] - stage.parameters[0] for stage in stages] == [19_232, 0, 0, 0, 0, 14_789_632 - 2_049_000]
    assert [stage.outputs() for stage in stages[:2]] == [("64x56x56",) * 2, ("256x56x56",) * 2]


def test_what_differs_is_found_and_nothing_else(stages):
    pairs = [pair for stage in stages for pair in stage.pairs]
    different = [
        tuple(layer and layer.name for layer in (pair.first, pair.second)) for pair in pairs if pair.status == DIFFERENT
    ]
    halvings = [
        (here, f"layer{stage}.0.{name}")
        for stage in (2, 3, 4)
        for here, name in (
            (f"layer{stage}.0.conv2", "conv2"),
            (None, "avgpool"),
            (None, "downsample.-1"),
            (f"layer{stage}.0.downsample.0", "downsample.0"),
        )
    ]
    stem = [("conv1", "conv1"), *((None, name) for name in ("bn1", "relu1", "conv2", "bn2", "relu2", "conv3"))]
    assert different == [
        *stem,
        ("maxpool", "avgpool"),
        (None, "layer1.0.downsample.-1"),
        *halvings,
        ("avgpool", "attnpool"),
        ("fc", None),
    ]
    resized = [pair.second.name for pair in pairs if pair.status == RESIZED]
    assert resized == [f"layer{stage}.0.{name}" for stage in (2, 3, 4) for name in ("bn2", "relu2")]
    assert comparison.whole(stages).same == 148
    assert comparison.described(comparison.topics(stages)[1], 1) == ["3 × convolution 3x3", "3 × average pooling 2x2, stride 2"]


def layer(kind, detail="", name="x"):
    return Layer("stem", name, kind, detail, "1x1x1", 0, 0)


def test_layers_of_one_kind_are_set_beside_each_other_where_they_differ():
    wide, narrow, norm, pool, linear = (
        layer("convolution", "7x7"), layer("convolution", "3x3"), layer("batch norm"), layer("pooling"), layer("linear"),
    )  # fmt: skip
    assert align([wide, norm], [narrow, norm]) == [Pair(wide, narrow), Pair(norm, norm)]
    assert align([norm], [pool, norm]) == [Pair(None, pool), Pair(norm, norm)]
    assert align([wide, linear], [narrow, pool]) == [Pair(wide, narrow), Pair(linear, pool)]
    assert [pair.status for pair in align([wide, norm], [narrow, norm])] == [DIFFERENT, SAME]


@settings(max_examples=60, deadline=None)
@given(*[st.lists(st.sampled_from([("a", "1"), ("a", "2"), ("b", "")]), max_size=9) for _ in range(2)])
def test_alignment_keeps_every_layer_in_its_order(first, second):
    sides = [[layer(*kind, name=str(number)) for number, kind in enumerate(kinds)] for kinds in (first, second)]
    pairs = align(*sides)
    assert [pair.first for pair in pairs if pair.first] == sides[0]
    assert [pair.second for pair in pairs if pair.second] == sides[1]
    assert all(pair.layers for pair in pairs)


@pytest.mark.parametrize(
    "count, text",
    [
        (0, "0"),
        (999, "999"),
        (9536, "9.54 k"),
        (99_960, "100 k"),
        (999_600, "1.00 M"),
        (25_557_032, "25.6 M"),
        (4.09e9, "4.09 G"),
    ],
)
def test_counts_are_told_in_three_digits(count, text):
    assert short(count) == text


# Drawing and tables


def test_the_drawing_has_a_mark_for_each_layer_as_wide_as_its_map(stages, rows):
    svg = drawing(stages)
    marks = [element for element in svg.iter() if element.get("class", "").startswith("layer ")]
    drawn = rows[~rows.kind.isin(comparison.UNSEEN)]
    assert len(marks) == len(drawn)
    widths = {
        mark.find("title").text.partition(":")[0]: float(mark.get("width", "0%")[:-1]) for mark in marks if mark.tag == "rect"
    }
    assert widths["layer1.0.conv1"] == pytest.approx(2 * widths["layer2.0.conv3"], abs=0.01)
    assert [mark.find("title").text.partition(":")[0] for mark in marks if mark.tag == "circle"] == [
        "avgpool",
        "fc",
        "attnpool",
    ]
    different = Counter(mark.get("class") for mark in marks if "different" in mark.get("class"))
    # Stem, main path of the blocks, shortcuts, head.
    assert different == {"layer encoder-0 different": 2 + 3 + 3 + 2, "layer encoder-1 different": 4 + 6 + 7 + 1}
    badges = [element.text for element in svg.iter() if element.get("class") == "badge-text"]
    assert sorted(badges) == sorted("1" + "3" + "23" * 3 + "4")


def text_of(element):
    return " ".join(element.itertext())


def test_tables_tell_the_figures_of_the_rows(stages):
    table = text_of(stage_table(stages))
    assert "118 M 358 M +203.1\N{NO-BREAK SPACE}%" in table
    assert "4.09 G 5.79 G +41.7\N{NO-BREAK SPACE}%" in table
    assert "208 times" in table
    listed = text_of(differences(stages))
    assert "3 × convolution 3x3, stride 2" in listed
    assert "+12.7 M parameters" in listed
    assert "same multiply-adds" in listed
    stem = text_of(layer_table(stages[0]))
    assert "7x7, 3→64, stride 2" in stem
    assert "118 M multiply-adds" in stem


def test_long_runs_of_equal_layers_are_folded_and_none_is_lost(stages):
    for stage in stages:
        table = layer_table(stage)
        shown = [row for row in table.iter("div") if row.get("class", "").startswith("pair ")]
        assert len(shown) == len(stage.pairs) + 1  # and the heading
    folded = [details.find("summary").text for details in layer_table(stages[2]).iter("details")]
    assert folded == ["29 layers, the same in both: layer2.0.downsample.1 to layer2.3.relu"]


# The page


def sent(app):
    """The HTML of each component of the page."""
    data = [json.loads(element.proto.json) for element in app.get("bidi_component")]
    return [given["html"] for given in data if "html" in given]


def html_of(app):
    return "\n".join(sent(app))


def test_the_page_answers_from_the_rows(monkeypatch, published):
    app = open_page(monkeypatch, published / "results.duckdb", published, PAGE)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Are the two RN50 encoders the same?"
    said = words(app).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "No: CLIP RN50 has 3 convolutions instead of 1 as its stem, average pooling in place of strides and attention pooling "
        "as its head: **+49.9 % parameters**, **+41.7 % multiply-adds**." in said
    )
    assert figures(app)[0] == ("Layers that are the same", "148", "of 158 and 170")
    assert "one picture of 224 px" in said
    assert "99.8 % of the difference in parameters" in said
    assert "From 2 runs" in said
    assert "7x7, 3→64, stride 2" in html_of(app)


def test_a_profile_is_chosen_where_there_is_more_than_one(monkeypatch, tmp_path, results_file):
    theirs = tmp_path / "lab.duckdb"
    shutil.copyfile(results_file, theirs)
    alter(theirs, "UPDATE model_layer SET parameters = 2 * parameters WHERE run_id = "
                  "(SELECT run_id FROM run WHERE variant = 'clip_rn50')")  # fmt: skip
    alone = open_page(monkeypatch, results_file, tmp_path, PAGE)
    assert not [group for group in alone.button_group if group.key == "data"]
    assert not [part for part in alone.expander if part.label == "Beside other results"]
    merge(theirs, results_file, tmp_path / "images")
    app = open_page(monkeypatch, results_file, tmp_path, PAGE, compare="true")
    assert not app.exception
    assert not app.error
    ours, labs = "One picture of 224 px · mini", "One picture of 224 px · mini (lab)"
    assert app.button_group(key="data").options == [ours, labs]
    assert app.button_group(key="data").value == ours
    sentences = [element.value for element in app.markdown if element.value.startswith("### No")]
    assert "**+49.9 % parameters**" in sentences[0]
    assert "**+199.9 % parameters**" in sentences[1]
    other = open_page(monkeypatch, results_file, tmp_path, PAGE, data=labs)
    assert "**+199.9 % parameters**" in words(other)
    assert "merged from the results called lab" in words(other)
    assert not other.warning


def test_the_overview_shows_the_finding(monkeypatch, published):
    app = open_page(monkeypatch, published / "results.duckdb", published)
    assert not app.exception
    assert "No: CLIP RN50 has 3 convolutions" in cards(app)


def test_the_address_chooses_the_stage(monkeypatch, published):
    app = open_page(monkeypatch, published / "results.duckdb", published, PAGE, stage="head")
    assert "50 tokens, 32 heads" in sent(app)[-1]
    app = open_page(monkeypatch, published / "results.duckdb", published, PAGE, stage="<b>no stage")
    assert not app.exception
    assert "maxpool" in sent(app)[-1]  # the first


@pytest.mark.parametrize("there", [[], ["clip_rn50"]])
def test_until_both_encoders_ran_the_page_says_which_command_does_it(monkeypatch, tmp_path, results_file, there):
    with duckdb.connect(str(results_file)) as connection:
        connection.execute("DELETE FROM run WHERE NOT list_contains(?, variant)", [there])
        if not there:
            connection.execute("DROP TABLE model_layer")  # as in a file of before this experiment
    for page in (PAGE, ""):
        app = open_page(monkeypatch, results_file, tmp_path, page)
        assert not app.exception
        assert not app.error
        assert f"python -m compute run {PAGE} --profile mini" in words(app)


def test_a_missing_table_is_a_message(monkeypatch, tmp_path, results_file):
    with duckdb.connect(str(results_file)) as connection:
        connection.execute("DROP TABLE model_layer")
    app = open_page(monkeypatch, results_file, tmp_path, PAGE)
    assert not app.exception
    assert "model_layer" in app.error[0].value.replace("\\", "")


def test_other_rows_give_another_answer(monkeypatch, tmp_path, results_file):
    with duckdb.connect(str(results_file)) as connection:
        runs = dict(connection.execute("SELECT variant, run_id FROM run").fetchall())
        connection.execute("DELETE FROM model_layer WHERE run_id = ?", [runs["clip_rn50"]])
        connection.execute(
            "INSERT INTO model_layer SELECT ?, * EXCLUDE run_id FROM model_layer", [runs["clip_rn50"]]
        )  # fmt: skip
    app = open_page(monkeypatch, results_file, tmp_path, PAGE)
    assert not app.exception
    assert "Yes: layer for layer they are the same." in words(app)
    assert "different" not in html_of(app)


NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)>\" 'x **bold** " + "long" * 3000


@pytest.mark.parametrize("column", ["stage", "name", "kind", "detail", "output_shape", "model"])
@pytest.mark.parametrize("stage", ["stem", "stage 2", "head"])
def test_foreign_text_does_no_harm(monkeypatch, tmp_path, results_file, column, stage):
    with duckdb.connect(str(results_file)) as connection:
        connection.execute(f"UPDATE model_layer SET {column} = ? || ordinal WHERE ordinal % 2 = 0", [NASTY])
        connection.execute("UPDATE run SET device = ?, settings = '{}'", [NASTY])
    app = open_page(monkeypatch, results_file, tmp_path, PAGE, stage=stage)
    assert not app.exception
    assert not app.error
    assert "<script>" not in words(app)
    assert "<script" not in html_of(app)
    assert "<img" not in html_of(app)
    if column not in ("stage", "model"):  # which are not shown
        assert "&lt;script&gt;alert(1)" in html_of(app)
    assert "longlonglonglonglonglonglonglonglong" not in html_of(app)


def test_impossible_figures_do_no_harm(monkeypatch, tmp_path, results_file):
    with duckdb.connect(str(results_file)) as connection:
        connection.execute("UPDATE model_layer SET output_shape = '999999x999999x999999', parameters = 0 WHERE ordinal % 3 = 0")
        connection.execute("UPDATE model_layer SET output_shape = '0x0x0', multiply_adds = -1 WHERE ordinal % 3 = 1")
    app = open_page(monkeypatch, results_file, tmp_path, PAGE)
    assert not app.exception
    assert not app.error


def test_markup_escapes_what_it_is_given():
    root = ElementTree.Element("p", {"title": NASTY})
    root.text = NASTY
    assert as_html(root).count("<") == 2
