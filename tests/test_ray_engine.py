"""Trials on a Ray cluster of two nodes of this machine: same rows, lost workers, folders that are not shared, shared passes."""

import io
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")
from ray import cloudpickle  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

from compute import predictions, ray_engine  # noqa: E402
from compute.connection import finished_trials  # noqa: E402
from compute.data.class_images import Picture  # noqa: E402
from compute.data.errors import DataError  # noqa: E402
from compute.data.street_pairs import folder_source  # noqa: E402
from compute.experiments import segmentation_metric  # noqa: E402
from compute.models.preprocessing import Preprocessing  # noqa: E402
from compute.trials import (  # noqa: E402
    Engine,
    FixedData,
    Outcome,
    Trial,
    TrialRows,
    Workbench,
    one_after_another,
    run_trials,
)

CPU = torch.device("cpu")
TIMES = {"started_at", "seconds", "git_commit"}
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers have no tests


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    assert ray_engine.connect(cluster.address, "auto") == CPU
    yield
    ray.shutdown()
    cluster.shutdown()


@dataclass(frozen=True)
class Folder:
    """What a trial of these tests works in: a folder where it leaves word of itself."""

    path: str


def nothing(trial: Trial, bench: Workbench) -> TrialRows:
    return TrialRows({}, "none")


def trial(variant: str, folder: Path, run=nothing) -> Trial:
    return Trial("fake", variant, "mini", 0, 1, Folder(str(folder)), FixedData("nothing", "f" * 64), run)


def run(folder: Path, todo: Sequence[Trial], engine: Engine = ray_engine.spread) -> tuple[Outcome, str]:
    shown = io.StringIO()
    paths = (folder / "results.duckdb", folder / "images", folder / "cache")
    outcome = run_trials(todo, *paths, CPU, False, Console(file=shown, width=400), engine)
    return outcome, shown.getvalue()


def rows(folder: Path) -> dict[str, list]:
    """All rows of the results in a folder but their times, in an order of their own."""
    with duckdb.connect(str(folder / "results.duckdb"), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE NOT internal GROUP BY ALL"
        ).fetchall()
        return {
            table: connection.execute(f"SELECT {', '.join(set(names) - TIMES)} FROM {table} ORDER BY ALL").fetchall()
            for table, names in ((table, sorted(names)) for table, names in tables)
        }


def pictures_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("shared", [True, False])
def test_rows_and_pictures_are_those_of_one_process(
    pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    todo = segmentation_metric.trials("mini", 0, folder_source(pairs_folder, (None, None), "palette"))
    assert run(tmp_path / "one", todo, one_after_another)[0].finished == 4
    if not shared:
        ground = ray_engine._ground
        monkeypatch.setattr(ray_engine, "_ground", lambda shared, token, device: ground(shared, "another", device))
    outcome, shown = run(tmp_path / "cluster", todo)
    assert outcome == Outcome(4, 0, (), False)
    assert shown.count("100%") == 4
    assert rows(tmp_path / "cluster") == rows(tmp_path / "one")
    assert len(rows(tmp_path / "cluster")["segmentation_score"]) > 0
    assert pictures_in(tmp_path / "cluster" / "images") == pictures_in(tmp_path / "one" / "images")
    assert run(tmp_path / "cluster", todo)[0] == Outcome(0, 4, (), False)


def test_a_trial_whose_worker_is_killed_runs_again_and_is_there_once(tmp_path: Path) -> None:
    def killed_once(trial: Trial, bench: Workbench) -> TrialRows:
        word = Path(trial.settings.path) / "started"
        if not word.exists():
            word.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return TrialRows({}, "none")

    todo = [trial("killed", tmp_path, killed_once), trial("other", tmp_path)]
    outcome, shown = run(tmp_path, todo)
    assert outcome == Outcome(2, 0, (), False)
    assert "fake · killed · seed 0: its worker was lost" in shown
    assert set(finished_trials(tmp_path / "results.duckdb")) == {each.key for each in todo}


def test_a_trial_that_costs_every_worker_its_life_fails_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(trial: Trial, bench: Workbench) -> TrialRows:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(ray_engine, "ATTEMPTS", 2)
    outcome, shown = run(tmp_path, [trial("deadly", tmp_path, deadly), trial("other", tmp_path)])
    assert (outcome.finished, outcome.failed) == (1, ("fake · deadly · seed 0",))
    assert "fake · deadly · seed 0 failed: its worker was lost 2 times" in shown


def test_what_goes_wrong_in_a_worker_and_what_it_warns_of_is_shown_here(tmp_path: Path) -> None:
    def warns_and_fails(trial: Trial, bench: Workbench) -> TrialRows:
        warnings.warn("train/[7].jpg: skipped", stacklevel=1)
        time.sleep(1)  # so that the warning is there before the end
        raise DataError("pairs: hold no pictures.") if trial.variant == "data" else ZeroDivisionError("by zero")

    outcome, shown = run(tmp_path, [trial(name, tmp_path, warns_and_fails) for name in ("data", "fault")])
    assert outcome.failed == ("fake · data · seed 0", "fake · fault · seed 0")
    assert "fake · data · seed 0 failed: pairs: hold no pictures." in shown
    assert "ZeroDivisionError: by zero" in shown
    assert "train/[7].jpg: skipped" in shown


def test_closing_the_engine_ends_what_still_runs(tmp_path: Path) -> None:
    def sleeps(trial: Trial, bench: Workbench) -> TrialRows:
        (Path(trial.settings.path) / "pid").write_text(str(os.getpid()))
        time.sleep(300)
        return TrialRows({}, "none")

    todo = [trial("quick", tmp_path), trial("slow", tmp_path, sleeps)]
    benches = [Workbench(each.variant, CPU, tmp_path / "i", tmp_path / "c", tmp_path, lambda *_: None) for each in todo]
    engine = ray_engine.spread(list(zip(todo, benches, strict=True)))
    assert next(engine)[0].variant == "quick"
    wait_until((tmp_path / "pid").exists)
    engine.close()
    worker = Path(f"/proc/{(tmp_path / 'pid').read_text()}")
    wait_until(lambda: not worker.exists() or "Z (zombie)" in (worker / "status").read_text())
    assert not (tmp_path / "i" / ray_engine.TOKEN).exists()


def wait_until(true) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("60 seconds were not enough")


def test_free_workers_compute_shards_of_a_large_pass(tmp_path: Path) -> None:
    made = []
    for number in range(8):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8), (20 * number, 100, 0)).save(path)
        made.append(Picture(path, path.name, None, None, None, "", None, "", "", 8, 8))

    def asks(trial: Trial, bench: Workbench) -> TrialRows:
        def means(inputs: Tensor) -> Tensor:
            word = tmp_path / f"by-{os.getpid()}"
            if word.exists():  # not the first call, which is made before helpers are asked
                wait_until(lambda: len(list(tmp_path.glob("by-*"))) == 2)
            word.write_text("")
            return inputs.mean(dim=(2, 3))

        predictions.SHARD_PICTURES = 1
        steps = Preprocessing(8, 8, (0.0,) * 3, (1.0,) * 3)
        given = predictions.outputs(made, steps, means, CPU, bench.cache / "s", bench.report, bench.help_with)
        np.save(tmp_path / "given.npy", given)
        return TrialRows({}, "none")

    assert run(tmp_path, [trial("asks", tmp_path, asks)])[0].finished == 1
    given = np.load(tmp_path / "given.npy")
    np.testing.assert_allclose(given, [[20 * number / 255, 100 / 255, 0] for number in range(8)], rtol=1e-6)


def nodes(*resources: dict[str, float]) -> list[dict]:
    return [{"Alive": True, "Resources": each} for each in resources] + [
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    ]


def test_a_trial_books_a_gpu_of_its_own_and_is_as_many_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: nodes({"CPU": 2.0}, {"CPU": 8.0, "GPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}))
    ground = ray_engine._ground((), "token", torch.device("cuda"))
    assert (ground.resources, ground.places) == ({"num_gpus": 1, "num_cpus": 1}, 6)


@pytest.mark.parametrize(
    ("threads", "cores", "each", "places"),
    [(1, (2.0, 8.0), 1, 10), (3, (2.0, 8.0), 3, 2), (16, (2.0, 8.0), 8, 1)],
)
def test_without_gpus_a_trial_books_as_many_cores_as_torch_has_threads_if_a_node_has_them(
    monkeypatch: pytest.MonkeyPatch, threads: int, cores: tuple[float, ...], each: int, places: int
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(ray, "nodes", lambda: nodes({}, *({"CPU": own} for own in cores)))
    ground = ray_engine._ground((), "token", CPU)
    assert (ground.resources, ground.places, ground.threads) == ({"num_cpus": each}, places, threads)


def test_a_cluster_without_cores_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: nodes({}))
    with pytest.raises(DataError, match="No node of the Ray cluster offers a core"):
        ray_engine._ground((), "token", CPU)
