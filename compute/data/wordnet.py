"""WordNet 3.0's nouns, which ImageNet's classes are synsets of, and the rows that describe them.

The noun database lies in nltk's own layout below `assets/wordnet` and is read with nltk. With NLTK_DATA put first in
`nltk.data.path`, `nltk.corpus.wordnet` reads the same files. A wnid is `n` and the eight digits of a noun's offset.
"""

import functools
import hashlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas

from compute.data import imagenet
from compute.data.errors import DataError

if TYPE_CHECKING:  # nltk takes most of a second to import, and listing experiments needs none of it
    from nltk.corpus.reader.wordnet import Synset

    from compute.data.wordnet_reader import NounReader

NLTK_DATA = Path(__file__).parent / "assets" / "wordnet"
FOLDER = NLTK_DATA / "corpora" / "wordnet"
EMPTY_FILES = (
    "adj.exc", "adv.exc", "verb.exc", "data.adj", "data.adv", "data.verb",
    "index.adj", "index.adv", "index.verb", "index.sense",
)  # fmt: skip
# Size in bytes and SHA-256 of every file.
FILES: dict[str, tuple[int, str]] = {
    "data.noun": (15_300_280, "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"),
    "index.noun": (4_786_655, "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04"),
    "noun.exc": (38_301, "2b5d675c380b39ecf595af9fa9d4e7feb1d58c643b0bff08c40ed5bfe41fab7a"),
    "lexnames": (800, "c871b6797d2109f563f7a162b64e8ebf18f6f42d00918572846034c7f393a214"),
    **dict.fromkeys(EMPTY_FILES, (0, hashlib.sha256().hexdigest())),
}


@functools.cache
def reader(folder: Path = FOLDER) -> "NounReader":
    """Make nltk's reader of the nouns in `folder`, whatever WordNet nltk has installed.

    Raises DataError where a file is missing or not WordNet 3.0's.
    """
    contents = verify(folder)
    from compute.data.wordnet_reader import NounReader

    return NounReader(contents)


def verify(folder: Path = FOLDER) -> dict[str, bytes]:
    """Contents of WordNet's files by name; raises DataError where one is missing or not WordNet 3.0's."""
    return {name: _verified(folder / name, *FILES[name]) for name in FILES}


def _verified(path: Path, size_bytes: int, sha256: str) -> bytes:
    remedy = "WordNet comes with this program; restore the file from there."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {remedy}") from error
    if len(content) != size_bytes:
        raise DataError(f"{path}: has {len(content):,} bytes instead of {size_bytes:,}. {remedy}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path}: was changed, it is not WordNet 3.0's. {remedy}")
    return content


def fingerprint() -> str:
    """SHA-256 over ImageNet's classes and the digests that `reader` holds WordNet's files to."""
    imagenet.classes()  # raises where the asset cannot be used
    digest = hashlib.sha256(imagenet.ASSET.read_bytes())
    for name, (_, sha256) in sorted(FILES.items()):
        digest.update(f"{name} {sha256}\n".encode())
    return digest.hexdigest()


def synset(wnid: str) -> "Synset":
    """Look up nltk's synset of a wnid; raises DataError where it is malformed or WordNet 3.0 has no such noun."""
    if not re.fullmatch(r"n[0-9]{8}", wnid):
        raise DataError(f"'{wnid}' is no wnid; one is n and eight digits, such as n01440764.")
    found = reader().noun_at(int(wnid[1:]))
    if found is None:
        raise DataError(f"'{wnid}' is no noun of WordNet 3.0; ImageNet's classes are, such as n01440764.")
    return found


def wnid_of(noun: "Synset") -> str:
    """The wnid of a noun's synset."""
    return f"n{noun.offset():08d}"


@functools.cache
def parents(wnid: str) -> tuple[str, ...]:
    """Wnids of the synsets right above one, sorted: its hypernyms, or what it is an instance of; none above entity.n.01."""
    noun = synset(wnid)
    return tuple(sorted(wnid_of(above) for above in noun.hypernyms() + noun.instance_hypernyms()))


@functools.cache
def ancestors(wnid: str) -> dict[str, int]:
    """Depths by wnid of a synset and of all above it, the deepest first, and among equals the smallest wnid."""
    depths = {wnid: synset(wnid).max_depth()}
    for parent in parents(wnid):
        depths |= ancestors(parent)
    return dict(sorted(depths.items(), key=lambda ancestor: (-ancestor[1], ancestor[0])))


def nearest_common_ancestor(wnid: str, other_wnid: str) -> tuple[str, int]:
    """Wnid and depth of the deepest synset that both are or are below, of several the smallest wnid.

    The depth counts the edges of the longest way up to entity.n.01, as nltk's `max_depth` does. Raises DataError as `synset`.
    """
    others = ancestors(other_wnid)
    return next((ancestor, depth) for ancestor, depth in ancestors(wnid).items() if ancestor in others)


@functools.cache
def shared_tables() -> dict[str, pandas.DataFrame]:
    """Rows of synset, synset_parent, synset_leaf and word_sense for ImageNet's classes and all above them; only to be read."""
    wnids = sorted({ancestor for leaf in imagenet.by_wnid() for ancestor in ancestors(leaf)})
    edges = [(wnid, parent) for wnid in wnids for parent in parents(wnid)]
    leaves = sorted((ancestor, leaf) for leaf in imagenet.by_wnid() for ancestor in ancestors(leaf))
    return {
        "synset": _synset_rows(wnids),
        "synset_parent": pandas.DataFrame(edges, columns=["wnid", "parent_wnid"]),
        "synset_leaf": pandas.DataFrame(leaves, columns=["wnid", "leaf_wnid"]),
        "word_sense": _word_sense_rows(wnids),
    }


def _synset_rows(wnids: Sequence[str]) -> pandas.DataFrame:
    nouns = [synset(wnid) for wnid in wnids]
    entries = [imagenet.by_wnid().get(wnid) for wnid in wnids]
    return pandas.DataFrame(
        {
            "wnid": wnids,
            "name": [noun.name() for noun in nouns],
            "lemmas": [[_spaced(lemma) for lemma in noun.lemma_names()] for noun in nouns],
            "gloss": [noun.definition() for noun in nouns],
            "depth": pandas.array([noun.max_depth() for noun in nouns], dtype="UInt8"),
            "imagenet_index": pandas.array([entry and entry.index for entry in entries], dtype="UInt16"),
            "torchvision_name": [entry and entry.torchvision_name for entry in entries],
            "openai_name": [entry and entry.openai_name for entry in entries],
        }
    )


def _word_sense_rows(wnids: Sequence[str]) -> pandas.DataFrame:
    """All noun senses of every lemma of the synsets, in WordNet's order, which is the most frequent first.

    WordNet's index knows no case, so that a lemma spelt in two ways, such as cardigan and Cardigan, has the same senses twice.
    """
    lemmas = sorted({lemma for wnid in wnids for lemma in synset(wnid).lemma_names()})
    rows = [
        (_spaced(lemma), sense, wnid_of(noun), noun.name(), noun.definition())
        for lemma in lemmas
        for sense, noun in enumerate(_senses(lemma), start=1)
    ]
    return pandas.DataFrame(rows, columns=["word", "sense", "wnid", "name", "gloss"]).astype({"sense": "UInt8"})


def _senses(lemma: str) -> "list[Synset]":
    """The noun senses of exactly this lemma; nltk's `synsets` would add those of its singular."""
    from nltk.corpus.reader.wordnet import WordNetError

    senses = []
    for number in itertools.count(1):
        try:
            senses.append(reader().synset(f"{lemma}.n.{number}"))
        except WordNetError:
            break
    return senses


def _spaced(lemma: str) -> str:
    return lemma.replace("_", " ")
