"""Where trials run is one thing, what becomes of them another: order, engines that return in any order, the command line."""

import io
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor
from typer.testing import CliRunner

from compute import predictions
from compute.__main__ import app
from compute.connection import finished_trials
from compute.data.class_images import Picture
from compute.models.preprocessing import Preprocessing
from compute.plan import Choices, trials
from compute.trials import Engine, FixedData, Outcome, Tables, Task, Trial, TrialRows, Workbench, perform, ready, run_trials


@dataclass(frozen=True)
class NoSettings:
    pass


def trial(variant: str, *shares: str, run: Callable[[Trial, Workbench], TrialRows] | None = None) -> Trial:
    nothing = FixedData("nothing", "f" * 64)
    return Trial("fake", variant, "mini", 0, 1, NoSettings(), nothing, run or (lambda *_: TrialRows({}, "none")), shares)


def variants(some: Sequence[Trial]) -> str:
    return " ".join(each.variant for each in some)


def test_trials_that_share_nothing_may_all_start() -> None:
    assert variants(ready([trial("a"), trial("b"), trial("c")], [trial("d")], set())) == "a b c"


def test_the_first_of_those_that_share_something_goes_ahead_until_it_has_ended() -> None:
    waiting = [trial("fp32", "clip", "answers"), trial("fp16", "clip", "answers"), trial("latency", "clip"), trial("unet")]
    assert variants(ready(waiting, [], set())) == "fp32 unet"
    assert variants(ready(waiting[1:3], waiting[:1], set())) == ""
    assert variants(ready(waiting[1:3], [], {"clip", "answers"})) == "fp16 latency"


def test_one_may_start_only_when_all_that_it_shares_is_there() -> None:
    clip, exact, lower, latency = (
        trial("clip", "clip"), trial("fp32", "clip", "answers"), trial("fp16", "clip", "answers"), trial("latency", "clip")
    )  # fmt: skip
    assert variants(ready([clip, exact, lower, latency], [], set())) == "clip"
    assert variants(ready([exact, lower, latency], [], {"clip"})) == "fp32 latency"
    assert variants(ready([lower, latency], [exact], {"clip"})) == "latency"


def test_one_that_waits_in_line_keeps_others_from_what_it_is_first_to_share() -> None:
    running, second, third = trial("1", "x"), trial("2", "x", "y"), trial("3", "y")
    assert ready([second, third], [running], set()) == []


def test_the_precisions_wait_for_fp32_and_all_of_clip_for_the_first_that_trains_it() -> None:
    todo = trials(["imagenet_rn50_vs_clip", "fp32_vs_fp16"], Choices())
    assert variants(ready(todo, [], set())) == "rn50 clip_80_templates"
    rest = [each for each in todo if each.variant not in ("rn50", "clip_80_templates")]
    started = ready(rest, [], {"CLIP"})
    assert {each.variant for each in rest} - {each.variant for each in started} == {"fp16", "bf16"}


def run(folder: Path, todo: Sequence[Trial], engine: Engine) -> tuple[Outcome, str]:
    shown = io.StringIO()
    paths = (folder / "results.duckdb", folder / "images", folder / "cache")
    outcome = run_trials(todo, *paths, torch.device("cpu"), False, Console(file=shown, width=200), engine)
    return outcome, shown.getvalue()


def backwards(tasks: Sequence[Task]) -> Generator[tuple[Trial, Tables | str], None, None]:
    for each, bench in reversed(tasks):
        yield each, perform(each, bench)


def test_an_engine_may_end_trials_in_any_order_and_each_is_published_before_the_next_is_asked_for(tmp_path: Path) -> None:
    todo, there = [trial("a"), trial("b"), trial("c")], []

    def watched(tasks: Sequence[Task]) -> Generator[tuple[Trial, Tables | str], None, None]:
        for made in backwards(tasks):
            yield made
            there.append(len(finished_trials(tmp_path / "results.duckdb")))

    assert run(tmp_path, todo, watched)[0] == Outcome(3, 0, (), False)
    assert there == [1, 2, 3]
    with duckdb.connect(str(tmp_path / "results.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT variant FROM run ORDER BY started_at").fetchall() == [("c",), ("b",), ("a",)]


def test_what_an_engine_says_went_wrong_is_shown_and_the_next_command_runs_only_that(tmp_path: Path) -> None:
    todo = [trial("a"), trial("b")]

    def loses_one(tasks: Sequence[Task]) -> Generator[tuple[Trial, Tables | str], None, None]:
        yield tasks[0][0], "its worker was [lost]"
        yield tasks[1][0], perform(*tasks[1])

    outcome, shown = run(tmp_path, todo, loses_one)
    assert outcome == Outcome(1, 0, ("fake · a · seed 0",), False)
    assert "fake · a · seed 0 failed: its worker was [lost]" in shown
    assert run(tmp_path, todo, backwards)[0] == Outcome(1, 1, (), False)


def test_an_engine_is_closed_when_ctrl_c_comes_while_others_still_run(tmp_path: Path) -> None:
    stopped = []

    def interrupted(tasks: Sequence[Task]) -> Generator[tuple[Trial, Tables | str], None, None]:
        try:
            yield tasks[0][0], perform(*tasks[0])
            raise KeyboardInterrupt
        finally:
            stopped.append("all workers")

    assert run(tmp_path, [trial("a"), trial("b")], interrupted)[0] == Outcome(1, 0, (), True)
    assert stopped == ["all workers"]


SMALL = Preprocessing(8, 8, (0.5,) * 3, (0.25,) * 3)


class Means(torch.nn.Module):
    """Gives the mean of each color, as (B, 3)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.mean(dim=(2, 3))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Picture]:
    made = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8), (20 * number, 100, 255 - 20 * number)).save(path)
        made.append(Picture(path, path.name, None, None, None, "", None, "", "", 8, 8))
    return made


def test_a_pass_takes_the_shards_that_helpers_write_and_gives_the_same(
    pictures: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "SHARD_PICTURES", 4)  # 0 to 3, 4 to 7, 8 and 9
    reported: list[int] = []

    @contextmanager
    def helps_from_the_end(whole: predictions.Pass) -> Generator[None, None, None]:
        predictions.compute_shards(whole, whole.starts[::-1][:2])
        yield

    def ask(folder: str, help_with: Callable[[predictions.Pass], AbstractContextManager[None]]) -> np.ndarray:
        reported.clear()
        report = lambda done, *_: reported.append(done)  # noqa: E731
        return predictions.outputs(pictures, SMALL, Means(), torch.device("cpu"), tmp_path / folder, report, help_with)

    alone = ask("alone", predictions.without_help)
    assert reported == [4, 8, 10]
    helped = ask("helped", helps_from_the_end)
    assert reported == [4]
    np.testing.assert_array_equal(alone, helped)


def test_small_passes_ask_for_no_help(pictures: list[Picture], tmp_path: Path) -> None:
    def never(_: predictions.Pass) -> AbstractContextManager[None]:
        raise AssertionError

    predictions.outputs(pictures, SMALL, Means(), torch.device("cpu"), tmp_path / "s", lambda *_: None, never)


def test_an_address_without_the_engine_is_refused(tmp_path: Path) -> None:
    places = ["--results", str(tmp_path / "r.duckdb"), "--cache", str(tmp_path)]
    result = CliRunner().invoke(app, ["run", "wordnet_synsets", "--address", "auto", *places])
    assert result.exit_code == 1
    assert "--address auto is that of a Ray cluster: add --engine ray." in " ".join(result.output.split())


def test_without_ray_the_message_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "compute.ray_engine", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    result = CliRunner().invoke(app, ["run", "wordnet_synsets", "--engine", "ray", "--results", str(tmp_path / "r.duckdb")])
    assert result.exit_code == 1
    assert "pip install -r requirements-ray.txt" in " ".join(result.output.split())


def test_what_is_made_elsewhere_names_no_commit_as_only_those_who_publish_know_it() -> None:
    made = perform(trial("a"), Workbench("run-1", torch.device("cpu"), Path(), Path(), Path(), lambda *_: None))
    assert isinstance(made, dict)
    assert isinstance(made["run"], pandas.DataFrame)
    assert "git_commit" not in made["run"]
