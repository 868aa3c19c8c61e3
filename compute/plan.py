"""All experiments in plain listed order, and each one's trials in each profile."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from compute.data.class_images import ImageSource, folder_images, world_images
from compute.data.errors import DataError
from compute.data.street_pairs import LabelMethod, PairsSource, folder_source, world_source
from compute.experiments import (
    imagenet_rn50_vs_clip,
    rn50_architectures,
    segmentation_metric,
    unet_skip_connections,
    wordnet_synsets,
)
from compute.trials import Trial

EXPERIMENTS: tuple[ModuleType, ...] = (
    unet_skip_connections,
    segmentation_metric,
    rn50_architectures,
    wordnet_synsets,
    imagenet_rn50_vs_clip,
)
ON_STREET_PAIRS = (unet_skip_connections, segmentation_metric)
PROFILES = ("mini", "gpu", "full")

# Training and validation pairs that the OpenMoji world draws, and the most that are taken of a given folder.
WORLD_PAIRS = {"mini": (200, 40), "gpu": (2000, 500)}
WORLD_SEED = 0  # one world for all, whatever seed the networks start from
WORLD_IMAGES = {"mini": (120, 1), "gpu": (None, 8)}  # classes (None: all), and pictures of each form in each style
FOLDER_PAIRS: dict[str, tuple[int | None, int | None]] = {"mini": (400, 200), "gpu": (None, None), "full": (None, None)}


@dataclass(frozen=True)
class Choices:
    """What the command line chooses for all trials of a call."""

    profile: str = "mini"
    seed: int = 0
    pairs: Path | None = None
    labels: LabelMethod = "palette"
    epochs: int | None = None  # None: as many as the profile says
    image_folder: Path | None = None
    classifiers: tuple[str, ...] = ()  # FILE.py:FUNCTION of each that is added
    rn50_weights: Path | None = None
    clip_weights: Path | None = None
    cache: Path = Path(".cache")


def trials(names: list[str], choices: Choices) -> list[Trial]:
    """The trials of the named experiments, of all where none is named, in listed order.

    Raises DataError where an experiment is unknown or its data is missing.
    """
    by_name = {experiment.NAME: experiment for experiment in EXPERIMENTS}
    if unknown := [name for name in names if name not in by_name]:
        raise DataError(f"There is no experiment {', '.join(unknown)}. The experiments are {', '.join(by_name)}.")
    chosen = [experiment for name, experiment in by_name.items() if not names or name in names]
    return [_with_epochs(trial, choices.epochs) for experiment in chosen for trial in _trials_of(experiment, choices)]


def _trials_of(experiment: ModuleType, choices: Choices) -> list[Trial]:
    if experiment in ON_STREET_PAIRS:
        return experiment.trials(choices.profile, choices.seed, street_pairs(choices))
    if experiment is imagenet_rn50_vs_clip:
        files = (choices.classifiers, choices.rn50_weights, choices.clip_weights)
        return experiment.trials(choices.profile, choices.seed, class_images(choices), *files)
    return experiment.trials(choices.profile, choices.seed)


def _with_epochs(trial: Trial, epochs: int | None) -> Trial:
    """The trial with another number of epochs, where it trains at all and another number is asked for."""
    if epochs is None or not hasattr(trial.settings, "epochs"):
        return trial
    return replace(trial, settings=replace(trial.settings, epochs=epochs))


def street_pairs(choices: Choices) -> PairsSource:
    """The street pairs of a profile: the folder that was given, or the OpenMoji world's.

    Raises DataError where the profile needs a folder and none is given, or it holds no pairs.
    """
    if choices.pairs is not None:
        return folder_source(choices.pairs, FOLDER_PAIRS[choices.profile], choices.labels)
    if choices.profile not in WORLD_PAIRS:
        raise DataError(
            "The full profile needs real street pairs: download 'Cityscapes Image Pairs' from Kaggle "
            "(kaggle datasets download dansbecker/cityscapes-image-pairs --unzip) and pass --pairs cityscapes_data."
        )
    return world_source(choices.cache, *WORLD_PAIRS[choices.profile], seed=WORLD_SEED, labels=choices.labels)


def class_images(choices: Choices) -> ImageSource:
    """The pictures of ImageNet's classes: those of the folder that was given, or the OpenMoji world's.

    Raises DataError where the profile needs a folder and none is given, or it holds no pictures.
    """
    if choices.image_folder is not None:
        return folder_images(choices.image_folder)
    if choices.profile not in WORLD_IMAGES:
        raise DataError(
            "The full profile needs real pictures: pass --image-folder DIR with one folder per wnid, as ImageNet's "
            "validation set has, with files named wnid_*.jpg, or with a manifest.csv (file,wnid)."
        )
    return world_images(choices.cache, *WORLD_IMAGES[choices.profile], seed=WORLD_SEED)
