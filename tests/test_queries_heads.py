"""What is asked of decoder heads' rows, and what the page makes of it, against counts worked out by hand from heads_rows."""

import math
from dataclasses import replace

import duckdb
import numpy as np
import pandas
import pytest
from heads_rows import HEADS, IDS, PARAMETERS, head_tables, publish_heads
from precision_rows import publish_precisions

from compute.results import publish
from dashboard import queries_heads as queries
from dashboard.connection import Results, ResultsError, open_results
from dashboard.intervals import Estimate
from dashboard.views import head_attention, head_cost, head_epochs, head_hidden, head_pictures, head_runs, head_scores
from dashboard.views.head_runs import Head, Setup
from dashboard.views.head_scores import Standing

SHARED = "transformer, shared query and key"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return open_results(*publish_heads(tmp_path_factory.mktemp("heads")))


def only_setup(results: Results) -> Setup:
    found = head_runs.choices(results)
    assert len(found) == 1
    return head_runs.setup_of(results, found.iloc[0])


def counts(results: Results) -> pandas.DataFrame:
    return results.query("FROM segmentation_score")


def mean_iou(rows: pandas.DataFrame) -> float:
    union = rows.predicted + rows.truth - rows.intersection
    return float((rows.intersection[union > 0] / union[union > 0]).mean())


def test_scores_of_epochs_are_those_of_the_definitions_written_out(published):
    found = queries.epoch_scores(published, only_setup(published).run_ids)
    assert len(found) == 4 * 2
    for row in found.itertuples():
        own = counts(published).query("run_id == @row.run_id and epoch == @row.epoch")
        assert row.pooled == pytest.approx(mean_iou(own.groupby("class_id")[["intersection", "predicted", "truth"]].sum()))
        assert row.per_image == pytest.approx(np.mean([mean_iou(image) for _, image in own.groupby("image_id")]))


def test_classes_over_epochs_by_hand(published):
    found = queries.class_epoch_scores(published, ("run-transformer_shared-0",)).set_index(["class_id", "epoch"])
    # A class has 16 pixels in each picture; before the last epoch all is background, then three of four rows are right.
    assert found.loc[(1, 0), ["iou", "truth"]].tolist() == [0.0, 64]
    assert found.loc[(0, 0), "iou"] == pytest.approx(24 / 56)
    assert found.loc[(1, 1), "iou"] == pytest.approx(12 / 16)
    assert found.loc[(0, 1), "iou"] == pytest.approx(24 / 32)


def test_a_picture_s_masks_over_the_epochs(published):
    found = queries.epoch_masks(published, ("run-linear-0",), IDS[0])
    assert found.epoch.tolist() == [0, 1]
    assert found.path.tolist() == ["runs/run-linear-0/epoch_0/1.png", "runs/run-linear-0/epoch_1/1.png"]
    assert found.mean_iou.tolist() == pytest.approx([24 / 56 / 3, (4 / 16 + 4 / 16 + 24 / 48) / 3])
    assert queries.epoch_masks(published, ("run-linear-0",), IDS[3]).empty


def test_only_pictures_with_masks_of_both_are_set_side_by_side(published):
    setup = only_setup(published)
    pair = head_pictures.pair_of(setup, SHARED, "linear", 0)
    found = head_pictures.compared(published, pair, "number")
    assert found.ordinal.tolist() == [1, 2]
    assert found.a_iou.tolist() == pytest.approx([0.75, 0.75])
    assert found.difference.tolist() == pytest.approx([0.75 - 1 / 3] * 2)


def test_the_latest_run_counts_and_settings_are_kept_apart(tmp_path):
    file, images = publish_heads(tmp_path, ("linear", "transformer"))
    for head, moment, settings in (
        ("linear", "2026-01-03", '{"epochs": 2, "image_size_px": 8}'),  # again, with the same settings
        ("convolutional", "2026-01-04", '{"epochs": 30, "image_size_px": 16}'),  # alone with its own
    ):
        tables = head_tables(images, head, seed=0)
        run_id = f"later-{head}"
        masks = tables["segmentation_mask"]
        tables = {name: rows.assign(run_id=run_id) if "run_id" in rows else rows for name, rows in tables.items()}
        tables["segmentation_mask"] = masks[masks.run_id.isna()]
        run = tables["run"].assign(trial_key=run_id, settings=settings, started_at=pandas.Timestamp(moment))
        publish(file, images, tables | {"run": run})
    setup = only_setup(open_results(file, images))
    assert setup.run_ids == ("later-linear", "run-transformer-0")  # two heads outweigh a newer single one
    assert (setup.epochs, setup.image_size_px) == (2, 8)


def test_heads_are_compared_on_the_seeds_that_all_have(tmp_path):
    file, images = publish_heads(tmp_path, ("linear",), seeds=(0, 1))
    publish(file, images, head_tables(images, "transformer", seed=1))
    setup = only_setup(open_results(file, images))
    assert setup.seeds == (1,)
    assert setup.run_ids == ("run-linear-1", "run-transformer-1")


def test_without_a_common_seed_those_with_the_most_common_one_are_compared(tmp_path):
    file, images = publish_heads(tmp_path, ("linear", "transformer"), seeds=(2,))
    publish(file, images, head_tables(images, "convolutional", seed=5))
    setup = only_setup(open_results(file, images))
    assert (setup.seeds, setup.names) == ((2,), ["linear", "transformer"])


def test_an_unknown_head_comes_last_under_a_name_of_its_own(tmp_path):
    file, images = publish_heads(tmp_path)
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE run SET variant = 'transformer, shared query and key' WHERE variant = 'convolutional'")
    setup = only_setup(open_results(file, images))
    assert setup.names == ["linear", "transformer", SHARED, f"{SHARED} (4)"]


def test_what_a_setup_says_of_its_runs(published):
    setup = only_setup(published)
    assert [head.variant for head in setup.heads] == list(HEADS)
    assert [head.parameters for head in setup.heads] == list(PARAMETERS.values())
    assert (setup.encoder, setup.measured_on, setup.class_count) == ("a ViT of tests", "CPU, 2 threads", 3)
    assert setup.run_of("linear", 0) == "run-linear-0"


def test_the_standings_by_hand(published):
    setup = only_setup(published)
    found = head_scores.standings(published, setup, "pooled")
    values = {standing.head.name: standing.estimate.value for standing in found}
    assert list(values) == [SHARED, "transformer", "linear", "convolutional"]
    # linear: rows 1, 1, 1 and 3, so that 6 of 16 rows of each animal are right and others are called background.
    assert values["linear"] == pytest.approx((24 / 64 + 24 / 64 + 96 / 176) / 3)
    assert values["convolutional"] == pytest.approx(24 / 56 / 3)
    assert found[0].lead.value == pytest.approx(values[SHARED] - values["transformer"])
    assert found[-1].lead is None
    per_image = {each.head.name: each.estimate.value for each in head_scores.standings(published, setup, "per image")}
    assert per_image["linear"] == pytest.approx((3 * (0.25 + 0.25 + 0.5) / 3 + 0.75) / 4)


def test_seeds_are_averaged(tmp_path):
    file, images = publish_heads(tmp_path, ("linear",), seeds=(0,))
    tables = head_tables(images, "transformer_shared", seed=1)
    publish(file, images, tables | {"run": tables["run"].assign(variant="linear")})
    results = open_results(file, images)
    setup = only_setup(results)
    [standing] = head_scores.standings(results, setup, "pooled")
    assert standing.estimate.value == pytest.approx(((24 / 64 + 24 / 64 + 96 / 176) / 3 + 0.75) / 2)
    drawn = head_epochs.epoch_rows(results, setup, "pooled").set_index("epoch").loc[1]
    assert (drawn.low, drawn.high) == (pytest.approx((24 / 64 + 24 / 64 + 96 / 176) / 3), pytest.approx(0.75))


def test_runs_on_other_images_are_not_compared(tmp_path):
    file, images = publish_heads(tmp_path, ("linear", "transformer"))
    with duckdb.connect(str(file)) as connection:
        connection.execute("DELETE FROM segmentation_score WHERE run_id = 'run-linear-0' AND image_id = ?", [IDS[1]])
    results = open_results(file, images)
    with pytest.raises(ResultsError, match="same images and classes"):
        head_scores.counts_of(results, only_setup(results))


def standing(variant: str, value: float, lead: Estimate | None, lead_of_last: Estimate | None = None) -> Standing:
    return Standing(Head(variant, head_runs.HEADS[variant], ("r",), 1), Estimate(value, math.nan, math.nan), lead, lead_of_last)


def test_the_sentence_says_by_how_much_the_first_is_ahead_and_which_steps_were_not_shown():
    shown, open_step = Estimate(0.1, 0.05, 0.2), Estimate(0.01, -0.02, 0.04)
    linear, transformer = standing("linear", 0.4, None), standing("transformer", 0.5, shown, shown)
    assert head_scores.sentence([transformer, linear]) == (
        "The transformer is ahead of the linear head by **0.100 [0.050, 0.200]**: mean IoU 0.500 against 0.400."
    )
    assert head_scores.steps([transformer, linear]) == ""
    three = [standing("transformer", 0.5, open_step, shown), standing("convolutional", 0.49, shown, shown), linear]
    assert "is ahead of the linear head, the last of 3, by" in head_scores.sentence(three)
    assert head_scores.steps(three) == (
        "No difference was shown between the transformer and the convolutional head (+0.010 [-0.020, +0.040])."
    )
    assert head_scores.order_words(three) == "transformer ≈ convolutional \\> linear"
    three[0] = standing("transformer", 0.5, shown, shown)
    assert head_scores.steps(three) == "Every step of the order between them was shown."
    three[0] = standing("transformer", 0.5, open_step, open_step)
    assert head_scores.sentence(three) == (
        "No difference was shown, even of the transformer from the linear head: mean IoU 0.500 against 0.400, "
        "+0.010 [-0.020, +0.040]."
    )
    assert head_scores.steps(three) == ""
    assert head_scores.sentence([linear]) == "So far only the linear head has run: mean IoU **0.400**."


def test_a_head_that_gives_all_pixels_one_class_is_named(published):
    assert head_scores.ignorance(published, only_setup(published)) == [
        "The convolutional head calls every pixel background, which takes no learning at all."
    ]


def test_what_hidden_pixels_are_called_by_hand(published):
    setup = only_setup(published)
    found = {filling.head.variant: filling for filling in head_hidden.fillings(published, setup)}
    # Two hidden pixels in each of two pictures; the transformer calls both of the first picture cat, the others all dog.
    assert {variant: filling.pixels for variant, filling in found.items()} == dict.fromkeys(HEADS, 4)
    assert found["transformer"].as_hidden.value == 0.5
    assert found["transformer"].as_occluder.value == 0.5
    assert found["linear"].as_occluder.value == 1.0
    assert found["convolutional"].as_occluder.value == 0.0
    assert [filling.control.value for filling in found.values()] == [0.0] * 4
    shares, controls = head_hidden.chart_rows(list(found.values()))
    assert shares.groupby("head")["share"].sum().tolist() == [1.0] * 4
    assert shares.query("head == 'convolutional' and called == 'something else'")["share"].item() == 1.0
    assert len(controls) == 4


def filling(variant: str, as_hidden: float, excess: Estimate) -> head_hidden.Filling:
    exact = Estimate(as_hidden, as_hidden - 0.01, as_hidden + 0.01)
    control = Estimate(0.005, 0.0, 0.01)
    return head_hidden.Filling(Head(variant, head_runs.HEADS[variant], ("r",), 1), 1000, 9, exact, exact, control, excess)


@pytest.mark.parametrize(
    "shares, verdict, told, tail",
    [
        ([(0.04, 0.01)], "Hardly: of 1,000 hidden pixels the linear head calls **4.0 % [3.0, 5.0]**", "0.5 %", "was shown."),
        ([(0.04, -0.01)], "No: of", "the linear head", "was not shown."),
        ([(0.04, -0.01), (0.03, -0.02)], "No: of", "the linear head", "no head is shown to differ from its control."),
        ([(0.09, -0.01), (0.2, 0.1)], "In part: of", "the transformer calls **20.0 %", "no other head is shown to differ"),
        ([(0.6, 0.5), (0.2, 0.1)], "Yes, mostly: of", "the linear head calls", "2 of 2 heads are shown to be above"),
    ],
)
def test_the_answer_on_hidden_objects(shares, verdict, told, tail):
    heads = ("linear", "transformer")
    found = [filling(head, share, Estimate(0.1, low, 0.3)) for head, (share, low) in zip(heads, shares, strict=False)]
    sentence = head_hidden.sentence(found)
    assert sentence.startswith(verdict)
    assert told in sentence
    assert tail in sentence


def test_examples_are_pictures_in_which_something_is_filled_in(published):
    runs = {f"run-{head}-0": head for head in HEADS}
    [row] = head_hidden.example_rows(published, runs)
    assert row.title == "Picture 1: 2 pixels of cat behind dog"
    assert [cell.caption for cell in row.cells] == [
        "photo", "truth", "linear: 0.0 % filled in", "convolutional: 0.0 % filled in", "transformer: 100 % filled in",
        "transformer_shared: 0.0 % filled in",
    ]  # fmt: skip


def test_attention_on_a_class_by_hand(published):
    setup = only_setup(published)
    looks = {(look.head, look.image_id, look.class_id): look for look in head_attention.looks(published, setup)}
    assert len(looks) == 2 * 2 * 3  # heads, pictures with stored attention, classes
    cat = looks["transformer", IDS[0], 1]
    assert (cat.on_class, cat.area) == (pytest.approx(1.0), 16 / 64)
    assert looks[SHARED, IDS[0], 2].on_class == pytest.approx(0.25)
    table = head_attention.look_table(list(looks.values()), {0}).set_index("head")
    assert table.loc["transformer", ["on_class", "area"]].tolist() == pytest.approx([(1 + 0.25) / 2, 0.25])
    assert table.loc["transformer", "excess"].value == pytest.approx(0.375)
    assert table.pictures.tolist() == [2, 2]


def test_costs_by_hand(published):
    setup = only_setup(published)
    table = head_cost.cost_table(published, setup, head_scores.standings(published, setup, "pooled")).set_index("head")
    assert table.parameters.tolist() == list(PARAMETERS.values())
    assert table.multiply_adds.tolist() == [10 * count for count in PARAMETERS.values()]
    assert table.loc["linear", "training_s"] == pytest.approx(1.7)
    assert table.loc["transformer", "inference_ms"] == pytest.approx(2.4)  # of 2.0, 2.2, 2.4, 2.6 and 2.8 ms
    assert (table.loc["transformer", "clock"], table.loc["transformer", "repetitions"]) == ("wall", 5)


def test_the_report_stands_beside_ours_and_a_different_order_is_told(published):
    setup = only_setup(published)
    table = head_epochs.report_table(published, setup, head_scores.standings(published, setup, "pooled"))
    assert table.report.tolist() == [45.46, 46.47, 63.13, 64.20]
    assert table.ours.tolist()[1] == pytest.approx(100 * 24 / 56 / 3)
    told = head_epochs.how_far(published, setup, table)
    assert "6 training and 4 validation images at 8 px, 3 classes on frozen features of a ViT of tests" in told
    assert "cannot be compared" in told
    assert "The order is **not** the report’s" in told
    theirs = replace(setup, profile="full (lab)")  # merged from others' results
    assert "This profile follows the report’s protocol" in head_epochs.how_far(published, theirs, table)
    assert "The order of the heads is the report’s here" in head_epochs.how_far(
        published, setup, table[table["head"] != "linear"]
    )


def test_classes_come_by_frequency_with_a_value_for_each_epoch(published):
    epochs, charts = head_epochs.class_charts(published, only_setup(published))
    assert epochs == [0, 1]
    assert [chart.title for chart in charts] == ["background", "cat", "dog"]
    assert charts[0].note == "43 %"  # 24 of 56 pixels
    assert charts[1].values[SHARED] == pytest.approx([0.0, 0.75])


def test_classes_of_one_name_can_both_be_picked():
    names = pandas.DataFrame({"class_id": [0, 1, 2], "name": ["cat", "cat", head_attention.PRESENT]})
    picked = {"cat": 0, "cat (1)": 1, f"{head_attention.PRESENT} (2)": 2}
    assert head_attention.class_labels(names) == picked


def test_other_experiments_are_no_heads(tmp_path):
    results = open_results(*publish_precisions(tmp_path, ("latency",)))
    assert queries.head_runs(results).empty
    assert head_runs.choices(results).empty
    assert queries.reported_results(results).empty
