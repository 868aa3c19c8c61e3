"""What stands beside a page's finding, and two runs beside each other, on results that were merged; no browser needed."""

import shutil
from pathlib import Path

import pytest
from opened_pages import figures, open_page, tables, words
from PIL import Image
from precision_rows import publish_precisions
from result_files import FileAndImages, MakeTrial, alter

from compute.merge import merge
from compute.results import publish
from dashboard import layout, queries
from dashboard.connection import open_results
from dashboard.queries_comparison import FIGURES, PICTURES_OF, key_figures, pictures_in_common
from dashboard.views.beside import choice_count, profile_of
from dashboard.views.run_comparison import facts, run_labels

PAGE = "unet_skip_connections"
APART = "Tiny · mini (lab)"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is merged once and copied for each test."""
    return tmp_path_factory.mktemp("merged")


@pytest.fixture
def merged(tmp_path: Path, make_trial: MakeTrial, kept: Path) -> FileAndImages:
    """Both networks of ours and of a lab, whose skips get all of the first picture right."""
    results, images = tmp_path / "results.duckdb", tmp_path / "images"
    if not (kept / results.name).exists():
        merge_a_lab(results, images, make_trial)
        shutil.copytree(tmp_path, kept, dirs_exist_ok=True)
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    return results, images


def merge_a_lab(results: Path, images: Path, make_trial: MakeTrial) -> None:
    for variant in ("skip", "no_skip"):
        tables = make_trial(f"run-{variant}", f"trial-{variant}")
        for path in tables["segmentation_mask"].path:
            Image.new("P", (4, 4)).save(images / path)
        tables["run"] = tables["run"].assign(variant=variant, settings='{"epochs": 1, "encoder": {"width": 4}}')
        publish(results, images, tables)
    theirs = results.with_name("lab.duckdb")
    shutil.copyfile(results, theirs)
    alter(
        theirs,
        "UPDATE run SET device = 'GPU', started_at = started_at + INTERVAL 1 DAY",
        """UPDATE segmentation_score SET intersection = CASE class_id WHEN 0 THEN 10 ELSE 6 END, predicted = truth
           WHERE run_id = 'run-skip' AND image_id LIKE '%/1'""",
        "UPDATE foreground_score SET intersection = 6, union_pixels = 6 WHERE run_id = 'run-skip' AND image_id LIKE '%/1'",
    )
    merge(theirs, results, images, images)


def select(app, key: str):
    return next((widget for widget in app.selectbox if widget.key == key), None)


def test_both_are_offered_as_data_of_the_page(monkeypatch, merged):
    app = open_page(monkeypatch, *merged, PAGE)
    assert not app.exception
    assert app.button_group(key="data").options == [APART, "Tiny · mini"]
    ours = open_page(monkeypatch, *merged, PAGE)  # what was merged is newer, and not what a page shows at first
    # Pooled: road 17 right, 22 predicted, 18 true; car 7 right, 8 predicted, 12 true.
    assert figures(ours)[0][1] == f"{(17 / 23 + 7 / 13) / 2:.3f}"
    theirs = open_page(monkeypatch, *merged, PAGE, data=APART)
    # Road 18 right, 20 predicted, 18 true; car 10 right, 10 predicted, 12 true.
    assert figures(theirs)[0][1] == f"{(18 / 20 + 10 / 12) / 2:.3f}"


def test_nothing_is_worked_out_before_it_is_opened(monkeypatch, merged):
    app = open_page(monkeypatch, *merged, PAGE)
    assert [part.label for part in app.expander if part.label == "Beside other results"]
    assert select(app, "beside") is None


def test_both_findings_stand_beside_each_other_with_their_profiles(monkeypatch, merged):
    app = open_page(monkeypatch, *merged, PAGE, compare="true", data="Tiny · mini")
    assert not app.exception
    assert not app.error
    chosen = select(app, "beside")
    assert (chosen.options, chosen.value) == ([APART], APART)
    sentences = [element.value for element in app.markdown if element.value.startswith("### ")]
    assert len(sentences) == 2
    assert "No difference was shown" in sentences[0]
    assert sentences[0] != sentences[1]
    notes = [element.value for element in app.caption if "kept apart" in element.value]
    assert len(notes) == 1
    assert "a miniature that trains in minutes" in notes[0]
    assert "merged from the results called lab, kept apart from those here" in notes[0]


def test_what_the_page_shows_is_not_offered_beside_itself(monkeypatch, merged):
    app = open_page(monkeypatch, *merged, PAGE, compare="true", beside=APART, data=APART)
    assert select(app, "beside").options == ["Tiny · mini"]
    assert select(app, "beside").value == "Tiny · mini"
    assert not app.exception


@pytest.mark.parametrize("page", ["", "runs", "rn50_architectures", "segmentation_metric", PAGE])
def test_there_is_nothing_where_there_is_only_one(monkeypatch, tiny_results, page):
    app = open_page(monkeypatch, *tiny_results, page, compare="true")
    assert not app.exception
    assert not [part for part in app.expander if part.label == "Beside other results"]


def test_precisions_of_two_devices_stand_beside_each_other(monkeypatch, tmp_path):
    results, images = publish_precisions(tmp_path / "ours")
    theirs, _ = publish_precisions(tmp_path / "lab")
    alter(theirs, "UPDATE run SET device = 'GPU'", "UPDATE logit SET half_bits = NULL WHERE FALSE",
          "UPDATE precision_drift SET kl_divergence = kl_divergence * 2")  # fmt: skip
    merge(theirs, results, images, name="gpu")
    app = open_page(monkeypatch, results, images, "fp32_vs_fp16", compare="true")
    assert not app.exception
    assert not app.error
    assert len([element for element in app.markdown if element.value.startswith("### ")]) == 2


def test_a_profile_is_found_at_the_end_of_a_label():
    profiles = ["mini", "mini (lab)", "gpu"]
    assert profile_of("Streets · mini (lab)", profiles) == "mini (lab)"
    assert profile_of("mini · gpu · streets-1234", profiles) == "gpu"
    assert profile_of("Streets", profiles) is None


def test_choices_are_data_sets_with_profiles(merged):
    assert choice_count(open_results(*merged), PAGE) == 2
    assert choice_count(open_results(*merged), "caption_sampling") == 0


def test_the_note_of_a_merged_profile_is_that_of_its_own_and_says_where_it_is_from():
    assert layout.profile_note("gpu (a_b)").startswith("Profile **gpu \\(a\\_b\\)**: full-size networks on drawn pictures;")
    assert layout.profile_note("gpu (a_b)").endswith("merged from the results called a\\_b, kept apart from those here.")
    assert "merged" not in layout.profile_note("gpu")
    assert "does not know" in layout.profile_note("(lab)")


FIRST = "unet_skip_connections · skip · seed 0 · mini · 2026-01-02 03:04"
SECOND = "unet_skip_connections · skip · seed 0 · mini (lab) · 2026-01-03 03:04"


def below_all_runs(app) -> list[list[list]]:
    """The rows of the tables below that of all runs."""
    return [table.values.tolist() for table in tables(app)[1:]]


def test_two_runs_are_told_apart_by_what_differs_and_by_their_figures(monkeypatch, merged):
    app = open_page(monkeypatch, *merged, "runs", first=FIRST, second=SECOND)
    assert not app.exception
    assert not app.error
    differing, figures = below_all_runs(app)
    assert [row[0] for row in differing] == ["run id", "profile", "started (UTC)", "device"]
    assert differing[1] == ["profile", "mini", "mini (lab)"]
    assert figures[0] == ["Mean IoU, pooled", "0.639", "0.867", "+0.228"]
    assert figures[1] == ["The notebook’s foreground IoU", "0.548", "0.833", "+0.286"]
    assert "17 other settings and facts are the same in both." in words(app)
    assert "2 pictures in common, of 2 in the first run and 2 in the second." in words(app)


def test_runs_are_chosen_before_anything_is_compared(monkeypatch, merged):
    app = open_page(monkeypatch, *merged, "runs")
    assert not app.exception
    assert below_all_runs(app) == []
    assert len(select(app, "first").options) == 4
    select(app, "first").set_value(FIRST)
    select(app, "second").set_value(FIRST)
    app.run()
    assert "one and the same run" in words(app)
    assert not app.exception


def test_runs_of_two_experiments_have_no_figures_to_compare(monkeypatch, merged):
    alter(merged[0], "UPDATE run SET experiment = 'other' WHERE profile = 'mini'")
    app = open_page(monkeypatch, *merged, "runs", first=FIRST.replace("unet_skip_connections", "other"), second=SECOND)
    assert len(below_all_runs(app)) == 1
    assert "They are of two experiments" in words(app)


def test_a_choice_that_these_results_lack_falls_back(monkeypatch, merged):
    app = open_page(monkeypatch, *merged, "runs", first="none", second=SECOND)
    assert not app.exception
    assert select(app, "first").value is None
    assert [warning.value for warning in app.warning] == [
        "The address asks for **first** “none”, which is not there; shown instead: nothing."
    ]


@pytest.mark.parametrize("table", [*FIGURES, *PICTURES_OF])
def test_a_missing_table_is_a_message_beside_the_runs(monkeypatch, merged, table):
    alter(merged[0], f"DROP TABLE {table}")
    app = open_page(monkeypatch, *merged, "runs", first=FIRST, second=SECOND)
    assert not app.exception
    assert [table in error.value.replace("\\", "") for error in app.error] == [True]


def test_odd_settings_texts_and_numbers_do_no_harm(monkeypatch, merged):
    alter(
        merged[0],
        "UPDATE run SET settings = '[1, {\"a\": 2}]', device = '<script>' || repeat('x', 5000), weights = '**bold**'",
        "UPDATE training_step SET loss = 'nan'",
        "UPDATE segmentation_score SET intersection = 0, predicted = 0, truth = 0 WHERE run_id = 'run-skip'",
        "UPDATE boundary_score SET total = 0, correct = 0, band = repeat('long', 100) WHERE band = '1-2'",
    )
    app = open_page(monkeypatch, *merged, "runs", first=FIRST, second=SECOND)
    assert not app.exception
    assert not app.error
    assert ["Mean IoU, pooled", "–", "0.867", "–"] in below_all_runs(app)[1]


def test_labels_that_are_the_same_have_the_runs_name(merged):
    alter(merged[0], "UPDATE run SET variant = 'skip', profile = 'mini', started_at = '2026-01-02'")
    runs = queries.runs(open_results(*merged))
    labels = run_labels(runs)
    assert len(set(labels)) == 4
    assert all(label.endswith(run_id) for label, run_id in zip(labels, runs.run_id, strict=True))


def test_settings_within_settings_are_told_one_by_one(merged):
    told = facts(queries.runs(open_results(*merged)).iloc[0])
    assert (told["setting: epochs"], told["setting: encoder: width"]) == ("1", "4")
    assert told["commit"] == "–"


def test_key_figures_of_every_kind(tmp_path):
    results, images = publish_precisions(tmp_path)
    opened = open_results(results, images)
    found = key_figures(opened, "run-fp32", "run-fp16").set_index("figure")
    assert found.loc["Top-1 accuracy (%)", "first"] == pytest.approx(
        opened.query("SELECT 100.0 * sum(top1) / sum(images) AS a FROM class_score WHERE run_id = 'run-fp32'").a[0]
    )
    flips = opened.query("SELECT 100.0 * count(*) FILTER (top1_flip) / count(*) AS a FROM precision_drift "
                         "WHERE other_run_id = 'run-fp16'").a[0]  # fmt: skip
    assert found.loc["First answers other than fp32’s (%)", "second"] == pytest.approx(flips)
    assert found["first"].isna().any()
    assert pictures_in_common(opened, "run-fp32", "run-fp16") == (14, 14, 14)
    timed = key_figures(opened, "run-latency", "run-memory").set_index("figure")
    assert timed.loc["Allocated peak, fp32, batch of 8 (MiB)", "second"] == 15.0
    assert {figure for figure in timed.index if figure.endswith("wall clock (ms)")}
