"""Rows on time and memory of a tiny encoder, whose work is counted by hand."""

import warnings

import pandas
import pytest
import torch
from torch import Tensor, nn

from compute import measure, precision_timing
from compute.measure import MEBIBYTE
from compute.memory_timeline import CATEGORIES, Moment
from compute.models.precision import DATA_TYPES, converted
from compute.precision_timing import TIMING_PLANS, TimingPlan, latency_tables, layer_bytes, memory_tables, thinned

CPU = torch.device("cpu")
SIZE_PX = 8
PLAN = TimingPlan(batch_sizes=(1, 4), repetitions=(4, 2), slow_repetitions=(2, 1), slow=("fp16",), warm_up=1)
# Of a picture: its 3x3 weights at each of 8x8 places, from 3 channels to 4, twice for multiplying and adding.
OPERATIONS = 2 * 8 * 8 * (3 * 3 * 3 * 4)
# In and out of the convolution, in and out of ReLU, in and out of pooling.
VALUES = 3 * 64 + 4 * 64 + 4 * 64 + 4 * 64 + 4 * 64 + 4
WEIGHTS = 3 * 3 * 3 * 4


def _nothing(done: int, total: int, words: str) -> None: ...


def _encoder() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1)).eval()


def _encoders(*precisions: str) -> dict[str, nn.Module]:
    return {precision: converted(_encoder(), DATA_TYPES[precision]) for precision in precisions}


@pytest.fixture
def quick_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "LEAST_MATRIX_MS", 0.0)
    monkeypatch.setitem(measure.COPY_BYTES, "cpu", 2**12)


@pytest.fixture
def latency(quick_rates: None) -> dict[str, pandas.DataFrame]:
    return latency_tables("run-1", _encoders("fp32", "fp16", "bf16"), SIZE_PX, PLAN, CPU, _nothing)


def test_each_precision_is_timed_as_often_as_planned(latency: dict[str, pandas.DataFrame]) -> None:
    rows = latency["latency"]
    rounds = {
        (precision, batch_size): sorted(part.repetition)
        for (precision, batch_size), part in rows.groupby(["precision", "batch_size"])
    }
    assert rounds == {
        ("fp32", 1): [1, 2, 3, 4], ("bf16", 1): [1, 2, 3, 4], ("fp16", 1): [2, 4],
        ("fp32", 4): [1, 2], ("bf16", 4): [1, 2], ("fp16", 4): [2],
    }  # fmt: skip
    assert (rows.milliseconds > 0).all()
    assert set(rows.clock) == {"wall"}
    assert all(set(part.run_id) == {"run-1"} for part in latency.values())


def test_rates_are_there_for_each_precision(latency: dict[str, pandas.DataFrame]) -> None:
    rates = latency["device_rate"]
    counted = rates.groupby(["precision", "kind"]).repetition.agg(["min", "max", "count"]).reset_index()
    expected = [(p, kind, 1, 10, 10) for p in ("bf16", "fp16", "fp32") for kind in ("copy", "matrix")]
    assert list(counted.itertuples(index=False, name=None)) == expected
    assert (rates.per_second > 0).all()


def test_work_is_as_counted_by_hand(latency: dict[str, pandas.DataFrame]) -> None:
    rows = latency["encoder_work"][["precision", "batch_size", "operations", "bytes"]]
    assert sorted(rows.itertuples(index=False, name=None)) == [
        ("bf16", 1, OPERATIONS, 2 * (WEIGHTS + VALUES)),
        ("bf16", 4, 4 * OPERATIONS, 2 * (WEIGHTS + 4 * VALUES)),
        ("fp16", 1, OPERATIONS, 2 * (WEIGHTS + VALUES)),
        ("fp16", 4, 4 * OPERATIONS, 2 * (WEIGHTS + 4 * VALUES)),
        ("fp32", 1, OPERATIONS, 4 * (WEIGHTS + VALUES)),
        ("fp32", 4, 4 * OPERATIONS, 4 * (WEIGHTS + 4 * VALUES)),
    ]


def test_a_layer_that_runs_twice_has_its_weights_read_once() -> None:
    convolution = nn.Conv2d(3, 3, 1)  # 9 weights, 3 biases
    twice = nn.Sequential(convolution, convolution, nn.BatchNorm2d(3)).eval()  # 4 times 3, and a whole number
    weights, passing = layer_bytes(twice, ["0", "1", "2"], torch.zeros(1, 3, 2, 2))
    assert (weights, passing) == (4 * (9 + 3 + 12), 4 * 12 * 6)


class Limited(nn.Module):
    """The tiny encoder on a device that has memory for `most` pictures."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.encoder = most, _encoder()

    def forward(self, pictures: Tensor) -> Tensor:
        if len(pictures) > self.most:
            raise torch.OutOfMemoryError("for as many pictures")
        return self.encoder(pictures)


def test_a_batch_that_does_not_fit_in_one_precision_is_left_out_in_all(quick_rates: None) -> None:
    encoders = {"fp32": Limited(3), "bf16": _encoders("bf16")["bf16"]}
    with pytest.warns(UserWarning, match="Batches of 4 do not fit into the memory of cpu"):
        tables = latency_tables("run-1", encoders, SIZE_PX, PLAN, CPU, _nothing)
    for table in ("latency", "encoder_work"):
        assert set(tables[table].batch_size) == {1}, table
        assert set(tables[table].precision) == {"fp32", "bf16"}, table


def test_a_pass_that_does_not_fit_is_left_out_of_the_memory() -> None:
    with pytest.warns(UserWarning, match="A batch of 4 in fp32 does not fit"):
        tables = memory_tables("run-1", {"fp32": Limited(3), "bf16": _encoders("bf16")["bf16"]}, SIZE_PX, 4, CPU, _nothing)
    assert {table: set(rows.precision) for table, rows in tables.items()} == {"memory": {"bf16"}, "memory_peak": {"bf16"}}


class Watchful(nn.Module):
    """The tiny encoder, which writes down what arithmetic it runs in."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.seen = _encoder(), []

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen.append((torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision))
        return self.encoder(pictures)


def test_tf32_is_the_fp32_encoder_in_another_arithmetic(quick_rates: None) -> None:
    encoders = {"fp32": Watchful(), "tf32": Watchful()}
    plan = TimingPlan((1,), (2,), (2,), slow=(), warm_up=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latency_tables("run-1", encoders, SIZE_PX, plan, CPU, _nothing)
        before = len(encoders["tf32"].seen)
        memory_tables("run-1", encoders, SIZE_PX, 1, CPU, _nothing)
    assert encoders["fp32"].seen[:3] == [("ieee", "ieee")] * 3
    assert encoders["tf32"].seen[:3] == [("tf32", "tf32")] * 3
    assert set(encoders["tf32"].seen[before:]) == {("tf32", "tf32")}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pictures_are_as_the_encoder_has_its_weights(layout: torch.memory_format) -> None:
    encoder = _encoders("bf16")["bf16"].to(memory_format=layout)
    pictures = precision_timing._pictures(encoder, 2, SIZE_PX, CPU)
    assert (pictures.shape, pictures.dtype) == ((2, 3, SIZE_PX, SIZE_PX), torch.bfloat16)
    assert pictures.is_contiguous(memory_format=layout)
    assert torch.equal(pictures, precision_timing._pictures(encoder, 2, SIZE_PX, CPU))


def test_memory_has_every_category_at_every_moment_and_the_highest_as_peak() -> None:
    tables = memory_tables("run-1", _encoders("fp32", "bf16"), SIZE_PX, 4, CPU, _nothing)
    rows, peaks = tables["memory"], tables["memory_peak"]
    by_moment = rows.pivot(index=["precision", "moment"], columns="category", values="mebibytes")
    assert set(by_moment.columns) == set(CATEGORIES)
    assert not by_moment.isna().any().any()
    constant = by_moment.groupby("precision")[["parameters", "inputs"]].agg(["min", "max"]) * MEBIBYTE
    assert constant.loc["fp32"].tolist() == [4 * WEIGHTS] * 2 + [4 * 4 * 3 * 64] * 2
    assert constant.loc["bf16"].tolist() == [2 * WEIGHTS] * 2 + [2 * 4 * 3 * 64] * 2
    # The convolution's output beside ReLU's, once both are done.
    assert (by_moment.activations.groupby("precision").max() * MEBIBYTE).tolist() == [2 * 4 * 512, 4 * 4 * 512]
    highest = by_moment.sum(axis=1).groupby("precision").max()
    allocated = peaks[peaks.measure == "allocated peak"].set_index("precision").mebibytes
    assert allocated.to_dict() == highest.to_dict()
    assert set(rows.batch_size) == set(peaks.batch_size) == {4}


def _timeline(*temporary: int) -> list[Moment]:
    constant = {"parameters": 1000, "inputs": 0, "activations": 0}
    return [Moment(float(number), "layer", {**constant, "temporary": size}) for number, size in enumerate(temporary)]


def test_few_moments_are_all_kept() -> None:
    timeline = _timeline(0, 1, 0, 1)
    assert thinned(timeline, 4) == timeline


def test_of_many_moments_those_are_kept_where_much_changes() -> None:
    timeline = _timeline(0, 1, 0, 500, 501, 500, 0, 1, 0, 1)
    kept = thinned(timeline, 6)
    assert [moment.milliseconds for moment in kept] == [0, 3, 4, 6, 9]  # first, steps, highest (4), last
    assert set(map(id, kept)) <= set(map(id, timeline))


def test_slow_and_steady_growth_is_thinned_as_well() -> None:
    timeline = _timeline(*range(0, 5000, 5))
    kept = thinned(timeline, 40)
    assert 10 < len(kept) <= 40
    assert kept[0] is timeline[0]
    assert kept[-1] is timeline[-1]


def test_plans_have_a_number_for_each_batch_size() -> None:
    for plan in TIMING_PLANS.values():
        assert len(plan.batch_sizes) == len(plan.repetitions) == len(plan.slow_repetitions)
        assert set(plan.slow) <= set(DATA_TYPES)
        assert plan.repetitions[0] == plan.slow_repetitions[0] == 100
