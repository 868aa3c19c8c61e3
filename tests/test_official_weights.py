"""Files of both official formats at real size, made here, and every way in which one can be missing or wrong."""

import hashlib
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path

import clip
import pytest
import torch
import torchvision
from clip.model import CLIP, convert_weights
from torch import Tensor

from compute.data.errors import DataError
from compute.models import official_weights
from compute.models.official_weights import CLIP_ADDRESS, RN50_ADDRESS, file_digest, load_clip, load_resnet


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """resnet50.pth, clip.pt (a state dict in half precision), clip-jit.pt (an archive), and expected.pt: what they answer."""
    folder = tmp_path_factory.mktemp("official")
    torch.manual_seed(8)
    picture, tokens = torch.randn(1, 3, 224, 224), clip.tokenize(["a photo of a hen."])
    with torch.no_grad():
        resnet = torchvision.models.resnet50().eval()
        torch.save(resnet.state_dict(), folder / "resnet50.pth")
        model = CLIP(1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12).eval()
        convert_weights(model)
        model.float()  # the values of half precision, as the official file has them
        image, text = model.encode_image(picture), model.encode_text(tokens)
        torch.save({"picture": picture, "resnet": resnet(picture), "image": image, "text": text}, folder / "expected.pt")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(model, (picture, tokens), check_trace=False), folder / "clip-jit.pt")
    convert_weights(model)
    sizes = {"input_resolution": torch.tensor(224), "context_length": torch.tensor(77), "vocab_size": torch.tensor(49408)}
    torch.save({**model.state_dict(), **sizes}, folder / "clip.pt")
    del model, resnet
    yield folder
    for path in folder.iterdir():
        path.unlink()


def expected(made: Path) -> dict[str, Tensor]:
    return torch.load(made / "expected.pt", weights_only=True)


def test_a_state_dict_of_resnet50_loads_and_runs(made: Path) -> None:
    model, digest = load_resnet(made / "resnet50.pth")
    answers = expected(made)
    with torch.inference_mode():
        logits = model(answers["picture"])
    assert logits.shape == (1, 1000)
    assert (logits - answers["resnet"]).abs().max() <= 1e-5 * answers["resnet"].abs().max()
    assert digest == hashlib.sha256((made / "resnet50.pth").read_bytes()).hexdigest()
    assert not model.training


@pytest.mark.parametrize("name", ["clip.pt", "clip-jit.pt"])
def test_both_formats_of_clip_load_and_run(made: Path, name: str) -> None:
    model, digest = load_clip(made / name)
    answers = expected(made)
    with torch.inference_mode():
        image = model.encode_image(answers["picture"])
        text = model.encode_text(clip.tokenize(["a photo of a hen."]))
    assert (image.shape, image.dtype, text.shape) == ((1, 1024), torch.float32, (1, 1024))
    assert (image - answers["image"]).abs().max() <= 1e-4 * answers["image"].abs().max()
    assert (text - answers["text"]).abs().max() <= 1e-4 * answers["text"].abs().max()
    assert digest == file_digest(made / name)
    assert not model.training


def test_weights_in_single_precision_are_taken_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CLIP(64, 64, (1, 1, 1, 1), 16, None, 77, 49408, 64, 1, 1)
    torch.save(model.state_dict(), tmp_path / "single.pt")
    loaded, _ = load_clip(tmp_path / "single.pt")
    for name, values in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], values), name


def test_clip_itself_loads_the_archive_that_is_tested_with(made: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, _ = clip.load(str(made / "clip-jit.pt"), device="cpu")
    assert (model.visual.input_resolution, model.context_length, model.vocab_size) == (224, 77, 49408)


LOADERS = [
    (load_resnet, "resnet50.pth", RN50_ADDRESS),
    (load_clip, "clip.pt", CLIP_ADDRESS),
    (load_clip, "clip-jit.pt", CLIP_ADDRESS),
]


@pytest.mark.parametrize(("load", "name", "address"), LOADERS)
def test_a_file_that_is_cut_short_is_named(made: Path, tmp_path: Path, load, name: str, address: str) -> None:
    with (made / name).open("rb") as file:
        (tmp_path / name).write_bytes(file.read(2_000_000))
    with pytest.raises(DataError) as caught:
        load(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert address in str(caught.value)


@pytest.mark.parametrize(("load", "address"), [(load_resnet, RN50_ADDRESS), (load_clip, CLIP_ADDRESS)])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 no archive"])
def test_a_file_that_holds_no_weights_is_named(tmp_path: Path, load, address: str, content: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "weights.pt")
    assert str(caught.value).startswith(f"{tmp_path / 'weights.pt'}: ")
    assert address in str(caught.value)


@pytest.mark.parametrize(
    "state",
    [
        {},
        [1, 2],
        {"fc.weight": torch.zeros(1000, 2048)},
        torchvision.models.resnet18(num_classes=4).state_dict(),
        torch.zeros(3),
    ],
    ids=["empty", "list", "one layer", "resnet18", "tensor"],
)
@pytest.mark.parametrize(
    ("load", "complaint"),
    [(load_resnet, "holds no weights of torchvision's resnet50"), (load_clip, "cannot be loaded as CLIP's")],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, load, complaint: str, state: object) -> None:
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(DataError, match=complaint):
        load(tmp_path / "weights.pt")


def test_a_clip_with_a_transformer_as_image_encoder_is_refused(tmp_path: Path) -> None:
    model = CLIP(8, 32, 1, 64, 16, 77, 100, 64, 1, 1)
    torch.save(model.state_dict(), tmp_path / "vit.pt")
    with pytest.raises(DataError, match=r"vit\.pt: holds a CLIP whose image encoder is no ResNet\. The official file is https"):
        load_clip(tmp_path / "vit.pt")


class _Code:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("load", [load_resnet, load_clip])
def test_code_in_a_file_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load, zipped: bool) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0")
    victim, weights = tmp_path / "victim", tmp_path / "weights.pt"
    torch.save({"fc.weight": _Code(victim)}, weights, _use_new_zipfile_serialization=zipped)
    torch.load(weights, weights_only=False)  # shows that the file would do harm
    victim.unlink()
    with pytest.raises(DataError):
        load(weights)
    weights.write_bytes(pickle.dumps(_Code(victim)))
    with pytest.raises(DataError):
        load(weights)
    assert not victim.exists()


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[object, Path]:
    """Where either loader looks for its official file, below `tmp_path`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return {
        load_resnet: tmp_path / "torch/hub/checkpoints/resnet50-0676ba61.pth",
        load_clip: tmp_path / ".cache/clip/RN50.pt",
    }


@pytest.mark.parametrize(("load", "which"), [(load_resnet, "RN50_ADDRESS"), (load_clip, "CLIP_ADDRESS")])
def test_a_missing_file_that_cannot_be_downloaded_says_from_where_to_where(
    caches: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, load, which: str
) -> None:
    name = getattr(official_weights, which).rpartition("/")[2]
    address = f"file://{tmp_path}/nowhere/{'0' * 64}/{name}"
    monkeypatch.setattr(official_weights, which, address)
    with pytest.raises(DataError) as caught:
        load()
    path = caches[load]
    assert str(caught.value).startswith(f"{path}: is missing, and cannot be downloaded (<urlopen error")
    assert str(caught.value).endswith(f"The official file is {address}; put it at {path}.")
    assert not path.exists()


@pytest.mark.parametrize("load", [load_resnet, load_clip])
def test_a_file_with_another_checksum_in_the_cache_is_not_used(caches: dict, made: Path, load) -> None:
    path = caches[load]
    path.parent.mkdir(parents=True)
    path.symlink_to(made / ("resnet50.pth" if load is load_resnet else "clip.pt"))
    with pytest.raises(DataError) as caught:
        load()
    assert str(caught.value).startswith(
        f"{path}: is truncated or another file, for its checksum or its format is wrong. Delete it"
    )


@pytest.mark.parametrize("right", [True, False])
def test_what_is_downloaded_is_held_to_its_checksum(
    caches: dict, made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, right: bool
) -> None:
    digest = file_digest(made / "resnet50.pth") if right else "00000000"
    served = tmp_path / f"resnet50-{digest[:8]}.pth"
    served.symlink_to(made / "resnet50.pth")
    monkeypatch.setattr(official_weights, "RN50_ADDRESS", f"file://{served}")
    if right:
        model, found = load_resnet()
        assert found == digest
        assert model.fc.out_features == 1000
        return
    with pytest.raises(DataError, match="invalid hash value"):
        load_resnet()
    assert list(caches[load_resnet].parent.iterdir()) == []


def test_a_file_that_is_named_but_not_there_is_said(tmp_path: Path) -> None:
    for load in (load_resnet, load_clip):
        with pytest.raises(DataError, match=r"none\.pt: cannot be read \(No such file or directory\)\."):
            load(tmp_path / "none.pt")
