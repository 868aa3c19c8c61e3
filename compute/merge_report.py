"""What a person reads after merging: what became of each of a teammate's trials and of their pictures."""

from itertools import groupby

from rich.markup import escape
from rich.table import Table

from compute.merge import APART, ONLY, SAME, TAKEN, THERE, Fate, Merged
from compute.merge_pictures import printable

RULE = (
    "The same is a trial with equal rows, but for date, device, versions and how long computing took; timings that a trial is "
    "there to measure count."
)


def report(merged: Merged) -> list[str | Table]:
    """Tables of what became of the trials, then what is to be known of the pictures and of the reports' figures."""
    words = (TAKEN, THERE, APART, SAME, ONLY)
    counts = Table(
        *(
            "Experiment",
            "Profile",
            "Taken",
            "Already there",
            "Contradicts ours",
            "Same, kept with those",
            "New, kept with those",
        ),
        title="Their trials",
        title_justify="left",
    )
    apart = Table("Kept apart", "As profile", "What differs", title=RULE, title_justify="left")
    for (experiment, profile, _), members in groupby(merged.trials, key=lambda fate: fate.trial.group):
        became = [fate.became for fate in members]
        counts.add_row(*map(_cell, (experiment, profile)), *(str(became.count(word) or "–") for word in words))
    for fate in merged.trials:
        if fate.became in (APART, SAME, ONLY):
            when = "" if fate.is_new else " (since an earlier merge)"
            apart.add_row(_cell(fate.trial.title), _cell(f"{fate.profile}{when}"), _cell(_what_differs(fate), 200))
    return [counts, *([apart] if apart.row_count else []), *map(escape, _remarks(merged))]


def _what_differs(fate: Fate) -> str:
    """Why a trial is kept apart, in words."""
    page = f"kept with its group so that the page of {fate.profile} is whole"
    return {SAME: f"nothing: the same as ours, {page}", ONLY: f"we have none: {page}"}.get(fate.became, fate.trial.other)


def _cell(text: str, longest: int = 80) -> str:
    return escape(printable(text, longest))


def _remarks(merged: Merged) -> list[str]:
    pictures = merged.pictures
    told = [f"{pictures.copied} pictures copied, {pictures.already_there} were there already."]
    if pictures.renamed:
        told.append(f"{pictures.renamed} of them have a name of their own, as another picture of ours has theirs.")
    if pictures.missing:
        where = f"in {pictures.theirs}" if pictures.theirs else "known, as there is no folder images beside their file"
        told.append(
            f"{len(pictures.missing)} pictures are not {where}; the first is {printable(pictures.missing[0])}. Name their "
            "folder with --images and merge again: what is missing is fetched."
        )
    if merged.stored_otherwise:
        told.append(f"{merged.stored_otherwise} pictures are stored in other bytes there; ours stay, and show all results.")
    if merged.new_references or merged.other_references:
        told.append(
            f"Figures of reports: {merged.new_references} taken; {merged.other_references} have another value there, ours stay."
        )
    return told
