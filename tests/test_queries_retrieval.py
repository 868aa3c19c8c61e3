"""What is asked of retrieval's rows, and what the page makes of it, against figures worked out by hand from caption_rows."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from caption_rows import DIRECTIONS, IDS, RETRIEVED, publish_retrieval, publish_sampling, retrieval_tables

from compute.results import publish
from dashboard import intervals, recall
from dashboard import queries_retrieval as queries
from dashboard.connection import Results, open_results
from dashboard.intervals import Estimate
from dashboard.views import (
    retrieval_browser,
    retrieval_ranks,
    retrieval_runs,
    retrieval_scores,
    retrieval_shifts,
    retrieval_sweep,
)
from dashboard.views import (
    retrieval_tables as tables,
)
from dashboard.views.retrieval_runs import Setup, Variant
from dashboard.views.retrieval_scores import Places, Score


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return open_results(*publish_retrieval(tmp_path_factory.mktemp("retrieval"), reported=True))


def only_setup(results: Results) -> Setup:
    found = retrieval_runs.choices(results)
    assert len(found) == 1
    setup = retrieval_runs.setup_of(results, found.iloc[0])
    assert setup is not None
    return setup


def publish_seed(file: Path, images: Path, variant: str, seed: int, moment: str = "2026-01-02", **settings: object) -> str:
    """The same rows once more as another run; returns its name."""
    run_id, own = f"run-{variant}-{seed}-{moment}", retrieval_tables(images, variant)
    own = {name: rows.assign(run_id=run_id) if "run_id" in rows else rows for name, rows in own.items()}
    known = json.loads(own["run"].settings[0]) | settings
    run = own["run"].assign(trial_key=run_id, seed=seed, settings=json.dumps(known), started_at=pandas.Timestamp(moment))
    publish(file, images, own | {"run": run})
    return run_id


def test_hits_of_shared_places_count_by_their_part():
    above, tied = np.array([0, 0, 1, 4]), np.array([0, 1, 2, 0])  # places 1; 1 and 2; 2 to 4; 5
    assert recall.expected_hits(above, tied, 1).tolist() == [1, 0.5, 0, 0]
    assert recall.expected_hits(above, tied, 3).tolist() == pytest.approx([1, 1, 2 / 3, 0])
    assert recall.expected_hits(above, tied, 5).tolist() == [1, 1, 1, 1]
    assert recall.mean_places(above, tied).tolist() == [1, 1.5, 3, 5]
    assert recall.bin_counts(above, tied, [(1, 1), (2, 3), (4, 9)]) == pytest.approx([1.5, 0.5 + 2 / 3, 1 / 3 + 1])


@pytest.mark.parametrize("right", [[1], [2], [3], [1, 3]])
def test_chance_is_what_all_orders_give(right):
    candidates, firsts = 6, []
    for own in right:
        orders = itertools.combinations(range(candidates), own)  # places of the right answers, all equally probable
        firsts.append([places[0] + 1 for places in orders])  # rank of the first one, which has no right one before it
    for cutoff in range(1, candidates + 1):
        expected = np.mean([np.mean(np.array(ranks) <= cutoff) for ranks in firsts])
        assert recall.chance_recall(candidates, np.array(right), cutoff) == pytest.approx(expected)
    assert recall.chance_rank(candidates, np.array(right)) == pytest.approx(np.mean([np.mean(ranks) for ranks in firsts]))
    pooled = np.concatenate([np.tile(ranks, 60 // len(ranks)) for ranks in firsts])
    assert recall.chance_median(candidates, np.array(right)) == np.median(pooled)


def test_chance_of_nothing_is_none():
    assert math.isnan(recall.chance_recall(0, np.array([1]), 1))
    assert math.isnan(recall.chance_rank(5, np.array([])))
    assert math.isnan(recall.chance_median(0, np.array([1])))


def test_bins_and_cutoffs_reach_to_the_last_rank():
    assert recall.rank_bins(60) == [(1, 1), (2, 5), (6, 10), (11, 20), (21, 50), (51, 60)]
    assert recall.rank_bins(4) == [(1, 1), (2, 4)]
    assert recall.rank_bins(1) == [(1, 1)]
    assert recall.cutoffs_of(4) == [1, 2, 3, 4]
    many = recall.cutoffs_of(25_000)
    assert (many[0], many[-1]) == (1, 25_000)
    assert len(many) <= 60
    assert retrieval_ranks.bin_text(101, 1000) == "101–1,000"


def test_drawn_images_take_their_captions_along():
    weights = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    sums, counts = np.array([[3.0], [0.0]]), np.array([3.0, 1.0])  # three hits of three captions, none of one
    assert recall.drawn_means(weights, sums, counts)[:, 0].tolist() == [0.75, 1.0, 0.0]


def test_evaluation_by_hand(published):
    setup = only_setup(published)
    to_text, to_image = (retrieval_scores.scores(published, setup, direction)[0] for direction in DIRECTIONS)
    assert (to_text.queries, to_image.queries) == (4, 9)
    assert to_text.recalls[1].value == 3 / 4
    assert to_image.recalls[1].value == pytest.approx(8 / 9)
    assert to_text.mean_rank.value == 5.5 / 4
    assert to_image.mean_rank.value == pytest.approx(10 / 9)
    assert to_text.tied == 1
    assert to_image.tied == 2
    guess = retrieval_scores.chance(published, setup, "text to image")
    assert guess.recalls == {1: 0.25, 5: 1.0, 10: 1.0}
    assert (guess.median_rank, guess.mean_rank) == (2.5, 2.5)
    # Among nine captions, images have 2, 3, 2 and 2 of their own.
    assert retrieval_scores.chance(published, setup, "image to text").recalls[1] == pytest.approx(1 / 4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ranks_give_the_hits_that_the_run_itself_counted_after_its_last_epoch(published, direction):
    stored = published.query("FROM retrieval_epoch QUALIFY epoch = max(epoch) OVER (PARTITION BY run_id)")
    for score in retrieval_scores.scores(published, only_setup(published), direction):
        [run_id] = score.variant.run_ids
        [own] = stored[(stored.run_id == run_id) & (stored.direction == direction)].itertuples()
        hits = [score.recalls[cutoff].value * score.queries for cutoff in retrieval_runs.CUTOFFS]
        assert hits == pytest.approx([own.hits_at_1, own.hits_at_5, own.hits_at_10])
        assert (score.median_rank, score.mean_rank.value) == pytest.approx((own.median_rank, own.mean_rank))


def test_changes_are_paired_and_against_evaluation(published):
    evaluation, tuned, _ = retrieval_scores.scores(published, only_setup(published), "image to text")
    assert evaluation.changes is None
    assert tuned.changes[1].value == 0.25  # picture 3 finds its caption 6 at once
    weights = intervals.image_weights(4)
    expected = intervals.summarise(weights @ np.array([0.0, 0.0, 1.0, 0.0]))
    assert tuned.changes[1] == expected


def test_seeds_are_averaged_and_runs_are_named_with_them(tmp_path):
    file, images = publish_retrieval(tmp_path, ("evaluation",))
    own = retrieval_tables(images, "fine_tuned")
    publish(file, images, own | {"run": own["run"].assign(variant="evaluation", seed=1, settings=_settings(file))})
    results = open_results(file, images)
    setup = only_setup(results)
    assert setup.runs == {"evaluation, seed 0": "run-evaluation", "evaluation, seed 1": "run-fine_tuned"}
    [score] = retrieval_scores.scores(results, setup, "image to text")
    assert score.recalls[1].value == (3 / 4 + 1) / 2


def _settings(file: Path) -> str:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute("SELECT settings::VARCHAR FROM run").fetchone()[0]


def test_a_variant_is_shown_with_all_seeds_of_its_newest_settings(tmp_path):
    file, images = publish_retrieval(tmp_path, ("evaluation", "fine_tuned"))
    newer = [publish_seed(file, images, "fine_tuned", seed, "2026-02-01", epochs=2, batch_size=8) for seed in (1, 2)]
    setup = only_setup(open_results(file, images))
    assert setup.names == ["evaluation", "fine-tuned"]
    assert setup.variants[1].run_ids == tuple(newer)
    assert (setup.variants[1].seeds, setup.variants[1].batch_size) == ((1, 2), 8)
    assert (setup.images, setup.captions, setup.left_out) == (4, 9, ())


def test_runs_over_other_captions_or_without_ranks_are_left_out(tmp_path):
    file, images = publish_retrieval(tmp_path)
    with duckdb.connect(str(file)) as connection:
        connection.execute("DELETE FROM retrieval_rank WHERE run_id = 'run-fine_tuned' AND caption_id LIKE '%#3'")
        connection.execute("UPDATE retrieval_rank SET text_to_image_rank = 'nan' WHERE run_id = 'run-random_lr1e-3'")
    setup = only_setup(open_results(file, images))
    assert setup.names == ["evaluation"]
    assert setup.left_out == ("fine_tuned", "random_lr1e-3")


def test_runs_without_any_rank_are_no_setup(tmp_path):
    results = open_results(*publish_retrieval(tmp_path, ("evaluation",), without=("retrieval_rank",)))
    assert retrieval_runs.setup_of(results, retrieval_runs.choices(results).iloc[0]) is None


def test_random_starts_are_named_by_what_is_unusual():
    nan = math.nan
    frame = pandas.DataFrame(
        [
            ("evaluation", nan, 0.0, 0.07, "trained"), ("random_a", 1e-3, 0.0, 0.1, "random"),
            ("random_b", 1e-3, 0.1, 0.1, "random"), ("random_c", 1e-5, 0.0, 0.1, "random"),
            ("random_d", 1e-3, 0.0, 0.1, "random"), ("<b>" + "x" * 99, nan, nan, nan, ""),
        ],
        columns=["variant", "learning_rate", "weight_decay", "temperature", "start"],
    ).set_index("variant")  # fmt: skip
    names = list(retrieval_runs.variant_names(frame).values())
    assert names[:5] == [
        "evaluation", "random start", "random start, decay 0.1", "random start, rate 1e-5", "random start (5)",
    ]  # fmt: skip
    assert len(names[5]) == retrieval_runs.LONGEST_NAME
    even = retrieval_runs.variant_names(frame.loc[["random_a", "random_c"]])
    assert list(even.values()) == ["random start, rate 0.001", "random start, rate 1e-5"]  # neither rate is the usual one


@pytest.mark.parametrize("value, text", [(None, "–"), (0.0, "0"), (0.001, "0.001"), (1e-4, "1e-4"), (2.5e-5, "2.5e-5")])
def test_settings_are_short(value, text):
    assert retrieval_runs.setting_text(value) == text


def test_queries_come_wrong_first_and_in_pages(published):
    found = queries.ranked_queries(published, "run-evaluation", "text to image", "wrong first", 3, 0)
    assert found.number.tolist() == [7, 9, 1]
    assert found["rank"].tolist() == [1.5, 1.5, 1.0]
    assert (found.total[0], found.image_id[0]) == (9, IDS[2])
    rest = queries.ranked_queries(published, "run-evaluation", "text to image", "wrong first", 9, 3)
    assert rest.number.tolist() == [2, 3, 4, 5, 6, 8]
    images = queries.ranked_queries(published, "run-evaluation", "image to text", "wrong first", 9, 0)
    assert images.number.tolist() == [3, 1, 2, 4]
    assert images["rank"].tolist() == [2.5, 1.0, 1.0, 1.0]
    assert queries.ranked_queries(published, "run-evaluation", "image to text", "number", 9, 0).number.tolist() == [1, 2, 3, 4]


def test_words_are_found_in_any_order_as_beginnings_and_the_nearest_where_none_has_all(published):
    def found(*words: str, direction: str = "text to image") -> pandas.DataFrame:
        return queries.ranked_queries(published, "run-evaluation", direction, "number", 9, 0, words)

    assert found("road", "bus").number.tolist()[:1] == [3]
    assert found("road", "bus").exact.tolist() == [True, False, False]
    assert found("gras", "cow").query("exact").number.tolist() == [1, 2]
    assert found("at").empty  # “cat” does not begin so
    nearest = found("sofa", "cat", "boat")
    assert nearest.number.tolist() == [6, 7, 8, 9]
    assert not nearest.exact.any()
    assert nearest.exact_total.tolist() == [0] * 4
    assert found("cat", direction="image to text").number.tolist() == [3, 4]
    assert found("%'; DROP TABLE run --").empty


def test_what_a_person_types_becomes_words():
    assert retrieval_browser.words_of("  A red_bus, a BUS! ") == ["a", "red", "bus"]
    assert retrieval_browser.words_of("… !") == []
    assert len(retrieval_browser.words_of(" ".join(map(str, range(99))))) == retrieval_browser.MOST_WORDS


def test_answers_by_hand(tmp_path):
    file, images = publish_retrieval(tmp_path, ("evaluation",))
    results = open_results(file, images)
    found = queries.answers(results, "run-evaluation", "text to image", 7)
    assert found.answer.tolist()[:2] == [3, 4]
    assert found.similarity.tolist() == [0.5, 0.5, 0.25, 0.0]
    assert queries.answers(results, "run-evaluation", "image to text", 3).answer.tolist()[0] == 8
    assert queries.answers(results, "run-evaluation", "text to image", 99).empty


def test_lists_that_do_not_fit_are_no_answers(tmp_path):
    file, images = publish_retrieval(tmp_path, ("evaluation",))
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE retrieval_answer SET similarities = [0.5] WHERE direction = 'text to image'")
    assert queries.answers(open_results(file, images), "run-evaluation", "text to image", 7).empty


@pytest.mark.parametrize(
    "rank, tied, text",
    [
        (1.0, 0, "Its image comes first of 60"),
        (23.0, 0, "Its image comes at rank 23 of 60"),
        (2.5, 1, "Its image shares places 2 to 3 of 60 with answers that are just as similar"),
    ],
)
def test_where_an_answer_comes(rank, tied, text):
    assert retrieval_browser.verdict_text("its image", rank, tied, 60) == text


def test_shifts_between_two_runs_by_hand(published):
    setup = only_setup(published)
    a, b = (retrieval_scores.places(published, f"run-{name}", "text to image") for name in ("evaluation", "fine_tuned"))
    found = retrieval_shifts.shifts_between(a, b, setup.images)
    # Captions 7 and 9 shared the places 1 and 2 for their pictures; now picture 3 comes first for both.
    assert a.ranks.tolist() == [1, 1, 1, 1, 1, 1, 1.5, 1, 1.5]
    assert b.ranks.tolist() == [1, 1, 1, 1, 1, 1, 1, 1, 2]
    assert found.queries == (1, 7, 1)
    assert found.images == (1, 2, 1)
    assert found.p_value == 1.0
    assert found.change.value == 0.0
    moved = queries.most_shifted(published, "run-evaluation", "run-fine_tuned", "text to image", True, 5)
    assert moved[["number", "rank_a", "rank_b"]].values.tolist() == [[7, 1.5, 1.0]]
    lost = queries.most_shifted(published, "run-evaluation", "run-fine_tuned", "text to image", False, 5)
    assert lost[["number", "rank_a", "rank_b"]].values.tolist() == [[9, 1.5, 2.0]]
    pairs = queries.rank_pairs(published, "run-evaluation", "run-fine_tuned", "text to image")
    assert pairs.values.tolist() == [[1.0, 1.0, 7, False], [1.5, 1.0, 1, False], [1.5, 2.0, 1, False]]
    told = retrieval_shifts.sentence(found, "text to image")
    assert "better for **1** caption (11\u00a0%), the same for **7** (78\u00a0%), worse for **1**" in told


def test_a_sign_test_counts_images_and_not_their_captions():
    image = np.repeat(np.arange(8), 5)
    a, b = (Places(np.full(40, above), np.zeros(40), image) for above in (3, 0))
    found = retrieval_shifts.shifts_between(a, b, 8)
    assert (found.queries, found.images) == ((40, 0, 0), (8, 0, 0))
    assert found.p_value == 2 / 2**8
    assert found.change.value == 1.0


def test_many_pairs_of_ranks_share_marks(tmp_path, monkeypatch):
    file, images = publish_retrieval(tmp_path, ("evaluation", "random_lr1e-3"))
    monkeypatch.setattr(queries, "MOST_MARKS", 2)
    found = queries.rank_pairs(open_results(file, images), "run-evaluation", "run-random_lr1e-3", "text to image")
    assert found.many.all()
    assert found.queries.sum() == 9
    assert found.rank_a.min() == 1.0


def test_settings_as_parallel_axes(published):
    setup = only_setup(published)
    known = list(setup.variants[1:])
    epochs = retrieval_sweep.epoch_rows(published, setup, "image to text")
    ends = retrieval_sweep.end_rows(epochs, known)
    assert ends.before.tolist() == [0.75, pytest.approx(epochs[epochs.variant == known[1].name].recall.iloc[0])]
    assert ends.after[0] == 1.0
    lines, ticks, axes = retrieval_sweep.parallel_rows(known, ends)
    assert axes == ["learning|rate", "weight|decay", "temperature", "start", "R@1|before", "R@1|after"]
    own = lines[lines.variant == "fine-tuned"].set_index("axis")
    assert own.text.tolist() == ["1e-5", "0", "0.1", "trained", "75.0\u00a0%", "100.0\u00a0%"]
    assert own.place["learning|rate"] == 0.0
    assert own.place["R@1|after"] == 1.0
    rate = ticks[ticks["axis"] == "learning|rate"]
    assert rate[["place", "label"]].values.tolist() == [[0.0, "1e-5"], [1.0, "0.001"]]
    decay = lines[lines["axis"] == "weight|decay"].place  # the same setting, drawn a little apart
    assert decay.tolist() == pytest.approx([0.5 - retrieval_sweep.APART / 2, 0.5 + retrieval_sweep.APART / 2])


def test_trainings_are_told_with_their_settings(published):
    setup = only_setup(published)
    known = list(setup.variants[1:])
    ends = retrieval_sweep.end_rows(retrieval_sweep.epoch_rows(published, setup, "image to text"), known)
    table = retrieval_sweep.settings_table(published, known, ends).set_index("training")
    assert table.loc["fine-tuned", ["learning rate", "epochs", "batch"]].tolist() == ["1e-5", "2", "16"]
    assert table.loc["fine-tuned", "training steps, s"] == pytest.approx(0.008)


def score(variant: str, recall_1: float, change: Estimate | None, start: str = "random") -> Score:
    own = Variant(variant, variant, ("r",), (0,), start, 3, 16, 1e-3, 0.0, 0.1)
    exact = Estimate(recall_1, math.nan, math.nan)
    return Score(own, "", 9, {1: exact}, None if change is None else {1: change}, 1.0, exact, 0)


def test_the_words_on_fine_tuning():
    up, down, open_ = Estimate(0.1, 0.05, 0.15), Estimate(-0.1, -0.2, -0.05), Estimate(0.01, -0.1, 0.1)
    told = [
        retrieval_scores.tuned_words(score("fine_tuned", 0.5, a), score("fine_tuned", 0.5, b))
        for a, b in ((open_, open_), (up, up), (up, open_), (up, down))
    ]
    assert told == [
        "No change by fine-tuning was shown (+1.0 [−10.0, +10.0] and +1.0 [−10.0, +10.0] points).",
        "Fine-tuning **raises** both: +10.0 [+5.0, +15.0] and +10.0 [+5.0, +15.0] points.",
        "Fine-tuning **raises** image to text (+10.0 [+5.0, +15.0] points) and is not shown to change text to image "
        "(+1.0 [−10.0, +10.0] points).",
        "Fine-tuning **raises** image to text (+10.0 [+5.0, +15.0] points) and **lowers** text to image "
        "(−10.0 [−20.0, −5.0] points).",
    ]
    assert retrieval_scores.tuned_words(score("fine_tuned", 0.5, None), score("fine_tuned", 0.5, None)) == ""


def test_the_words_on_random_starts():
    behind, level = Estimate(-0.3, -0.4, -0.2), Estimate(-0.1, -0.2, 0.1)
    evaluation = (score("evaluation", 0.8, None, "trained"),) * 2
    one = [evaluation, (score("a", 0.5, behind), score("a", 0.4, level))]
    assert retrieval_scores.random_words(one) == (
        "The training from a random start does **not** reach them: 50.0\u00a0% and 40.0\u00a0%."
    )
    two = [*one, (score("b", 0.6, behind), score("b", 0.5, behind))]
    assert retrieval_scores.random_words(two).startswith("**None** of the two random starts reaches them: the best, b, comes")
    three = [*two, (score("c", 0.7, level), score("c", 0.6, level))]
    assert retrieval_scores.random_words(three).startswith("1 of the three random starts is not shown to be behind them")
    assert retrieval_scores.random_words([evaluation]) == ""


def test_the_report_stands_beside_the_measures_that_it_has(published):
    setup = only_setup(published)
    reported = queries.reported_results(published)
    assert tables.reported_value(reported, "evaluation", "image to text", "R@1 in percent") == 80.5
    assert math.isnan(tables.reported_value(reported, "evaluation", "image to text", "R@5 in percent"))
    found = retrieval_scores.scores(published, setup, "image to text")
    guess = retrieval_scores.chance(published, setup, "image to text")
    titles = [cell.text for cell in tables.score_table(setup, found, guess, reported).iter("th")]
    assert titles == [
        "projections", "R@1", "the report", "R@5", "R@10", "median rank", "the report", "mean rank",
        "R@1 against evaluation, points",
    ]  # fmt: skip
    titles = [cell.text for cell in tables.score_table(setup, found, guess, reported.iloc[:0]).iter("th")]
    assert "the report" not in titles
    csv = tables.csv_rows(found, guess, reported).set_index("variant")
    assert csv.loc["evaluation", "report R@1"] == 80.5
    assert csv.loc["evaluation", "recall_at_1"] == 0.75
    assert "cannot be compared" in tables.report_words(setup, reported)
    assert "follows the report’s protocol" in tables.report_words(replace(setup, profile="full (lab)"), reported)
    assert tables.report_words(setup, reported.iloc[:0]) == ""


def test_histograms_add_up_and_end_in_chance(published):
    setup = only_setup(published)
    bars = retrieval_ranks.histogram_rows(published, setup, "run-evaluation", "text to image")
    assert bars.values.tolist() == [["1", 8.0, pytest.approx(8 / 9), 0.25], ["2–4", 1.0, pytest.approx(1 / 9), 0.75]]
    lines, guess = retrieval_ranks.curve_rows(published, setup, "text to image")
    assert lines[lines.variant == "evaluation"].recall.tolist() == pytest.approx([8 / 9, 1, 1, 1])
    assert guess.recall.tolist() == pytest.approx([0.25, 0.5, 0.75, 1])
    assert "Of 2 of 9 captions (22.2\u00a0%)" in retrieval_ranks.tie_words(published, "run-evaluation", "text to image")


def test_other_experiments_are_no_retrieval(tmp_path):
    results = open_results(*publish_sampling(tmp_path, ("greedy",)))
    assert queries.retrieval_runs(results).empty
    assert retrieval_runs.choices(results).empty
    assert queries.reported_results(results).empty
    assert set(RETRIEVED) == {"evaluation", "fine_tuned", "random_lr1e-3"}
