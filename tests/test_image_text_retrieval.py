"""The experiment on retrieval from end to end, with a tiny BLIP of random weights on pictures of one color each."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from transformers import BlipConfig, BlipForImageTextRetrieval

from compute import results
from compute.connection import finished_trials
from compute.data import captioned_images
from compute.data.captioned_folder import FolderCaptions, folder_captions
from compute.data.errors import DataError
from compute.experiments import image_text_retrieval as experiment
from compute.experiments.image_text_retrieval import SEEDS, VARIANTS, as_read
from compute.models import blip
from compute.trials import Trial, TrialRows, Workbench

CPU = torch.device("cpu")
SIZE_PX = 32
COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 230), "gray": (120, 120, 120)}
VAL_CAPTIONS = (
    ("A picture that is all red.", "red"),
    ("all green",),
    ("a blue picture", "blue, all of it", "blue"),
    ("gray", "RED!"),  # says what another picture's caption says
)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    cached = (experiment.loaded, experiment.frozen_pairs, captioned_images.load, captioned_images.tables)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> FolderCaptions:
    """Four validation pictures with eight captions, and 20 pictures to learn from, with two captions each."""
    folder, rows = tmp_path / "pictures", []
    folder.mkdir()
    dice = np.random.default_rng(0)
    names = list(COLORS)
    for number in range(24):
        color = names[number % 4]
        noise = dice.integers(-25, 26, (SIZE_PX, SIZE_PX, 3))
        pixels = np.clip(np.array(COLORS[color]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        told = VAL_CAPTIONS[number] if number < 4 else (f"all {color}", f"a {color} picture")
        rows += [(f"{number}.png", text, "val" if number < 4 else "train") for text in told]
    with (tmp_path / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "caption", "split"), *rows])
    described = folder_captions(folder, tmp_path / "captions.csv", (None, None))
    with pytest.warns(UserWarning, match="the very same words"):  # told when they are loaded, and here once
        captioned_images.load(described, tmp_path / "cache", SIZE_PX)
    return described


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    tokenizer = blip.small_tokenizer([text for texts in VAL_CAPTIONS for text in texts])
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "initializer_range": 0.5,
    }
    numbers = {name: getattr(tokenizer, name) for name in ("pad_token_id", "sep_token_id", "bos_token_id")}
    config = BlipConfig(
        text_config={**sizes, **numbers, "vocab_size": len(tokenizer), "max_position_embeddings": 32},
        vision_config={**sizes, "image_size": SIZE_PX, "patch_size": 16},
        image_text_hidden_size=8,
    )
    torch.manual_seed(4)
    BlipForImageTextRetrieval(config).save_pretrained(tmp_path / "weights")
    tokenizer.save_pretrained(tmp_path / "weights")
    return tmp_path / "weights"


def bench_at(folder: Path, trial: Trial) -> Workbench:
    run_id = f"run-{trial.variant}-{trial.seed}"
    return Workbench(run_id, CPU, folder / "images", folder / "cache", folder / "results.duckdb", lambda *_: None)


def run(trial: Trial, folder: Path) -> TrialRows:
    return trial.run(trial, bench_at(folder, trial))


def trials_on(source: FolderCaptions, weights: Path, seed: int = 0) -> dict[tuple[str, int], Trial]:
    return {(trial.variant, trial.seed): trial for trial in experiment.trials("full", seed, source, weights)}


def run_of(trial: Trial, rows: TrialRows) -> pandas.DataFrame:
    row = {
        "run_id": f"run-{trial.variant}-{trial.seed}", "trial_key": trial.key, "experiment": trial.experiment,
        "variant": trial.variant, "profile": trial.profile, "seed": trial.seed, "dataset": trial.data.dataset, "settings": "{}",
        "started_at": pandas.Timestamp("2026-01-02 03:04:05"), "seconds": 1.0, "device": "CPU", "host": "here",
        "python": "3.11", "torch": "2", "threads": 1, "git_commit": None, "weights": rows.weights,
        "weights_sha256": rows.weights_sha256, "data_fingerprint": trial.data.fingerprint, "parameters": rows.parameters,
    }  # fmt: skip
    return pandas.DataFrame([row])


def test_every_variant_runs_and_its_rows_are_accepted(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trials = trials_on(source, weights)
    for (variant, seed), trial in trials.items():
        if seed > 0:
            continue
        rows = run(trial, tmp_path)
        results.publish(tmp_path / "results.duckdb", tmp_path / "images", {"run": run_of(trial, rows), **rows.tables})
        figures, epochs = rows.tables["retrieval_epoch"], VARIANTS[variant].get("epochs", 0)
        assert figures.direction.tolist() == ["image to text", "text to image"] * (epochs + 1)
        assert figures.epoch.tolist() == [epoch for epoch in range(epochs + 1) for _ in range(2)]
        assert figures.queries.tolist() == [4, 8] * (epochs + 1)
        assert len(rows.tables["retrieval_rank"]) == 8
        assert len(rows.tables["retrieval_answer"]) == 4 + 8
        if epochs:
            steps = rows.tables["training_step"]
            assert steps.step.tolist() == list(range(3 * epochs))  # 40 captions, 16 at once
            assert steps.epoch.tolist() == [epoch for epoch in range(1, epochs + 1) for _ in range(3)]
            assert set(steps.learning_rate) == {trial.settings.learning_rate}
        else:
            assert "training_step" not in rows.tables
    assert len(finished_trials(tmp_path / "results.duckdb")) == len(VARIANTS)


def test_evaluation_ranks_as_the_networks_own_similarities_do(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    tables = run(trials_on(source, weights)["evaluation", 0], tmp_path).tables
    retriever, data = blip.official_retriever(weights), captioned_images.load(source, tmp_path / "cache", SIZE_PX)
    texts = [as_read(text) for captions in VAL_CAPTIONS for text in captions]
    tokens = retriever.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        matrix = retriever.model(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"],
            pixel_values=blip.pixels(data.val.photos[:4], SIZE_PX), use_itm_head=False,
        ).itm_score.numpy()  # fmt: skip
    owner = [0, 0, 1, 2, 2, 2, 3, 3]
    ranks = tables["retrieval_rank"]
    assert ranks.similarity.tolist() == pytest.approx(matrix[owner, range(8)].tolist(), abs=0.01)  # half precision
    answers = tables["retrieval_answer"].set_index(["direction", "query"])
    for image in range(4):
        given = answers.loc[("image to text", image + 1)]
        assert sorted(given.answers) == list(range(1, 9))
        assert given.similarities.tolist() == pytest.approx(matrix[image, given.answers - 1].tolist(), abs=0.01)
        assert (np.diff(given.similarities) <= 0).all()
    for caption in range(8):
        given = answers.loc[("text to image", caption + 1)]
        assert sorted(given.answers) == [1, 2, 3, 4]
        place = given.answers.tolist().index(owner[caption] + 1) + 1
        assert ranks.text_to_image_rank[caption] == place
        assert given.similarities.tolist() == pytest.approx(matrix[given.answers - 1, caption].tolist(), abs=0.01)
    assert ranks.caption_id.tolist()[:3] == [f"{ranks.image_id[0]}#1", f"{ranks.image_id[0]}#2", f"{ranks.image_id[2]}#1"]


def test_captions_that_are_read_alike_tie(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trials = trials_on(source, weights)
    for variant in ("evaluation", "random_lr1e-3"):
        ranks = run(trials[variant, 0], tmp_path).tables["retrieval_rank"]
        # Caption 2, 'red' of the first picture, and caption 8, 'RED!' of the last; 'blue' and 'gray' tie with nothing.
        assert ranks.image_to_text_tied.tolist() == [0, 1, 0, 0, 0, 0, 0, 1]
        assert (ranks.image_to_text_rank[[1, 7]] % 1 == 0.5).all()
        assert not ranks.text_to_image_tied.any()


def test_training_finds_the_captions_of_colors(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trial = trials_on(source, weights)["random_lr1e-3", 0]
    tables = run(replace(trial, settings=replace(trial.settings, epochs=10, learning_rate=1e-2)), tmp_path).tables
    figures, losses = tables["retrieval_epoch"], tables["training_step"].loss
    assert figures[figures.direction == "image to text"].hits_at_1.iloc[-1] >= 3
    assert losses.iloc[-1] < 0.7 * losses.iloc[0]


def test_before_training_the_networks_own_projections_rank_as_in_evaluation(
    source: FolderCaptions, weights: Path, tmp_path: Path
) -> None:
    trials = trials_on(source, weights)
    evaluated, tuned, random = (run(trials[variant, 0], tmp_path) for variant in ("evaluation", "fine_tuned", "random_lr1e-3"))
    first = evaluated.tables["retrieval_epoch"].drop(columns="run_id")
    assert tuned.tables["retrieval_epoch"].drop(columns="run_id").head(2).equals(first)
    assert not random.tables["retrieval_epoch"].drop(columns="run_id").head(2).equals(first)


def test_weights_tell_what_was_trained_from_what(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trials, digest = trials_on(source, weights), blip.weights_digest(weights)
    evaluated, tuned, random = (run(trials[variant, 0], tmp_path) for variant in ("evaluation", "fine_tuned", "random_wd0.2"))
    assert (evaluated.weights, evaluated.weights_sha256) == (str(weights), digest)
    frozen = f"trained with seed 0 on frozen features of {weights} (SHA-256 {digest})"
    assert tuned.weights == f"its own projections, {frozen}"
    assert random.weights == f"random projections, {frozen}"
    assert len({each.weights_sha256 for each in (evaluated, tuned, random)}) == 3
    assert {each.parameters for each in (evaluated, tuned, random)} == {2 * (16 * 8 + 8)}


def test_a_seed_decides_what_is_learnt(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trials = trials_on(source, weights)
    for variant in ("fine_tuned", "random_lr1e-3"):
        first, again, other = (run(trials[variant, seed], tmp_path) for seed in (0, 0, 1))
        assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256
        assert first.tables["retrieval_rank"].equals(again.tables["retrieval_rank"])


def test_features_are_computed_once_for_all_variants_and_calls(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trials = trials_on(source, weights)
    run(trials["evaluation", 0], tmp_path)
    assert len(list((tmp_path / "cache").glob("features-*.f16"))) == 2  # of validation only
    first = run(trials["fine_tuned", 0], tmp_path)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("features-*.f16")}
    assert len(files) == 4
    experiment.loaded.cache_clear()
    experiment.frozen_pairs.cache_clear()
    again = run(trials["fine_tuned", 0], tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("features-*.f16")} == files
    assert again.weights_sha256 == first.weights_sha256


def test_trials_are_evaluation_once_and_each_training_for_each_seed(source: FolderCaptions, weights: Path) -> None:
    trials = experiment.trials("mini", 5, source)
    trained = [variant for variant in VARIANTS if variant != "evaluation"]
    assert len(trained) == 6
    seeds = range(5, 5 + SEEDS["mini"])
    assert sorted((trial.variant, trial.seed) for trial in trials) == sorted(
        [("evaluation", 5), *((variant, seed) for variant in trained for seed in seeds)]
    )
    assert len({trial.key for trial in trials}) == len(trials)
    by_variant = {trial.variant: trial.settings for trial in trials}
    tuned = by_variant["fine_tuned"]
    assert (tuned.learning_rate, tuned.weight_decay, tuned.temperature) == (1e-5, 0.0, 0.1)
    assert (tuned.epochs, tuned.batch_size, tuned.start) == (3, 16, "trained")
    assert (by_variant["evaluation"].epochs, by_variant["evaluation"].learning_rate) == (0, None)
    base = by_variant["random_lr1e-3"]
    for variant in trained[1:]:
        changed = [name for name in ("learning_rate", "weight_decay", "temperature")
                   if getattr(by_variant[variant], name) != getattr(base, name)]  # fmt: skip
        assert len(changed) == (variant != "random_lr1e-3")
        value = variant.partition("_")[2].lstrip("lrwdt")
        assert float(value) in (getattr(by_variant[variant], name) for name in changed or ["learning_rate"])
        assert (by_variant[variant].start, by_variant[variant].batch_size) == ("random", 16)


def test_a_folder_of_weights_takes_the_place_of_training(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trained, given = (experiment.trials("mini", 0, source, folder)[0] for folder in (None, weights))
    assert trained.settings.training is not None
    assert (given.settings.training, given.settings.weights_sha256) == (None, blip.weights_digest(weights))
    assert given.key != trained.key
    with pytest.raises(DataError, match="has no"):
        experiment.trials("mini", 0, source, tmp_path / "none")


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A Man, riding (fast).", "a man, riding fast"),
        ('He said: "stop!"', "he said stop"),
        ("two\n  dogs ~ #1 * 2; end", "two dogs 1 2 end"),
        ("it's a cat-like toy?", "it's a cat-like toy?"),
        ("...", ""),
        ("word " * 40, " ".join(["word"] * 30)),
    ],
)
def test_captions_are_read_as_blip_reads_them(caption: str, expected: str) -> None:
    assert as_read(caption) == expected


def test_divergence_is_told(source: FolderCaptions, weights: Path, tmp_path: Path) -> None:
    trial = trials_on(source, weights)["random_lr1e-3", 0]
    trial = replace(trial, settings=replace(trial.settings, learning_rate=1e38, weight_decay=1e3))
    with pytest.raises(DataError, match=r"diverged|finite"):
        run(trial, tmp_path)
