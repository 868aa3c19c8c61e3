"""ImageNet's classes: their order, both models' names, OpenAI's templates, and an asset that was damaged."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torchvision.models import ResNet50_Weights

from compute.data import imagenet
from compute.data.errors import DataError
from compute.data.imagenet import ImageNetClass, by_wnid, classes, templates
from compute.data.wordnet import synset

SHARED_DATA = Path(os.environ.get("CONTRAST_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SAMPLES = SHARED_DATA / "imagenet_samples"

# Where torchvision's name is no lemma of the synset: the words that its makers added to tell two classes of one lemma apart.
TOLD_APART = {"n02012849": "crane bird", "n03710721": "maillot tank suit"}


def test_classes_are_a_thousand_in_the_order_of_their_wnids() -> None:
    wnids = [entry.wnid for entry in classes()]
    assert len(wnids) == len(set(wnids)) == 1000
    assert wnids == sorted(wnids)
    assert all(re.fullmatch(r"n\d{8}", wnid) for wnid in wnids)
    assert [entry.index for entry in classes()] == list(range(1000))
    assert list(by_wnid().values()) == list(classes())


@pytest.mark.parametrize(
    "expected",
    [
        ImageNetClass(0, "n01440764", "tench", "tench"),
        ImageNetClass(21, "n01608432", "kite", "kite (bird of prey)"),
        ImageNetClass(134, "n02012849", "crane bird", "crane bird"),
        ImageNetClass(248, "n02109961", "Eskimo dog", "husky"),
        ImageNetClass(250, "n02110185", "Siberian husky", "Siberian Husky"),
        ImageNetClass(517, "n03126707", "crane", "construction crane"),
        ImageNetClass(677, "n03804744", "nail", "metal nail"),
        ImageNetClass(999, "n15075141", "toilet tissue", "toilet paper"),
    ],
    ids=lambda entry: entry.wnid,
)
def test_a_class_has_its_wnid_and_both_names(expected: ImageNetClass) -> None:
    assert classes()[expected.index] == by_wnid()[expected.wnid] == expected


def test_names_are_torchvisions_own() -> None:
    assert [entry.torchvision_name for entry in classes()] == ResNet50_Weights.IMAGENET1K_V1.meta["categories"]


def test_every_name_stands_beside_its_own_wnid() -> None:
    for entry in classes():
        lemmas = {lemma.replace("_", " ").lower() for lemma in synset(entry.wnid).lemma_names()}
        assert TOLD_APART.get(entry.wnid) == entry.torchvision_name or entry.torchvision_name.lower() in lemmas, entry


def test_two_pairs_of_openai_names_are_the_same() -> None:
    wnids: dict[str, list[str]] = {}
    for entry in classes():
        wnids.setdefault(entry.openai_name, []).append(entry.wnid)
    assert {name: shared for name, shared in wnids.items() if len(shared) > 1} == {
        "missile": ["n03773504", "n04008634"],
        "sunglasses": ["n04355933", "n04356056"],
    }


def test_there_are_eighty_templates_with_one_place_for_the_name() -> None:
    assert len(templates()) == len(set(templates())) == 80
    assert all(template.format("tench").count("tench") == 1 for template in templates())
    assert (templates()[0], templates()[-1]) == ("a bad photo of a {}.", "a tattoo of the {}.")
    assert {"a photo of a {}.", "itap of my {}.", "a origami {}.", "the {} in a video game."} < set(templates())


def test_asset_has_one_class_a_line() -> None:
    lines = imagenet.ASSET.read_text(encoding="utf-8").splitlines()
    wnids = Counter(wnid for line in lines for wnid in re.findall(r"n\d{8}", line))
    assert set(wnids.values()) == {1}
    assert sum(bool(re.search(r"n\d{8}", line)) for line in lines) == len(wnids) == 1000


def _swap_two_classes(content: dict[str, Any]) -> None:
    content["classes"][3], content["classes"][4] = content["classes"][4], content["classes"][3]


def _repeat_a_wnid(content: dict[str, Any]) -> None:
    content["classes"][1]["wnid"] = content["classes"][0]["wnid"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(_swap_two_classes, "must list 1000 classes", id="order"),
        pytest.param(_repeat_a_wnid, "must list 1000 classes", id="wnid twice"),
        pytest.param(lambda content: content["classes"].pop(), "must list 1000 classes", id="one missing"),
        pytest.param(lambda content: content["classes"][7].pop("openai_name"), "openai_name", id="no name"),
        pytest.param(lambda content: content.pop("templates"), "is no list of ImageNet's classes", id="no templates"),
        pytest.param(lambda content: content["templates"].append("a photo."), "'a photo.' has not", id="no place for a name"),
    ],
)
def test_a_changed_asset_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], object], reason: str) -> None:
    content = json.loads(imagenet.ASSET.read_text(encoding="utf-8"))
    spoil(content)
    asset = tmp_path / "classes.json"
    asset.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=f"^{re.escape(str(asset))}: .*{re.escape(reason)}"):
        classes(asset)


def test_a_truncated_or_missing_asset_is_named(tmp_path: Path) -> None:
    asset = tmp_path / "classes.json"
    with pytest.raises(DataError, match=f"^{re.escape(str(asset))}: ImageNet's classes cannot be read"):
        classes(asset)
    content = imagenet.ASSET.read_bytes()
    asset.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=f"^{re.escape(str(asset))}: is no list of ImageNet's classes"):
        templates(asset)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"{SAMPLES} is not there; CONTRAST_TEST_DATA names the folder that holds it")
def test_labels_of_real_photos_are_classes_and_their_names_torchvisions() -> None:
    labels = dict(path.stem.split("_", maxsplit=1) for path in SAMPLES.glob("n*.jpg"))
    assert len(labels) == 500
    assert set(labels) <= set(by_wnid())
    names = {wnid: by_wnid()[wnid].torchvision_name.replace(" ", "_") for wnid in labels}
    # The files were named when torchvision still called both cranes "crane".
    assert {wnid: name for wnid, name in labels.items() if name != names[wnid]} == {"n02012849": "crane"}
