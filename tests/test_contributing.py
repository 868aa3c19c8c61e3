"""The worked example of CONTRIBUTING.md, added to a copy of the house: it runs, its own test passes, its page opens."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(python|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILES = (
    "compute/experiments/usual_places.py",
    "tests/test_usual_places.py",
    "dashboard/queries.py",
    "dashboard/app_pages/usual_places.py",
)


def applied(text: str, hunk: str) -> str:
    """A file's text after one hunk of a diff without line numbers, whose context is there exactly once."""
    lines = hunk.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, before
    return text.replace(before, after)


@pytest.fixture
def house(tmp_path):
    folder = tmp_path / "house"
    for part in ("compute", "dashboard", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text())
    whole = [text for kind, text in blocks if kind == "python"]
    for name, text in zip(FILES, whole, strict=True):
        path = folder / name
        path.write_text(f"{path.read_text()}\n\n{text}" if path.exists() else text)
    for kind, text in blocks:
        if kind == "diff":
            name, _, hunks = text.removeprefix("--- ").partition("\n")
            for hunk in hunks.split("@@\n"):
                (folder / name).write_text(applied((folder / name).read_text(), hunk))
    return folder


def called(house, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(house), "CONTRAST_RESULTS": "r.duckdb", "CONTRAST_IMAGES": "images"}
    done = subprocess.run([sys.executable, *arguments], cwd=house, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_runs_its_test_passes_its_page_opens_and_the_overview_tells_of_it(house, pairs_folder):
    where = ("--results", "r.duckdb", "--images", "images", "--cache", "cache", "--pairs", str(pairs_folder))
    assert "1 trials finished" in called(house, "-m", "compute", "run", "usual_places", *where)
    called(house, "-m", "ruff", "check", *FILES)
    assert "1 passed" in called(house, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_usual_places.py")
    script = f"""
import sys; sys.path.insert(0, {str(house / "tests")!r})
from opened_pages import *
import pytest
with pytest.MonkeyPatch.context() as patch:
    for stem in ("usual_places", ""):
        app = open_page(patch, "r.duckdb", "images", stem)
        assert not app.exception, app.exception
        print(words(app), cards(app))
"""
    shown = called(house, "-c", script)
    assert shown.count("A guess without looking reaches a mean IoU of 0.") == 2
