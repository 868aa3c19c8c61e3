"""What the overview says of each experiment: figure and interval, what they rest on, the report's figure, what is missing."""

import re
import shutil
from pathlib import Path

import duckdb
import pytest
from caption_rows import publish_retrieval, publish_sampling
from heads_rows import publish_heads
from opened_pages import cards, drawn, open_page
from precision_rows import publish_precisions
from synset_rows import publish_classifiers, publish_hierarchy

from compute.plan import EXPERIMENTS
from compute.results import publish
from compute.schema import TABLES
from dashboard import queries
from dashboard.app_pages import (
    caption_sampling,
    fp32_vs_fp16,
    image_text_retrieval,
    imagenet_rn50_vs_clip,
    overview,
    segmentation_decoder_heads,
    segmentation_metric,
    unet_skip_connections,
    wordnet_synsets,
)
from dashboard.connection import open_results
from dashboard.layout import Finding, report_text
from dashboard.views import comparison, metric_scores

ROOT = Path(__file__).parent.parent
INTERVAL = re.compile(r"\[[−+-]?\d[^\]]*, [−+-]?\d[^\]]*\]")


def change(file: Path, *statements: str) -> None:
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def _streets(tmp_path_factory: pytest.TempPathFactory, trial_tables) -> Path:
    folder = tmp_path_factory.mktemp("streets")
    file, images = folder / "streets.duckdb", folder / "images"
    kinds = {"skip": "unet_skip_connections", "no_skip": "unet_skip_connections", "constant_car": "segmentation_metric"}
    for variant, experiment in kinds.items():
        tables = trial_tables(images, f"run-{variant}", f"trial-{variant}")
        publish(file, images, {**tables, "run": tables["run"].assign(experiment=experiment, variant=variant)})
    return folder


@pytest.fixture
def streets(tmp_path, _streets):
    """Two networks and a constant predictor, all with the hand-worked counts of conftest."""
    shutil.copytree(_streets, tmp_path, dirs_exist_ok=True)
    return tmp_path / "streets.duckdb", tmp_path / "images"


def only(experiment, files: tuple[Path, Path]) -> Finding:
    [finding] = experiment.findings(open_results(*files))
    return finding


def test_an_interval_that_holds_zero_says_that_nothing_was_shown(streets):
    finding = only(unet_skip_connections, streets)
    assert finding.sentence == "No difference was shown: skip connections change mean IoU by +0.000."
    assert finding.view == {"data": "Tiny · mini", "view": "picture by picture"}
    assert finding.basis.startswith("2 images, 1 seed, ")


def test_an_interval_without_zero_says_what_was_shown_and_where(streets):
    # Without skips the cars are missed; near boundaries 6 and 6 fewer pixels are right, further off 1 and 2.
    change(
        streets[0],
        "UPDATE segmentation_score SET intersection = 0 WHERE run_id = 'run-no_skip' AND class_id = 1",
        "UPDATE boundary_score SET correct = correct - 6 WHERE run_id = 'run-no_skip' AND band = '1-2'",
        "UPDATE boundary_score SET correct = correct - 1 - (correct < 4)::INT WHERE run_id = 'run-no_skip' AND band = '3-5'",
    )
    finding = only(unet_skip_connections, streets)
    # Both pictures: car 7 of 13 against 0 of 20; one alone 3 of 7 or 4 of 6.
    assert finding.sentence == (
        "Skip connections raise mean IoU by **0.269 [0.214, 0.333]**, most within 2 pixels of a boundary: there lie "
        "**80 [75, 86] %** of the pixels that they put right, and 77 % of all."  # 12 of 15; 12 of 16, 12 of 14; 23 of 30
    )
    assert finding.view == {"data": "Tiny · mini", "view": "near boundaries"}


def test_a_gain_far_from_boundaries_is_not_said_to_be_near(streets):
    change(
        streets[0],
        "UPDATE segmentation_score SET intersection = 0 WHERE run_id = 'run-no_skip' AND class_id = 1",
        "UPDATE boundary_score SET correct = correct - 3 WHERE run_id = 'run-no_skip' AND band = '3-5'",
    )
    assert only(unet_skip_connections, streets).sentence == "Skip connections raise mean IoU by **0.269 [0.214, 0.333]**."


def test_harm_is_called_harm(streets):
    change(streets[0], "UPDATE segmentation_score SET intersection = 0 WHERE run_id = 'run-skip' AND class_id = 1")
    assert only(unet_skip_connections, streets).sentence == (
        "Here skip connections do harm: they change mean IoU by **-0.269 [-0.333, -0.214]**."
    )


def test_the_metric_s_finding_has_intervals_of_both_metrics(streets):
    finding = only(segmentation_metric, streets)
    # 3 of 7 and 4 of 6 foreground pixels; pooled, road 17 of 23 and car 7 of 13.
    notebook, pooled, difference = metric_scores.constant_scores(open_results(*streets), "run-constant_car")
    assert (notebook.value, pooled.value) == pytest.approx(((3 / 7 + 4 / 6) / 2, (17 / 23 + 7 / 13) / 2))
    assert (notebook.low, notebook.high) == pytest.approx((3 / 7, 4 / 6))
    assert difference.value == pytest.approx(notebook.value - pooled.value)
    assert finding.sentence.startswith("Saying that everything is car scores **0.548 [0.429, 0.667]** by the notebook’s IoU")
    assert finding.basis.startswith("2 images; of the U-Net 1 seed; ")
    assert finding.view == {"data": "Tiny · mini", "constant": "everything is car"}
    assert [cell.caption for cell in finding.pictures[0].cells][:2] == ["photo", "truth"]


def test_metrics_that_agree_show_nothing(streets):
    change(streets[0], "UPDATE foreground_score SET intersection = 639, union_pixels = 1000 WHERE image_id LIKE '%1'")
    finding = only(segmentation_metric, streets)
    assert finding.sentence.startswith("No difference was shown: by the notebook’s IoU saying that everything is car scores")


def test_an_image_without_foreground_counts_in_neither_mean(streets):
    change(streets[0], "UPDATE foreground_score SET intersection = 0, union_pixels = 0 WHERE image_id LIKE '%1'")
    assert metric_scores.constant_scores(open_results(*streets), "run-constant_car")[0].value == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    "figures, told",
    [
        ([], ""),
        ([("", 64.2)], "the report: 64.20 (percent; a course)"),
        ([("a*b", 1.0), ("c", 2.345)], "the report: a\\*b 1.00 · c 2.35 (percent; a course)"),
    ],
)
def test_the_report_is_quoted_with_its_source(figures, told):
    assert report_text(figures, "percent", ["a course", "a course"]) == told


def test_the_report_s_figures_stand_beside_ours(tmp_path, monkeypatch):
    files = publish_heads(tmp_path / "reported")
    finding = only(segmentation_decoder_heads, files)
    assert "transformer, shared query and key 64.20" in finding.report
    assert "The report: linear 45.46" in cards(open_page(monkeypatch, *files))
    unreported = publish_heads(tmp_path / "unreported")
    change(unreported[0], "DELETE FROM reference_result")
    assert only(segmentation_decoder_heads, unreported).report == ""


def test_reports_on_captions_and_retrieval_are_quoted_too(tmp_path):
    sampling, retrieval = publish_sampling(tmp_path / "sampling"), publish_retrieval(tmp_path / "retrieval")
    for files in (sampling, retrieval):
        change(files[0], "DELETE FROM reference_result")
    row = "INSERT INTO reference_result (experiment, variant, metric, value, source) VALUES"
    change(sampling[0], f"{row} ('caption_sampling', 'greedy', 'BLEU in percent', 21.5, 'a course')")
    change(
        retrieval[0],
        f"{row} ('image_text_retrieval', 'evaluation', 'text to image R@1 in percent', 64.3, 'a paper')",
        f"{row} ('image_text_retrieval', 'fine_tuned', 'image to text R@1 in percent', 1.0, 'another')",
    )
    assert only(caption_sampling, sampling).report == (
        "the report: greedy 21.50 (BLEU in percent, of other pictures; a course)"
    )
    assert only(image_text_retrieval, retrieval).report == (
        "the report: text to image 64.30 (R@1 in percent, of other pictures; a paper)"
    )


def test_retrieval_is_set_beside_guessing(tmp_path):
    found = only(image_text_retrieval, publish_retrieval(tmp_path / "better"))
    assert found.sentence.startswith("The trained heads put a right caption first for **75.0")
    files = publish_retrieval(tmp_path / "worse")
    change(files[0], "UPDATE retrieval_rank SET image_to_text_rank = 9, text_to_image_rank = 4")
    assert only(image_text_retrieval, files).sentence.startswith("No difference from guessing (")


def test_drift_without_effect_and_speed_are_told_apart(tmp_path):
    finding = only(fp32_vs_fp16, publish_precisions(tmp_path))
    assert INTERVAL.search(finding.sentence)
    assert finding.detail.startswith("fp16 takes **3.91 [")
    assert "drift (14 pictures, one seed" in finding.basis
    assert finding.view["view"] == "drift"


def test_counted_facts_say_that_they_have_no_interval(tmp_path):
    finding = only(wordnet_synsets, publish_hierarchy(tmp_path))
    assert "counted, so that these figures have no interval" in finding.basis
    assert finding.view == {"view": "explorer"}


def test_what_has_not_run_is_listed_with_its_command_and_cost(monkeypatch, tmp_path):
    file = tmp_path / "empty.duckdb"
    with duckdb.connect(str(file)) as connection:
        for name, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.execute("INSERT INTO contract VALUES (1)")
    app = open_page(monkeypatch, file, tmp_path)
    assert not app.exception
    commands = [block.value for block in app.code]
    assert sorted(commands) == sorted(f"python -m compute run {each.NAME} --profile mini" for each in EXPERIMENTS)
    costs = [caption.value for caption in app.caption if "two processor cores" in caption.value]
    assert len(costs) == len(EXPERIMENTS)
    assert costs[0] == "About a minute on two processor cores, without any download."


def test_one_experiment_that_cannot_be_shown_leaves_the_others(monkeypatch, streets):
    change(streets[0], "DROP TABLE caption", "DROP TABLE foreground_score")
    app = open_page(monkeypatch, *streets)
    assert not app.exception
    assert any("foreground\\_score" in error.value for error in app.error)
    assert "No difference was shown: skip connections" in cards(app)


def test_a_hostile_label_is_shown_as_it_is(monkeypatch, streets):
    change(streets[0], "UPDATE dataset SET name = '<script>x</script> [a](javascript:b) **c**'")
    app = open_page(monkeypatch, *streets)
    assert not app.exception
    assert "<script>x</script> [a](javascript:b) **c** · mini" in cards(app)  # as text
    [data] = drawn(app, "contrast_cards")
    assert "<script" not in data["html"]
    assert 'href="javascript' not in data["html"]


@pytest.fixture(scope="module")
def published():
    return open_results(ROOT / "results.duckdb", ROOT / "images")


@pytest.mark.parametrize("experiment", overview.EXPERIMENTS, ids=lambda experiment: experiment.EXPERIMENT)
def test_every_published_finding_says_what_it_rests_on(published, experiment):
    assert experiment.COST
    for finding in experiment.findings(published):
        said = f"{finding.sentence} {finding.detail}"
        assert INTERVAL.search(said) or "no interval" in finding.basis
        assert re.search(r"\d (images|pictures|layers)|layers are the same", finding.basis)
        assert re.search(r"\bseeds?\b", finding.basis)
        assert finding.data.endswith("mini") or "every profile" in finding.basis
        assert finding.sentence.endswith((".", "**."))


@pytest.mark.parametrize("experiment", overview.EXPERIMENTS, ids=lambda experiment: experiment.EXPERIMENT)
def test_every_published_finding_leads_to_the_view_that_shows_it(monkeypatch, published, experiment):
    for finding in experiment.findings(published):
        app = open_page(monkeypatch, published.path, published.images, experiment.EXPERIMENT, **finding.view)
        assert not app.exception
        assert not app.error
        assert not app.warning
        for name, value in finding.view.items():
            assert app.session_state[name] == value


def test_findings_are_the_same_each_time(published, monkeypatch):
    before = unet_skip_connections.findings(published)
    for name in ("mean_iou", "gain_near_boundaries"):
        monkeypatch.setattr(comparison, name, getattr(comparison, name).__wrapped__)  # what is kept is worked out anew
    assert unet_skip_connections.findings(published) == before


def test_every_experiment_has_a_card(published):
    assert {experiment.EXPERIMENT for experiment in overview.EXPERIMENTS} == {each.NAME for each in EXPERIMENTS}
    assert set(queries.runs(published).experiment) == {each.NAME for each in EXPERIMENTS}


def test_classifiers_that_differ_are_told_with_their_styles(tmp_path):
    finding = only(imagenet_rn50_vs_clip, publish_classifiers(tmp_path))
    assert finding.view["view"] == ("by style and class" if finding.detail else "who wins where")
    assert "one seed of each" in finding.basis
