"""What decides a frozen BLIP and what it makes of captioned pictures, which all variants and seeds of an experiment share."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from compute.data.captioned_images import CaptionedSource
from compute.models import blip
from compute.models.blip_training import BlipTraining
from compute.trials import Report, Trial, Workbench

Settings = TypeVar("Settings", bound=Any)


@dataclass(frozen=True)
class Start:
    """Where weights come from, on which pictures and device; equal for all trials that can share what is loaded."""

    training: BlipTraining | None  # None: the published weights, or those of `folder`
    folder: str
    weights_sha256: str
    data: CaptionedSource
    device: torch.device
    cache: Path
    report: Report = field(compare=False)


def start_of(trial: Trial, bench: Workbench) -> Start:
    """The start of a trial whose settings have a training, a folder and its weights' digest."""
    settings = trial.settings
    return Start(
        settings.training, settings.folder, settings.weights_sha256, trial.data, bench.device, bench.cache, bench.report
    )


def with_weights(settings: Settings, folder: Path | None) -> Settings:
    """Settings that take the weights of a folder, if one is given; raises DataError where it has none."""
    if folder is None:
        return settings
    return replace(settings, training=None, folder=str(folder), weights_sha256=blip.weights_digest(folder))
