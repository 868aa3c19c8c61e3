"""What is ImageNet's label hierarchy?

Method: every ImageNet class is a noun synset of WordNet 3.0. For the 1000 classes and all synsets above them, on every way up
to entity.n.01, the lemmas, the gloss, the depth, the edges and the classes below are written down, and for each of their words
all the senses that it has as a noun.
Source: ILSVRC 2012's classes (Russakovsky et al. 2015); WordNet 3.0 (Fellbaum 1998, Princeton University), read with nltk.
Command: python -m compute run wordnet_synsets
Time: two to three seconds, on a CPU, in every profile.
Tables: synset, synset_parent, synset_leaf, word_sense.
"""

from dataclasses import dataclass

from compute.data import wordnet
from compute.trials import FixedData, Trial, TrialRows, Workbench

NAME = "wordnet_synsets"
QUESTION = "What is ImageNet's label hierarchy?"
VERSION = 1
VARIANT = "wordnet_3_0"


@dataclass(frozen=True)
class Settings:
    """Which WordNet; the same in every profile."""

    wordnet: str = "3.0"


def trials(profile: str, seed: int) -> list[Trial]:
    """The one trial: neither profile nor seed changes its rows."""
    data = FixedData(name="WordNet 3.0", fingerprint=wordnet.fingerprint())
    return [Trial(NAME, VARIANT, profile, seed, VERSION, Settings(), data, write_hierarchy)]


def write_hierarchy(trial: Trial, bench: Workbench) -> TrialRows:
    """Describe ImageNet's classes and all synsets above them."""
    tables = wordnet.shared_tables()
    bench.report(1, 1, f"{len(tables['synset'])} synsets")
    return TrialRows(dict(tables), weights="none")
