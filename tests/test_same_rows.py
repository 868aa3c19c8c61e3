"""Same seed, same machine, same number of threads: every row that is computed again is the same, but for times."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas
import pytest
from test_unet import TINY
from typer.testing import CliRunner

from compute import __main__ as command_line
from compute.data.street_pairs import load
from compute.experiments import unet_skip_connections
from compute.schema import TABLES
from compute.segmentation_rows import dataset_tables

EXPERIMENTS = ("unet_skip_connections", "segmentation_metric", "rn50_architectures")
# What is measured, or says when something ran.
TIMES = {"run": ["started_at", "seconds"], "training_step": ["milliseconds"]}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(unet_skip_connections.PROFILES, "mini", TINY)
    yield
    load.cache_clear()
    dataset_tables.cache_clear()


Computed = tuple[dict[str, pandas.DataFrame], dict[str, bytes]]


def computed(folder: Path, pairs: Path, experiments: tuple[str, ...] = EXPERIMENTS, seed: int = 0) -> Computed:
    """All rows by table and all pictures by path of a run that starts with nothing."""
    load.cache_clear()
    dataset_tables.cache_clear()
    places = ["--results", folder / "results.duckdb", "--images", folder / "images", "--cache", folder / "cache"]
    arguments = ["run", *experiments, "--device", "cpu", "--pairs", pairs, "--seed", seed, *places]
    result = CliRunner().invoke(command_line.app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    with duckdb.connect(str(folder / "results.duckdb"), read_only=True) as connection:
        tables = {table: connection.execute(f"SELECT * FROM {table} ORDER BY ALL").df() for table in TABLES}
    rows = {table: found.drop(columns=TIMES.get(table, [])) for table, found in tables.items()}
    images = folder / "images"
    pictures = {str(path.relative_to(images)): path.read_bytes() for path in images.rglob("*") if path.is_file()}
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return rows, pictures


def test_a_run_that_starts_anew_gives_the_same_rows_and_pictures(pairs_folder: Path, tmp_path: Path) -> None:
    (first, pictures), (second, pictures_again) = (computed(tmp_path / name, pairs_folder) for name in ("one", "two"))
    other, _ = computed(tmp_path / "three", pairs_folder, EXPERIMENTS[:1], seed=1)
    filled = {table for table, rows in first.items() if len(rows)}
    assert {"run", "segmentation_score", "boundary_score", "training_step", "model_layer"} <= filled
    for table, rows in first.items():
        ours, theirs = (each.astype(str).sort_values(list(each), ignore_index=True) for each in (rows, second[table]))
        pandas.testing.assert_frame_equal(ours, theirs)
    assert pictures == pictures_again
    assert len(pictures) > 10
    assert not first["training_step"].loss.equals(other["training_step"].loss)
