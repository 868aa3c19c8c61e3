"""The experiment imagenet_rn50_vs_clip from end to end: trained in miniature, from files, with a classifier of one's own."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from rich.console import Console
from test_class_training import TINY

from compute import plan
from compute.data import imagenet, wordnet
from compute.data.class_images import load_pictures, picture_tables, world_images
from compute.data.errors import DataError
from compute.data.openmoji_images import chosen_classes
from compute.experiments.imagenet_rn50_vs_clip import trials
from compute.models import class_training
from compute.trials import Outcome, Trial, run_trials

DATA = Path(os.environ.get("CONTRAST_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
PHOTOS = DATA / "imagenet_samples"
ADDED = Path(__file__).with_name("efficientnet_lite0.py")
VARIANTS = ["rn50", "clip_80_templates", "clip_one_template", "clip_80_templates_cosine"]


@pytest.fixture(autouse=True, scope="module")
def _nothing_kept_in_memory() -> Iterator[None]:
    yield
    load_pictures.cache_clear()
    picture_tables.cache_clear()


def run(folder: Path, todo: list[Trial]) -> Outcome:
    paths = (folder / "results.duckdb", folder / "images", folder / "cache")
    return run_trials(todo, *paths, torch.device("cpu"), False, Console(width=300))


def query(folder: Path, sql: str) -> pandas.DataFrame:
    with duckdb.connect(str(folder / "results.duckdb"), read_only=True) as connection:
        return connection.execute(sql).df()


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Trial]]]:
    """All four variants, trained and asked on three classes of the world."""
    folder = tmp_path_factory.mktemp("miniature")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(class_training.TRAININGS, "mini", TINY)
        todo = trials("mini", 0, world_images(folder / "cache", 3, 1, seed=0))
        assert run(folder, todo) == Outcome(finished=4, already_there=0, failed=(), interrupted=False)
        yield folder, todo


def test_all_four_variants_answer_for_all_pictures(miniature: tuple[Path, list[Trial]]) -> None:
    folder, todo = miniature
    assert [trial.variant for trial in todo] == VARIANTS
    images = len(todo[0].data.listed)
    runs = query(folder, "SELECT variant, dataset, parameters, weights, weights_sha256 FROM run ORDER BY variant").set_index(
        "variant"
    )
    assert sorted(runs.index) == sorted(VARIANTS)
    assert set(runs.dataset) == {todo[0].data.dataset}
    clips = runs.loc[VARIANTS[1:]]
    assert clips.weights_sha256.nunique() == 1 != runs.weights_sha256.nunique()
    assert "captions of the OpenMoji world" in clips.weights.iloc[0]
    assert "labels of the OpenMoji world" in runs.weights["rn50"]
    rows = query(
        folder, "SELECT variant, count(*) AS n, min(len(top5)) AS least FROM prediction JOIN run USING (run_id) GROUP BY ALL"
    )
    assert rows.set_index("variant").n.to_dict() == dict.fromkeys(VARIANTS, images)
    assert set(rows.least) == {3}
    outputs = query(folder, "SELECT run_id, list(wnid ORDER BY position) AS wnids FROM classifier_output GROUP BY run_id")
    assert [list(wnids) for wnids in outputs.wnids] == [list(chosen_classes(3))] * 4


def test_raw_cosines_rank_as_scaled_ones_and_differ_by_the_learned_scale(miniature: tuple[Path, list[Trial]]) -> None:
    folder, _ = miniature
    values = {
        variant: np.array(rows.single_values.to_list())
        for variant, rows in query(
            folder,
            "SELECT variant, single_values FROM logit JOIN run USING (run_id) JOIN image USING (image_id) ORDER BY ordinal",
        ).groupby("variant")
    }
    cosines = values["clip_80_templates_cosine"]
    assert np.abs(cosines).max() <= 1.0001
    model, _ = class_training.trained_clip(TINY, 0, torch.device("cpu"), folder / "cache", lambda *_: None)
    np.testing.assert_allclose(values["clip_80_templates"], cosines * model.logit_scale.exp().item(), rtol=1e-3, atol=1e-4)
    assert np.abs(values["clip_one_template"] - values["clip_80_templates"]).max() > 1e-3


def test_evidence_is_written_once(miniature: tuple[Path, list[Trial]]) -> None:
    folder, todo = miniature
    for table in ("image_evidence", "class_similarity"):
        runs = query(folder, f"SELECT variant, count(*) AS n FROM {table} JOIN run USING (run_id) GROUP BY variant")
        assert runs.variant.tolist() == ["clip_80_templates"], table
    assert query(folder, "SELECT count(*) AS n FROM image_evidence").n.tolist() == [len(todo[0].data.listed)]
    kinds = query(folder, "SELECT wnid, list(kind ORDER BY kind) AS kinds FROM class_similarity GROUP BY wnid")
    assert set(kinds.wnid) == set(chosen_classes(3))
    assert all({"any", "nearest class", "rendition"} <= set(each) for each in kinds.kinds)
    others = query(folder, "SELECT DISTINCT kind FROM class_similarity WHERE other_wnid IS NOT NULL")
    assert others.kind.tolist() == ["nearest class"]


def test_finished_trials_are_not_run_again_and_new_ones_use_what_is_kept(
    miniature: tuple[Path, list[Trial]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, todo = miniature
    assert run(folder, todo).already_there == 4
    monkeypatch.setattr(class_training, "_draw", lambda *_: pytest.fail("the weights are kept"))
    again = replace(todo[1], version=2)
    assert run(folder, [again]).finished == 1


def test_files_of_weights_take_the_place_of_training(tmp_path: Path) -> None:
    images = world_images(tmp_path, 3, 1, seed=0)
    rn50, clip_file = tmp_path / "rn50.pth", tmp_path / "clip.pt"
    rn50.write_bytes(b"one")
    clip_file.write_bytes(b"two")
    plain = {trial.variant: trial for trial in trials("mini", 0, images)}
    given = {trial.variant: trial for trial in trials("mini", 0, images, (), rn50, clip_file)}
    assert all(plain[variant].key != given[variant].key for variant in VARIANTS)
    assert (given["rn50"].settings.training, given["rn50"].settings.file) == (None, str(rn50))
    assert {given[variant].settings.file for variant in VARIANTS[1:]} == {str(clip_file)}
    rn50.write_bytes(b"changed")
    assert trials("mini", 0, images, (), rn50, clip_file)[0].key != given["rn50"].key
    with pytest.raises(DataError, match="cannot be read"):
        trials("mini", 0, images, (), tmp_path / "none.pth")


def test_two_classifiers_of_one_name_are_refused(tmp_path: Path) -> None:
    images = world_images(tmp_path, 3, 1, seed=0)
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("")
    with pytest.raises(DataError, match=r"b\.py:mine: another classifier here is called mine\. Rename the function\."):
        trials("mini", 0, images, (f"{tmp_path}/a.py:mine", f"{tmp_path}/b.py:mine"))
    with pytest.raises(DataError, match="another classifier here is called rn50"):
        trials("mini", 0, images, (f"{tmp_path}/a.py:rn50",))
    added = trials("mini", 0, images, (f"{tmp_path}/a.py:mine", f"{tmp_path}/b.py:other"))
    assert [trial.variant for trial in added] == [*VARIANTS, "mine", "other"]


BROKEN = """
from types import SimpleNamespace
import torch
def broken(device):
    return SimpleNamespace(name="broken", wnids=["n01440764", "n01484850"],
        preprocess=lambda image: torch.zeros(3, 4, 4), logits=lambda inputs: torch.full((len(inputs), SIZE), VALUE))
"""


@pytest.mark.parametrize(
    ("size", "value", "complaint"), [(2, "torch.nan", "are not all finite numbers"), (3, "1.0", "gives 3 outputs for 2 wnids")]
)
def test_a_classifier_with_impossible_outputs_fails_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture, size: int, value: str, complaint: str
) -> None:
    (tmp_path / "mine.py").write_text(BROKEN.replace("SIZE", str(size)).replace("VALUE", value), encoding="utf-8")
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "n01440764_1.png")
    choices = plan.Choices(image_folder=folder, classifiers=(f"{tmp_path}/mine.py:broken",), cache=tmp_path / "cache")
    trial = plan.trials(["imagenet_rn50_vs_clip"], choices)[-1]
    assert run(tmp_path, [trial]).failed == ("imagenet_rn50_vs_clip · broken · seed 0",)
    shown = capsys.readouterr().out
    assert complaint in shown
    assert "Traceback" not in shown


LOGGING = """
from pathlib import Path
from types import SimpleNamespace

import torch


def logging(device):
    def preprocess(image):
        return torch.zeros(3, 4, 4)

    def logits(batch):
        with Path(__file__).with_name("asked.txt").open("a") as log:
            log.write(f"{len(batch)}\\n")
        return torch.ones(len(batch), 1)

    return SimpleNamespace(name="logging", wnids=["n01440764"], preprocess=preprocess, logits=logits)
"""


def test_a_pass_with_steps_of_ones_own_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "logging.py").write_text(LOGGING, encoding="utf-8")
    todo = trials("mini", 0, world_images(tmp_path / "cache", 2, 1, seed=0), [f"{tmp_path}/logging.py:logging"])[-1:]
    assert run(tmp_path / "first", todo).finished == 1
    asked = (tmp_path / "asked.txt").read_text().split()
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "cache").rename(tmp_path / "second" / "cache")
    assert run(tmp_path / "second", todo).finished == 1
    assert sum(map(int, asked)) == 1 + len(todo[0].data.listed)  # the first one is asked twice
    assert (tmp_path / "asked.txt").read_text().split() == [*asked, "1"]  # what was kept is only held against the first


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0's answers to real photos, published."""
    if not PHOTOS.is_dir():
        pytest.skip(f"{PHOTOS} is not there; name its parent in CONTRAST_TEST_DATA")
    folder = tmp_path_factory.mktemp("photos")
    choices = plan.Choices(image_folder=PHOTOS, classifiers=(f"{ADDED}:efficientnet_lite0",), cache=folder / "cache")
    trial = plan.trials(["imagenet_rn50_vs_clip"], choices)[-1]
    assert trial.variant == "efficientnet_lite0"
    assert run(folder, [trial]).finished == 1
    return folder


def test_a_classifier_of_ones_own_reaches_its_accuracy_on_real_photos(photos: Path) -> None:
    counts = query(photos, "SELECT sum(images) AS images, sum(top1) AS top1, sum(top5) AS top5 FROM class_score").iloc[0]
    assert counts.images >= 490
    assert counts.top5 / counts.images >= 0.89
    assert counts.top1 / counts.images >= 0.65
    [row] = query(photos, "SELECT weights, parameters FROM run").itertuples()
    assert row.weights == f"EfficientNet-Lite0, from {ADDED}:efficientnet_lite0"
    assert row.parameters == 4_652_008


def test_counts_rolled_up_over_a_subtree_are_those_of_a_recount(photos: Path) -> None:
    rolled = query(
        photos,
        """SELECT l.wnid, sum(images) AS images, sum(top1) AS top1, sum(top5) AS top5
           FROM synset_leaf l JOIN class_score s ON s.wnid = l.leaf_wnid GROUP BY l.wnid""",
    ).set_index("wnid")
    predictions = query(photos, "SELECT wnid, label_rank FROM prediction")
    by_wnid = {entry.wnid for entry in imagenet.classes()}
    inner = ["n00001740", "n02084071", "n01503061", "n04524313", "n01440764"]  # entity, dog, bird, vehicle, tench
    for wnid in [*inner, *rolled.index[::97]]:
        below = {wnid} & by_wnid
        todo = [wordnet.synset(wnid)]
        while todo:  # all that is reached by nltk's own hyponyms
            children = todo.pop().hyponyms()
            below |= {wordnet.wnid_of(child) for child in children} & by_wnid
            todo += children
        own = predictions[predictions.wnid.isin(below)]
        expected = [len(own), int((own.label_rank == 1).sum()), int((own.label_rank <= 5).sum())]
        assert rolled.loc[wnid].astype(int).tolist() == expected, wnid
    assert rolled.loc["n00001740", "images"] == len(predictions)
