"""A teammate's pictures: found below their folder and nowhere else, and copied below ours without overwriting any."""

import filecmp
import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from compute.data.errors import DataError
from compute.unfinished import whole_file

LONGEST_PATH = 500
SUFFIXES = (".jpg", ".jpeg", ".png")
NAMED = "a picture is a path below the folder of images, such as runs/0123/epoch_0/1.png"


@dataclass
class Pictures:
    """What is to become of the pictures that a teammate's rows name: first planned, then copied, or taken back."""

    theirs: Path | None  # None where no folder of theirs is known
    ours: Path
    already_there: int = 0
    renamed: int = 0
    missing: list[str] = field(default_factory=list)
    _sources: dict[Path, Path] = field(default_factory=dict)  # by the file that each is to become
    _copied: list[Path] = field(default_factory=list)

    @property
    def copied(self) -> int:
        """How many files are new in our folder."""
        return len(self._copied)

    def plan(self, path: str, wanted: str) -> str:
        """The path below our images that a row is to have which names `path` below theirs and would have `wanted` here.

        It is another one where ours holds another picture in that place. Raises DataError where `path` leads out of theirs.
        """
        source = self._find(path)
        if source is None:
            self.missing.append(path)
            return wanted
        if self._is_free(wanted, source):
            return wanted
        digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
        place = PurePosixPath(wanted)
        self.renamed += 1
        renamed = str(place.with_name(f"{place.stem}.{digest}{place.suffix}"))
        if not self._is_free(renamed, source):
            raise DataError(f"{self.ours / renamed}: is another picture than its name says. Move it away, and merge again.")
        return renamed

    def plan_missing(self, path: str, own: str) -> None:
        """Fetch their picture `path` for a row of ours that names `own`, where ours is gone and theirs is there."""
        target = self.ours / own
        if is_confined(own) and not target.exists() and (source := self._find(path)) is not None:
            self._sources.setdefault(target, source)

    def copy(self) -> None:
        """Copy what was planned, each file whole or not at all; raises DataError where one cannot be."""
        for target, source in self._sources.items():
            try:
                with whole_file(target) as unfinished:
                    shutil.copyfile(source, unfinished)
            except OSError as error:
                raise DataError(f"{source}: could not be copied to {target} ({error.strerror}). Nothing was merged.") from error
            self._copied.append(target)

    def take_back(self) -> None:
        """Remove what was copied, and the folders that it leaves empty."""
        for target in self._copied:
            target.unlink(missing_ok=True)
        for folder in sorted({folder for target in self._copied for folder in target.parents}, reverse=True):
            if folder.is_relative_to(self.ours) and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self._copied.clear()

    def _find(self, path: str) -> Path | None:
        """Their file of that name, None where there is none; raises DataError where the name leads elsewhere."""
        if not is_confined(path):
            raise DataError(f"Nothing was merged: a row names the picture '{printable(path)}', but {NAMED}.")
        if self.theirs is None:
            return None
        folder = self.theirs.resolve()
        found = (folder / path).resolve()
        if not found.is_relative_to(folder):
            raise DataError(f"Nothing was merged: the picture {folder / path} is a link that leads out of {self.theirs}.")
        return found if found.is_file() else None

    def _is_free(self, path: str, source: Path) -> bool:
        """Whether `path` below our images is free for a copy of `source`, or holds the same already."""
        target = self.ours / path
        planned = self._sources.get(target)
        if planned is not None:
            return filecmp.cmp(planned, source, shallow=False)
        if target.exists():
            same = target.is_file() and filecmp.cmp(target, source, shallow=False)
            self.already_there += same
            return same
        self._sources[target] = source
        return True


def is_confined(path: object) -> bool:
    """Whether a path is one of a picture below a folder: relative, without a step up, a hidden part or an odd character."""
    return (
        isinstance(path, str)
        and path.isprintable()
        and len(path) <= LONGEST_PATH
        and "\\" not in path
        and not any(part == "" or part.startswith(".") for part in path.split("/"))
        and PurePosixPath(path).suffix.lower() in SUFFIXES
    )


def printable(text: object, longest: int = 80) -> str:
    """Foreign text that a terminal shows as it is."""
    shown = "".join(character if character.isprintable() else "?" for character in str(text))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
