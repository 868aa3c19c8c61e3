"""From label maps to rows: scores as raw counts, masks, and the data set they belong to."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import Tensor

from compute import metrics
from compute.data.labelled_images import LabelledImages, LabelledSource, photo_tables, val_image_ids
from compute.data.palette import mask_palette
from compute.pictures import write_mask


class SegmentationRows:
    """Gathers one run's rows on the validation images of a data set, and writes the masks that they name."""

    def __init__(self, source: LabelledSource, pairs: LabelledImages, images: Path, run_id: str) -> None:
        self.source, self.pairs, self.images, self.run_id = source, pairs, images, run_id
        self.truth = torch.from_numpy(pairs.val.labels)
        self.image_ids = image_ids(source, pairs)
        self.segmentation_score: list[pandas.DataFrame] = []
        self.foreground_score: list[pandas.DataFrame] = []
        self.boundary_score = pandas.DataFrame()
        self.segmentation_mask = dataset_tables(source, pairs, images)["segmentation_mask"]

    def add_epoch(self, epoch: int, predicted: Tensor) -> float:
        """Count label maps (N, H, W) uint8 of all validation images after `epoch`; returns their pooled mean IoU."""
        matrices = metrics.confusion_matrices(self.truth, predicted, self.pairs.class_count)
        intersection, predicted_pixels, true_pixels = metrics.class_counts(matrices)
        image_count, class_count = intersection.shape
        scores = {
            "run_id": self.run_id,
            "epoch": epoch,
            "image_id": np.repeat(self.image_ids, class_count),
            "class_id": np.tile(np.arange(class_count), image_count),
            "intersection": intersection.flatten(),
            "predicted": predicted_pixels.flatten(),
            "truth": true_pixels.flatten(),
        }
        self.segmentation_score.append(pandas.DataFrame(scores))
        both, either = metrics.foreground_counts(matrices)
        foreground = {
            "run_id": self.run_id,
            "epoch": epoch,
            "image_id": self.image_ids,
            "intersection": both,
            "union_pixels": either,
        }
        self.foreground_score.append(pandas.DataFrame(foreground))
        return metrics.pooled_mean_iou(intersection, predicted_pixels, true_pixels)

    def add_boundaries(self, predicted: Tensor) -> None:
        """Count right pixels of the final label maps (N, H, W) by distance to the nearest class boundary."""
        correct, total = metrics.boundary_counts(_bands(self.pairs), self.truth, predicted, self.pairs.class_count)
        names = [name for name, _ in metrics.BOUNDARY_BANDS]
        scores = {
            "run_id": self.run_id,
            "image_id": np.repeat(self.image_ids, len(names)),
            "band": np.tile(names, len(self.image_ids)),
            "correct": correct.flatten(),
            "total": total.flatten(),
        }
        self.boundary_score = pandas.DataFrame(scores)

    def add_masks(self, epoch: int, predicted: Tensor, chosen: Sequence[int] | None = None) -> None:
        """Keep label maps (N, H, W) as palette PNGs: those of the images in these places, or with None all."""
        colors = mask_palette(self.pairs.classes)
        places = range(len(self.image_ids)) if chosen is None else chosen
        ids = [self.image_ids[place] for place in places]
        paths = [f"runs/{self.run_id}/epoch_{epoch}/{self.pairs.val.stems[place]}.png" for place in places]
        for place, path in zip(places, paths, strict=True):
            write_mask(self.images, path, predicted[place].numpy(), colors)
        masks = pandas.DataFrame({"run_id": self.run_id, "epoch": epoch, "image_id": ids, "path": paths})
        self.segmentation_mask = pandas.concat([self.segmentation_mask, masks], ignore_index=True)

    def tables(self) -> dict[str, pandas.DataFrame]:
        """All rows gathered so far, with those of their data set."""
        return {
            **dataset_tables(self.source, self.pairs, self.images),
            "segmentation_mask": self.segmentation_mask,
            "segmentation_score": pandas.concat(self.segmentation_score, ignore_index=True),
            "foreground_score": pandas.concat(self.foreground_score, ignore_index=True),
            "boundary_score": self.boundary_score,
        }


def image_ids(source: LabelledSource, pairs: LabelledImages) -> list[str]:
    """Key of each validation image: its data set, split and file stem."""
    return val_image_ids(source, pairs.val.stems)


@functools.lru_cache(maxsize=2)
def dataset_tables(source: LabelledSource, pairs: LabelledImages, images: Path) -> dict[str, pandas.DataFrame]:
    """Rows that all runs on one data set share; their photos and true masks are written below `images`, once a process."""
    dataset, stems = source.dataset, pairs.val.stems
    photos = photo_tables(source, len(pairs.train.stems), stems, pairs.val.photos, images)
    mask_paths = [f"{dataset}/truth/{stem}.png" for stem in stems]
    colors = mask_palette(pairs.classes)
    for path, labels in zip(mask_paths, pairs.val.labels, strict=True):
        write_mask(images, path, labels, colors)
    masks = {"run_id": None, "epoch": None, "image_id": image_ids(source, pairs), "path": mask_paths}
    return {
        **photos,
        "segmentation_class": pandas.DataFrame(pairs.classes).assign(dataset=dataset),
        "segmentation_mask": pandas.DataFrame(masks),
    }


@functools.lru_cache(maxsize=2)
def _bands(pairs: LabelledImages) -> Tensor:
    return metrics.boundary_bands(torch.from_numpy(pairs.val.labels), pairs.class_count)
