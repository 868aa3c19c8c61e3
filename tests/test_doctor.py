"""What the doctor says of class images, captions, WordNet and published weights."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from compute import plan
from compute.data import wordnet
from compute.doctor import Finding, examine
from compute.models import blip_folders, official_weights

RESNET, CLIP = "RN50's weights", "CLIP's weights"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Home of both caches of official files, whose right content is b'right'."""
    sha256 = hashlib.sha256(b"right").hexdigest()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(official_weights, "RN50_ADDRESS", f"https://nowhere.invalid/resnet50-{sha256[:8]}.pth")
    monkeypatch.setattr(official_weights, "CLIP_ADDRESS", f"https://nowhere.invalid/{sha256}/RN50.pt")
    return tmp_path


def found(folder: Path, **chosen: object) -> dict[str, Finding]:
    """Findings by what was looked at, up to its first comma."""
    choices = plan.Choices(**chosen, cache=folder / "cache")
    findings = examine(choices, "cpu", folder / "results.duckdb", folder / "images")
    return {finding.what.partition(",")[0]: finding for finding in findings}


def test_the_mini_profile_draws_its_pictures_and_needs_no_weights(folder: Path) -> None:
    findings = found(folder)
    pictures = findings["Class images"]
    assert (pictures.good, pictures.what) == (True, "Class images, for imagenet_rn50_vs_clip and fp32_vs_fp16")
    assert pictures.found.startswith("OpenMoji classes: ")
    assert pictures.found.endswith(" pictures of 120 classes, drawn when first needed")
    assert (findings["WordNet"].good, findings["WordNet"].found) == (True, "14 files, whole")
    assert {RESNET, CLIP}.isdisjoint(findings)
    assert list(folder.iterdir()) == []


def test_the_full_profile_names_what_each_need_lacks(folder: Path) -> None:
    findings = found(folder, profile="full")
    assert findings["Class images"].good is False
    assert findings["Class images"].remedy.startswith("pass --image-folder DIR with one folder per wnid")
    assert findings[RESNET].found == f"will be downloaded to {official_weights.resnet_place().path}"
    assert findings[CLIP].found == f"will be downloaded to {folder / '.cache/clip/RN50.pt'}"
    assert findings[RESNET].good is findings[CLIP].good is True


@pytest.mark.parametrize(("content", "good"), [(b"right", True), (b"righ", False), (b"", False)])
def test_weights_in_the_caches_are_held_to_their_checksums(folder: Path, content: bytes, good: bool) -> None:
    for what, place in ((RESNET, official_weights.resnet_place()), (CLIP, official_weights.clip_place())):
        assert place.path.is_relative_to(folder)
        place.path.parent.mkdir(parents=True)
        place.path.write_bytes(content)
        finding = found(folder, profile="full")[what]
        assert (finding.good, finding.found) == (good, f"{place.path}{'' if good else ' is truncated or another file'}")
        assert finding.remedy == "delete the file, and it is downloaded again"


def test_files_of_weights_that_are_named_must_be_there(folder: Path) -> None:
    (folder / "mine.pth").write_bytes(b"mine")
    findings = found(folder, rn50_weights=folder / "mine.pth", clip_weights=folder / "none.pt")
    assert (findings[RESNET].good, findings[CLIP].good) == (True, False)
    assert findings[CLIP].found == f"{folder / 'none.pt'} is not there"


def test_a_folder_of_pictures_is_counted_or_refused(folder: Path) -> None:
    photos = folder / "photos"
    assert found(folder, image_folder=photos)["Class images"].good is False
    photos.mkdir()
    for name in ("n01440764_1.png", "n01440764_2.png", "n01484850_1.png"):
        Image.new("RGB", (9, 9)).save(photos / name)
    finding = found(folder, image_folder=photos)["Class images"]
    assert (finding.good, finding.found) == (True, "photos: 3 pictures of 2 classes")


CAPTIONED, CAPTIONER, RETRIEVER = "Captioned images", "BLIP's weights for captions", "BLIP's weights for retrieval"


def test_captions_are_drawn_counted_or_asked_for(folder: Path) -> None:
    drawn = found(folder)
    assert (drawn[CAPTIONED].good, drawn[CAPTIONED].found) == (True, "OpenMoji scenes, drawn when first needed")
    assert drawn[CAPTIONED].what.endswith(", for caption_sampling and image_text_retrieval")
    asked = found(folder, profile="full")[CAPTIONED]
    assert (asked.good, asked.found) == (False, "The full profile needs captioned pictures")
    assert "python -m compute run caption_sampling image_text_retrieval --profile full --captions" in asked.remedy
    photos, file = folder / "photos", folder / "captions.csv"
    photos.mkdir()
    for name in ("n01440764_1.png", "n01440764_2.png", "n01484850_1.png"):
        Image.new("RGB", (9, 9)).save(photos / name)
    rows = ["n01440764_1.png,a fish,train", "n01440764_1.png,a tench,train", "n01484850_1.png,a shark,val", "none.png,a,val"]
    file.write_text("\n".join(["file,caption,split", *rows]))
    finding = found(folder, profile="full", captions=file, image_folder=photos)[CAPTIONED]
    assert (finding.good, finding.found) == (
        True,
        "photos captions: 3 captions, 1 pictures for training, 1 for validation",
    )
    # Both folders are given, and VOC's holds none of the pictures.
    (folder / "VOC2012" / "JPEGImages").mkdir(parents=True)
    assert found(folder, captions=file, image_folder=photos, voc=folder)[CAPTIONED].good is True
    alone = found(folder, captions=file)[CAPTIONED]
    assert (alone.good, alone.found) == (
        False,
        f"{file}: captions which pictures? Name their folder, too, with --image-folder DIR or --voc DIR.",
    )
    missing = found(folder, captions=folder / "none.csv", image_folder=photos)[CAPTIONED]
    assert (missing.good, missing.found) == (False, f"{folder / 'none.csv'}: cannot be read (No such file or directory)")


def test_blips_weights_are_looked_for_where_they_are_said_to_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    assert {CAPTIONER, RETRIEVER}.isdisjoint(found(folder))
    absent = found(folder, profile="full")
    assert absent[CAPTIONER].good is absent[RETRIEVER].good is True
    assert absent[RETRIEVER].found == f"will be downloaded to {folder / 'hub/models--Salesforce--blip-itm-base-coco'}"
    weights = folder / "weights"
    (weights / blip_folders.CAPTIONER).mkdir(parents=True)
    lacking = found(folder, blip_weights=weights)
    assert RETRIEVER not in lacking  # it is trained, as without the option
    assert (lacking[CAPTIONER].good, lacking[CAPTIONER].found) == (False, f"{weights / blip_folders.CAPTIONER} has no weights")
    assert lacking[CAPTIONER].remedy == (
        f"hf download Salesforce/blip-image-captioning-base --local-dir {weights / blip_folders.CAPTIONER}"
    )
    (weights / blip_folders.CAPTIONER / "config.json").write_text('{"architectures": ["BlipForConditionalGeneration"]}')
    (weights / blip_folders.CAPTIONER / "model.safetensors").write_bytes(b"")
    assert found(folder, blip_weights=weights)[CAPTIONER].good is True
    itself = found(folder, blip_weights=weights / blip_folders.CAPTIONER)
    assert (itself[CAPTIONER].good, RETRIEVER in itself) == (True, False)
    elsewhere = found(folder, profile="full", blip_weights=weights)
    assert elsewhere[RETRIEVER].found == f"will be downloaded to {folder / 'hub/models--Salesforce--blip-itm-base-coco'}"
    none = found(folder, blip_weights=folder / "none")
    assert (none[CAPTIONER].good, none[RETRIEVER].good) == (False, False)


def test_blips_weights_in_the_hubs_cache_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    repository = folder / "hub" / "models--Salesforce--blip-itm-base-coco"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text("{}")
    assert found(folder, profile="full")[RETRIEVER].found == f"will be downloaded to {snapshot}"
    (snapshot / "model.safetensors").write_bytes(b"")
    finding = found(folder, profile="full")[RETRIEVER]
    assert (finding.good, finding.found) == (True, str(snapshot))


def test_a_file_of_wordnet_that_is_not_whole_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(wordnet.FILES, "lexnames", (801, "0" * 64))
    finding = found(folder)["WordNet"]
    assert finding.good is False
    assert finding.found.endswith("lexnames: has 800 bytes instead of 801")
    assert finding.remedy == "WordNet comes with this program; restore the file from there."


COMMANDS = """
import sys
from compute import __main__ as command_line
for command in ("list", "doctor"):
    try:
        command_line.app([command, *sys.argv[1 + (command == "doctor") :]])
    except SystemExit as leaving:
        assert leaving.code == 0, command
assert not {"nltk", "ray", "compute.ray_engine"} & sys.modules.keys()
"""


def test_no_command_warns_or_imports_nltk_or_ray_before_it_is_needed(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", COMMANDS, "--results", str(tmp_path / "none.duckdb"), "--cache", str(tmp_path)]
    result = subprocess.run(arguments, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "arning" not in result.stdout
    assert result.stdout.count("imagenet_rn50_vs_clip") >= 2
