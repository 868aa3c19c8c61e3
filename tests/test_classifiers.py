"""A classifier of anyone's own: FILE.py:FUNCTION, right and wrong."""

import sys
from pathlib import Path

import pytest
import torch

from compute.data.errors import DataError
from compute.models.classifiers import load_classifier, split_reference

CPU = torch.device("cpu")
GOOD = """
from types import SimpleNamespace
import torch

def good(device):
    return SimpleNamespace(
        name=f"mine on {device}", wnids=["n01440764", "n01484850"], preprocess=lambda image: torch.zeros(3, 2, 2),
        logits=lambda inputs: inputs.sum(dim=(1, 2, 3))[:, None] + torch.tensor([0.0, 1.0]),
    )
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my classifier.py"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_what_a_function_returns_is_a_classifier(file: Path) -> None:
    path_before = list(sys.path)
    classifier = load_classifier(f"{file}:good", CPU)
    assert (classifier.name, classifier.wnids) == ("mine on cpu", ("n01440764", "n01484850"))
    assert classifier.preprocess(None).shape == (3, 2, 2)
    assert classifier.logits(torch.ones(2, 3, 1, 1)).tolist() == [[3, 4], [3, 4]]
    assert sys.path == path_before


def test_it_finds_what_lies_beside_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "beside_my_classifier.py").write_text("NAME = 'from beside'", encoding="utf-8")
    content = GOOD.replace('f"mine on {device}"', "NAME")
    file.write_text(f"from beside_my_classifier import NAME\n{content}", encoding="utf-8")
    monkeypatch.chdir(file.parent)
    assert load_classifier(f"{file.name}:good", CPU).name == "from beside"
    sys.modules.pop("beside_my_classifier")


def test_a_dataclass_will_do(file: Path) -> None:
    file.write_text(
        """
from __future__ import annotations
from dataclasses import dataclass, field
from typing import ClassVar

@dataclass
class Mine:
    name: str
    wnids: list[str] = field(default_factory=lambda: ["n01440764"])
    kind: ClassVar[int] = 1
    def preprocess(self, image): return image
    def logits(self, inputs): return inputs

def good(device): return Mine("a dataclass")
""",
        encoding="utf-8",
    )
    assert load_classifier(f"{file}:good", CPU).name == "a dataclass"


@pytest.mark.parametrize(
    "reference", ["file.py", "file.py:", "file.py:two words", "file.py:1st", "file.txt:good", ":good", "file.py:a.b"]
)
def test_another_form_of_the_option_is_refused(reference: str) -> None:
    with pytest.raises(DataError, match=r"is not of the form FILE\.py:FUNCTION\. FUNCTION\(device\) returns an object with"):
        split_reference(reference)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--classifier .*none\.py:good: there is no file .*none\.py\."):
        split_reference(f"{tmp_path}/none.py:good")


def test_a_drive_letter_may_stand_before_the_file(file: Path) -> None:
    folder = file.parent / "c:"
    folder.mkdir()
    (folder / "a.py").write_text("")
    assert split_reference(f"{folder}/a.py:good") == (folder / "a.py", "good")


def returning(changed: str) -> str:
    return f"{GOOD}\n_good = good\ndef good(device):\n    found = _good(device)\n    {changed}\n    return found\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "has no function good. FUNCTION(device) returns"),
        ("good = 3", "has no function good."),
        ("import no_such_module_at_all", "good failed with ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("def good(device: return", "good failed with SyntaxError"),
        ("def good(device):\n    return {}['weights']", "good failed with KeyError: 'weights'"),
        ("def good():\n    return 1", "good failed with TypeError"),
        ("def good(device):\n    return None", "what it returns lacks name, wnids, preprocess, logits. FUNCTION(device)"),
        (returning("del found.logits"), "what it returns lacks logits."),
        (returning("found.wnids = 1000"), "its wnids are no sequence, but int."),
        (returning("found.wnids = 'n01440764'"), "of its wnids are none of ImageNet's 1000 classes, such as '0'"),
        (returning("found.wnids = [0, 1]"), "2 of its wnids are none of ImageNet's 1000 classes, such as '0'"),
        (returning("found.wnids[0] = 'n02084071'"), "1 of its wnids are none of ImageNet's 1000 classes, such as 'n02084071'"),
        (returning("found.wnids = []"), "its 0 wnids must be at least one, and all different."),
        (returning("found.wnids[1] = found.wnids[0]"), "its 2 wnids must be at least one, and all different."),
        (returning("found.preprocess = 224"), "its preprocess and logits must be functions."),
        (returning("found.logits = None"), "its preprocess and logits must be functions."),
    ],
)
def test_what_cannot_be_used_is_said_with_the_file(file: Path, content: str, complaint: str) -> None:
    file.write_text(content, encoding="utf-8")
    path_before = list(sys.path)
    with pytest.raises(DataError) as caught:
        load_classifier(f"{file}:good", CPU)
    assert str(caught.value).startswith(str(file))
    assert complaint in str(caught.value)
    assert sys.path == path_before
