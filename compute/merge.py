"""A teammate's trials into our results: those we lack, and, kept apart under a name, those that contradict ours.

The rule. A trial is the same as ours where it has the same key (experiment, variant, profile, seed, settings, data, version)
and the same rows, but for when, where and how long it ran: date, seconds, device, host and versions, an optimiser step's or a
caption's time. Timings and memory that a trial is there to measure do count, so that those of another device stand beside ours.
One contradicts ours where it has the key but other rows, or the place of one of ours (experiment, variant, profile, data) but
other settings. Trials are taken by the group that a page shows at once, those of one experiment, profile and data set. Where
none contradicts ours, the ones we lack join ours, and the same ones stay once. Where one does, the whole group is kept apart
with a profile such as "mini (lab)", so that neither mixes with the other, and each page with a choice of data offers both.

Why the whole group, and the same ones in it a second time: what a page says rests on all variants and seeds of one group. With
the contradicting trials alone, the page of "mini (lab)" would find no partner for its pairs, or average fewer seeds than lab
has, and say something that neither lab nor we have found. Filled up with ours, it would call ours theirs, and change when ours
are computed anew. So each profile holds all that its figures are made of; what was kept only for that is told apart.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count, groupby
from pathlib import Path

import duckdb

from compute import merge_rows, results
from compute.connection import ResultsError, first_line
from compute.data.errors import DataError
from compute.merge_pictures import Pictures, printable

TAKEN, THERE, APART = "taken", "already there", "kept apart"
# Kept apart as well, for the sake of one that is: the same as one of ours, or one that is only theirs.
SAME, ONLY = "the same, kept with its group", "only theirs, kept with its group"
LONGEST_NAME = 40
_NAMED = re.compile(r"(?P<profile>.+) \((?P<name>[^()]+)\)")


@dataclass(frozen=True)
class Trial:
    """One of theirs, and what becomes of it here."""

    run_id: str
    trial_key: str
    experiment: str
    variant: str
    profile: str
    seed: int
    dataset: str | None
    device: str
    settings: str
    here: str | None = None  # the run_id that its rows have here, None where there is none yet
    other: str = ""  # what contradicts ours, in words

    @property
    def group(self) -> tuple[str, str, str]:
        """What a page shows at once."""
        return self.experiment, self.profile, self.dataset or ""

    @property
    def title(self) -> str:
        """What a person reads in a list."""
        return printable(f"{self.experiment} · {self.variant} · seed {self.seed}")


@dataclass(frozen=True)
class Fate:
    """What became of a trial of theirs, and under which profile it stands here."""

    trial: Trial
    became: str  # TAKEN, THERE, APART, SAME or ONLY
    profile: str
    is_new: bool


@dataclass(frozen=True)
class Merged:
    """What became of a teammate's trials and pictures."""

    trials: tuple[Fate, ...]  # group by group
    pictures: Pictures
    stored_otherwise: int  # pictures of the same data set whose bytes are others there; ours stay
    new_references: int
    other_references: int  # a report's figures that have another value there; ours stay


def merge(theirs: Path, ours: Path, images: Path, their_images: Path | None = None, name: str | None = None) -> Merged:
    """Take the trials of the file `theirs` into the file `ours`, and their pictures below `images`, all or nothing.

    `their_images` is `images` beside `theirs` where None is given, and `name` the file's. Raises ResultsError or DataError,
    with file and remedy, where either file cannot be used, shared rows disagree, or a check fails.
    """
    name = _name(theirs, name)
    _check_files(theirs, ours)
    pictures = Pictures(_their_folder(theirs, images, their_images), images)
    merged: list[Merged] = []

    def write(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
        try:
            merge_rows.attach(connection, theirs)
            outcome, run_ids = _write(connection, theirs, name, pictures)
        except (duckdb.Error, OSError) as error:
            raise ResultsError(f"{theirs}: cannot be merged ({first_line(error)}). Nothing was changed.") from error
        merged.append(outcome)
        return run_ids

    try:
        results.add_many(ours, write, pictures.copy, theirs)
    except BaseException:
        pictures.take_back()
        raise
    return merged[0]


def _name(theirs: Path, name: str | None) -> str:
    if name is None:
        name = re.sub(r"[^\w .+-]+", " ", theirs.stem)[:LONGEST_NAME].strip() or "theirs"
    if not (name.strip() and name == name.strip() and name.isprintable() and len(name) <= LONGEST_NAME) or set("()·") & set(
        name
    ):
        raise DataError(f"--name '{printable(name)}': is no name. Take 1 to {LONGEST_NAME} letters or digits, such as lab.")
    return name


def _check_files(theirs: Path, ours: Path) -> None:
    """Refuse what cannot be merged, before anything is written."""
    if not theirs.is_file():
        raise ResultsError(f"{theirs}: there is no such file. Name the results that a teammate sent, such as lab.duckdb.")
    if ours.exists() and os.path.samefile(theirs, ours):
        raise ResultsError(f"{theirs}: is our own file. Name a teammate's, or ours with --results.")
    with duckdb.connect() as connection:
        merge_rows.attach(connection, theirs)


def _their_folder(theirs: Path, images: Path, given: Path | None) -> Path | None:
    """Where their pictures lie; None where nothing but our own folder could be meant."""
    if given is not None:
        if not given.is_dir():
            raise DataError(f"{given}: there is no such folder. Name the one with their pictures, which has a folder runs.")
        return given
    beside = theirs.parent / "images"
    return beside if beside.is_dir() and not (images.exists() and os.path.samefile(beside, images)) else None


def _write(
    connection: duckdb.DuckDBPyConnection, theirs: Path, name: str, pictures: Pictures
) -> tuple[Merged, list[str] | None]:
    """Insert what is to be taken; returns what became of everything, and the new runs, None where nothing is new."""
    stored_otherwise = merge_rows.refuse_other_shared_rows(connection, theirs)
    new_references, other_references = merge_rows.references(connection)
    own = _trials(connection, "results")
    fates, there = _fates(connection, own, name)
    run_ids = {trial.run_id for trial in own.values()}
    taken = []
    for fate in fates:
        if fate.is_new:
            joins = fate.became == TAKEN
            key = fate.trial.trial_key if joins else _key(fate.trial.trial_key, fate.profile)
            run_id = _free(fate.trial.run_id if joins else key[:12], run_ids)
            taken.append((fate.trial.run_id, run_id, key, fate.profile))
    merge_rows.plan_pictures(connection, pictures, taken, there)
    shared = merge_rows.insert_shared(connection)
    if taken:
        merge_rows.insert_runs(connection, taken, there)
    outcome = Merged(tuple(fates), pictures, stored_otherwise, new_references, other_references)
    return outcome, [run_id for _, run_id, *_ in taken] if shared or taken else None


def _fates(connection: duckdb.DuckDBPyConnection, own: dict[str, Trial], name: str) -> tuple[list[Fate], dict[str, str]]:
    """What becomes of each of their trials, group by group, and our run_id of those that are here already."""
    fates: list[Fate] = []
    there: dict[str, str] = {}
    for _, members in groupby(sorted(_compared(connection, own), key=lambda trial: trial.group), key=lambda trial: trial.group):
        group = list(members)
        if any(trial.other for trial in group):
            profile, known = _place_apart(connection, group, own, name)
            fates += [Fate(trial, _kept_as(trial), profile, trial.run_id not in known) for trial in group]
        else:
            known = {trial.run_id: trial.here for trial in group if trial.here}
            fates += [Fate(trial, THERE if trial.here else TAKEN, trial.profile, not trial.here) for trial in group]
        there |= known
    return fates, there


def _kept_as(trial: Trial) -> str:
    """What becomes of a trial in a group of which one contradicts ours."""
    return APART if trial.other else SAME if trial.here else ONLY


def _trials(connection: duckdb.DuckDBPyConnection, catalog: str) -> dict[str, Trial]:
    """All finished trials of a file by their keys."""
    rows = connection.execute(
        f"""SELECT run_id, trial_key, coalesce(experiment, ''), coalesce(variant, ''), coalesce(profile, ''), seed, dataset,
                   coalesce(device, ''), coalesce(settings::VARCHAR, '') FROM {catalog}.main.run ORDER BY started_at, run_id"""
    ).fetchall()
    return {row[1]: Trial(*row) for row in rows}


def _compared(connection: duckdb.DuckDBPyConnection, own: dict[str, Trial]) -> list[Trial]:
    """Their trials, each with our run of it where it is the same, or what contradicts ours."""
    foreign = _trials(connection, "theirs")
    pairs = {trial.run_id: own[key].run_id for key, trial in foreign.items() if key in own}
    returned = _returned(foreign, own)
    other = merge_rows.differences(connection, pairs | returned)
    found = []
    for trial in foreign.values():
        told = ", ".join(f"{rows} rows of {table}" for table, rows in other.get(trial.run_id, {}).items())
        if trial.run_id in pairs:
            trial = replace(trial, other=told) if told else replace(trial, here=pairs[trial.run_id])
        else:
            trial = replace(trial, other=_other_settings(trial, own.values()))
        found.append(trial)
    found = _with_linked_devices(connection, found, {trial.run_id: trial.device for trial in own.values()})
    lacking = {trial.group for trial in found if trial.run_id not in returned or trial.run_id in other}
    return [trial if trial.group in lacking else replace(trial, here=returned[trial.run_id]) for trial in found]


def _other_settings(trial: Trial, own: Iterable[Trial]) -> str:
    """What sets a trial that we lack apart from ours of its variant, in words; nothing where it can stand among them."""
    mates = [ours for ours in own if ours.group == trial.group and ours.variant == trial.variant]
    if mates and trial.settings not in {ours.settings for ours in mates}:
        return "other settings than ours"
    return "other data or code than ours" if trial.seed in {ours.seed for ours in mates} else ""


def _returned(foreign: dict[str, Trial], own: dict[str, Trial]) -> dict[str, str]:
    """Our own trials that they had kept apart and that come back, by their run_id."""
    names = {_NAMED.fullmatch(trial.profile) for key, trial in foreign.items() if key not in own}
    ours = {_key(key, found[0]): trial.run_id for found in names if found for key, trial in own.items()}
    return {trial.run_id: ours[key] for key, trial in foreign.items() if key not in own and key in ours}


def _with_linked_devices(
    connection: duckdb.DuckDBPyConnection, trials: Iterable[Trial], devices: dict[str, str]
) -> list[Trial]:
    """Have a trial contradict ours where it was measured against one that is the same as ours, but on another device."""
    by_id = {trial.run_id: trial for trial in trials}
    for run_id, other_id in merge_rows.links(connection):
        first, second = by_id.get(run_id), by_id.get(other_id)
        if first and second and first.here and not second.here and devices[first.here] != first.device:
            by_id[other_id] = replace(second, other=second.other or f"measured against a run on {printable(first.device)}")
    return list(by_id.values())


def _place_apart(
    connection: duckdb.DuckDBPyConnection, group: list[Trial], own: dict[str, Trial], name: str
) -> tuple[str, dict[str, str]]:
    """The first profile of that name that holds nothing but this group's rows, and our run_id of those that it holds."""
    for number in count(1):
        profile = f"{group[0].profile} ({name if number == 1 else f'{name} {number}'})"
        keys = {trial.run_id: _key(trial.trial_key, profile) for trial in group}
        known = {run_id: own[key].run_id for run_id, key in keys.items() if key in own}
        if not known or not merge_rows.differences(connection, known):
            break
    return profile, known


def _key(trial_key: str, profile: str) -> str:
    """The key of a trial that is kept apart: another one than ours, so that running ours again leaves it alone."""
    return hashlib.sha256(f"{trial_key} {profile}".encode()).hexdigest()


def _free(run_id: str, taken: set[str]) -> str:
    """The run_id, counted up where another trial has it."""
    candidates = (run_id if number == 1 else f"{run_id}-{number}" for number in count(1))
    found = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(found)
    return found
