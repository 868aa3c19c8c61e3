"""WordNet's nouns and the rows about them, against nltk's own answers and against the text of the files."""

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest

from compute.data import wordnet
from compute.data.errors import DataError
from compute.data.imagenet import classes
from compute.data.wordnet import FILES, FOLDER, nearest_common_ancestor, parents, reader, shared_tables, synset, wnid_of

ROOT = "n00001740"
LEAVES = [entry.wnid for entry in classes()]


@pytest.fixture(scope="module")
def rows() -> dict[str, pandas.DataFrame]:
    return shared_tables()


@pytest.fixture(scope="module")
def names(rows: dict[str, pandas.DataFrame]) -> dict[str, str]:
    return dict(zip(rows["synset"]["wnid"], rows["synset"]["name"], strict=True))


@pytest.fixture(scope="module")
def parent_rows(rows: dict[str, pandas.DataFrame]) -> dict[str, list[str]]:
    return rows["synset_parent"].groupby("wnid")["parent_wnid"].agg(list).to_dict()


@pytest.fixture(scope="module")
def sampled() -> list[tuple[str, str]]:
    dice = random.Random(20261)
    pairs = [(dice.choice(LEAVES), dice.choice(LEAVES)) for _ in range(200)]
    # Two of the deepest synsets are above both a seat belt and a theater curtain.
    return [*pairs, ("n04162706", "n04418357"), ("n04418357", "n04162706"), (LEAVES[0], LEAVES[0])]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The WordNet files where they may be damaged, in a data folder of nltk's that no other account can write."""
    folder = tmp_path / "nltk data" / "corpora" / "wordnet"
    shutil.copytree(FOLDER, folder)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


def test_a_synset_is_the_one_of_its_wnid() -> None:
    tench = synset("n01440764")
    assert (tench.name(), tench.lemma_names(), tench.max_depth()) == ("tench.n.01", ["tench", "Tinca_tinca"], 16)
    assert tench.definition().startswith("freshwater dace-like game fish of Europe and western Asia")
    assert wnid_of(tench) == "n01440764"
    assert parents("n02084071") == ("n01317541", "n02083346")  # a dog is a domestic animal and a canine
    assert parents(ROOT) == ()


@pytest.mark.parametrize("wnid", ["", "n1440764", "n014407640", "v01440764", "01440764", "n0144076x", "n01440764\n", "tench"])
def test_a_malformed_wnid_is_refused(wnid: str) -> None:
    with pytest.raises(DataError, match=rf"^'{re.escape(wnid)}' is no wnid; one is n and eight digits, such as n01440764\.$"):
        synset(wnid)


@pytest.mark.parametrize("wnid", ["n00000000", "n00000001", "n01440765", "n15300280", "n99999999"])
def test_an_unknown_wnid_is_refused(wnid: str) -> None:
    with pytest.raises(DataError, match=f"^'{wnid}' is no noun of WordNet 3.0"):
        nearest_common_ancestor("n01440764", wnid)


def test_the_whole_noun_database_is_there() -> None:
    lines = (FOLDER / "data.noun").read_text(encoding="ascii").splitlines()
    assert sum(not line.startswith("  ") for line in lines) == 82_115  # as wnstats(7WN) has it for WordNet 3.0
    assert sum(1 for _ in reader().all_lemma_names("n")) == 117_798


def test_only_nouns_are_found() -> None:
    assert [noun.name() for noun in reader().synsets("crane")] == [
        "crane.n.01", "crane.n.02", "grus.n.01", "crane.n.04", "crane.n.05",
    ]  # fmt: skip
    assert reader().synsets("geese")[0].name() == "goose.n.01"  # by noun.exc
    assert reader().synsets("run", "v") == []
    with pytest.raises(FileNotFoundError, match=r"^cntlist\.rev is none of the WordNet files"):
        reader().synset("tench.n.01").lemmas()[0].count()  # how frequent a sense is does not come with it


def test_rows_have_the_dimensions_of_imagenets_tree(rows: dict[str, pandas.DataFrame]) -> None:
    assert {table: len(frame) for table, frame in rows.items()} == {
        "synset": 1860, "synset_parent": 1937, "synset_leaf": 12_547, "word_sense": 6171,
    }  # fmt: skip
    synsets = rows["synset"].set_index("wnid")
    assert synsets["imagenet_index"].dropna().to_dict() == {entry.wnid: entry.index for entry in classes()}
    assert synsets["torchvision_name"].dropna().to_dict() == {entry.wnid: entry.torchvision_name for entry in classes()}
    assert synsets["openai_name"].dropna().to_dict() == {entry.wnid: entry.openai_name for entry in classes()}
    assert (synsets.index[synsets["depth"] == 0], synsets["depth"].max()) == ([ROOT], 18)


def test_synset_rows_are_nltks(rows: dict[str, pandas.DataFrame]) -> None:
    for row in rows["synset"].itertuples():
        noun = reader().synset(row.name)  # by name, where the rows came by offset
        assert (wnid_of(noun), noun.definition()) == (row.wnid, row.gloss)
        assert row.gloss
        assert [lemma.name().replace("_", " ") for lemma in noun.lemmas()] == row.lemmas
        assert row.depth == max(map(len, noun.hypernym_paths())) - 1


def test_ways_up_are_nltks_hypernym_paths(
    names: dict[str, str], parent_rows: dict[str, list[str]], sampled: list[tuple[str, str]]
) -> None:
    def ways_down_to(wnid: str) -> list[list[str]]:
        return [[*way, names[wnid]] for parent in parent_rows.get(wnid, []) for way in ways_down_to(parent)] or [[names[wnid]]]

    for wnid, _ in sampled:
        expected = [[noun.name() for noun in path] for path in synset(wnid).hypernym_paths()]
        assert sorted(ways_down_to(wnid)) == sorted(expected)


def test_edges_are_those_of_the_file(parent_rows: dict[str, list[str]], names: dict[str, str]) -> None:
    lines = (FOLDER / "data.noun").read_text(encoding="ascii").splitlines()
    by_offset = {line[:8]: line.partition(" | ")[0] for line in lines if not line.startswith("  ")}
    for wnid in names:
        above = re.findall(r" @i? (\d{8}) n 0000", by_offset[wnid[1:]])
        assert parent_rows.get(wnid, []) == sorted(f"n{offset}" for offset in above)


def test_nearest_common_ancestors_are_nltks_lowest_common_hypernyms(sampled: list[tuple[str, str]]) -> None:
    several = 0
    for wnid, other in sampled:
        lowest = synset(wnid).lowest_common_hypernyms(synset(other))
        several += len(lowest) > 1
        assert nearest_common_ancestor(wnid, other) == (min(map(wnid_of, lowest)), lowest[0].max_depth())
    assert several >= 2


@pytest.mark.parametrize(
    ("wnid", "other", "expected"),
    [
        pytest.param("n02085620", "n02123045", ("n02075296", 11), id="Chihuahua and tabby: carnivore"),
        pytest.param("n02012849", "n03126707", ("n00003553", 3), id="crane and crane: whole"),
        pytest.param("n01440764", "n01440764", ("n01440764", 16), id="itself"),
        pytest.param("n01440764", "n01439121", ("n01439121", 15), id="its own parent"),
        pytest.param(ROOT, "n01440764", (ROOT, 0), id="root"),
    ],
)
def test_the_nearest_common_ancestor_is(wnid: str, other: str, expected: tuple[str, int]) -> None:
    assert nearest_common_ancestor(wnid, other) == nearest_common_ancestor(other, wnid) == expected


def test_leaves_are_what_a_walk_down_meets(rows: dict[str, pandas.DataFrame]) -> None:
    leaves = rows["synset_leaf"].groupby("wnid")["leaf_wnid"].agg(list).to_dict()
    assert leaves[ROOT] == LEAVES
    assert all(leaves[leaf] == [leaf] for leaf in LEAVES)  # no class lies below another
    for wnid in random.Random(20262).sample(sorted(leaves), 60):
        noun = synset(wnid)
        if noun.max_depth() > 4:  # higher up, the walk takes long
            met = {wnid_of(below) for below in noun.closure(lambda above: above.hyponyms() + above.instance_hyponyms())}
            assert leaves[wnid] == sorted({wnid, *met} & set(LEAVES))


def test_senses_are_those_of_the_index_in_its_order(rows: dict[str, pandas.DataFrame]) -> None:
    offsets = {}
    for line in (FOLDER / "index.noun").read_text(encoding="ascii").splitlines():
        if not line.startswith("  "):
            lemma, _, count, *rest = line.split()
            offsets[lemma] = rest[-int(count) :]
    senses = rows["word_sense"]
    assert set(senses["word"]) == {lemma for lemmas in rows["synset"]["lemmas"] for lemma in lemmas}
    for word, group in senses.groupby("word"):
        assert list(group["sense"]) == list(range(1, len(group) + 1))
        assert [wnid[1:] for wnid in group["wnid"]] == offsets[word.lower().replace(" ", "_")]
    known = {wnid: (reader().noun_at(int(wnid[1:])).name(), synset(wnid).definition()) for wnid in set(senses["wnid"])}
    assert all(known[row.wnid] == (row.name, row.gloss) for row in senses.itertuples())


def test_senses_of_a_word_with_two_classes(rows: dict[str, pandas.DataFrame]) -> None:
    senses = rows["word_sense"].set_index("word")
    assert list(senses.loc["crane", "name"]) == ["crane.n.01", "crane.n.02", "grus.n.01", "crane.n.04", "crane.n.05"]
    assert list(senses.loc["crane", "wnid"][-2:]) == ["n03126707", "n02012849"]
    # Two spellings of one entry of the index, a jacket and a dog: each finds both.
    assert list(senses.loc["cardigan", "wnid"]) == list(senses.loc["Cardigan", "wnid"]) == ["n02963159", "n02113186"]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"tench", b"teach"))


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        pytest.param("data.noun", _truncate, "has 15,299,280 bytes instead of 15,300,280.", id="truncated"),
        pytest.param("index.noun", Path.unlink, "cannot be read (No such file or directory).", id="missing"),
        pytest.param("index.noun", _change, "was changed, it is not WordNet 3.0's.", id="changed"),
        pytest.param("lexnames", lambda path: path.write_bytes(b""), "has 0 bytes instead of 800.", id="emptied"),
        pytest.param("verb.exc", Path.unlink, "cannot be read (No such file or directory).", id="empty one missing"),
    ],
)
def test_a_damaged_file_is_named(copied: Path, name: str, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(copied / name)
    with pytest.raises(DataError, match=f"^{re.escape(f'{copied / name}: {reason}')} WordNet comes with this program"):
        reader(copied)


def test_the_folder_holds_what_the_reader_verifies_and_the_license() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*FILES, "LICENSE"}
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in (FOLDER / "LICENSE").read_text(encoding="ascii")


def test_files_that_a_group_may_write_are_read(copied: Path) -> None:
    for path in copied.iterdir():
        path.chmod(0o664)
    assert reader(copied).synset("tench.n.01").max_depth() == 16


IN_ANOTHER_PROCESS = """
import sys
import nltk
from compute.data import wordnet

before = list(nltk.data.path)
assert wordnet.reader().synset("tench.n.01").definition().startswith("freshwater dace-like")
assert nltk.data.path == before and nltk.pathsec.ENFORCE
nltk.data.path.insert(0, sys.argv[1])
from nltk.corpus import wordnet as by_nltk

crane = by_nltk.synset("crane.n.05")
assert [noun.name() for noun in by_nltk.synsets("crane")][-1] == crane.name(), by_nltk.synsets("crane")
assert crane.definition() == "large long-necked wading bird of marshes and plains in many parts of the world"
assert [lemma.name() for lemma in crane.lemmas()] == ["crane"]
assert [len(path) for path in crane.hypernym_paths()] == [13] and crane.max_depth() == 12
assert crane.lowest_common_hypernyms(by_nltk.synset("hen.n.02"))[0].name() == "bird.n.01"
print("all well")
"""


def test_ours_wins_over_another_wordnet_and_nltk_finds_it_by_its_path(copied: Path, tmp_path: Path) -> None:
    other = tmp_path / "other data" / "corpora" / "wordnet"
    shutil.copytree(copied, other)
    for name in ("data.noun", "index.noun"):
        (other / name).write_bytes(b"  1 a WordNet without nouns\n")
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(copied.parents[1])],
        cwd=Path(wordnet.__file__).parents[2],
        env={**os.environ, "NLTK_DATA": str(other.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("all well\n", 0), done.stderr
