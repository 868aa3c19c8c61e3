"""From outputs to rows: ranks, probabilities and margins by hand, against slow recounts, and through a results file."""

import math
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from test_results_classes import class_trial

from compute import prediction_rows
from compute.data import imagenet, wordnet
from compute.prediction_rows import Summary, _best, prediction_tables, summarise
from compute.results import publish

TENCH, SHARK, COCK, HEN, BULL, JAY, AXOLOTL = (
    "n01440764", "n01484850", "n01514668", "n01514859", "n01641577", "n01580077", "n01632777",
)  # fmt: skip
# Seven outputs whose exponentials are 8, 4, 4, 2, 1, 1, 0.5: of 20.5 in all.
WEIGHTS = [4, 1, 8, 0.5, 2, 4, 1]
SEVEN = np.log(np.array([WEIGHTS], np.float64)).astype(np.float32)


def image_rows(wnids: list[str | None], styles: list[str | None] | None = None) -> pandas.DataFrame:
    ids = [f"some-00000000/{number}.jpg" for number in range(1, len(wnids) + 1)]
    styles = styles or [None] * len(wnids)
    return pandas.DataFrame(
        {"image_id": ids, "ordinal": range(1, len(wnids) + 1), "wnid": wnids, "style": styles, "form": None}
    ).astype({"wnid": object, "style": object, "form": object})


def test_the_five_best_of_equal_outputs_the_earlier_first() -> None:
    summary = summarise(SEVEN, np.array([0]))
    assert summary.top.tolist() == [[2, 0, 5, 4, 1]]
    assert summary.top_probability == pytest.approx(np.array([[8, 4, 4, 2, 1]]) / 20.5)


@pytest.mark.parametrize(("label", "rank"), [(2, 1), (0, 2), (5, 3), (4, 4), (1, 5), (6, 6), (3, 7)])
def test_the_rank_counts_larger_outputs_and_equal_ones_before(label: int, rank: int) -> None:
    summary = summarise(SEVEN, np.array([label]))
    assert summary.label_rank.tolist() == [rank]
    assert summary.label_probability == pytest.approx([WEIGHTS[label] / 20.5])
    largest_other = 4 if label == 2 else 8
    assert summary.margin == pytest.approx([(WEIGHTS[label] - largest_other) / 20.5])


def test_two_equal_largest_outputs_have_no_margin() -> None:
    logits = np.array([[1, 1, 0]] * 2, np.float32)
    summary = summarise(logits, np.array([0, 1]))
    assert summary.label_rank.tolist() == [1, 2]
    assert summary.margin.tolist() == [0, 0]


def test_fewer_than_five_classes_have_all_of_them_in_order() -> None:
    summary = summarise(np.log(np.array([[1, 3]], np.float32)), np.array([0]))
    assert summary.top.tolist() == [[1, 0]]
    assert summary.top_probability == pytest.approx(np.array([[0.75, 0.25]]))
    assert (summary.label_rank.tolist(), summary.margin) == ([2], pytest.approx([-0.5]))


def test_a_single_class_is_certain() -> None:
    summary = summarise(np.array([[-3.0]], np.float32), np.array([0]))
    assert (summary.top.tolist(), summary.label_rank.tolist()) == ([[0]], [1])
    assert (summary.label_probability.tolist(), summary.margin.tolist()) == ([1], [1])


def test_a_label_that_is_no_class_has_no_rank() -> None:
    summary = summarise(np.repeat(SEVEN, 2, axis=0), np.array([-1, 2]))
    assert summary.label_rank.tolist() == [-1, 1]
    assert np.isnan(summary.label_probability).tolist() == [True, False]
    assert np.isnan(summary.margin).tolist() == [True, False]


def test_huge_outputs_do_not_overflow() -> None:
    summary = summarise(np.array([[3e38, -3e38, 2e38]], np.float32), np.array([2]))
    assert summary.top_probability.tolist() == [[1, 0, 0]]
    assert (summary.label_rank.tolist(), summary.margin.tolist()) == ([2], [-1])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    logits = generator.integers(-3, 4, (23, 9)).astype(np.float32)
    labels = generator.integers(-1, 9, 23)
    whole = summarise(logits, labels)
    monkeypatch.setattr(prediction_rows, "CHUNK_PICTURES", 5)
    parts = summarise(logits, labels)
    for name in Summary.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@settings(max_examples=150, deadline=None)
@given(
    logits=st.tuples(st.integers(1, 6), st.integers(1, 12)).flatmap(
        lambda shape: arrays.arrays(np.float32, shape, elements=st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0]))
    ),
    count=st.integers(1, 5),
)
def test_the_best_are_those_of_a_stable_sort(logits: np.ndarray, count: int) -> None:
    count = min(count, logits.shape[1])
    slow = [sorted(range(logits.shape[1]), key=lambda place: (-row[place], place))[:count] for row in logits]
    assert _best(logits, count).tolist() == slow


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_rank_is_the_place_among_all_sorted(data: st.DataObject) -> None:
    row = data.draw(st.lists(st.sampled_from([-1.0, 0.0, 0.5]), min_size=1, max_size=9))
    label = data.draw(st.integers(0, len(row) - 1))
    order = sorted(range(len(row)), key=lambda place: (-row[place], place))
    summary = summarise(np.array([row], np.float32), np.array([label]))
    assert summary.label_rank.tolist() == [order.index(label) + 1]


def test_counts_by_class_and_style_are_those_of_a_recount() -> None:
    generator = np.random.default_rng(2)
    wnids = [entry.wnid for entry in imagenet.classes()[:8]]
    labels = [*generator.choice([*wnids, None, JAY], 118), wnids[0], None]  # a jay is no class of this classifier
    styles = list(generator.choice(["color", "sketch", None], 120))
    logits = generator.integers(0, 5, (120, 8)).astype(np.float32)
    image = image_rows(labels, styles)
    tables = prediction_tables("run-2", image, wnids, logits)
    rows = tables["prediction"].to_pandas()
    seen = rows[rows.label_rank.notna()]
    assert set(seen.wnid) == set(wnids)
    expected = {
        (wnid, style or ""): (len(group), int((group.label_rank == 1).sum()), int((group.label_rank <= 5).sum()))
        for (wnid, style), group in seen.assign(style=seen["style"].fillna("")).groupby(["wnid", "style"])
    }
    scores = tables["class_score"]
    found = {
        (row.wnid, row.style if isinstance(row.style, str) else ""): (row.images, row.top1, row.top5)
        for row in scores.itertuples()
    }
    assert found == expected
    assert sum(top1 for _, top1, _ in found.values()) < sum(top5 for _, _, top5 in found.values()) < len(seen)


def test_the_ancestor_is_that_of_the_label_and_the_first_answer() -> None:
    wnids = [TENCH, SHARK, HEN]
    logits = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 0]], np.float32)
    image = image_rows([TENCH, COCK, HEN, None, "n02084071"])  # a dog is a synset, but no class of ImageNet's
    rows = prediction_tables("r", image, wnids, logits)["prediction"].to_pylist()
    fish, bird = wordnet.synset(rows[0]["ancestor"]), wordnet.synset(rows[1]["ancestor"])
    assert (fish.name(), rows[0]["ancestor_depth"]) == ("fish.n.01", fish.max_depth())
    assert (bird.name(), rows[1]["ancestor_depth"]) == ("bird.n.01", bird.max_depth())
    assert rows[1]["label_rank"] is None  # the cock is none of the three
    assert (rows[2]["ancestor"], rows[2]["ancestor_depth"]) == (HEN, wordnet.synset(HEN).max_depth())
    assert [(row["ancestor"], row["ancestor_depth"]) for row in rows[3:]] == [(None, None)] * 2


def test_rows_pass_every_check_and_read_back_to_the_bit(tmp_path: Path) -> None:
    tables = {name: class_trial(tmp_path, "run-2", "trial-2")[name] for name in ("run", "dataset", "image")}
    wnids = [AXOLOTL, TENCH, HEN, BULL, JAY, SHARK]
    logits = np.random.default_rng(3).normal(0, 3, (4, 6)).astype(np.float32)
    logits[0] = [1e-45, -0.0, 1 / 3, 3.4e38, -3.4e38, math.pi]
    publish(
        tmp_path / "results.duckdb",
        tmp_path,
        {**tables, **wordnet.shared_tables(), **prediction_tables("run-2", tables["image"], wnids, logits)},
    )
    with duckdb.connect(str(tmp_path / "results.duckdb"), read_only=True) as connection:
        values = connection.execute("SELECT single_values FROM logit JOIN image USING (image_id) ORDER BY ordinal").fetchall()
        rows = connection.execute("FROM prediction ORDER BY ordinal").df()
        outputs = connection.execute("SELECT position, wnid FROM classifier_output ORDER BY position").fetchall()
        scores = connection.execute("SELECT wnid, style, images FROM class_score ORDER BY ALL").fetchall()
    assert np.array([row for (row,) in values], np.float32).tobytes() == logits.tobytes()
    assert outputs == list(enumerate(wnids))
    indices = np.array([imagenet.by_wnid()[wnid].index for wnid in wnids])
    labels = [1, 1, 2]
    for picture in range(4):
        exponentials = [math.exp(float(value) - float(logits[picture].max())) for value in logits[picture]]
        order = sorted(range(6), key=lambda place: -logits[picture, place])
        assert rows.top5[picture].tolist() == indices[order[:5]].tolist()
        assert rows.top5_probability[picture] == pytest.approx([exponentials[place] / sum(exponentials) for place in order[:5]])
        if picture < 3:
            assert rows.label_rank[picture] == order.index(labels[picture]) + 1
    assert rows.loc[3, ["label_rank", "label_probability", "margin", "ancestor"]].isna().all()
    assert scores == [(TENCH, "color", 1), (TENCH, None, 1), (HEN, None, 1)]


def test_pictures_that_all_lack_a_style_are_published_too(tmp_path: Path) -> None:
    trial = class_trial(tmp_path, "run-2", "trial-2")
    image = trial["image"].assign(style=None, form=None)
    rows = prediction_tables("run-2", image, [TENCH, HEN], np.eye(4, 2, dtype=np.float32))
    publish(
        tmp_path / "results.duckdb",
        tmp_path,
        {"run": trial["run"], "dataset": trial["dataset"], "image": image, **wordnet.shared_tables(), **rows},
    )
    with duckdb.connect(str(tmp_path / "results.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT wnid, style, images, top1, top5 FROM class_score ORDER BY wnid").fetchall() == [
            (TENCH, None, 2, 1, 2),
            (HEN, None, 1, 0, 1),
        ]
