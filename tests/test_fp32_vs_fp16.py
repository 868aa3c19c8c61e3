"""The experiment fp32_vs_fp16 from end to end, in miniature, and what it refuses."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
import torch
from rich.console import Console
from test_class_training import TINY

from compute.data.class_images import ImageSource, load_pictures, picture_tables, world_images
from compute.experiments import fp32_vs_fp16
from compute.experiments.fp32_vs_fp16 import trials
from compute.models import class_training
from compute.precision_timing import TIMING_PLANS, TimingPlan
from compute.trials import Outcome, Trial, run_trials

VARIANTS = ["fp32", "fp16", "bf16", "latency", "memory"]
PLAN = TimingPlan((1, 2), (4, 2), (2, 1), slow=("fp16",), warm_up=1)


@pytest.fixture(autouse=True, scope="module")
def _nothing_kept_in_memory() -> Iterator[None]:
    yield
    load_pictures.cache_clear()
    picture_tables.cache_clear()


def run(folder: Path, todo: list[Trial], force: bool = False) -> tuple[Outcome, str]:
    console = Console(width=400, record=True)
    paths = (folder / "results.duckdb", folder / "images", folder / "cache")
    outcome = run_trials(todo, *paths, torch.device("cpu"), force, console)
    return outcome, console.export_text()


def query(folder: Path, sql: str) -> pandas.DataFrame:
    with duckdb.connect(str(folder / "results.duckdb"), read_only=True) as connection:
        return connection.execute(sql).df()


def small(cache: Path) -> ImageSource:
    return world_images(cache, 7, 1, seed=0)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Trial]]]:
    """All trials, of a tiny CLIP on seven classes of the world."""
    folder = tmp_path_factory.mktemp("miniature")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(class_training.TRAININGS, "mini", replace(TINY, classes=7))
        patch.setitem(TIMING_PLANS, "mini", PLAN)
        todo = trials("mini", 0, small(folder / "cache"))
        outcome, told = run(folder, todo)
        assert outcome == Outcome(finished=5, already_there=0, failed=(), interrupted=False), told
        yield folder, todo


def outputs(folder: Path, variant: str) -> np.ndarray:
    """A run's whole outputs as they are stored, by the pictures' names."""
    rows = query(folder, f"SELECT logit.* FROM logit JOIN run USING (run_id) WHERE variant = '{variant}' ORDER BY image_id")
    if variant == "fp16":
        assert rows.single_values.isna().all(), "kept as the bits of half precision"
        return np.array(rows.half_bits.to_list(), np.uint16).view(np.float16)
    return np.array(rows.single_values.to_list(), np.float32)


@pytest.mark.parametrize("variant", ["fp16", "bf16"])
def test_the_stored_drift_is_what_the_stored_outputs_give(miniature: tuple[Path, list[Trial]], variant: str) -> None:
    folder, todo = miniature
    rows = query(
        folder,
        f"""SELECT d.*, fp32.variant AS exact, index.imagenet_index FROM precision_drift d JOIN run r ON r.run_id = other_run_id
            JOIN run fp32 ON fp32.run_id = d.run_id LEFT JOIN synset index ON index.wnid = d.wnid
            WHERE r.variant = '{variant}' ORDER BY image_id""",
    )
    assert len(rows) == len(todo[0].data.listed)
    assert set(rows.exact) == {"fp32"}
    classes = query(
        folder,
        f"""SELECT imagenet_index FROM classifier_output JOIN run USING (run_id) JOIN synset USING (wnid)
            WHERE variant = '{variant}' ORDER BY position""",
    ).imagenet_index.to_numpy()
    p, q = (
        np.exp(values - values.max(axis=1, keepdims=True))
        for values in (outputs(folder, name).astype(np.float64) for name in ("fp32", variant))
    )
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rows.largest_change, np.abs(p - q).max(axis=1), rtol=1e-5)
    assert (classes[np.abs(p - q).argmax(axis=1)] == rows.changed_class).all()
    np.testing.assert_allclose(rows.kl_divergence, (p * np.log(p / q)).sum(axis=1), rtol=1e-6, atol=1e-14)
    assert (rows.top1_flip == (p.argmax(axis=1) != q.argmax(axis=1))).all()
    label = np.array([classes.tolist().index(each) for each in rows.imagenet_index])
    np.testing.assert_allclose(rows.label_change, (q - p)[np.arange(len(p)), label], rtol=1e-4, atol=1e-9)
    assert rows.largest_change.max() > 0, "something does drift"


def test_layers_are_compared_in_their_order(miniature: tuple[Path, list[Trial]]) -> None:
    folder, _ = miniature
    rows = query(
        folder,
        """SELECT variant, ordinal, layer, median(relative_error) AS error, median(own_error) AS own, count(*) AS images
           FROM layer_drift JOIN run USING (run_id) GROUP BY ALL ORDER BY variant, ordinal""",
    )
    names = ["stem", "layer1.0", "layer2.0", "layer3.0", "layer4.0", "attnpool", "logits"]
    assert rows.layer.tolist() == names * 2
    assert (rows.error[rows.layer == "stem"] == rows.own[rows.layer == "stem"]).all(), "nothing comes before the stem"
    assert (rows.error > 2**-14).all()
    assert rows.error[rows.variant == "bf16"].mean() > 4 * rows.error[rows.variant == "fp16"].mean()


def test_a_second_call_computes_nothing(miniature: tuple[Path, list[Trial]]) -> None:
    folder, todo = miniature
    assert run(folder, todo)[0] == Outcome(finished=0, already_there=5, failed=(), interrupted=False)


def test_times_and_memory_are_there_for_every_precision(miniature: tuple[Path, list[Trial]]) -> None:
    folder, _ = miniature
    counts = query(folder, "SELECT precision, batch_size, count(*) AS n FROM latency GROUP BY ALL ORDER BY ALL")
    assert list(counts.itertuples(index=False, name=None)) == [
        ("bf16", 1, 4), ("bf16", 2, 2), ("fp16", 1, 2), ("fp16", 2, 1), ("fp32", 1, 4), ("fp32", 2, 2),
    ]  # fmt: skip
    held = query(folder, "SELECT DISTINCT precision, mebibytes FROM memory WHERE category = 'parameters'").set_index(
        "precision"
    )
    assert held.mebibytes["fp16"] == held.mebibytes["bf16"]
    assert 0.45 < held.mebibytes["fp16"] / held.mebibytes["fp32"] < 0.6, "weights halve, batch norms do not"


def test_fp32_computed_again_takes_along_what_was_held_against_it(miniature: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    folder, todo = miniature
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    before = query(tmp_path, "SELECT variant, run_id FROM run").set_index("variant").run_id
    assert run(tmp_path, todo[:1], force=True)[0].finished == 1
    assert set(query(tmp_path, "SELECT variant FROM run").variant) == {"fp32", "latency", "memory"}
    assert query(tmp_path, "SELECT count(*) AS n FROM precision_drift").n.tolist() == [0]
    assert run(tmp_path, todo)[0] == Outcome(finished=2, already_there=3, failed=(), interrupted=False)
    after = query(tmp_path, "SELECT variant, run_id FROM run").set_index("variant").run_id
    assert after["fp32"] != before["fp32"]
    assert set(query(tmp_path, "SELECT DISTINCT run_id FROM precision_drift").run_id) == {after["fp32"]}


def test_a_lower_precision_alone_says_that_fp32_is_missing(miniature: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    _, todo = miniature
    cache = miniature[0] / "cache"
    console = Console(width=400, record=True)
    paths = (tmp_path / "results.duckdb", tmp_path / "images", cache)
    outcome = run_trials(todo[1:2], *paths, torch.device("cpu"), False, console)
    assert outcome.failed == ("fp32_vs_fp16 · fp16 · seed 0",)
    assert "fp16 is held against fp32" in (told := console.export_text())
    assert "python -m compute run fp32_vs_fp16 --profile mini --force" in told


def test_other_weights_than_those_of_fp32_are_refused(
    miniature: tuple[Path, list[Trial]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, todo = miniature
    paths = (tmp_path / "results.duckdb", tmp_path / "images", folder / "cache")
    assert run_trials(todo[:1], *paths, torch.device("cpu"), False, Console(width=400)).finished == 1
    load = fp32_vs_fp16.load_zero_shot

    def retrained(*arguments: object) -> object:
        clip = load(*arguments)  # type: ignore[arg-type]
        with torch.no_grad():
            clip.model.visual.conv1.weight.mul_(1.01)
        return replace(clip, weights_sha256=class_training.digest_of(clip.model))

    monkeypatch.setattr(fp32_vs_fp16, "load_zero_shot", retrained)
    console = Console(width=400, record=True)
    assert run_trials(todo[1:2], *paths, torch.device("cpu"), False, console).failed
    told = console.export_text()
    assert "has other weights (" in told


def test_tf32_needs_a_gpu(miniature: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    _, todo = miniature
    outcome, told = run(tmp_path, [replace(todo[1], variant="tf32")])
    assert outcome.failed
    assert "tf32 is a way of multiplying that only NVIDIA GPUs have" in told


def test_fp32_of_another_device_is_refused(
    miniature: tuple[Path, list[Trial]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, todo = miniature
    paths = (tmp_path / "results.duckdb", tmp_path / "images", folder / "cache")
    assert run_trials(todo[:1], *paths, torch.device("cpu"), False, Console(width=400)).finished == 1
    monkeypatch.setattr(fp32_vs_fp16, "device_name", lambda _: "another GPU")
    console = Console(width=400, record=True)
    assert run_trials(todo[1:2], *paths, torch.device("cpu"), False, console).failed
    assert "than now (another GPU)" in console.export_text()
