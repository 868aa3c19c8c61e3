"""What the page fp32_vs_fp16 counts and measures, against hand-worked numbers and a recount with numpy from the outputs."""

import math
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from precision_rows import CATEGORIES, CLASSES, DATASET, PICTURES, TENSORS, latency_tables, publish_precisions

from compute.results import publish
from dashboard import intervals
from dashboard import queries_precision as queries
from dashboard.connection import Results, open_results
from dashboard.views import precision_drift, precision_layers, precision_memory, precision_pictures, precision_time
from dashboard.views.hierarchy import hierarchy_of
from dashboard.views.precision_runs import (
    FORMATS,
    Setup,
    choices,
    duration,
    in_order,
    lower_precisions,
    magnitude,
    percent,
    setup_of,
    small,
)

PAIR = ("run-fp32", "run-fp16")
PUBLISHED = Path(__file__).parent.parent / "results.duckdb"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return open_results(*publish_precisions(tmp_path_factory.mktemp("precisions")))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The same, where drift has 3,000 more rows, every fifth a flip: margins and changes over many decades."""
    file, images = publish_precisions(tmp_path_factory.mktemp("many"), ("fp32", "fp16"))
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """INSERT INTO precision_drift
               SELECT 'run-fp32', 'run-fp16', concat('more/', i), 100 + i, NULL, NULL, 10 ** (-1 - i % 50 / 10), 0, 1e-6, 1e-9,
                      i % 5 = 0, 0, 0, 10 ** (-(i % 37) / 10), NULL FROM range(3000) t(i)"""
        )
    return open_results(file, images)


def setup(results: Results, lower: str = "fp16") -> Setup:
    [(_, choice)] = choices(results).iterrows()
    return setup_of(results, choice, "Fourteen · mini", lower)


def softmax(outputs: np.ndarray) -> np.ndarray:
    exponentials = np.exp(outputs - outputs.max())
    return exponentials / exponentials.sum()


def stored_outputs(results: Results, run_id: str, image_id: str) -> np.ndarray:
    """A picture's outputs as float64, read without the dashboard's own reader."""
    [row] = results.query(
        "SELECT single_values, half_bits FROM logit WHERE run_id = $run_id AND image_id = $image_id",
        run_id=run_id,
        image_id=image_id,
    ).itertuples()
    if isinstance(row.half_bits, np.ndarray):
        return np.frombuffer(np.array(row.half_bits, np.uint16).tobytes(), np.float16).astype(np.float64)
    return np.array(row.single_values, np.float64)


def recounted(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    p, q = softmax(before), softmax(after)
    first, second = (sorted(range(len(p)), key=lambda place: (-values[place], place)) for values in (before, after))
    return {
        "largest_change": max(abs(b - a) for a, b in zip(p, q, strict=True)),
        "kl_divergence": sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0),
        "top1_flip": first[0] != second[0],
        "top5_changes": sum(second.index(place) != rank for rank, place in enumerate(first[:5])),
        "top5_left": sum(place not in second[:5] for place in first[:5]),
        "margin": sorted(p)[-1] - sorted(p)[-2],
    }


def check_recount(results: Results, pair: tuple[str, str], pictures: pandas.DataFrame) -> int:
    told = queries.picture_drift(results, *pair, pictures.ordinal.tolist())
    for picture in pictures.itertuples():
        outputs = [stored_outputs(results, run_id, picture.image_id) for run_id in pair]
        expected, row = recounted(*outputs), told.loc[picture.ordinal]
        for name in ("top1_flip", "top5_changes", "top5_left"):
            assert row[name] == expected[name], (picture.image_id, name)
        for name in ("largest_change", "margin"):
            assert row[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-9), (picture.image_id, name)
        assert row.kl_divergence == pytest.approx(expected["kl_divergence"], rel=1e-6, abs=1e-12)
    return len(told)


@pytest.mark.parametrize("lower", ["run-fp16", "run-bf16"])
def test_drift_recomputed_from_the_stored_outputs_equals_what_the_page_asks_for(results, lower):
    pictures = results.query("SELECT ordinal, image_id FROM image ORDER BY ordinal")
    assert check_recount(results, ("run-fp32", lower), pictures) == PICTURES


def test_drift_recomputed_from_the_committed_results_equals_the_page():
    published = open_results(PUBLISHED, PUBLISHED.parent / "images")
    if queries.precision_runs(published).empty:
        pytest.skip("the committed results do not hold this experiment yet")
    for lower, fp32 in queries.drift_pairs(published).items():
        for order in ("change", "margin", "number"):
            ordinals = queries.drifted_pictures(published, fp32, lower, "all", False, order, 8, 0)
            pictures = published.query(
                """SELECT ordinal, image_id FROM precision_drift WHERE other_run_id = $lower
                   AND ordinal IN (SELECT unnest($ordinals))""",
                lower=lower,
                ordinals=ordinals,
            )
            assert check_recount(published, (fp32, lower), pictures) == 8


def test_the_table_of_an_opened_picture_is_the_softmax_of_its_outputs(results):
    table = precision_pictures.answer_table(results, setup(results), f"{DATASET}/4", hierarchy_of(results))
    p, q = (softmax(stored_outputs(results, run_id, f"{DATASET}/4")) for run_id in PAIR)
    assert table.fp32.tolist() == pytest.approx(sorted(p, reverse=True))
    assert table.change.tolist() == pytest.approx([q[place] - p[place] for place in np.argsort(-p)])
    assert table.rank_fp32.tolist() == list(range(1, len(CLASSES) + 1))
    assert table.rank_lower.tolist() == [2, 1, 3, 4, 5, 6, 7]  # the two that were a thousandth apart


@pytest.mark.parametrize(
    "pictures, images, flips, reordered, replaced",
    [("all", 14, 1, 3, 1), ("one per class", 7, 1, 1, 0), ("first five", 5, 1, 1, 0)],
)
def test_counts_of_some_pictures(results, pictures, images, flips, reordered, replaced):
    found = queries.drift_summary(results, *PAIR, pictures)
    assert (found.images, found.flips, found.reordered, found.replaced) == (images, flips, reordered, replaced)
    assert found.cannot_flip == images - 1
    assert found.flip_margin == pytest.approx(0.00049376, rel=1e-4)
    assert queries.change_histogram(results, *PAIR, pictures).pictures.sum() == images
    assert len(queries.margins_and_changes(results, *PAIR, pictures)) == images


def test_medians_are_those_of_the_pictures(results):
    moved = queries.picture_drift(results, *PAIR, list(range(1, PICTURES + 1)))
    told = queries.drift_medians(results, *PAIR, "all")
    expected = moved[["largest_change", "kl_divergence", "encoder_change"]].median().tolist()
    assert [told.change, told.divergence, told.encoder_change] == pytest.approx(expected)


def test_one_per_class_takes_the_first_picture_of_each(results):
    assert queries.drifted_pictures(results, *PAIR, "one per class", False, "number", 20, 0) == list(range(1, 8))


def test_orders_pages_and_flips(results):
    moved = queries.picture_drift(results, *PAIR, list(range(1, PICTURES + 1)))
    for order, column, ascending in (("change", "largest_change", False), ("margin", "margin", True)):
        expected = moved.sort_values(column, ascending=ascending, kind="stable").index.tolist()
        assert queries.drifted_pictures(results, *PAIR, "all", False, order, 20, 0) == expected
        assert queries.drifted_pictures(results, *PAIR, "all", False, order, 3, 6) == expected[6:9]
    assert queries.drifted_pictures(results, *PAIR, "all", True, "number", 20, 0) == [4]


def test_steps_of_the_histogram_hold_their_pictures(results):
    steps = queries.change_histogram(results, *PAIR, "all")
    changes = queries.picture_drift(results, *PAIR, list(range(1, PICTURES + 1))).largest_change
    for step in steps.itertuples():
        assert step.high / step.low == pytest.approx(10**0.25)
        assert step.pictures == ((changes >= step.low) & (changes < step.high)).sum()
    assert steps.flips.sum() == 1


def test_of_many_pictures_the_browser_gets_counted_cells_and_the_flips(many):
    marks = queries.margins_and_changes(many, *PAIR, "all")
    flips = marks[marks.flip]
    assert len(marks) < 1100
    assert marks[~marks.flip].pictures.sum() == 2400 + 13
    assert len(flips) == queries.MOST_FLIPS == 400  # of 601
    assert flips.pictures.eq(1).all()


def test_right_answers_are_counted_and_tested(results):
    right = queries.right_answers(results, *PAIR, "all")
    assert (right.images, right.both_1, right.only_fp32_1, right.only_lower_1) == (14, 13, 1, 0)
    assert (right.both_5, right.only_fp32_5, right.only_lower_5) == (14, 0, 0)
    told = precision_drift.significance(right, "fp16")
    assert told.startswith("**No**, no effect on accuracy was shown, on 14 pictures with a label.")
    assert "First answer: right only in fp32 on 1, only in fp16 on 0 (exact McNemar test, p = 1.00)" in told
    assert told.endswith("p is below 0.025 = 0.05 / 2, for two tests (Bonferroni).")


LESS_RIGHT = "the first answer is **less** often right"
MORE_HELD = "the five first answers hold the label **more** often"


@pytest.mark.parametrize(
    "first, five, effects",  # pictures that only fp32 and only the other one gets right
    [
        ((9, 0), (0, 0), [LESS_RIGHT]),
        ((7, 0), (0, 0), [LESS_RIGHT]),  # 2 / 2^7 is below 0.025
        ((6, 0), (0, 0), []),  # 2 / 2^6 is not
        ((0, 9), (0, 0), ["the first answer is **more** often right"]),
        ((0, 0), (0, 9), [MORE_HELD]),
        ((7, 0), (0, 30), [LESS_RIGHT, MORE_HELD]),
        ((7, 0), (0, 6), [LESS_RIGHT]),
    ],
)
def test_each_effect_on_accuracy_that_was_shown_is_named_with_its_direction(first, five, effects):
    counts = {"only_fp32_1": first[0], "only_lower_1": first[1], "only_fp32_5": five[0], "only_lower_5": five[1]}
    right = pandas.Series({"images": 100, **counts})
    assert precision_drift.shown_effects(right) == effects
    told = precision_drift.significance(right, "fp16")
    yes = f"**Yes**: in fp16 {', and '.join(effects)}, on 100 pictures with a label."
    assert told.startswith(yes if effects else "**No**, no effect on accuracy was shown, on 100")


def test_without_labels_nothing_is_tested():
    right = pandas.Series({"images": 0, "only_fp32_1": 0, "only_lower_1": 0, "only_fp32_5": 0, "only_lower_5": 0})
    assert precision_drift.shown_effects(right) is None
    assert precision_drift.significance(right, "fp16").startswith("**It cannot be tested**")


def test_reasons_name_the_rounding_the_growth_and_the_range(results):
    chosen = setup(results)
    told = precision_drift.reasons(results, chosen, queries.drift_summary(results, *PAIR, "all"))
    assert "changes a value by at most 2⁻¹¹ = 4.9 × 10⁻⁴ of its size" in told
    assert "the class scores differ by 0.28 % (median of 4 pictures); the largest change of a probability is 0.0061." in told
    assert "After every stage, on 4 pictures, the largest value is 104, fp16’s largest 65,504; at most 0.4 % of a" in told
    assert told.endswith("twice the change: on 1 of 14 pictures. 1 of them did, at margins up to 4.9 × 10⁻⁴.")


def test_that_no_answer_changed_is_said_as_that(results):
    summary = queries.drift_summary(results, *PAIR, "all")
    able = precision_drift.reasons(results, setup(results), pandas.concat([summary.drop("flips"), pandas.Series({"flips": 0})]))
    assert able.endswith("on 1 of 14 pictures. None of them did.")
    none = pandas.concat([summary.drop(["flips", "cannot_flip"]), pandas.Series({"flips": 0, "cannot_flip": 14})])
    assert precision_drift.reasons(results, setup(results), none).endswith("on none of 14 pictures.")


@pytest.mark.parametrize(
    "largest, below, told",
    [
        (1e5, 0.0, "the largest value is 100,000, fp16’s largest 65,504: more than it can hold; no value is below"),
        (math.inf, 0.0, "the largest value is infinite, fp16’s largest 65,504: more than it can hold; no value"),
        (104.0, 0.9996, "65,504; at most 99.9 % of a stage’s values are below its smallest normal number."),
        (104.0, math.nan, "the largest value is 104, fp16’s largest 65,504."),
        (math.nan, 0.0, ""),
    ],
)
def test_the_range_is_told_only_as_far_as_it_was_looked_at(largest, below, told):
    layers = pandas.DataFrame({"images": [4, 4], "largest_value": [1.0, largest], "below_normal": [below, below]})
    sentence = precision_drift.range_sentence(layers, "fp16", FORMATS["fp16"])
    assert told in sentence
    assert bool(sentence) == bool(told)
    assert precision_drift.range_sentence(layers, "fp8", None) == ""


def test_layers_come_in_their_order_with_their_middle(results):
    rows = queries.layer_errors(results, "run-fp16")
    assert rows.layer.tolist() == ["stem", "layer1.0", "layer2.0", "attnpool", "logits"]
    # Pictures are off by 1.0, 1.1, 1.2 and 1.3 times the layer's place in roundings.
    assert rows.error.tolist() == pytest.approx([2**-11 * place * 1.15 for place in range(1, 6)], rel=1e-6)
    assert rows.low[0] == pytest.approx(2**-11 * 1.015, rel=1e-6)
    assert rows.images.eq(4).all()
    assert "(5.0 times)" in precision_layers.growth_sentence(rows)


def test_what_stays_in_fp32_is_counted_by_part(results):
    groups = queries.parameter_groups(results, "run-fp16")
    assert groups.tensors.sum() == 7
    half = groups[(groups.part == "image encoder") & (groups.data_type != "float32")]
    assert (half.rounded > 0).all()
    share = half.rounded.sum() / half.elements.sum()
    assert f"converted numbers {share * 100:.0f}" in precision_layers.rounded_sentence(groups, "fp16")
    assert "None of the image encoder’s" in precision_layers.rounded_sentence(groups.assign(rounded=0), "fp16")
    told = precision_layers.kept_sentence(groups, "fp16")
    assert "of the image encoder **3 of 5 tensors**, 13 % of its numbers (BatchNorm2d 2, AttentionPool2d 1)" in told
    assert "of the text encoder **1 of 2 tensors**, 0.78 % of its numbers (LayerNorm 1)" in told
    names = queries.parameter_names(results, "run-fp16", "float32")
    assert names.name.tolist() == [name for _, name, _, _, converted in TENSORS if not converted]


def test_tf32_is_said_to_keep_every_tensor(results):
    groups = queries.parameter_groups(results, "run-fp16").assign(data_type="float32")
    told = precision_layers.kept_sentence(groups, "tf32")
    assert told.startswith("tf32 keeps every tensor in fp32 and only rounds the factors of products")
    assert "of the image encoder **5 of 5 tensors**, 100 % of its numbers" in told
    assert "conversion" not in told


def test_times_and_their_ratio(results):
    found = queries.time_summaries(results, "run-latency").set_index(["batch_size", "precision"])
    fp32 = found.loc[(1, "fp32")]
    assert (fp32.repetitions, fp32["mean"], fp32.middle) == pytest.approx((20, 2.2, 2.2))
    assert fp32.deviation == pytest.approx(np.std([2.0, 2.1, 2.2, 2.3, 2.4] * 4, ddof=1))
    speed = precision_time.speed_of(results, setup(results), "fp16")
    assert (speed.batch_size, speed.is_paired, speed.repetitions) == (1, True, (20, 20))
    assert speed.ratio.value == pytest.approx(2.2 / 8.6)
    assert speed.sentence("fp16").startswith("fp16 takes **3.91 [")
    larger = precision_time.speed_of(results, setup(results), "fp16", "wall", 8)
    assert (larger.is_paired, larger.repetitions) == (False, (20, 5))
    assert (
        precision_time.speed_of(results, setup(results), "bf16").sentence("bf16").startswith("bf16 encodes one picture **2.05")
    )
    assert precision_time.speed_of(results, setup(results), "tf32") is None


def test_times_that_are_no_numbers_and_more_than_are_drawn_are_left_out(tmp_path):
    file, images = publish_precisions(tmp_path, ("latency",))
    with duckdb.connect(str(file)) as connection:
        for number, value in enumerate(("nan", "inf", "-inf", "-1", "0", "1e300"), start=1):
            connection.execute(f"UPDATE latency SET milliseconds = '{value}' WHERE repetition = {number}")
        connection.execute("INSERT INTO latency SELECT 'run-latency', 'bf16', 1, i, 'wall', 1 FROM range(21, 3001) t(i)")
    tampered = open_results(file, images)
    found = queries.time_summaries(tampered, "run-latency").set_index(["batch_size", "precision"])
    assert found.repetitions[1, "fp32"] == 14
    assert found["mean"][1, "fp32"] == pytest.approx(np.mean([2 + repetition % 5 / 10 for repetition in range(7, 21)]))
    drawn = queries.repetitions(tampered, "run-latency", "wall", 1)
    assert drawn.groupby("precision").size().to_dict() == {"bf16": 1000, "fp16": 14, "fp32": 14}
    assert drawn.repetition[drawn.precision == "bf16"].tolist() == list(range(7, 1007))


def test_a_ratio_whose_interval_holds_one_is_no_difference():
    speed = precision_time.Speed(intervals.Estimate(1.02, 0.97, 1.08), True, 8, "wall", (20, 20))
    assert speed.sentence("bf16") == "bf16 encodes 8 pictures as fast as fp32, as far as was shown (1.02 [0.97, 1.08])"


def test_bounds_beside_the_measured_time(results):
    times = queries.time_summaries(results, "run-latency")
    rows = precision_time.bound_rows(queries.bounds(results, "run-latency"), times[times.batch_size == 1], 1)
    told = rows.set_index(["precision", "bound"])
    # 1e8 operations at the best rate of 1.03e11 a second, and 4e6 bytes at 1e10.
    assert told.bound_ms["fp32", "arithmetic"] == pytest.approx(1 / 1.03)
    assert told.bound_ms["fp32", "copying"] == pytest.approx(0.4)
    assert told["share"]["fp32", "copying"] == pytest.approx(0.4 / 2.2)
    assert precision_time.limit_sentence(rows, "fp16").endswith("It is limited by **arithmetic**.")
    assert "**Neither** explains half of it" in precision_time.limit_sentence(rows, "fp32")
    assert precision_time.limit_sentence(rows, "tf32") == ""


@pytest.mark.parametrize(
    "bound, share, told",
    [
        ("copying", 0.9, "It is limited by **copying**."),
        ("copying", 1.2, "**Copying** alone would take longer than was measured, so it is no bound: layers are fused, or"),
        ("arithmetic", 1.2, "**Arithmetic** alone would take longer than was measured, so it is no bound: the encoder’s own"),
    ],
)
def test_what_would_take_longer_than_was_measured_is_not_called_the_limit(bound, share, told):
    rows = pandas.DataFrame(
        {"precision": "fp32", "bound": ["arithmetic", "copying"], "bound_ms": 1.0, "measured_ms": 2.0, "share": 0.6}
    )
    rows.loc[rows.bound == bound, ["bound_ms", "share"]] = 2 * share, share
    sentence = precision_time.limit_sentence(rows, "fp32")
    assert told in sentence
    assert ("limited by" in sentence) == (share <= 1)


def test_memory_at_the_peak_and_its_explanation(results):
    chosen = setup(results)
    table = precision_memory.at_peak(precision_memory.moments_of(results, chosen)).set_index("precision")
    assert list(table.index) == ["fp32", "fp16", "bf16"]
    assert table.loc["fp32", [*CATEGORIES, "in all"]].tolist() == [4, 1, 8, 2, 15]
    assert table.layer["fp32"] == "layer1.0"
    assert precision_memory.peak_mebibytes(results, chosen, "fp16") == (8.0, 8)
    assert math.isnan(precision_memory.peak_mebibytes(results, chosen, "tf32")[0])
    told = precision_memory.explanation(results, chosen)
    assert "parameters 4.00 → 2.00 MiB (0.50); inputs 1.00 → 1.00 MiB (1.00)" in told
    assert "in all 15.00 → 8.00 MiB (0.53)" in told
    assert "the 3 tensors of the image encoder that stay in fp32" in told


def test_thinning_keeps_the_peak():
    moments = pandas.DataFrame(
        {
            "precision": "fp32",
            "moment": range(1000),
            "category": "activations",
            "mebibytes": [float(number * 7919 % 1000) for number in range(1000)],
        }
    )
    thin = precision_memory.thinned(moments, 100)["fp32"]
    assert len(thin) == 100
    assert thin.mebibytes.max() == 999
    assert precision_memory.thinned(moments[:100], 100)["fp32"].equals(moments[:100])


def test_what_is_told_of_a_pass_is_drawn_and_holds_the_peak():
    moments = pandas.DataFrame({"precision": "fp32", "moment": range(777), "category": "activations"})
    moments["mebibytes"] = [float(number * 7919 % 777) for number in range(777)]
    drawn, told = (
        precision_memory.thinned(moments, most)["fp32"] for most in (precision_memory.MOST_MOMENTS, precision_memory.MOST_TOLD)
    )
    assert len(told) == precision_memory.MOST_TOLD < len(drawn)
    assert set(told.moment) < set(drawn.moment)
    assert told.mebibytes.max() == 776


def test_the_runs_of_a_setup(results):
    chosen = setup(results, "bf16")
    assert chosen.run_ids == ["run-fp32", "run-bf16", "run-latency", "run-memory"]
    assert chosen.is_emulated
    assert lower_precisions(results, choices(results).iloc[0]) == ["fp16", "bf16"]
    assert setup(results, "tf32").pair is None


def test_timings_alone_can_be_chosen(tmp_path):
    tables = latency_tables(("cuda", "wall"))
    publish(tmp_path / "results.duckdb", tmp_path / "images", tables)
    alone = open_results(tmp_path / "results.duckdb", tmp_path / "images")
    assert choices(alone).dataset_name.tolist() == ["timings only"]
    speed = precision_time.speed_of(alone, setup(alone), "fp16")
    assert (speed.clock, setup(alone).pair) == ("wall", None)


def test_precisions_and_figures_as_they_are_written():
    assert in_order(["zz", "tf32", "fp16", "fp32", "fp16"]) == ["fp32", "fp16", "tf32", "zz"]
    assert [small(value) for value in (0.0, 0.25, 0.0123, 0.002, 0.00034, 3.4e-6, 1.5e6, math.nan)] == [
        "0", "0.250", "0.012", "0.0020", "3.4 × 10⁻⁴", "3.4 × 10⁻⁶", "1.5 × 10⁶", "–",
    ]  # fmt: skip
    assert [duration(value) for value in (2.414, 0.0123, 576.4, 12_345.6, math.nan)] == [
        "2.41 ms", "0.0123 ms", "576 ms", "12,346 ms", "–",
    ]  # fmt: skip
    shares = (0.0, 0.00086, 0.004, 0.0996, 0.128, 0.994, 0.9951, 0.99999, 1.0, 1.24, 3e-7, math.nan)
    assert [percent(value) for value in shares] == [
        "0 %", "0.086 %", "0.4 %", "10 %", "13 %", "99.4 %", "99.5 %", "99.9 %", "100 %", "124 %", "3.0 × 10⁻⁵ %", "–",
    ]  # fmt: skip
    assert [magnitude(value) for value in (4.7601, 0.0, 104.2, 65_504, 3.39e38, math.inf)] == [
        "4.76", "0", "104", "65,504", "3.4 × 10³⁸", "infinite",
    ]  # fmt: skip
