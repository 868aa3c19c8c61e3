"""A small hierarchy with two parents for one synset, ten pictures, and three classifiers' answers, all written by hand.

Tests count on it: at `dog` 6 pictures, of which the first classifier has 3 right at first and 4 in the top five, the second 3
and 5; at `animal` 7, 4, 5, 4, 6; at the top 10, 5, 7, 5, 8.
"""

from pathlib import Path

import pandas
from PIL import Image

from compute.results import publish

ENTITY, ANIMAL, ARTIFACT, PET, DOG = (f"n0000000{number}" for number in range(1, 6))
BEAGLE, PUG, CRANE_BIRD, CRANE, SOFA, LAMP, HAT = CLASSES = tuple(f"n0000001{number}" for number in range(7))
NAMES = {
    ENTITY: "entity", ANIMAL: "animal", ARTIFACT: "artifact", PET: "pet", DOG: "dog", BEAGLE: "beagle", PUG: "pug",
    CRANE_BIRD: "crane bird", CRANE: "construction crane", SOFA: "sofa", LAMP: "lamp", HAT: "hat",
}  # fmt: skip
DEPTHS = {ENTITY: 0, ANIMAL: 1, ARTIFACT: 1, PET: 2, DOG: 3, BEAGLE: 4, PUG: 4, **dict.fromkeys(CLASSES[2:], 2)}
EDGES = [
    (ANIMAL, ENTITY), (ARTIFACT, ENTITY), (PET, ANIMAL), (DOG, ANIMAL), (DOG, PET), (BEAGLE, DOG), (PUG, DOG),
    (CRANE_BIRD, ANIMAL), (CRANE, ARTIFACT), (SOFA, ARTIFACT), (LAMP, ARTIFACT), (HAT, ARTIFACT),
]  # fmt: skip
DATASET = "ten-ffffffff"
# Class, style, form, and for both classifiers the label's rank and, where it is not the first, what was answered first.
PICTURES = [
    (BEAGLE, "color on plain", "whole", (1, None), (1, None)),
    (BEAGLE, "rotated", "whole", (2, PUG), (1, None)),
    (BEAGLE, "black line", "whole", (6, SOFA), (2, PUG)),
    (BEAGLE, "color on plain", "face", (1, None), (7, LAMP)),
    (PUG, "color on plain", "whole", (1, None), (1, None)),
    (PUG, "rotated", "whole", (6, CRANE_BIRD), (2, BEAGLE)),
    (CRANE_BIRD, "color on plain", "whole", (1, None), (1, None)),
    (CRANE, "color on plain", "whole", (2, CRANE_BIRD), (6, SOFA)),
    (SOFA, "color on plain", "whole", (1, None), (2, LAMP)),
    (SOFA, "black line", "whole", (7, BEAGLE), (1, None)),
]
# Class, kind, other class, pairs, similarity.
SIMILARITIES = [
    (BEAGLE, "any", None, 6, 0.5), (BEAGLE, "rotation", None, 1, 0.8), (BEAGLE, "rendition", None, 2, 0.4),
    (BEAGLE, "form", None, 1, 0.6), (BEAGLE, "nearest class", PUG, 8, 0.7), (PUG, "any", None, 1, 0.9),
    (PUG, "rotation", None, 1, 0.9), (PUG, "nearest class", BEAGLE, 8, 0.7), (SOFA, "any", None, 1, 0.3),
    (SOFA, "rendition", None, 1, 0.3), (SOFA, "nearest class", LAMP, 2, 0.2), (CRANE_BIRD, "nearest class", CRANE, 1, 0.6),
    (CRANE, "nearest class", CRANE_BIRD, 1, 0.6),
]  # fmt: skip


def leaves_below(wnid: str) -> set[str]:
    children = [child for child, parent in EDGES if parent == wnid]
    return {wnid} if wnid in CLASSES else set().union(*map(leaves_below, children))


def synset_tables(lemma_of: dict[str, list[str]] | None = None) -> dict[str, pandas.DataFrame]:
    """Rows of the hierarchy; both cranes have the lemma `crane`, which has a third sense outside."""
    lemmas = {wnid: [name] for wnid, name in NAMES.items()} | {
        CRANE: ["crane"], CRANE_BIRD: ["crane", "wading crane"], DOG: ["dog", "domestic dog"], **(lemma_of or {}),
    }  # fmt: skip
    index = {wnid: number for number, wnid in enumerate(CLASSES)}
    names = [NAMES[wnid] if wnid in index else None for wnid in NAMES]
    words = {word: [wnid for wnid in NAMES if word in lemmas[wnid]] for wnid in NAMES for word in lemmas[wnid]}
    words["crane"] = ["n99999999", *words["crane"]]
    senses = [
        (word, number, wnid, f"{word}.n.{number:02d}", f"sense {number} of {word}")
        for word, wnids in words.items()
        for number, wnid in enumerate(wnids, start=1)
    ]
    return {
        "synset": pandas.DataFrame(
            {
                "wnid": list(NAMES),
                "name": [f"{lemmas[wnid][0]}.n.01" for wnid in NAMES],
                "lemmas": [lemmas[wnid] for wnid in NAMES],
                "gloss": [f"what one calls {name}" for name in NAMES.values()],
                "depth": [DEPTHS[wnid] for wnid in NAMES],
                "imagenet_index": pandas.array([index.get(wnid) for wnid in NAMES], dtype="Int64"),
                "torchvision_name": names,
                "openai_name": names,
            }
        ),
        "synset_parent": pandas.DataFrame(EDGES, columns=["wnid", "parent_wnid"]),
        "synset_leaf": pandas.DataFrame(
            [(wnid, leaf) for wnid in NAMES for leaf in sorted(leaves_below(wnid))], columns=["wnid", "leaf_wnid"]
        ),
        "word_sense": pandas.DataFrame(senses, columns=["word", "sense", "wnid", "name", "gloss"]),
    }


def _ancestor(wnid: str, answer: str) -> str:
    shared = [node for node in NAMES if {wnid, answer} <= leaves_below(node) | {node}]
    return max(shared, key=lambda node: (DEPTHS[node], node))


def _top5(wnid: str, rank: int, first: str | None, known: tuple[str, ...]) -> list[int]:
    others = [each for each in known if each not in (wnid, first)]
    order = [wnid, *others] if first is None else [first, *others]
    if first is not None:
        order.insert(rank - 1, wnid)
    return [CLASSES.index(each) for each in order[:5]]


def _prediction(run_id: str, side: int, known: tuple[str, ...], styled: bool) -> pandas.DataFrame:
    rows = []
    for ordinal, picture in enumerate(PICTURES, start=1):
        wnid, style, form = picture[:3]
        rank, first = picture[3 + side]
        if wnid in known and len(known) < len(CLASSES):
            rank, first = 1, None  # who knows few classes is right on those
        is_known = wnid in known
        answer = (first or wnid) if is_known else known[0]
        ancestor = _ancestor(wnid, answer)
        rows.append(
            {
                "run_id": run_id, "image_id": f"{DATASET}/{ordinal}", "ordinal": ordinal, "wnid": wnid,
                "style": style if styled else None, "form": form if styled else None,
                "top5": _top5(wnid, rank, first, known) if is_known else [CLASSES.index(each) for each in known[:5]],
                "top5_probability": [0.5, 0.2, 0.1, 0.05, 0.02][: len(known)], "label_rank": rank if is_known else None,
                "label_probability": 0.5 / rank if is_known else None,
                "margin": (0.3 if rank == 1 else -0.1) if is_known else None,
                "ancestor": ancestor, "ancestor_depth": DEPTHS[ancestor],
            }
        )  # fmt: skip
    frame = pandas.DataFrame(rows)
    return frame.astype({"label_rank": "Int64", "label_probability": "Float64", "margin": "Float64"})


def classifier_tables(images: Path, variant: str, side: int, known: tuple[str, ...] = CLASSES, styled: bool = True) -> dict:
    """All rows of a classifier's run; `side` chooses whose answers of PICTURES it gives, `known` which classes it has."""
    run_id = f"run-{variant}"
    prediction = _prediction(run_id, side, known, styled)
    counted = prediction.dropna(subset=["label_rank"])
    counted = counted.assign(images=1, top1=(counted.label_rank == 1).astype(int), top5=(counted.label_rank <= 5).astype(int))
    scores = counted.groupby(["wnid", "style"], dropna=False, as_index=False)[["images", "top1", "top5"]].sum()
    image = prediction[["image_id", "ordinal", "wnid", "style", "form"]].assign(
        dataset=DATASET, split="val", path=[f"{DATASET}/photo/{number}.png" for number in prediction.ordinal], width=8,
        height=8, source="drawn by a test", author=None, license="CC0", sha256="a" * 64,
    )  # fmt: skip
    for number, path in enumerate(image.path):
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (25 * number, 90, 120)).save(images / path)
    tables = {
        **synset_tables(),
        "run": run_table(run_id, "imagenet_rn50_vs_clip", variant, DATASET),
        "dataset": pandas.DataFrame(
            [{"dataset": DATASET, "name": "Ten", "labels": "wnid", "fingerprint": "f" * 64, "train_images": 0,
              "val_images": 10, "source": "drawn by a test", "license": "CC0"}]
        ),
        "image": image,
        "prediction": prediction,
        "class_score": scores.assign(run_id=run_id),
        "classifier_output": pandas.DataFrame({"run_id": run_id, "position": range(len(known)), "wnid": list(known)}),
        "logit": pandas.DataFrame(
            {"run_id": run_id, "image_id": image.image_id, "single_values": [[0.5] * len(known)] * len(image)}
        ),
    }  # fmt: skip
    if variant == "clip_80_templates":
        columns = ["wnid", "kind", "other_wnid", "pairs", "similarity"]
        kinds = SIMILARITIES if styled else [row for row in SIMILARITIES if row[1] in ("any", "nearest class")]
        tables["class_similarity"] = pandas.DataFrame(kinds, columns=columns).assign(run_id=run_id)
        likeness = pandas.array([0.5, 0.6, 0.2, 0.4, 0.9, 0.9, None, None, 0.3, 0.3], dtype="Float64")
        tables["image_evidence"] = pandas.DataFrame(
            {"run_id": run_id, "image_id": image.image_id, "probe": "a photo", "probe_probability": 0.5,
             "class_similarity": likeness}
        )  # fmt: skip
    return tables


def run_table(run_id: str, experiment: str, variant: str, dataset: str | None) -> pandas.DataFrame:
    return pandas.DataFrame(
        [{"run_id": run_id, "trial_key": f"trial-{run_id}", "experiment": experiment, "variant": variant, "profile": "mini",
          "seed": 0, "dataset": dataset, "settings": "{}", "started_at": pandas.Timestamp("2026-01-02"), "seconds": 1.0,
          "device": "CPU", "host": "here", "python": "3.11", "torch": "2", "threads": 2, "git_commit": None,
          "weights": "none", "weights_sha256": None, "data_fingerprint": "f" * 64, "parameters": 1}]
    )  # fmt: skip


def publish_hierarchy(folder: Path) -> tuple[Path, Path]:
    """Publish the hierarchy alone, as wordnet_synsets does; returns the results file and its images."""
    results, images = folder / "results.duckdb", folder / "images"
    run = run_table("run-wordnet", "wordnet_synsets", "wordnet_3_0", None)
    publish(results, images, {**synset_tables(), "run": run})
    return results, images


def publish_classifiers(folder: Path, styled: bool = True) -> tuple[Path, Path]:
    """Publish ImageNet RN50 and CLIP RN50, and one that knows only beagles, pugs and the bird; returns file and images."""
    results, images = folder / "results.duckdb", folder / "images"
    publish(results, images, classifier_tables(images, "rn50", 0, styled=styled))
    publish(results, images, classifier_tables(images, "clip_80_templates", 1, styled=styled))
    publish(results, images, classifier_tables(images, "small", 0, CLASSES[:3], styled=styled))
    return results, images
