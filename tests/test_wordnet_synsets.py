"""The experiment wordnet_synsets: what its one trial publishes, and that it publishes no row twice."""

from pathlib import Path

import duckdb
import pytest
import torch
from rich.console import Console

from compute.connection import finished_trials
from compute.data import imagenet, wordnet
from compute.experiments.wordnet_synsets import trials
from compute.trials import Outcome, Trial, run_trials

ROWS = {"synset": 1860, "synset_parent": 1937, "synset_leaf": 12_547, "word_sense": 6171}


def run(folder: Path, todo: list[Trial], force: bool = False) -> Outcome:
    paths = (folder / "results.duckdb", folder / "images", folder / "cache")
    return run_trials(todo, *paths, torch.device("cpu"), force, Console(quiet=True))


def counts(folder: Path) -> dict[str, int]:
    with duckdb.connect(str(folder / "results.duckdb"), read_only=True) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ROWS}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synsets")
    assert run(folder, trials("mini", 0)) == Outcome(finished=1, already_there=0, failed=(), interrupted=False)
    return folder


def test_there_is_one_trial_in_every_profile() -> None:
    for profile in ("mini", "gpu", "full"):
        [trial] = trials(profile, seed=3)
        assert (trial.experiment, trial.variant, trial.profile, trial.seed) == ("wordnet_synsets", "wordnet_3_0", profile, 3)
        assert (trial.data.name, trial.data.dataset) == ("WordNet 3.0", None)
        assert trial.data.fingerprint == wordnet.fingerprint()
        assert trial.key == trials(profile, seed=3)[0].key


def test_other_files_make_another_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = wordnet.fingerprint()
    content = imagenet.ASSET.read_text(encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(imagenet, "ASSET", tmp_path / "classes.json")
        imagenet.ASSET.write_text(content.replace("metal nail", "nail"), encoding="utf-8")
        assert wordnet.fingerprint() != before
    with monkeypatch.context() as patch:
        patch.setitem(wordnet.FILES, "lexnames", (0, "0" * 64))
        assert wordnet.fingerprint() != before
    assert wordnet.fingerprint() == before


def test_published_rows_read_back(published: Path) -> None:
    assert counts(published) == ROWS
    with duckdb.connect(str(published / "results.duckdb"), read_only=True) as connection:
        row = connection.execute("SELECT * FROM synset WHERE wnid = 'n02012849'").fetchone()
        assert row[:3] == ("n02012849", "crane.n.05", ["crane"])
        assert row[3] == "large long-necked wading bird of marshes and plains in many parts of the world"
        assert row[4:] == (12, 134, "crane bird", "crane bird")
        inner = connection.execute("SELECT * FROM synset WHERE name = 'dog.n.01'").fetchone()
        assert inner[2] == ["dog", "domestic dog", "Canis familiaris"]
        assert inner[4:] == (13, None, None, None)
        nulls = "SELECT count(*) FROM synset WHERE imagenet_index IS NULL AND torchvision_name IS NULL AND openai_name IS NULL"
        assert connection.execute(nulls).fetchone() == (860,)
        up = "SELECT parent_wnid FROM synset_parent WHERE wnid = 'n02084071' ORDER BY ALL"
        assert connection.execute(up).fetchall() == [("n01317541",), ("n02083346",)]
        dogs = "SELECT count(*) FROM synset_leaf JOIN synset USING (wnid) WHERE name = 'dog.n.01'"
        assert connection.execute(dogs).fetchone() == (118,)
        senses = "SELECT sense, wnid FROM word_sense WHERE word = 'crane' ORDER BY sense DESC LIMIT 2"
        assert connection.execute(senses).fetchall() == [(5, "n02012849"), (4, "n03126707")]
        about = "SELECT experiment, variant, dataset, weights, data_fingerprint FROM run"
        assert connection.execute(about).fetchall() == [("wordnet_synsets", "wordnet_3_0", None, "none", wordnet.fingerprint())]


def test_running_it_again_adds_no_row(published: Path) -> None:
    [first] = trials("mini", 0)
    assert run(published, [first]).already_there == 1
    assert run(published, [first], force=True).finished == 1
    assert run(published, trials("gpu", 1)).finished == 1
    assert counts(published) == ROWS
    assert len(finished_trials(published / "results.duckdb")) == 2
