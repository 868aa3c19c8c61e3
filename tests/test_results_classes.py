"""A trial of a classifier on four pictures, worked out by hand, with a slice of a synset tree: what publish makes of it."""

from pathlib import Path

import pandas
import pytest
from PIL import Image
from result_files import (
    FileAndImages,
    Tables,
    Tamper,
    all_of,
    check_refused,
    counts,
    drop_row,
    query,
    repeat_row,
    set_value,
)

from compute.results import publish
from compute.schema import TABLES

# Depth 0, 1 and 2. The hen is under the bird and right under the root as well; the longer way counts.
ROOT, FISH, BIRD = "n00000001", "n00000002", "n00000003"
TENCH, SHARK, HEN = "n01440764", "n01484850", "n01514859"
ELSEWHERE = "n09999999"
PHOTOS = ["tench/1.jpg", "tench/2.jpg", "hen/1.jpg", "unknown.jpg"]
DATASET = "photos-eeeeeeee"


def _synset_tables() -> Tables:
    synset = {
        "wnid": [ROOT, FISH, BIRD, TENCH, SHARK, HEN],
        "name": ["entity.n.01", "fish.n.01", "bird.n.01", "tench.n.01", "shark.n.02", "hen.n.01"],
        "lemmas": [["entity"], ["fish"], ["bird"], ["tench", "Tinca tinca"], ["shark"], ["hen"]],
        "gloss": ["all there is", "swims", "flies", "lives in ponds", "lives in seas", "lays eggs"],
        "depth": [0, 1, 1, 2, 2, 2],
        "imagenet_index": pandas.array([None, None, None, 0, 2, 8], dtype="UInt16"),
        "torchvision_name": [None, None, None, "tench", "great white shark", "hen"],
        "openai_name": [None, None, None, "tench", "great white shark", "hen"],
    }
    edges = [(FISH, ROOT), (BIRD, ROOT), (TENCH, FISH), (SHARK, FISH), (HEN, BIRD), (HEN, ROOT)]
    leaves = [
        (ROOT, TENCH), (ROOT, SHARK), (ROOT, HEN), (FISH, TENCH), (FISH, SHARK), (BIRD, HEN), (TENCH, TENCH), (SHARK, SHARK),
        (HEN, HEN),
    ]  # fmt: skip
    senses = [
        ("entity", 1, ROOT), ("fish", 1, FISH), ("bird", 1, BIRD), ("tench", 1, TENCH), ("Tinca tinca", 1, TENCH),
        ("shark", 1, ELSEWHERE), ("shark", 2, SHARK), ("hen", 1, HEN),
    ]  # fmt: skip
    return {
        "synset": pandas.DataFrame(synset),
        "synset_parent": pandas.DataFrame(edges, columns=["wnid", "parent_wnid"]),
        "synset_leaf": pandas.DataFrame(leaves, columns=["wnid", "leaf_wnid"]),
        "word_sense": pandas.DataFrame(senses, columns=["word", "sense", "wnid"]).assign(name="a.n.01", gloss="told here"),
    }


def class_trial(images: Path, run_id: str, trial_key: str) -> Tables:
    """All rows of a trial of a classifier of three classes; the copies of the pictures are written below `images`.

    Pictures 1 and 2 show a tench: the first is taken for one, the second for a shark. The third shows a hen and is taken for a
    tench. Of the fourth nothing is known.
    """
    paths = [f"{DATASET}/photo/{number}.jpg" for number in range(1, 5)]
    for path in paths:
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(images / path)
    ids = [f"{DATASET}/{photo}" for photo in PHOTOS]
    labels = {"wnid": [TENCH, TENCH, HEN, None], "style": ["color", None, None, None], "form": ["drawn", None, None, None]}
    run = {
        "run_id": run_id, "trial_key": trial_key, "experiment": "imagenet_rn50_vs_clip", "variant": "rn50", "profile": "mini",
        "seed": 0, "dataset": DATASET, "settings": "{}", "started_at": pandas.Timestamp("2026-01-02 03:04:05"),
        "seconds": 1.5, "device": "CPU", "host": "here", "python": "3.11", "torch": "2", "threads": 2, "git_commit": None,
        "weights": "none", "weights_sha256": None, "data_fingerprint": "e" * 64, "parameters": 10,
    }  # fmt: skip
    dataset = {
        "dataset": DATASET, "name": "Photos", "labels": "wnid", "fingerprint": "e" * 64, "train_images": 0, "val_images": 4,
        "source": "drawn by a test", "license": "CC0",
    }  # fmt: skip
    image = {
        "image_id": ids, "dataset": DATASET, "split": "val", "ordinal": [1, 2, 3, 4], "path": paths, "width": 8, "height": 8,
        **labels, "source": "drawn by a test", "license": "CC0", "sha256": [digit * 64 for digit in "1234"],
    }  # fmt: skip
    prediction = {
        "run_id": run_id, "image_id": ids, "ordinal": [1, 2, 3, 4], **labels,
        "top5": [[0, 2, 8], [2, 8, 0], [0, 8, 2], [8, 2, 0]],
        "top5_probability": [[0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [0.5, 0.4, 0.1], [0.7, 0.2, 0.1]],
        "label_rank": pandas.array([1, 3, 2, None], dtype="UInt16"), "label_probability": [0.6, 0.2, 0.4, None],
        "margin": [0.3, -0.3, -0.1, None], "ancestor": [TENCH, FISH, ROOT, None],
        "ancestor_depth": pandas.array([2, 1, 0, None], dtype="UInt8"),
    }  # fmt: skip
    score = {
        "run_id": run_id, "wnid": [TENCH, TENCH, HEN], "style": ["color", None, None], "images": 1, "top1": [1, 0, 0],
        "top5": 1,
    }  # fmt: skip
    evidence = {
        "run_id": run_id, "image_id": ids, "probe": "a photo", "probe_probability": [0.5, 0.75, 1.0, 0.4],
        "class_similarity": [0.25, 0.25, None, None],
    }  # fmt: skip
    similarity = {
        "run_id": run_id, "wnid": [TENCH, TENCH, HEN], "kind": ["any", "nearest class", "nearest class"],
        "other_wnid": [None, HEN, TENCH], "pairs": [1, 2, 2], "similarity": [0.25, -0.5, -0.5],
    }  # fmt: skip
    layer = {
        "run_id": run_id, "model": "RN50", "ordinal": [1, 2], "stage": "stem", "name": ["conv1", "relu"], "kind": "Conv2d",
        "detail": "", "output_shape": "64x112x112", "parameters": [9408, 0], "multiply_adds": [118_013_952, 0],
    }  # fmt: skip
    outputs = [[1.5, 0.75, -0.25], [0.0, 1.0, 0.5], [1.0, -1.0, 0.75], [0.0, 0.5, 2.0]]
    return {
        "run": pandas.DataFrame([run]),
        "dataset": pandas.DataFrame([dataset]),
        "image": pandas.DataFrame(image),
        **_synset_tables(),
        "classifier_output": pandas.DataFrame({"run_id": run_id, "position": [0, 1, 2], "wnid": [TENCH, SHARK, HEN]}),
        "prediction": pandas.DataFrame(prediction),
        "class_score": pandas.DataFrame(score),
        "logit": pandas.DataFrame({"run_id": run_id, "image_id": ids, "single_values": outputs, "half_bits": None}),
        "image_evidence": pandas.DataFrame(evidence),
        "class_similarity": pandas.DataFrame(similarity),
        "model_layer": pandas.DataFrame(layer),
    }


def _synset_of(row: int, **columns: object) -> Tamper:
    return all_of(*(set_value("synset", column, value, row) for column, value in columns.items()))


OTHER_PRECISION = set_value("logit", "half_bits", [0, 0, 0])
FISH_WITHOUT_PARENT = all_of(
    drop_row("synset_parent", 0), *(set_value("synset", "depth", d, r) for r, d in ((1, 0), (3, 1), (4, 1)))
)
NO_TOP5_TWICE = "prediction: top5 must be five of the classifier's classes (all, where it has fewer), each once"
LABELS = "prediction: label_rank, label_probability and margin belong to labels that the classifier knows, and to no others"
RANGES = "prediction: label_probability must be 0 to 1 and margin -1 to 1, above 0 only in the first place"
ANCESTOR = "prediction: ancestor must be a synset above the label, at its depth"
IMAGES = "prediction: ordinal, wnid, style and form must be the image's"
FALLS = "prediction: top5_probability must fall, from at most 1 in all"
OUTPUTS = "logit: must hold each of the classifier's outputs once, in one precision, for each image of prediction"
SIMILARITY = "class_similarity: must be -1 to 1, over at least one pair, and name the other class where there is one"
TWO_NAMES = "synset: an ImageNet class has an index of its own and two names, any other synset none"
LAYERS = "model_layer: layers must be numbered from 1, with no parameters or multiply-adds below 0"
# Each tampering with the trial above, and the check that must refuse it.
TAMPERED_CLASSES: list[tuple[Tamper, str]] = [
    (repeat_row("synset", gloss="another"), "synset: rows differ though their wnid are the same"),
    (repeat_row("word_sense", gloss="another"), "word_sense: rows differ though their word, sense are the same"),
    (repeat_row("model_layer"), "model_layer: rows differ though their run_id, ordinal are the same"),
    (repeat_row("classifier_output"), "classifier_output: rows differ though their run_id, position are the same"),
    (repeat_row("prediction"), "prediction: rows differ though their run_id, image_id are the same"),
    (repeat_row("class_score"), "class_score: rows differ though their run_id, wnid, style are the same"),
    (repeat_row("logit"), "logit: rows differ though their run_id, image_id are the same"),
    (repeat_row("image_evidence"), "image_evidence: rows differ though their run_id, image_id are the same"),
    (repeat_row("class_similarity"), "class_similarity: rows differ though their run_id, wnid, kind are the same"),
    (set_value("prediction", "image_id", "x"), "prediction: image_id is not in the table image"),
    (set_value("logit", "image_id", "x"), "logit: image_id is not in the table image"),
    (set_value("image_evidence", "image_id", "x"), "image_evidence: image_id is not in the table image"),
    (set_value("classifier_output", "wnid", ELSEWHERE), "classifier_output: wnid is not in the table synset"),
    (set_value("class_score", "wnid", ELSEWHERE), "class_score: wnid is not in the table synset"),
    (set_value("class_similarity", "wnid", ELSEWHERE), "class_similarity: wnid is not in the table synset"),
    (set_value("synset_parent", "wnid", ELSEWHERE), "synset_parent: wnid is not in the table synset"),
    (set_value("synset_leaf", "wnid", ELSEWHERE), "synset_leaf: wnid is not in the table synset"),
    (set_value("image", "sha256", "1" * 63), "image: sha256 must be 64 hexadecimal digits"),
    (set_value("image", "sha256", "G" * 64), "image: sha256 must be 64 hexadecimal digits"),
    (set_value("image", "wnid", "tench"), "image: wnid must be n and eight digits"),
    (set_value("image", "width", 0), "image: width and height must be positive"),
    (set_value("image", "height", -8), "image: width and height must be positive"),
    (set_value("image", "ordinal", 5), "image: a data set's ordinals must count from 1 without a gap"),
    (set_value("image", "ordinal", 2), "image: a data set's ordinals must count from 1 without a gap"),
    (set_value("image", "ordinal", 3, row=1), "image: a data set's ordinals must count from 1 without a gap"),
    (set_value("image", "path", "elsewhere.jpg"), "image: path must lie in the data set's folder"),
    (set_value("dataset", "val_images", 3), "dataset: val_images must count its rows in image"),
    (set_value("image", "split", "train", row=3), "image: a data set's ordinals must count from 1 without a gap"),
    (repeat_row("synset_parent", parent_wnid=ELSEWHERE), "synset_parent: parent_wnid is not in the table synset"),
    (_synset_of(5, depth=1), "synset: depth must be 0 without a parent, and else one more than the deepest parent's"),
    (_synset_of(0, depth=1), "synset: depth must be 0 without a parent, and else one more than the deepest parent's"),
    (FISH_WITHOUT_PARENT, "synset: only one may be without a parent"),
    (_synset_of(4, imagenet_index=8), TWO_NAMES),
    (_synset_of(4, torchvision_name=None), TWO_NAMES),
    (_synset_of(4, openai_name=None), TWO_NAMES),
    (_synset_of(1, openai_name="fish", torchvision_name="fish"), TWO_NAMES),
    (repeat_row("synset_leaf", wnid=ROOT, leaf_wnid=FISH), "synset_leaf: leaf_wnid is no ImageNet class"),
    (drop_row("synset_leaf", 6), "synset_leaf: an ImageNet class must be under itself"),
    (drop_row("synset_leaf", 4), "synset_leaf: what is under a synset must be under each of its parents"),
    (
        repeat_row("synset_leaf", wnid=BIRD, leaf_wnid=TENCH),
        "synset_leaf: what is under a synset must be itself or under one of its children",
    ),
    (drop_row("word_sense", 5), "word_sense: the senses of a word must count from 1 without a gap"),
    (set_value("word_sense", "wnid", ELSEWHERE, row=4), "word_sense: a lemma's own synset must be among its senses"),
    (set_value("prediction", "ordinal", 2), IMAGES),
    (set_value("prediction", "wnid", SHARK), IMAGES),
    (set_value("prediction", "style", None), IMAGES),
    (set_value("prediction", "form", "photo", row=3), IMAGES),
    (set_value("prediction", "label_rank", 1, row=3), LABELS),
    (set_value("prediction", "label_rank", None), LABELS),
    (set_value("prediction", "label_probability", 0.5, row=3), LABELS),
    (set_value("prediction", "margin", None), LABELS),
    (set_value("prediction", "top5", [0, 2]), NO_TOP5_TWICE),
    (set_value("prediction", "top5", [0, 2, 2]), NO_TOP5_TWICE),
    (set_value("prediction", "top5", [0, 2, 9]), NO_TOP5_TWICE),
    (set_value("prediction", "top5_probability", [0.6, 0.3]), FALLS),
    (set_value("prediction", "top5_probability", [0.3, 0.6, 0.1]), FALLS),
    (set_value("prediction", "top5_probability", [0.6, 0.3, -0.1]), FALLS),
    (set_value("prediction", "top5_probability", [0.6, 0.3, 0.2]), FALLS),
    (set_value("prediction", "label_rank", 2), "prediction: label_rank must be the label's place in top5, or after it"),
    (set_value("prediction", "label_rank", 6), "prediction: label_rank must be the label's place in top5, or after it"),
    (set_value("prediction", "label_rank", 0), "prediction: label_rank must be the label's place in top5, or after it"),
    (set_value("prediction", "label_probability", 1.5), RANGES),
    (set_value("prediction", "margin", -1.5, row=1), RANGES),
    (set_value("prediction", "margin", 0.1, row=1), RANGES),
    (set_value("prediction", "ancestor", BIRD, row=1), ANCESTOR),
    (set_value("prediction", "ancestor", ELSEWHERE), ANCESTOR),
    (set_value("prediction", "ancestor_depth", 2, row=1), ANCESTOR),
    (set_value("class_score", "top1", 0), "class_score: must be the counts of prediction"),
    (set_value("class_score", "top5", 0, row=1), "class_score: must be the counts of prediction"),
    (set_value("class_score", "images", 2, row=2), "class_score: must be the counts of prediction"),
    (drop_row("class_score", 1), "class_score: must be the counts of prediction"),
    (repeat_row("class_score", wnid=SHARK), "class_score: must be the counts of prediction"),
    (set_value("logit", "single_values", [1.0, 2.0]), OUTPUTS),
    (set_value("logit", "single_values", None), OUTPUTS),
    (OTHER_PRECISION, OUTPUTS),
    (drop_row("logit", 2), OUTPUTS),
    (set_value("image_evidence", "probe_probability", 1.1), "image_evidence: probe_probability must be 0 to 1"),
    (set_value("image_evidence", "class_similarity", -1.1), "image_evidence: probe_probability must be 0 to 1 and class_sim"),
    (set_value("class_similarity", "similarity", 1.1), SIMILARITY),
    (set_value("class_similarity", "pairs", 0), SIMILARITY),
    (set_value("class_similarity", "other_wnid", HEN), SIMILARITY),
    (set_value("class_similarity", "other_wnid", None, row=1), SIMILARITY),
    (set_value("model_layer", "ordinal", 3), LAYERS),
    (set_value("model_layer", "ordinal", 3, row=1), LAYERS),
    (set_value("model_layer", "parameters", -1), LAYERS),
    (set_value("model_layer", "multiply_adds", -1), LAYERS),
]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Tables]:
    """A results file without the trial above, its pictures, and the trial, whose tables tamperings replace by copies."""
    folder = tmp_path_factory.mktemp("classes")
    trial = class_trial(folder / "images", "run-2", "trial-2")
    other_run = trial["run"].assign(run_id="run-1", trial_key="trial-1", dataset=None)
    publish(folder / "results.duckdb", folder / "images", {"run": other_run})
    Image.new("RGB", (8, 8)).save(folder / "images" / "elsewhere.jpg")
    return folder / "results.duckdb", folder / "images", trial


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_CLASSES)
def test_a_check_that_fails_leaves_the_file_as_it_was(valid: tuple[Path, Path, Tables], tamper: Tamper, complaint: str) -> None:
    results, images, trial = valid
    check_refused(results, images, trial, tamper, complaint)


def test_the_rows_of_a_classifier_are_those_that_were_given(tiny_results: FileAndImages) -> None:
    results, images = tiny_results
    tables = class_trial(images, "run-2", "trial-2")
    publish(results, images, tables)
    given = {table: len(rows) for table, rows in tables.items() if table not in ("run", "dataset", "image")}
    found = counts(results)
    assert {table: found[table] for table in given} == given
    assert query(results, "SELECT top5, label_rank, ancestor, ancestor_depth FROM prediction ORDER BY ordinal") == [
        ([0, 2, 8], 1, TENCH, 2),
        ([2, 8, 0], 3, FISH, 1),
        ([0, 8, 2], 2, ROOT, 0),
        ([8, 2, 0], None, None, None),
    ]
    assert query(results, "SELECT single_values, half_bits FROM logit JOIN image USING (image_id) ORDER BY ordinal") == [
        ([1.5, 0.75, -0.25], None),
        ([0.0, 1.0, 0.5], None),
        ([1.0, -1.0, 0.75], None),
        ([0.0, 0.5, 2.0], None),
    ]


def test_the_same_trial_again_replaces_its_rows_and_shares_the_tree(tiny_results: FileAndImages) -> None:
    results, images = tiny_results
    publish(results, images, class_trial(images, "run-2", "trial-2"))
    before = counts(results)
    publish(results, images, class_trial(images, "run-2b", "trial-2"))
    assert counts(results) == before
    for table, columns in TABLES.items():
        if "run_id" in columns:
            assert query(results, f"SELECT count(*) FROM {table} WHERE run_id = 'run-2'") == [(0,)], table


def test_half_precision_outputs_are_kept_as_their_bits(tiny_results: FileAndImages) -> None:
    results, images = tiny_results
    tables = class_trial(images, "run-2", "trial-2")
    bits = [[0x3E00, 0x3A00, 0xB400], [0, 0x3C00, 0x3800], [0x3C00, 0xBC00, 0x3A00], [0, 0x3800, 0x4000]]
    tables["logit"] = tables["logit"].drop(columns="single_values").assign(half_bits=bits)
    publish(results, images, tables)
    [(first, single)] = query(results, f"SELECT half_bits, single_values FROM logit WHERE image_id = '{DATASET}/tench/1.jpg'")
    assert (first, single) == (bits[0], None)
