"""nltk's reader of WordNet on verified contents in memory."""

import io
import warnings
from collections.abc import Mapping

from nltk.corpus.reader.wordnet import Synset, WordNetCorpusReader
from nltk.data import PathPointer


class _Contents(PathPointer):
    """Files in memory, which nltk takes for a folder."""

    def __init__(self, contents: Mapping[str, bytes], name: str = "") -> None:
        self.contents, self.name = contents, name

    def open(self, encoding: str | None = None) -> io.TextIOWrapper:
        """A text stream whose positions are byte offsets, as all of WordNet is ASCII."""
        return io.TextIOWrapper(io.BytesIO(self.contents[self.name]), encoding="ascii", newline="\n")

    def file_size(self) -> int:
        return len(self.contents[self.name])

    def join(self, fileid: str) -> "_Contents":
        if fileid not in self.contents:
            raise FileNotFoundError(f"{fileid} is none of the WordNet files that come with this program.")
        return _Contents(self.contents, fileid)


class NounReader(WordNetCorpusReader):
    """nltk's WordNet reader on the contents of WordNet's files, by name; it knows nouns only.

    nltk itself would read only what lies below its data path and no group may write, as files of a clone often are. Contents
    that were verified by digest need neither, and so nothing of nltk's is changed and no other WordNet can come in between.
    """

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The multilingual functions")
            super().__init__(_Contents(contents), omw_reader=None)
        self.nouns = contents["data.noun"]

    def open(self, file: str) -> io.TextIOWrapper:
        """A stream of one of the files; raises FileNotFoundError for any other."""
        return self._root.join(file).open()

    def map_wn(self, version: str = "wordnet") -> None:
        """Map no other WordNet's offsets to this one's, for which nltk would search its data path."""

    def noun_at(self, offset: int) -> Synset | None:
        """The noun synset whose line starts at that byte of `data.noun`, as it says itself; None where none does."""
        if not self.nouns.startswith(f"{offset:08d} ".encode(), offset):
            return None
        return self.synset_from_pos_and_offset("n", offset)
