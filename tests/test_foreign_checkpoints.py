"""Files of weights from anyone: code in them is never run, and what is no file of weights is named with where to get one."""

import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from compute.data.errors import DataError
from compute.models.official_weights import load_clip, load_resnet, load_vit

LOADERS = {"resnet": load_resnet, "clip": load_clip, "vit": lambda path: load_vit(32, path)}


class Code:
    """What runs a command, writing the marker, wherever it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch '{self.marker}'",)


class Evaluated(Code):
    def __reduce__(self) -> tuple:
        return eval, (f"open({str(self.marker)!r}, 'w').close()",)


def _tar(content: bytes) -> bytes:
    with tarfile.open(fileobj=(written := io.BytesIO()), mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def _saved(value: object, zipped: bool) -> bytes:
    torch.save(value, written := io.BytesIO(), _use_new_zipfile_serialization=zipped)
    return written.getvalue()


WRITERS: dict[str, Callable[[object], bytes]] = {
    **{f"pickle protocol {number}": lambda code, number=number: pickle.dumps(code, number) for number in (0, 2, 4, 5)},
    "torch zip": lambda code: _saved(code, True),
    "torch legacy": lambda code: _saved(code, False),
    "state dict, zip": lambda code: _saved({"conv1.weight": torch.zeros(1), "fc.bias": code}, True),
    "state dict, legacy": lambda code: _saved({"conv1.weight": torch.zeros(1), "fc.bias": code}, False),
    "key of a dict": lambda code: _saved({"state_dict": [({"model": code},)]}, True),
    "tar": lambda code: _tar(pickle.dumps(code, 2)),
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", [Code, Evaluated])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, kind: type[Code], writer: str, loader: str) -> None:
    marker, weights = tmp_path / "marker", tmp_path / "weights.pt"
    weights.write_bytes(WRITERS[writer](kind(marker)))
    with pytest.raises(DataError) as caught:
        LOADERS[loader](weights)
    assert not marker.exists()
    assert str(caught.value).startswith(f"{weights}: ")
    assert "https://" in str(caught.value)  # where the right one is
    assert "\n" not in str(caught.value)


def test_the_code_would_run_where_weights_are_not_asked_for_alone(tmp_path: Path) -> None:
    """That the cases above are dangerous, and not merely broken."""
    for number, kind in enumerate((Code, Evaluated)):
        marker = tmp_path / f"marker {number}"
        (tmp_path / "weights.pt").write_bytes(_saved(kind(marker), True))
        torch.load(tmp_path / "weights.pt", weights_only=False)
        assert marker.exists()


class Scripted(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.weight = state[0]
        self.training = state[1]
        assert False, "the code of the archive ran"  # noqa: B011, PT015


def test_an_archive_whose_code_would_run_as_it_loads_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(Scripted()), tmp_path / "weights.pt")
    with pytest.raises(Exception, match="the code of the archive ran"):
        torch.jit.load(tmp_path / "weights.pt")
    with pytest.raises(DataError) as caught:
        load_clip(tmp_path / "weights.pt")
    assert "the code of the archive ran" not in str(caught.value)


STATE = _saved({"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(1000)}, True)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.95, 0.999])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, kept: float, loader: str) -> None:
    (tmp_path / "weights.pt").write_bytes(STATE[: int(kept * len(STATE))])
    with pytest.raises(DataError, match=r"weights\.pt: "):
        LOADERS[loader](tmp_path / "weights.pt")


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "state",
    [{}, [], "text", 1, None, {"a": 1}, {1: torch.zeros(1)}, {"conv1.weight": torch.zeros(2, 3)}, {"conv1.weight": "text"},
     {"fc.weight": torch.zeros(1000, 2048)}],
    ids=["empty", "list", "text", "number", "none", "no tensors", "numbers as keys", "shape", "text as weights", "layer"],
)  # fmt: skip
def test_weights_of_another_network_are_named(tmp_path: Path, state: object, loader: str) -> None:
    (tmp_path / "weights.pt").write_bytes(_saved(state, True))
    with pytest.raises(DataError, match=r"weights\.pt: "):
        LOADERS[loader](tmp_path / "weights.pt")
