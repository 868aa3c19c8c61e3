"""Captions and folders of BLIP from anyone: what cannot be used is named with a remedy, and no order in them is followed."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_files import DAMAGED
from foreign_places import CAPTIONS, MARKER, Place, blip_weights, on_captions, photos, waiting_is_ended
from safetensors.torch import load_file, save_file
from test_blip import TEXTS, written
from transformers import BlipForConditionalGeneration

from compute.data.errors import DataError
from compute.data.files import LARGEST_TEXT_BYTES
from compute.models import blip
from compute.models.official_weights import load_clip, load_resnet, load_vit


@pytest.fixture
def place(tmp_path: Path, empty_results: Path) -> Place:
    return Place(tmp_path, empty_results)


# Captions

COCO = {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "c.png"}], "annotations": []}


def coco(annotations: list[object], **changes: object) -> str:
    return json.dumps({**COCO, "annotations": annotations, **changes})


CAPTION = {"image_id": 1, "caption": "a cow"}
CAPTION_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "lacks the column file and caption; its first line names none."),
    "neither CSV nor JSON": (DAMAGED["half"], "lacks the column file and caption"),
    "missing column": ("file,text\na.png,x\n", "lacks the column caption; its first line names file, text."),
    "broken UTF-16": (b"\xff\xfe\x00\xd8" + b"\x00\xdc" * 9, "lacks the column file and caption"),
    "JSON cut short": (coco([CAPTION])[:60], "is no whole JSON"),
    "JSON, deep": ("[" * 200_000, "is no whole JSON"),
    "JSON, a number of 10,000 digits": ('{"images": ' + "9" * 10_000 + "}", "is no whole JSON"),
    "one name twice": ('{"images": [], "images": [], "annotations": []}', "the name 'images' is twice in one object"),
    "one caption twice": (
        coco([]).replace('"annotations": []', '"annotations": [{"image_id": 1, "caption": "a", "caption": "b"}]'),
        "the name 'caption' is twice in one object",
    ),
    "one id for two files": (
        coco([CAPTION], images=[{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}]),
        "the image id 1 is that of two files, a.png and b.png, so nobody knows which of them its captions are of.",
    ),
    "no lists": ('{"images": 1, "annotations": NaN}', "has no lists 'images' and 'annotations' as COCO's has."),
    "boxes": (coco([{"image_id": 1, "bbox": [1]}]), "none of its 1 annotations has a 'caption'"),
    "of no image": (coco([{"image_id": 9, "caption": "a"}]), "1 captions of an image that the file does not list"),
    "NaN as id": (coco([{"image_id": float("nan"), "caption": "a"}]), "1 captions of an image that the file does not list"),
    "out of the folder": ("file,caption\n../a.png,a cow\n", "1 captions of a file outside the folder (first: '../a.png'"),
    "absolute": ("file,caption\n/etc/passwd,a cow\n", "1 captions of a file outside the folder (first: '/etc/passwd'"),
    "COCO, out of the folder": (
        coco([CAPTION], images=[{"id": 1, "file_name": "../elsewhere/a.png"}]), "1 captions of a file outside the folder",
    ),
    "name of 10,000 characters": (f"file,caption\n{'x' * 10_000},a cow\n", "1 captions of pictures that are not in the folder"),
    "caption of 10,000 characters": (f"file,caption\na.png,{'x' * 10_000}\n", "1 captions of more than 1,000 characters"),
    "half a surrogate as name": (
        '{"images": [{"id": 1, "file_name": "\\ud800"}], "annotations": [{"image_id": 1, "caption": "a"}]}',
        "1 captions of pictures that are not in the folder",
    ),
    "orders to a terminal": ("file,caption\n\x1b[2J,a cow\n", "1 captions of pictures that are not in the folder"),
    "too long": (b"", f"cannot be read (it has more than {LARGEST_TEXT_BYTES:,} bytes)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CAPTION_FILES)
def test_a_file_of_captions_that_cannot_be_used_is_refused(place: Place, kind: str) -> None:
    content, message = CAPTION_FILES[kind]
    file = place.folder / "captions"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if kind == "too long":
        os.truncate(file, LARGEST_TEXT_BYTES + 1)
    output = on_captions(place, photos(place.folder / "photos"), file)
    assert output.startswith(str(file))
    assert message in output
    assert len(output) < 1500
    assert "\x1b" not in output


@pytest.mark.parametrize("folder", ["photos", "captions", "none"])
def test_captions_without_their_pictures_are_refused(place: Place, folder: str) -> None:
    (place.folder / "captions").write_text(CAPTIONS)
    (place.folder / "photos").mkdir()
    assert str(place.folder) in on_captions(place, place.folder / folder, place.folder / "captions")


# BLIP's folders: what a configuration may ask for


def configured(file: str = "config.json", **values: object) -> Callable[[Path], None]:
    """Set values in the file; `text_config__hidden_size` is one in the part text_config."""

    def change(folder: Path) -> None:
        config = json.loads((folder / file).read_text())
        for name, value in values.items():
            part, _, own = name.rpartition("__")
            (config[part] if part else config)[own or name] = value
        (folder / file).write_text(json.dumps(config))

    return change


def not_finite(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    name = next(name for name in state if name.endswith("weight"))
    save_file(state | {name: torch.full_like(state[name], float("nan"))}, folder / "model.safetensors", {"format": "pt"})


def packed(folder: Path) -> None:
    """A zip archive that unpacks to a thousand times its size."""
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))


BLIP_FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no end of layers": (configured(text_config__num_hidden_layers=10**9), "num_hidden_layers is '1000000000', and must be"),
    "layers below none": (configured(text_config__num_hidden_layers=-1), "num_hidden_layers is '-1', and must be a whole"),
    "no heads": (configured(text_config__num_attention_heads=0), "num_attention_heads is '0', and must be a whole number"),
    "no patches": (configured(vision_config__patch_size=0), "vision_config.patch_size is '0', and must be"),
    "pictures below nothing": (configured(vision_config__image_size=-32), "vision_config.image_size is '-32', and must be"),
    "huge pictures": (configured(vision_config__image_size=10**9), "vision_config.image_size is '1000000000', and must be"),
    "huge width": (configured(vision_config__hidden_size=10**12), "vision_config.hidden_size is '1000000000000', and must"),
    "width that is a text": (configured(text_config__hidden_size="16"), "text_config.hidden_size is '16', and must be"),
    "width that is true": (configured(text_config__hidden_size=True), "text_config.hidden_size is 'True', and must be"),
    "not a number": (configured(text_config__layer_norm_eps=float("nan")), "layer_norm_eps is 'nan', and must be a number"),
    "infinite": (configured(vision_config__layer_norm_eps=float("inf")), "layer_norm_eps is 'inf', and must be a number"),
    "code as activation": (configured(text_config__hidden_act="__import__"), "hidden_act is '__import__', and must be one of"),
    "token out of the vocabulary": (configured(text_config__pad_token_id=999), "text_config.pad_token_id is none of the"),
    "no part": (configured(text_config=None), "text_config holds no names and values"),
    "list as part": (configured(vision_config=[1]), "vision_config holds no names and values"),
    "another network": (configured(model_type="gpt2"), "config.json: describes no BLIP"),
    "deep": (lambda folder: (folder / "config.json").write_text("[" * 200_000), "config.json: is missing or damaged"),
    "deep tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("[" * 200_000), "tokenizer.json: is damaged"),
    "a pipe as configuration": (
        lambda folder: ((folder / "config.json").unlink(), os.mkfifo(folder / "config.json")), "config.json: is no file",
    ),
    "a pipe beside it": (lambda folder: os.mkfifo(folder / "added_tokens.json"), "added_tokens.json: is no file. Remove it."),
    "weights that are no numbers": (not_finite, "hold values that are no finite numbers"),
    "weights with a huge header": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 8 + b"{}"), "cannot be loaded as BLIP's weights",
    ),
    "weights that unpack without end": (packed, "it unpacks to 50,000,000 bytes, far more than it has"),
}  # fmt: skip


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("blip") / "good", BlipForConditionalGeneration, blip.small_tokenizer(TEXTS))


@pytest.mark.parametrize("kind", BLIP_FOLDERS)
def test_a_folder_of_blip_that_cannot_be_used_is_refused(tmp_path: Path, captioner: Path, kind: str) -> None:
    change, message = BLIP_FOLDERS[kind]
    change(Path(shutil.copytree(captioner, tmp_path / "blip")))
    pipes = [tmp_path / "blip" / "config.json", tmp_path / "blip" / "added_tokens.json"]
    with waiting_is_ended(pipes) as waited, pytest.raises(DataError) as caught:
        blip.official_captioner(tmp_path / "blip")
    assert not waited
    assert str(caught.value).startswith(str(tmp_path / "blip"))
    assert message in str(caught.value)
    assert "hf download" in str(caught.value)


CODE = f"import pathlib\npathlib.Path('{MARKER}').touch()\nclass Evil: pass\n"
CLASSES_OF_OWN = {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoTokenizer": ["evil.Evil", "evil.Evil"]}
ORDERS: dict[str, Callable[[Path], object]] = {
    "classes of its own": configured(auto_map=CLASSES_OF_OWN, trust_remote_code=True, architectures=["Evil"]),
    "kernels of the hub": configured(attn_implementation="kernels-community/evil", _attn_implementation="evil/evil"),
    "quantization": configured(quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "a type of its own": configured(dtype="evil.Evil", torch_dtype="evil.Evil"),
    "a tokenizer of its own": configured("tokenizer_config.json", auto_map=CLASSES_OF_OWN, tokenizer_class="Evil"),
    "a way to generate": lambda folder: (folder / "generation_config.json").write_text('{"custom_generate": "evil"}'),
}  # fmt: skip


@pytest.mark.parametrize("kind", ORDERS)
def test_what_a_folder_of_blip_orders_besides_is_not_done(monkeypatch, tmp_path: Path, captioner: Path, kind: str) -> None:
    folder = Path(shutil.copytree(captioner, tmp_path / "blip"))
    ORDERS[kind](folder)
    for name in ("evil.py", "__init__.py", "modeling_blip.py", "configuration_blip.py", "tokenization_blip.py"):
        (folder / name).write_text(CODE)
    monkeypatch.chdir(tmp_path)
    loaded, expected = (blip.official_captioner(each) for each in (folder, captioner))
    assert not (tmp_path / MARKER).exists()
    photo = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    assert torch.equal(blip.encode_images(loaded.model, photo), blip.encode_images(expected.model, photo))


def test_a_command_tells_of_a_folder_of_blip_that_cannot_be_used(place: Place) -> None:
    folder = photos(place.folder / "photos")
    (place.folder / "captions.csv").write_text(CAPTIONS)
    configured(text_config__num_hidden_layers=10**9)(blip_weights(place.folder / "weights"))
    output = on_captions(place, folder, place.folder / "captions.csv")
    assert f"{place.folder / 'weights' / 'config.json'}: text_config.num_hidden_layers is" in output


@pytest.mark.parametrize("loader", [load_resnet, load_clip, lambda path: load_vit(32, path)], ids=["resnet", "clip", "vit"])
def test_weights_that_unpack_without_end_are_refused(tmp_path: Path, loader: Callable[[Path], object]) -> None:
    with zipfile.ZipFile(tmp_path / "weights.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
        archive.writestr("archive/code/evil.py", bytes(50_000_000))
    with pytest.raises(DataError, match=r"weights\.pt: "):
        loader(tmp_path / "weights.pt")
