"""Two trials on time and memory, worked out by hand: what publish makes of them, and of what must not be in them."""

from pathlib import Path

import pandas
import pytest
from result_files import Tables, Tamper, all_of, check_refused, counts, drop_row, query, repeat_row, set_value

from compute.results import publish

RUN = "run-precision"


def precision_trial() -> Tables:
    """All rows of a trial that timed one and two pictures, and watched the memory of a pass over two."""
    run = {
        "run_id": RUN, "trial_key": "trial-precision", "experiment": "fp32_vs_fp16", "variant": "latency", "profile": "mini",
        "seed": 0, "dataset": None, "settings": "{}", "started_at": pandas.Timestamp("2026-01-02 03:04:05"),
        "seconds": 1.5, "device": "CPU", "host": "here", "python": "3.11", "torch": "2", "threads": 2, "git_commit": None,
        "weights": "none", "weights_sha256": None, "data_fingerprint": "e" * 64, "parameters": None,
    }  # fmt: skip
    timed = [
        ("fp32", 1, 1, "wall", 2.5), ("fp32", 1, 1, "cuda", 2.25), ("fp32", 1, 2, "wall", 2.0), ("fp32", 1, 2, "cuda", 1.75),
        ("fp16", 1, 2, "wall", 8.0), ("fp32", 2, 1, "wall", 3.5),
    ]  # fmt: skip
    rates = [
        ("fp32", "copy", 1, 2e10), ("fp32", "copy", 2, 3e10), ("fp32", "matrix", 1, 2e11), ("fp16", "copy", 1, 2e10),
        ("fp16", "matrix", 1, 1e10),
    ]  # fmt: skip
    work = [("fp32", 1, 1000, 400), ("fp32", 2, 2000, 700), ("fp16", 1, 1000, 200)]
    held = [
        ("fp32", 1, 0.0, "encoder", (4.0, 1.0, 0.0, 0.0)),
        ("fp32", 2, 0.5, "conv1", (4.0, 1.0, 2.0, 3.0)),
        ("fp32", 3, 0.75, "encoder", (4.0, 1.0, 2.0, 0.0)),
        ("fp16", 1, 0.0, "encoder", (2.0, 0.5, 0.0, 0.0)),
    ]
    categories = ("parameters", "inputs", "activations", "temporary")
    memory = [
        (precision, moment, milliseconds, layer, category, size)
        for precision, moment, milliseconds, layer, sizes in held
        for category, size in zip(categories, sizes, strict=True)
    ]
    peaks = [
        ("fp32", "allocated peak", 10.0), ("fp32", "reserved peak", 12.0), ("fp32", "device in use", 500.0),
        ("fp16", "allocated peak", 2.5), ("fp16", "process before", 400.0), ("fp16", "process peak", 402.5),
    ]  # fmt: skip
    columns = {
        "latency": ["precision", "batch_size", "repetition", "clock", "milliseconds"],
        "device_rate": ["precision", "kind", "repetition", "per_second"],
        "encoder_work": ["precision", "batch_size", "operations", "bytes"],
        "memory": ["precision", "moment", "milliseconds", "layer", "category", "mebibytes"],
        "memory_peak": ["precision", "measure", "mebibytes"],
    }
    rows = {"latency": timed, "device_rate": rates, "encoder_work": work, "memory": memory, "memory_peak": peaks}
    tables = {table: pandas.DataFrame(rows[table], columns=columns[table]).assign(run_id=RUN) for table in rows}
    for table in ("memory", "memory_peak"):
        tables[table]["batch_size"] = 2
    return {"run": pandas.DataFrame([run]), **tables}


TIMES = "latency: milliseconds must be finite and above 0, batch_size and repetition at least 1, and clock 'wall' or 'cuda'"
BOTH_CLOCKS = "latency: what the device's own clock timed must have been timed by the wall clock, too"
WORK_TOLD = "latency: encoder_work must tell the work of each precision and batch size"
RATES = "device_rate: per_second must be finite and above 0, and kind 'copy' or 'matrix'"
COUNTED = "device_rate: repetitions must count from 1 without a gap"
WORK = "encoder_work: operations and bytes must be above 0, and a picture's operations the same everywhere"
SIZES = "memory: mebibytes and milliseconds must be finite and not negative"
MOMENTS = "memory: a precision's moments must count from 1 without a gap, one after the other"
CATEGORIES = "memory: each moment must have each of ('parameters', 'inputs', 'activations', 'temporary')"
CONSTANT = "memory: parameters and inputs must stay the same throughout a pass"
PEAKS = "memory_peak: mebibytes must be finite and above 0, and measure one that the contract names"
ORDER = "memory_peak: 'allocated peak' cannot be above 'reserved peak', nor 'process before' above 'process peak'"
ALLOCATED = "memory_peak: a precision's moments in memory must have their 'allocated peak', for the same batch size"
ABOVE_PEAK = "memory: no moment may be above its precision's 'allocated peak' by more than a tenth"
LAST = 12  # the first of the last moment's four rows in memory
# Each tampering with the trial above, and the check that must refuse it.
TAMPERED_PRECISION: list[tuple[Tamper, str]] = [
    *(
        (set_value(table, "precision", "fp64"), f"{table}: precision must be one of")
        for table in ("latency", "device_rate", "encoder_work", "memory", "memory_peak")
    ),
    (repeat_row("latency"), "latency: rows differ though their"),
    (repeat_row("device_rate"), "device_rate: rows differ though their"),
    (repeat_row("encoder_work"), "encoder_work: rows differ though their"),
    (repeat_row("memory"), "memory: rows differ though their"),
    (repeat_row("memory_peak"), "memory_peak: rows differ though their"),
    (set_value("latency", "milliseconds", 0.0), TIMES),
    (set_value("latency", "milliseconds", float("inf")), TIMES),
    (set_value("latency", "milliseconds", float("nan")), "rows do not fit the table latency"),
    (set_value("latency", "repetition", 0, row=4), TIMES),
    (set_value("latency", "clock", "sun", row=4), TIMES),
    (all_of(set_value("latency", "batch_size", 0, row=5), set_value("encoder_work", "batch_size", 0, row=1)), TIMES),
    (drop_row("latency", 0), BOTH_CLOCKS),
    (set_value("latency", "repetition", 3, row=1), BOTH_CLOCKS),
    (drop_row("encoder_work", 1), WORK_TOLD),
    (set_value("latency", "batch_size", 2, row=4), WORK_TOLD),
    (set_value("device_rate", "per_second", 0.0), RATES),
    (set_value("device_rate", "per_second", float("inf")), RATES),
    (set_value("device_rate", "kind", "paste", row=3), RATES),
    (set_value("device_rate", "repetition", 3, row=1), COUNTED),
    (set_value("device_rate", "repetition", 0, row=4), COUNTED),
    (set_value("encoder_work", "operations", 0, None), WORK),
    (set_value("encoder_work", "bytes", 0), WORK),
    (set_value("encoder_work", "operations", 1500, row=1), WORK),
    (set_value("encoder_work", "operations", 1001, row=2), WORK),
    (set_value("memory", "mebibytes", -1.0, row=2), SIZES),
    (set_value("memory", "mebibytes", float("inf"), row=2), SIZES),
    (set_value("memory", "milliseconds", float("inf"), row=LAST), SIZES),
    (set_value("memory", "milliseconds", -0.5, row=LAST), SIZES),
    (all_of(*(set_value("memory", "moment", 2, row=row) for row in range(LAST, LAST + 4))), MOMENTS),
    (all_of(*(set_value("memory", "milliseconds", 0.25, row=row) for row in range(8, 12))), MOMENTS),
    (drop_row("memory", 6), CATEGORIES),
    (set_value("memory", "category", "gradients", row=6), CATEGORIES),
    (set_value("memory", "layer", "conv2", row=6), CATEGORIES),
    (set_value("memory", "milliseconds", 0.6, row=6), CATEGORIES),
    (set_value("memory", "batch_size", 4, row=6), CATEGORIES),
    (set_value("memory", "mebibytes", 3.0, row=4), CONSTANT),
    (set_value("memory", "mebibytes", 2.0, row=9), CONSTANT),
    (set_value("memory_peak", "mebibytes", 0.0, row=2), PEAKS),
    (set_value("memory_peak", "mebibytes", float("inf"), row=2), PEAKS),
    (set_value("memory_peak", "measure", "guessed peak", row=2), PEAKS),
    (set_value("memory_peak", "mebibytes", 9.5, row=1), ORDER),
    (set_value("memory_peak", "mebibytes", 403.0, row=4), ORDER),
    (drop_row("memory_peak", 3), ALLOCATED),
    (set_value("memory_peak", "batch_size", 4), ALLOCATED),
    (set_value("memory", "mebibytes", 4.5, row=7), ABOVE_PEAK),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A results file with the trial above, which tamperings may not replace."""
    folder = tmp_path_factory.mktemp("precision")
    publish(folder / "results.duckdb", folder / "images", precision_trial())
    return folder / "results.duckdb", folder / "images"


def test_the_rows_are_those_that_were_given(published: tuple[Path, Path]) -> None:
    given = {table: len(rows) for table, rows in precision_trial().items()}
    found = counts(published[0])
    assert {table: found[table] for table in given} == given
    assert query(published[0], "SELECT milliseconds FROM latency WHERE clock = 'cuda' ORDER BY repetition") == [
        (2.25,),
        (1.75,),
    ]
    held = "SELECT precision, moment, sum(mebibytes) FROM memory GROUP BY precision, moment ORDER BY precision, moment"
    assert query(published[0], held) == [("fp16", 1, 2.5), ("fp32", 1, 5.0), ("fp32", 2, 10.0), ("fp32", 3, 7.0)]


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_PRECISION)
def test_a_check_that_fails_leaves_the_file_as_it_was(published: tuple[Path, Path], tamper: Tamper, complaint: str) -> None:
    results, images = published
    check_refused(results, images, precision_trial(), tamper, complaint)
