"""Fourteen pictures answered in fp32, fp16 and bf16, and the times and memory of a pass, all written by hand.

Tests count on it: in fp16 picture 4 alone has another first answer (its two first outputs were 0.001 apart), and with it the
wrong one; picture 9's fourth and fifth change places, and picture 12's fifth is no longer among the five. In bf16 twice as much
is moved in all pictures by the same steps. A pass over one picture takes 2.0 to 2.4 ms in fp32 and four times that in fp16.
"""

import json
from pathlib import Path

import numpy as np
import pandas
from PIL import Image
from synset_rows import CLASSES, run_table, synset_tables

from compute.drift import drift
from compute.prediction_rows import summarise
from compute.results import publish

DATASET = "fourteen-eeeeeeee"
EXPERIMENT = "fp32_vs_fp16"
PICTURES = 14
LAYERS = ("stem", "layer1.0", "layer2.0", "attnpool", "logits")
SAMPLED = 4
BATCHES = (1, 8)
TIMED = {"fp32": 2.0, "fp16": 8.0, "bf16": 1.0}  # ms of the quickest repetition at batch 1
TENSORS = [
    ("image encoder", "visual.conv1.weight", "Conv2d", 432, True),
    ("image encoder", "visual.bn1.weight", "BatchNorm2d", 16, False),
    ("image encoder", "visual.bn1.running_mean", "BatchNorm2d", 16, False),
    ("image encoder", "visual.attnpool.q_proj.weight", "Linear", 4096, True),
    ("image encoder", "visual.attnpool.positional_embedding", "AttentionPool2d", 640, False),
    ("text encoder", "ln_final.weight", "LayerNorm", 64, False),
    ("text encoder", "text_projection", "CLIP", 8192, True),
]
CATEGORIES = ("parameters", "inputs", "activations", "temporary")
# MiB of the categories after each step of the fp32 pass; in the others weights and activations take half.
MEMORY = [
    ("stem", (4.0, 1.0, 0.0, 0.0)),
    ("stem", (4.0, 1.0, 6.0, 0.0)),
    ("layer1.0", (4.0, 1.0, 6.0, 2.0)),
    ("layer1.0", (4.0, 1.0, 8.0, 2.0)),
    ("attnpool", (4.0, 1.0, 3.0, 1.0)),
    ("attnpool", (4.0, 1.0, 1.0, 0.0)),
]


def fp32_logits() -> np.ndarray:
    """(14, 7) float32: each picture's own class leads, in picture 4 by a thousandth only."""
    steps = np.array([9.013, 5.027, 4.031, 3.043, 2.057, 1.069, 0.071])
    logits = np.stack([np.roll(steps, number % len(CLASSES)) for number in range(PICTURES)])
    logits *= 1 - np.arange(PICTURES)[:, None] / 20
    logits[3, (3 + 1) % 7] = logits[3, 3] - 0.001
    logits[8, (8 + 4) % 7] = logits[8, (8 + 3) % 7] - 0.002
    logits[11, (11 + 5) % 7] = logits[11, (11 + 4) % 7] - 0.003
    return logits.astype(np.float32)


def lower_logits(precision: str) -> np.ndarray:
    """The same after the change that the precision makes, as it is stored: float16 or float32 (14, 7)."""
    scale = 2.0 if precision == "bf16" else 1.0
    moved = fp32_logits().astype(np.float64)
    moved *= 1 + scale * 2.0**-10 * np.cos(np.arange(PICTURES * 7)).reshape(PICTURES, 7) * 0.3
    for picture, place, by in ((3, 1, 0.02), (8, 4, 0.02), (11, 5, 0.02)):
        moved[picture, (picture + place) % 7] += scale * by
    return moved.astype(np.float16 if precision == "fp16" else np.float32)


def image_rows(images: Path) -> pandas.DataFrame:
    ordinals = range(1, PICTURES + 1)
    rows = pandas.DataFrame(
        {"image_id": [f"{DATASET}/{number}" for number in ordinals], "dataset": DATASET, "split": "val", "ordinal": ordinals,
         "path": [f"{DATASET}/photo/{number}.png" for number in ordinals], "width": 8, "height": 8,
         "wnid": [CLASSES[number % 7] for number in range(PICTURES)],
         "style": ["rotated" if number % 2 else "color on plain" for number in ordinals], "form": "whole",
         "source": "drawn by a test", "author": None, "license": "CC0", "sha256": "a" * 64}
    )  # fmt: skip
    for number, path in enumerate(rows.path):
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (18 * number, 120, 90)).save(images / path)
    return rows


def answer_tables(images: Path, precision: str) -> dict[str, pandas.DataFrame]:
    """All rows of a trial that answered the pictures; a lower precision's also hold its drift."""
    run_id, image = f"run-{precision}", image_rows(images)
    logits = fp32_logits() if precision == "fp32" else lower_logits(precision)
    run = run_table(run_id, EXPERIMENT, precision, DATASET).assign(weights_sha256="b" * 64)
    tables = {
        **synset_tables(),
        "run": run.assign(settings=json.dumps({"arithmetic": "native" if precision == "fp32" else "emulated"})),
        "dataset": pandas.DataFrame(
            [{"dataset": DATASET, "name": "Fourteen", "labels": "wnid", "fingerprint": "e" * 64, "train_images": 0,
              "val_images": PICTURES, "source": "drawn by a test", "license": "CC0"}]
        ),
        "image": image,
        **_prediction_tables(run_id, image, logits),
    }  # fmt: skip
    if precision != "fp32":
        tables |= _drift_tables(run_id, image, precision)
    return tables


def _prediction_tables(run_id: str, image: pandas.DataFrame, logits: np.ndarray) -> dict[str, pandas.DataFrame]:
    found = summarise(logits, np.arange(PICTURES) % 7)
    prediction = image[["image_id", "ordinal", "wnid", "style", "form"]].assign(
        run_id=run_id, top5=found.top.tolist(), top5_probability=found.top_probability.astype(np.float32).tolist(),
        label_rank=found.label_rank, label_probability=found.label_probability.astype(np.float32),
        margin=found.margin.astype(np.float32), ancestor=None, ancestor_depth=None,
    )  # fmt: skip
    counted = prediction.assign(images=1, top1=(found.label_rank == 1).astype(int), top5=(found.label_rank <= 5).astype(int))
    scores = counted.groupby(["wnid", "style"], as_index=False)[["images", "top1", "top5"]].sum()
    is_half = logits.dtype == np.float16
    values = {"half_bits": logits.view(np.uint16).tolist()} if is_half else {"single_values": logits.tolist()}
    return {
        "prediction": prediction,
        "class_score": scores.assign(run_id=run_id),
        "classifier_output": pandas.DataFrame({"run_id": run_id, "position": range(len(CLASSES)), "wnid": list(CLASSES)}),
        "logit": pandas.DataFrame({"run_id": run_id, "image_id": image.image_id, **values}),
    }


def _drift_tables(run_id: str, image: pandas.DataFrame, precision: str) -> dict[str, pandas.DataFrame]:
    moved = drift(fp32_logits(), lower_logits(precision))
    size = 2.0**-8 if precision == "bf16" else 2.0**-11
    layers = [
        {"run_id": run_id, "image_id": image.image_id[number], "ordinal": place, "layer": layer,
         "relative_error": size * (place + 1) * (1 + number / 10), "own_error": size / 2, "largest_value": 100.0 + place,
         "below_normal": 0.0 if precision == "bf16" else 0.001 * place}
        for number in range(SAMPLED)
        for place, layer in enumerate(LAYERS)
    ]  # fmt: skip
    data_type = "bfloat16" if precision == "bf16" else "float16"
    parameters = [
        (run_id, place, part, name, kind, data_type if converted else "float32", elements, elements // 2 * converted)
        for place, (part, name, kind, elements, converted) in enumerate(TENSORS)
    ]
    columns = ["run_id", "ordinal", "part", "name", "kind", "data_type", "elements", "rounded"]
    return {
        "precision_drift": pandas.DataFrame(
            {"run_id": "run-fp32", "other_run_id": run_id, "image_id": image.image_id, "ordinal": image.ordinal,
             "wnid": image.wnid, "style": image["style"], "largest_change": moved.largest_change.astype(np.float32),
             "changed_class": moved.changed_position, "encoder_change": (moved.largest_change * 0.5).astype(np.float32),
             "kl_divergence": moved.kl_divergence, "top1_flip": moved.top1_flip, "top5_changes": moved.top5_changes,
             "top5_left": moved.top5_left, "margin": moved.margin.astype(np.float32), "label_change": _label_change(precision)}
        ),
        "layer_drift": pandas.DataFrame(layers),
        "parameter_precision": pandas.DataFrame(parameters, columns=columns),
    }  # fmt: skip


def _label_change(precision: str) -> list[float]:
    before, after = (
        np.exp(values.astype(np.float64)) / np.exp(values.astype(np.float64)).sum(axis=1, keepdims=True)
        for values in (fp32_logits(), lower_logits(precision))
    )
    return [float(np.float32(after[number, number % 7] - before[number, number % 7])) for number in range(PICTURES)]


def latency_tables(clocks: tuple[str, ...] = ("wall",)) -> dict[str, pandas.DataFrame]:
    """Twenty repetitions of each, but five of fp16's batch of 8; each takes up to four twentieths longer than the quickest."""
    times, work, rates = [], [], []
    for precision, quickest_ms in TIMED.items():
        for batch_size in BATCHES:
            for repetition in range(1, 6 if (precision, batch_size) == ("fp16", 8) else 21):
                for clock in clocks:
                    wait = repetition % (5 if precision == "fp32" else 4) / 20
                    milliseconds = quickest_ms * (1 + 0.6 * (batch_size - 1)) * (1 + wait)
                    times.append(("run-latency", precision, batch_size, repetition, clock, milliseconds))
            width = 4 if precision == "fp32" else 2
            work.append(("run-latency", precision, batch_size, 100_000_000 * batch_size, width * 1_000_000 * batch_size))
        for repetition in range(1, 4):
            matrix = {"fp32": 1e11, "fp16": 2e10, "bf16": 1e12}[precision]
            rates.append(("run-latency", precision, "matrix", repetition, matrix * (1 + repetition / 100)))
            rates.append(("run-latency", precision, "copy", repetition, 1e10))
    settings = json.dumps({"arithmetic": "native", "batch_sizes": BATCHES})
    return {
        "run": run_table("run-latency", EXPERIMENT, "latency", None).assign(settings=settings),
        "latency": pandas.DataFrame(
            times, columns=["run_id", "precision", "batch_size", "repetition", "clock", "milliseconds"]
        ),
        "device_rate": pandas.DataFrame(rates, columns=["run_id", "precision", "kind", "repetition", "per_second"]),
        "encoder_work": pandas.DataFrame(work, columns=["run_id", "precision", "batch_size", "operations", "bytes"]),
    }


def memory_tables() -> dict[str, pandas.DataFrame]:
    moments, peaks = [], []
    for precision in TIMED:
        share = 1.0 if precision == "fp32" else 0.5
        for moment, (layer, sizes) in enumerate(MEMORY, start=1):
            for category, size in zip(CATEGORIES, sizes, strict=True):
                held = size if category == "inputs" else size * share
                moments.append(("run-memory", precision, 8, moment, moment * 0.5, layer, category, held))
        measures = {"allocated peak": 15.0, "process before": 400.0, "process peak": 420.0}
        for measure, size in measures.items():
            held = 1.0 + 14.0 * share if measure == "allocated peak" else size
            peaks.append(("run-memory", precision, 8, measure, held))
    columns = ["run_id", "precision", "batch_size", "moment", "milliseconds", "layer", "category", "mebibytes"]
    return {
        "run": run_table("run-memory", EXPERIMENT, "memory", None).assign(settings='{"arithmetic": "native"}'),
        "memory": pandas.DataFrame(moments, columns=columns),
        "memory_peak": pandas.DataFrame(peaks, columns=["run_id", "precision", "batch_size", "measure", "mebibytes"]),
    }


def trial_tables(images: Path, variant: str) -> dict[str, pandas.DataFrame]:
    """All rows of one trial."""
    if variant in ("latency", "memory"):
        return latency_tables() if variant == "latency" else memory_tables()
    return answer_tables(images, variant)


VARIANTS = ("fp32", "fp16", "bf16", "latency", "memory")


def publish_precisions(folder: Path, variants: tuple[str, ...] = VARIANTS) -> tuple[Path, Path]:
    """Publish these trials; returns the results file and its images."""
    results, images = folder / "results.duckdb", folder / "images"
    for variant in variants:
        publish(results, images, trial_tables(images, variant))
    return results, images
