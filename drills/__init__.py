"""What must not go wrong when things go wrong: drills that break the product on purpose, and count what came of it."""

from dataclasses import dataclass

NOT_TRIED = "not tried: "  # what a remark begins with that says why a machine cannot do it


@dataclass(frozen=True)
class Outcome:
    """One line of the drills' table: how often something was tried, how often it was survived, and what was lost.

    Survived means that everything asked of it held: a clear message or the right result. Lost counts finished trials, rows,
    notes or pictures that were gone afterwards.
    """

    what: str
    tried: int
    survived: int
    lost: int
    remark: str = ""

    @property
    def held(self) -> bool:
        """Whether nothing went wrong, and something was tried at all, or the remark says why not."""
        if self.remark.startswith(NOT_TRIED):
            return self.tried == 0
        return self.tried > 0 and self.survived == self.tried and self.lost == 0
