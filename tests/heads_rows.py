"""Four decoder heads on four pictures of 8 by 8 pixels, whose masks are written by hand; counts follow from the masks.

Tests count on it. In each picture the upper left quarter is a cat (class 1), the upper right quarter a dog (class 2), the last
row void, and the rest background. Each head colors the first ROWS_RIGHT rows of the animals rightly and calls all else
background; in picture 4 alone linear colors three rows. In pictures 1 and 2 the dog hides two pixels of the cat in its first
row, which the transformer calls cat in picture 1.
"""

import json
from pathlib import Path

import numpy as np
import pandas
from PIL import Image
from synset_rows import run_table

from compute.results import publish

EXPERIMENT = "segmentation_decoder_heads"
DATASET = "four-dddddddd"
PICTURES, SIZE_PX = 4, 8
CLASSES = [(0, "background", "#000000", False), (1, "cat", "#400000", False), (2, "dog", "#400080", False)]
VOID = 255
EPOCHS = (0, 1)
ROWS_RIGHT = {"linear": 1, "convolutional": 0, "transformer": 2, "transformer_shared": 3}
HEADS = tuple(ROWS_RIGHT)
PARAMETERS = {"linear": 200, "convolutional": 60_000, "transformer": 20_000, "transformer_shared": 18_000}
REPORTED = {"linear": 45.46, "convolutional": 46.47, "transformer": 63.13, "transformer_shared": 64.20}
GRID = 4  # patches each way, of 2 by 2 pixels
IDS = [f"{DATASET}/val/{number}" for number in range(1, PICTURES + 1)]


def truth() -> np.ndarray:
    """(8, 8) uint8: cat 16, dog 16, void 8, background 24 pixels."""
    labels = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    labels[:4, :4], labels[:4, 4:], labels[7] = 1, 2, VOID
    return labels


def predicted(head: str, number: int, epoch: int) -> np.ndarray:
    """(8, 8) uint8 for the picture of this number, from 1; before the last epoch everything is background."""
    labels, rows = np.zeros((SIZE_PX, SIZE_PX), np.uint8), ROWS_RIGHT[head]
    if epoch == EPOCHS[-1]:
        rows = 3 if (head, number) == ("linear", 4) else rows
        labels[:rows, :4], labels[:rows, 4:] = 1, 2
        if (head, number) == ("transformer", 1):
            labels[0, 4:6] = 1
    return labels


def hidden_part() -> np.ndarray:
    """Where the dog hides the cat in pictures 1 and 2: (8, 8) bool, two pixels."""
    mask = np.zeros((SIZE_PX, SIZE_PX), bool)
    mask[0, 4:6] = True
    return mask


def write_mask(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    image.putpalette([0, 0, 0, 64, 0, 0, 64, 0, 128])
    image.save(path, format="PNG")


def head_tables(images: Path, head: str, seed: int = 0, masks: int = 2, profile: str = "mini") -> dict[str, pandas.DataFrame]:
    """All rows of a head's trial; masks and attention are of the first pictures only."""
    run_id = f"run-{head}-{seed}"
    settings = json.dumps({"epochs": len(EPOCHS), "image_size_px": 8})
    run = run_table(run_id, EXPERIMENT, head, DATASET).assign(
        seed=seed, settings=settings, parameters=PARAMETERS[head], profile=profile,
        weights=f"head trained with seed {seed} on frozen features of a ViT of tests (SHA-256 abc)", trial_key=run_id,
    )  # fmt: skip
    tables = {"run": run, **_data_tables(images), **_score_tables(run_id, head)}
    stored = [
        {"run_id": run_id, "epoch": epoch, "image_id": IDS[number - 1], "path": f"runs/{run_id}/epoch_{epoch}/{number}.png"}
        for epoch in EPOCHS
        for number in range(1, masks + 1)
    ]
    for entry in stored:
        number = IDS.index(entry["image_id"]) + 1
        write_mask(images / entry["path"], predicted(head, number, entry["epoch"]))
    tables["segmentation_mask"] = pandas.concat([tables["segmentation_mask"], pandas.DataFrame(stored)], ignore_index=True)
    if head.startswith("transformer"):
        tables["token_attention"] = _attention(run_id, head, masks)
    return tables


def _data_tables(images: Path) -> dict[str, pandas.DataFrame]:
    photos = [f"{DATASET}/photo/{number}.png" for number in range(1, PICTURES + 1)]
    truths = [f"{DATASET}/truth/{number}.png" for number in range(1, PICTURES + 1)]
    for number, (photo, mask) in enumerate(zip(photos, truths, strict=True)):
        (images / photo).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIZE_PX, SIZE_PX), (50 * number, 120, 90)).save(images / photo)
        write_mask(images / mask, truth())
    return {
        "dataset": pandas.DataFrame(
            [{"dataset": DATASET, "name": "Four", "labels": "masks", "fingerprint": "d" * 64, "train_images": 6,
              "val_images": PICTURES, "source": "drawn by a test", "license": "CC0"}]
        ),
        "image": pandas.DataFrame(
            {"image_id": IDS, "dataset": DATASET, "split": "val", "ordinal": range(1, PICTURES + 1), "path": photos,
             "width": SIZE_PX, "height": SIZE_PX, "source": "drawn by a test", "license": "CC0",
             "sha256": [f"{number}" * 64 for number in range(PICTURES)]}
        ),
        "segmentation_class": pandas.DataFrame(
            [*CLASSES, (VOID, "void", "#e0e0c0", True)], columns=["class_id", "name", "color", "ignored"]
        ).assign(dataset=DATASET),
        "segmentation_mask": pandas.DataFrame({"run_id": None, "epoch": None, "image_id": IDS, "path": truths}),
        "reference_result": pandas.DataFrame(
            {"experiment": EXPERIMENT, "variant": list(REPORTED), "metric": "mIoU in percent", "value": list(REPORTED.values()),
             "source": "a report, VOC 2012"}
        ),
    }  # fmt: skip


def _score_tables(run_id: str, head: str) -> dict[str, pandas.DataFrame]:
    labels, scores, foreground, hidden = truth(), [], [], []
    seen = labels != VOID
    for epoch in EPOCHS:
        for number, image_id in enumerate(IDS, start=1):
            answer = predicted(head, number, epoch)
            for class_id, *_ in CLASSES:
                own, called = (labels == class_id) & seen, (answer == class_id) & seen
                scores.append((run_id, epoch, image_id, class_id, (own & called).sum(), called.sum(), own.sum()))
            here, there = (labels > 0) & seen, (answer > 0) & seen
            foreground.append((run_id, epoch, image_id, (here & there).sum(), (here | there).sum()))
    for number in (1, 2):
        answer, part = predicted(head, number, EPOCHS[-1]), hidden_part()
        control = (labels == 2) & ~part
        hidden.append(
            (run_id, IDS[number - 1], 1, 2, 2, (answer[part] == 1).sum(), (answer[part] == 2).sum(), control.sum(),
             (answer[control] == 1).sum())
        )  # fmt: skip
    right = [((predicted(head, number, EPOCHS[-1]) == labels) & seen).sum() for number in range(1, PICTURES + 1)]
    return {
        "segmentation_score": pandas.DataFrame(
            scores, columns=["run_id", "epoch", "image_id", "class_id", "intersection", "predicted", "truth"]
        ),
        "foreground_score": pandas.DataFrame(
            foreground, columns=["run_id", "epoch", "image_id", "intersection", "union_pixels"]
        ),
        "boundary_score": pandas.DataFrame(
            {"run_id": run_id, "image_id": IDS, "band": "1-2", "correct": right, "total": int(seen.sum())}
        ),
        "hidden_score": pandas.DataFrame(
            hidden,
            columns=["run_id", "image_id", "class_id", "occluder_class_id", "hidden", "as_hidden", "as_occluder", "control",
                     "control_as_hidden"],
        ),
        "training_step": pandas.DataFrame(
            {"run_id": run_id, "epoch": [0, 1], "step": [0, 1], "loss": [1.5, 1.25], "learning_rate": 0.001,
             "milliseconds": [1000.0, 500.0 + PARAMETERS[head]]}
        ),
        "model_cost": pandas.DataFrame(
            {"run_id": run_id, "part": ["encoder", "head"], "parameters": [5000, PARAMETERS[head]],
             "multiply_adds": [90_000, 10 * PARAMETERS[head]]}
        ),
        "latency": pandas.DataFrame(
            {"run_id": run_id, "precision": "fp32", "batch_size": 1, "repetition": range(1, 6), "clock": "wall",
             "milliseconds": [PARAMETERS[head] / 1e4 * (1 + step / 10) for step in range(5)]}
        ),
    }  # fmt: skip


def _attention(run_id: str, head: str, pictures: int) -> pandas.DataFrame:
    """The transformer's cat token looks at the cat's four patches alone; all others look everywhere alike."""
    rows = []
    for image_id in IDS[:pictures]:
        for class_id, *_ in CLASSES:
            weights = np.full((GRID, GRID), 1 / GRID**2)
            if (head, class_id) == ("transformer", 1):
                weights = np.zeros((GRID, GRID))
                weights[:2, :2] = 0.25
            rows.append((run_id, image_id, class_id, GRID, GRID, weights.ravel().tolist()))
    return pandas.DataFrame(rows, columns=["run_id", "image_id", "class_id", "height", "width", "weights"])


def publish_heads(
    folder: Path, heads: tuple[str, ...] = HEADS, seeds: tuple[int, ...] = (0,), without: tuple[str, ...] = ()
) -> tuple[Path, Path]:
    """Publish these heads' trials, leaving some tables out; returns the results file and its images."""
    results, images = folder / "results.duckdb", folder / "images"
    for seed in seeds:
        for head in heads:
            tables = head_tables(images, head, seed)
            publish(results, images, {name: rows for name, rows in tables.items() if name not in without})
    return results, images
