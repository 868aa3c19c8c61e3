"""All experiments in plain listed order, and each one's trials in each profile."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from compute.data.errors import DataError
from compute.data.street_pairs import LabelMethod, PairsSource, folder_source, world_source
from compute.experiments import segmentation_metric, unet_skip_connections
from compute.trials import Trial

EXPERIMENTS: tuple[ModuleType, ...] = (unet_skip_connections, segmentation_metric)
PROFILES = ("mini", "gpu", "full")

# Training and validation pairs that the OpenMoji world draws, and the most that are taken of a given folder.
WORLD_PAIRS = {"mini": (200, 40), "gpu": (2000, 500)}
WORLD_SEED = 0  # one world for all, whatever seed the networks start from
FOLDER_PAIRS: dict[str, tuple[int | None, int | None]] = {"mini": (400, 200), "gpu": (None, None), "full": (None, None)}


@dataclass(frozen=True)
class Choices:
    """What the command line chooses for all trials of a call."""

    profile: str = "mini"
    seed: int = 0
    pairs: Path | None = None
    labels: LabelMethod = "palette"
    epochs: int | None = None  # None: as many as the profile says
    cache: Path = Path(".cache")


def trials(names: list[str], choices: Choices) -> list[Trial]:
    """The trials of the named experiments, of all where none is named, in listed order.

    Raises DataError where an experiment is unknown or its data is missing.
    """
    by_name = {experiment.NAME: experiment for experiment in EXPERIMENTS}
    if unknown := [name for name in names if name not in by_name]:
        raise DataError(f"There is no experiment {', '.join(unknown)}. The experiments are {', '.join(by_name)}.")
    chosen = [experiment for name, experiment in by_name.items() if not names or name in names]
    pairs = street_pairs(choices)
    trials_of_all = [trial for experiment in chosen for trial in experiment.trials(choices.profile, choices.seed, pairs)]
    return [_with_epochs(trial, choices.epochs) for trial in trials_of_all]


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
