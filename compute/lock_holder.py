"""Says which process holds a lock on a file, where the system tells."""

import os
from dataclasses import dataclass
from pathlib import Path

LONGEST = 120  # characters of a command


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock: its number, how it was called, and whether it is stopped, as by Ctrl-Z."""

    process: int
    command: str
    stopped: bool

    @property
    def words(self) -> str:
        """The process, for people."""
        return f"process {self.process} ({self.command}){', which is stopped,' if self.stopped else ''}"

    @property
    def remedy(self) -> str:
        """What helps where the process keeps its lock for long."""
        if self.stopped:
            return f"Have it go on with kill -CONT {self.process}, or end it with kill -KILL {self.process}, and run again."
        return f"Run again when it has ended, or end it with kill {self.process}."


def lock_holder(lock_file: Path) -> Holder | None:
    """Who holds the lock of that file; None where nobody does, another machine does, or the system does not tell."""
    try:
        status = os.stat(lock_file)
        inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == inode:
                return _holder(int(fields[4]))
    except (OSError, ValueError, IndexError):
        pass
    return None


def _holder(process: int) -> Holder:
    folder = Path(f"/proc/{process}")
    words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    command = "".join(each if each.isprintable() else "?" for each in " ".join(words).strip())
    state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
    return Holder(process, command if len(command) <= LONGEST else f"{command[: LONGEST - 1]}…", state in "Tt")
