"""Captions and retrieval on four pictures with nine captions, written by hand; counts and ranks follow from texts and matrices.

Tests count on it. Captions 7 and 9, of pictures 3 and 4, have the very same words, so they tie. Greedy sampling finds, of 19
words, 15 pairs, 11 triples and 7 fours, 18, 14, 10 and 6 in the references; nltk counts 8 fours, for a caption of three words
has one by its definition. The references nearest in length have 18 words, the first ones 22.
Evaluation finds the captions of pictures 1, 2 and 4 at once; picture 3's best one, caption 7, shares the places 2 and 3 with
caption 9. The other way all captions come first but 7 and 9, for which pictures 3 and 4 share the places 1 and 2: so R@1 is 3
of 4 and 8 of 9, the mean rank 5.5 / 4 and 10 / 9.
"""

import itertools
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pandas
from PIL import Image
from synset_rows import run_table

from compute.results import publish

SAMPLING, RETRIEVAL = "caption_sampling", "image_text_retrieval"
DATASET = "four_captioned-cccccccc"
SIZE_PX = 16
REFERENCES = (
    ("a brown cow on grass", "The cow stands on grass"),
    ("a red bus on a road", "a bus", "the red bus drives"),
    ("a cat on a sofa", "a cat"),
    ("a dog next to a cat", "a cat"),
)
PICTURES = len(REFERENCES)
IDS = [f"{DATASET}/val/{number}" for number in range(1, PICTURES + 1)]
OWNERS = [place for place, texts in enumerate(REFERENCES) for _ in texts]  # of each caption, its picture's place
# Captions of the four pictures, by variant and then by seed.
SAMPLED = {
    "greedy": (("a brown cow on grass", "a red bus", "a cat on a sofa", "a dog next to a dog"),),
    "top20_t1.0": (
        ("a cow and two boats on grass", "the red bus", "a sofa", "a dog next to a red cat"),
        ("the grass", "a red bus on a hill", "", "a black cat next to a cat"),
    ),
    "top20_t0.1": (
        ("a brown cow on grass", "a red bus on a road", "a cat on a sofa", "a dog next to a cat"),
        ("a cow on grass", "a red bus", "a cat on a sofa", "a dog next to a cat"),
    ),
    "top50_t1.0": (
        ("a boat at sea", "a red bus on a road", "a black cat", "two dogs"),
        ("a cow", "a bus", "a brown cow on a sofa", "a dog"),
    ),
}
SAMPLING_SETTINGS = {"greedy": (None, None), "top20_t1.0": (20, 1.0), "top20_t0.1": (20, 0.1), "top50_t1.0": (50, 1.0)}
END = "[SEP]"
# Similarity of each picture, a row, to each of the nine captions.
EVALUATED = np.array([
    [0.75, 0.5, 0.25, 0, 0, 0.125, 0.25, 0.25, 0.25],
    [0.25, 0.125, 0.5, 0.625, 0.75, 0, 0, 0, 0],
    [0.125, 0, 0.25, 0, 0, 0.375, 0.5, 0.625, 0.5],
    [0.125, 0.25, 0, 0, 0, 0.25, 0.5, 0.75, 0.5],
])  # fmt: skip
FINE_TUNED = np.array([
    [0.875, 0.75, 0.25, 0, 0, 0.125, 0.25, 0.25, 0.25],
    [0.25, 0.125, 0.75, 0.625, 0.75, 0, 0, 0, 0],
    [0.125, 0, 0.25, 0, 0, 0.875, 0.625, 0.5, 0.625],
    [0.125, 0.25, 0, 0, 0, 0.25, 0.5, 0.75, 0.5],
])  # fmt: skip
UNTRAINED = np.array([
    [-0.25, -0.125, 0.5, 0.375, 0.25, 0.125, 0, 0.625, 0],
    [0.5, 0.375, 0.25, 0.125, -0.25, 0, 0.5, 0.625, 0.5],
    [0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25],
    [0.5, 0.625, 0.75, 0.375, 0.25, 0.125, 0, -0.125, 0],
])  # fmt: skip
HALF_TRAINED = (EVALUATED + UNTRAINED) / 2
# After each epoch, from before the first one; learning rate, weight decay, temperature and start.
RETRIEVED = {
    "evaluation": ((EVALUATED,), (None, None, None, "trained")),
    "fine_tuned": ((EVALUATED, EVALUATED, FINE_TUNED), (1e-5, 0.0, 0.1, "trained")),
    "random_lr1e-3": ((UNTRAINED, UNTRAINED, HALF_TRAINED), (1e-3, 0.0, 0.1, "random")),
}
DIRECTIONS = ("image to text", "text to image")
# Figures of a report, which only files have whose owner adds them.
REPORTED = {
    (SAMPLING, "BLEU in percent"): {"greedy": 21.5, "top20_t1.0": 9.25, "top20_t0.1": 20.75, "top50_t1.0": 8.5},
    (RETRIEVAL, "image to text R@1 in percent"): {"evaluation": 80.5, "fine_tuned": 81.25, "random_lr1e-3": 10.0},
    (RETRIEVAL, "text to image R@1 in percent"): {"evaluation": 64.5, "fine_tuned": 65.0, "random_lr1e-3": 8.0},
    (RETRIEVAL, "image to text median rank"): {"evaluation": 1.0, "fine_tuned": 1.0, "random_lr1e-3": 31.0},
    (RETRIEVAL, "text to image mean rank"): {"evaluation": 6.5, "fine_tuned": 6.25, "random_lr1e-3": 98.0},
}


def publish_sampling(
    folder: Path, variants: tuple[str, ...] = tuple(SAMPLED), reported: bool = False, without: tuple[str, ...] = ()
) -> tuple[Path, Path]:
    """Publish these settings with all their seeds, leaving some tables out; returns the results file and its images."""
    results, images = folder / "results.duckdb", folder / "images"
    for variant in variants:
        for seed in range(len(SAMPLED[variant])):
            tables = sampling_tables(images, variant, seed)
            tables |= {"reference_result": reference_table()} if reported else {}
            publish(results, images, {name: rows for name, rows in tables.items() if name not in without})
    return results, images


def publish_retrieval(
    folder: Path, variants: tuple[str, ...] = tuple(RETRIEVED), reported: bool = False, without: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (0,),
) -> tuple[Path, Path]:  # fmt: skip
    """Publish these runs of retrieval, leaving some tables out; returns the results file and its images."""
    results, images = folder / "results.duckdb", folder / "images"
    for variant, seed in itertools.product(variants, seeds):
        tables = retrieval_tables(images, variant, seed=seed)
        tables |= {"reference_result": reference_table()} if reported else {}
        publish(results, images, {name: rows for name, rows in tables.items() if name not in without})
    return results, images


def data_tables(images: Path) -> dict[str, pandas.DataFrame]:
    """The rows that all runs share, and the four pictures below `images`, each of one color."""
    paths = [f"{DATASET}/photo/{number}.png" for number in range(1, PICTURES + 1)]
    for number, path in enumerate(paths):
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIZE_PX, SIZE_PX), (60 * number, 120, 90)).save(images / path)
    captions = [
        (f"{IDS[place]}#{ordinal}", IDS[place], ordinal, text)
        for place, texts in enumerate(REFERENCES)
        for ordinal, text in enumerate(texts, start=1)
    ]
    return {
        "dataset": pandas.DataFrame(
            [{"dataset": DATASET, "name": "Four captioned", "labels": "captions", "fingerprint": "c" * 64, "train_images": 6,
              "val_images": PICTURES, "source": "drawn by a test", "license": "CC0"}]
        ),
        "image": pandas.DataFrame(
            {"image_id": IDS, "dataset": DATASET, "split": "val", "ordinal": range(1, PICTURES + 1), "path": paths,
             "width": SIZE_PX, "height": SIZE_PX, "source": "drawn by a test", "license": "CC0",
             "sha256": [f"{number}" * 64 for number in range(PICTURES)]}
        ),
        "image_caption": pandas.DataFrame(captions, columns=["caption_id", "image_id", "ordinal", "text"]).assign(
            dataset=DATASET, position=range(1, len(captions) + 1)
        ),
    }  # fmt: skip


def sampling_tables(images: Path, variant: str, seed: int = 0, profile: str = "mini") -> dict[str, pandas.DataFrame]:
    """All rows of one setting of sampling with one seed."""
    run_id = f"run-{variant}-{seed}"
    top_k, temperature = SAMPLING_SETTINGS[variant]
    settings = {"top_k": top_k, "temperature": temperature, "prompt": "a picture of ", "longest": 20}
    run = run_table(run_id, SAMPLING, variant, DATASET).assign(
        seed=seed, settings=json.dumps(settings), profile=profile, parameters=1000, weights="a BLIP of tests",
        weights_sha256="a" * 64,
    )  # fmt: skip
    rows = [_caption_row(place, text, references) for place, (text, references) in enumerate(
        zip(SAMPLED[variant][seed], REFERENCES, strict=True))]  # fmt: skip
    captions = pandas.DataFrame(rows).assign(
        run_id=run_id, image_id=IDS, ordinal=range(1, PICTURES + 1), reference=[texts[0] for texts in REFERENCES],
        seconds=[0.0125, 0.025, 0.0125, 0.05],
    )  # fmt: skip
    return {"run": run, **data_tables(images), "caption": captions, "caption_score": _score_rows(run_id, captions)}


def retrieval_tables(images: Path, variant: str, profile: str = "mini", seed: int = 0) -> dict[str, pandas.DataFrame]:
    """All rows of one run of retrieval; other seeds than 0 rank alike, and have their number in run_id."""
    run_id = f"run-{variant}-{seed}" if seed else f"run-{variant}"
    matrices, (learning_rate, weight_decay, temperature, start) = RETRIEVED[variant]
    epochs = len(matrices) - 1
    settings = {
        "learning_rate": learning_rate, "weight_decay": weight_decay, "temperature": temperature, "epochs": epochs,
        "batch_size": 16, "start": start,
    }  # fmt: skip
    run = run_table(run_id, RETRIEVAL, variant, DATASET).assign(
        seed=seed, settings=json.dumps(settings), profile=profile, parameters=2000, weights="a BLIP of tests",
        weights_sha256="b" * 64,
    )  # fmt: skip
    tables = {
        "run": run,
        **data_tables(images),
        "retrieval_epoch": pandas.DataFrame(
            [row for epoch, matrix in enumerate(matrices) for row in _epoch_rows(run_id, epoch, matrix)]
        ),
        "retrieval_rank": _rank_rows(run_id, matrices[-1]),
        "retrieval_answer": _answer_rows(run_id, matrices[-1]),
    }
    if epochs:
        tables["training_step"] = pandas.DataFrame(
            {"run_id": run_id, "epoch": range(1, epochs + 1), "step": range(epochs), "loss": [2.5 / (1 + step) for step in
             range(epochs)], "learning_rate": learning_rate, "milliseconds": 4.0}
        )  # fmt: skip
    return tables


def reference_table() -> pandas.DataFrame:
    """Figures of a report, for both experiments."""
    rows = [
        (experiment, variant, metric, value)
        for (experiment, metric), values in REPORTED.items()
        for variant, value in values.items()
    ]
    return pandas.DataFrame(rows, columns=["experiment", "variant", "metric", "value"]).assign(source="a report of tests")


def bleu(matches: list[int], totals: list[int], words: int, reference_words: int, none: float = 0.0) -> float:
    """BLEU of four counts each, 0 to 1; `none` stands for a count of 0 among the matches where some word matches."""
    if not matches[0]:
        return 0.0
    precisions = [(match or none) / max(total, 1) for match, total in zip(matches, totals, strict=True)]
    if not all(precisions):
        return 0.0
    brevity = 1.0 if words > reference_words else math.exp(1 - reference_words / words)
    return brevity * math.prod(precisions) ** 0.25


def _grams(words: list[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))


def _matches(words: list[str], references: list[list[str]]) -> list[int]:
    """Of each length, n-grams that a reference has as well, each at most as often as the reference that has it most often."""

    def found(gram: tuple[str, ...], count: int) -> int:
        return min(count, max(_grams(other, len(gram))[gram] for other in references))

    return [sum(found(gram, count) for gram, count in _grams(words, length).items()) for length in range(1, 5)]


def _caption_row(place: int, text: str, references: tuple[str, ...]) -> dict:
    words, split = text.split(), [reference.lower().split() for reference in references]
    totals = [max(len(words) - length + 1, 0) for length in range(1, 5)]
    matches = _matches(words, split)
    nearest = min((abs(len(other) - len(words)), len(other)) for other in split)[1]
    tokens = [*words, END]
    return {
        "text": text, "words": len(words), "distinct_words": len(set(words)), "matches": matches, "totals": totals,
        "one_matches": _matches(words, split[:1]), "reference_words": nearest, "one_reference_words": len(split[0]),
        "bleu": bleu(matches, totals, len(words), nearest, none=0.1), "tokens": tokens,
        "token_probability": [1 / (1 + place + position) for position in range(len(tokens))],
    }  # fmt: skip


def _score_rows(run_id: str, captions: pandas.DataFrame) -> pandas.DataFrame:
    """Corpus BLEU from the counts; sacrebleu has no n-grams where nltk says one."""
    rows, words = [], int(captions.words.sum())
    for against, matches, lengths in (
        ("all references", "matches", "reference_words"),
        ("one reference", "one_matches", "one_reference_words"),
    ):
        matched, length = np.sum(captions[matches].tolist(), axis=0).tolist(), int(captions[lengths].sum())
        totals = np.array(captions.totals.tolist())
        for library, denominators, signature in (
            ("nltk", np.maximum(totals, 1), "nltk 3.10.4, corpus_bleu, no smoothing"),
            ("sacrebleu", totals, "nrefs:var|case:lc|eff:no|tok:13a|smooth:none|version:2.6.0"),
        ):
            score = bleu(matched, denominators.sum(axis=0).tolist(), words, length)
            rows.append((run_id, library, against, score, signature))
    return pandas.DataFrame(rows, columns=["run_id", "library", "against", "bleu", "signature"])


def _ranked(similarity: float, others: list[float]) -> tuple[float, int]:
    """Mean of the places that a similarity shares with equal ones, from 1, and how many others are equal."""
    above, tied = sum(other > similarity for other in others), sum(other == similarity for other in others)
    return 1 + above + tied / 2, tied


def _rank_rows(run_id: str, matrix: np.ndarray) -> pandas.DataFrame:
    rows = []
    for position, place in enumerate(OWNERS):
        similarity = matrix[place, position]
        captions = [matrix[place, other] for other, owner in enumerate(OWNERS) if owner != place]
        pictures = [matrix[other, position] for other in range(PICTURES) if other != place]
        ordinal = position - OWNERS.index(place) + 1
        ranks = (*_ranked(similarity, captions), *_ranked(similarity, pictures))
        rows.append((run_id, IDS[place], f"{IDS[place]}#{ordinal}", *ranks, similarity))
    columns = ["image_to_text_rank", "image_to_text_tied", "text_to_image_rank", "text_to_image_tied", "similarity"]
    return pandas.DataFrame(rows, columns=["run_id", "image_id", "caption_id", *columns])


def _epoch_rows(run_id: str, epoch: int, matrix: np.ndarray) -> list[dict]:
    ranks = _rank_rows(run_id, matrix)
    best = ranks.sort_values("image_to_text_rank", kind="stable").drop_duplicates("image_id")
    rows = []
    for direction, queries in zip(DIRECTIONS, (best, ranks), strict=True):
        column = direction.replace(" ", "_")
        rank, tied = queries[f"{column}_rank"].to_numpy(), queries[f"{column}_tied"].to_numpy()
        first = rank - tied / 2  # of the places that they share
        hits = {f"hits_at_{count}": (np.clip(count - first + 1, 0, tied + 1) / (tied + 1)).sum() for count in (1, 5, 10)}
        rows.append(
            {"run_id": run_id, "epoch": epoch, "direction": direction, "queries": len(queries), **hits,
             "median_rank": np.median(rank), "mean_rank": rank.mean()}
        )  # fmt: skip
    return rows


def _answer_rows(run_id: str, matrix: np.ndarray) -> pandas.DataFrame:
    rows = []
    for direction, similarities in zip(DIRECTIONS, (matrix, matrix.T), strict=True):
        for query, values in enumerate(similarities, start=1):
            order = np.argsort(-values, kind="stable")[:10]
            rows.append((run_id, direction, query, (order + 1).tolist(), values[order].tolist()))
    return pandas.DataFrame(rows, columns=["run_id", "direction", "query", "answers", "similarities"])
