"""The results that are committed: whole, small, and true to their own pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compute.doctor_results import examine_results
from compute.plan import EXPERIMENTS
from dashboard import queries, queries_predictions
from dashboard.connection import open_results

ROOT = Path(__file__).parent.parent
RESULTS, IMAGES = ROOT / "results.duckdb", ROOT / "images"


@pytest.fixture(scope="module")
def published():
    return open_results(RESULTS, IMAGES)


def test_results_and_pictures_are_small_enough_to_clone():
    size_bytes = RESULTS.stat().st_size + sum(path.stat().st_size for path in IMAGES.rglob("*") if path.is_file())
    assert size_bytes < 15 * 2**20


def test_all_experiments_ran_as_a_whole_with_their_provenance(published):
    runs = queries.runs(published)
    assert set(runs.experiment) == {experiment.NAME for experiment in EXPERIMENTS}
    assert runs.git_commit.str.fullmatch("[0-9a-f]{40}").all()  # computed by committed code, without changes
    [row] = queries.comparisons(published).itertuples()
    assert (row.profile, len(row.seeds)) == ("mini", 2)


def test_every_check_of_publishing_still_holds_and_more():
    checked, violations = examine_results(RESULTS, IMAGES)
    assert violations == []
    assert sum(line.checks for line in checked) > 3000


def test_ious_recomputed_from_the_stored_masks_equal_the_table_to_the_last_pixel(published):
    [row] = queries.comparisons(published).itertuples()
    class_ids = queries.classes(published, row.dataset).query("~ignored").class_id.tolist()
    compared = 0
    for skip_run, no_skip_run in zip(row.skip_runs, row.no_skip_runs, strict=True):
        pictures = queries.compared_pictures(published, skip_run, no_skip_run, "number", False, 10_000, 0)
        counts = queries.final_counts(published, [skip_run, no_skip_run], False).set_index(["run_id", "image_id", "class_id"])
        for picture in pictures.itertuples():
            truth = np.asarray(Image.open(IMAGES / picture.truth_mask))
            for run_id, path in ((skip_run, picture.skip_mask), (no_skip_run, picture.no_skip_mask)):
                predicted = np.asarray(Image.open(IMAGES / path))
                for class_id in class_ids:
                    true, called = truth == class_id, predicted == class_id
                    expected = [(true & called).sum(), called.sum(), true.sum()]
                    assert counts.loc[(run_id, picture.image_id, class_id)].tolist() == expected
                    compared += 1
    assert compared == 2 * 2 * 40 * 10


def test_the_figures_stay_what_they_were_found_to_be(published):
    [row] = queries.comparisons(published).itertuples()
    scores = queries.predictor_scores(published, row.dataset, row.profile).groupby("variant")[["notebook", "pooled"]].mean()
    assert scores.pooled["skip"] - scores.pooled["no_skip"] > 0.1
    assert scores.notebook["constant_pole"] > scores.pooled["skip"]
    assert scores.pooled["constant_pole"] < 0.01


def test_each_pre_training_wins_where_it_learned(published):
    runs = queries_predictions.classifier_runs(published).set_index("variant").run_id
    counts = queries_predictions.outcome_counts(published, runs["rn50"], runs["clip_80_templates"], 5)
    assert (counts.only_a[0] >= 30, counts.only_b[0] >= 100) == (True, True)  # picks of both kinds are real
    first = queries_predictions.outcome_counts(published, runs["rn50"], runs["clip_80_templates"], 1, by="style")
    lead = first.set_index("style").pipe(lambda rows: (rows.only_b - rows.only_a) / rows.images)  # of CLIP
    assert (lead["color on plain"] < -0.05, lead["color on texture"] < -0.05) == (True, True)
    assert (lead["black line"] > 0.05, lead["silhouette"] > 0.05) == (True, True)


def test_copies_of_the_class_images_are_there(published):
    for path in published.query("SELECT path FROM image WHERE wnid IS NOT NULL").path:
        with Image.open(IMAGES / path) as picture:
            picture.load()
