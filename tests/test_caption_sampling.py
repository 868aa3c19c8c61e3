"""The experiment on caption sampling from end to end on a few scenes, with a tiny captioner written as the hub has it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from nltk.translate import bleu_score
from test_blip import written
from transformers import BlipForConditionalGeneration

from compute import results
from compute.bleu import words
from compute.captions import Written
from compute.connection import finished_trials
from compute.data import captioned_images
from compute.data.captioned_images import CaptionedSource
from compute.data.errors import DataError
from compute.data.object_scenes import load_scenes, world_scenes
from compute.experiments import caption_sampling as experiment
from compute.experiments.caption_sampling import SAMPLED, Settings, Start, caption_row, prepared
from compute.models import blip
from compute.models.blip_training import BlipTraining
from compute.models.official_weights import file_digest
from compute.trials import Trial, TrialRows, Workbench

CPU = torch.device("cpu")
LONGEST, BATCH, VAL = 12, 3, 5
TINY = Settings(training=None, top_k=None, temperature=None, prompt="a picture of ", longest=LONGEST, batch_size=BATCH)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def scenes(cache: Path) -> CaptionedSource:
    return world_scenes(cache, 2, VAL, seed=5)


@pytest.fixture(scope="module")
def folder(cache: Path, scenes: CaptionedSource) -> Path:
    """A captioner that knows the scenes' words, says something else of each, and comes to an end at different lengths."""
    drawn = load_scenes(scenes, cache)
    tokenizer = blip.small_tokenizer([text for captions in drawn.val_captions for text in captions])
    path = written(cache / "weights", BlipForConditionalGeneration, tokenizer)
    model = BlipForConditionalGeneration.from_pretrained(path)
    with torch.no_grad():
        for word, bias in (("[SEP]", 5.0), ("a", 4.0), ("and", 3.0), (",", 2.0)):
            model.text_decoder.cls.predictions.bias[tokenizer.get_vocab()[word]] = bias
    model.save_pretrained(path)
    return path


@pytest.fixture(autouse=True)
def _forget_captioner() -> Iterator[None]:
    prepared.cache_clear()
    yield
    prepared.cache_clear()


def trials_of(scenes: CaptionedSource, folder: Path, profile: str = "mini") -> list[Trial]:
    return experiment.trials(profile, 0, scenes, folder, TINY)


def chosen(trials: list[Trial], variant: str, seed: int = 0) -> Trial:
    [found] = [trial for trial in trials if (trial.variant, trial.seed) == (variant, seed)]
    return found


def run(trial: Trial, images: Path, cache: Path, run_id: str = "run-1") -> TrialRows:
    return trial.run(trial, Workbench(run_id, CPU, images, cache, images / "results.duckdb", lambda *_: None))


def run_row(trial: Trial, rows: TrialRows, run_id: str) -> pandas.DataFrame:
    return pandas.DataFrame([{
        "run_id": run_id, "trial_key": trial.key, "experiment": trial.experiment, "variant": trial.variant,
        "profile": trial.profile, "seed": trial.seed, "dataset": trial.data.dataset,
        "settings": json.dumps(asdict(trial.settings)), "started_at": pandas.Timestamp("2026-01-02 03:04:05"), "seconds": 1.0,
        "device": "CPU", "host": "here", "python": "3.11", "torch": "2", "threads": 1, "git_commit": None,
        "weights": rows.weights, "weights_sha256": rows.weights_sha256, "data_fingerprint": trial.data.fingerprint,
        "parameters": rows.parameters,
    }])  # fmt: skip


def test_greedy_comes_first_and_once_and_the_grid_with_each_seed(scenes: CaptionedSource, folder: Path) -> None:
    trials = experiment.trials("mini", 7, scenes)
    assert [(trial.variant, trial.seed) for trial in trials[:3]] == [("greedy", 7), ("top20_t1.0", 7), ("top20_t0.7", 7)]
    assert len(trials) == len({trial.key for trial in trials}) == 1 + 3 * 10
    assert [trial.seed for trial in trials[1:]] == [7] * 10 + [8] * 10 + [9] * 10
    assert list(SAMPLED) == [f"top{k}_t{t}" for k in (20, 50) for t in ("1.0", "0.7", "0.1", "0.05", "0.01")]
    assert (chosen(trials, "top50_t0.05", 8).settings.top_k, chosen(trials, "top50_t0.05", 8).settings.temperature) == (
        50,
        0.05,
    )
    assert (trials[0].settings.top_k, trials[0].settings.temperature) == (None, None)
    assert trials[0].settings.prompt == "a picture of "
    assert len(experiment.trials("full", 0, scenes)) == 1 + 5 * 10
    given = experiment.trials("mini", 7, scenes, folder)[0]
    assert (given.settings.training, given.settings.folder) == (None, str(folder))
    assert given.settings.weights_sha256 == file_digest(folder / "model.safetensors")
    assert given.key != trials[0].key
    assert experiment.trials("full", 7, scenes)[0].settings.training is None
    with pytest.raises(DataError, match=r"has no model\.safetensors"):
        experiment.trials("mini", 0, scenes, folder / "nowhere")


def test_trials_run_and_their_rows_are_accepted(scenes: CaptionedSource, folder: Path, cache: Path, tmp_path: Path) -> None:
    trials = trials_of(scenes, folder)
    some = [trials[0], chosen(trials, "top20_t1.0"), chosen(trials, "top20_t1.0", 1), chosen(trials, "top50_t0.01")]
    texts = []
    for number, trial in enumerate(some):
        rows = run(trial, tmp_path / "images", cache, f"run-{number}")
        results.publish(
            tmp_path / "results.duckdb", tmp_path / "images", {"run": run_row(trial, rows, f"run-{number}"), **rows.tables}
        )
        assert len(finished_trials(tmp_path / "results.duckdb")) == number + 1
        caption = rows.tables["caption"]
        assert caption.image_id.tolist() == rows.tables["image"].image_id.tolist()
        assert caption.ordinal.tolist() == list(range(1, VAL + 1))
        texts.append(caption.text.tolist())
        for tokens, probabilities in zip(caption.tokens, caption.token_probability, strict=True):
            assert tokens[-1] == "[SEP]" or len(tokens) == LONGEST
            assert len(tokens) == len(probabilities)
        assert caption.seconds.groupby(np.arange(VAL) // BATCH).nunique().tolist() == [1, 1]
        assert (caption.seconds > 0).all()
        assert rows.weights == str(folder)
        assert rows.weights_sha256 == file_digest(folder / "model.safetensors")
    assert texts[1] != texts[2]
    assert texts[0] == texts[3] != texts[1]  # so cold, nothing but the most probable token is drawn


def test_scores_follow_from_captions_and_their_references(
    scenes: CaptionedSource, folder: Path, cache: Path, tmp_path: Path
) -> None:
    rows = run(chosen(trials_of(scenes, folder), "top20_t0.7"), tmp_path, cache)
    caption, score = rows.tables["caption"], rows.tables["caption_score"].set_index(["library", "against"]).bleu
    references = load_scenes(scenes, cache).val_captions
    assert caption.reference.tolist() == [texts[0] for texts in references]
    split = [[words(text) for text in texts] for texts in references]
    spoken = [words(text) for text in caption.text]
    assert caption.words.tolist() == [len(each) for each in spoken]
    assert caption.distinct_words.tolist() == [len(set(each)) for each in spoken]
    for place, row in enumerate(caption.itertuples()):
        smoothing = bleu_score.SmoothingFunction().method1
        assert row.bleu == bleu_score.sentence_bleu(split[place], spoken[place], smoothing_function=smoothing)
        for own, matches in ((split[place], row.matches), (split[place][:1], row.one_matches)):
            assert matches == [bleu_score.modified_precision(own, spoken[place], n).numerator for n in (1, 2, 3, 4)]
        assert row.reference_words in {len(each) for each in split[place]}
        assert row.one_reference_words == len(split[place][0])
    assert score.index.tolist() == [
        (library, against) for against in ("one reference", "all references") for library in ("nltk", "sacrebleu")
    ]
    assert caption.matches.tolist() != caption.one_matches.tolist()
    assert score["sacrebleu", "all references"] > score["sacrebleu", "one reference"] > 0


def test_a_captions_words_are_what_generate_writes_from_the_same_encodings(
    scenes: CaptionedSource, folder: Path, cache: Path, tmp_path: Path
) -> None:
    trials = trials_of(scenes, folder)
    captioner = blip.official_captioner(folder)
    photos = captioned_images.load(scenes, cache, captioner.image_size_px).val.photos[:VAL]
    encodings = blip.encode_images(captioner.model, photos).half().float()
    for trial in (trials[0], chosen(trials, "top20_t1.0", 2)):
        kind = {"top_k": 20, "temperature": 1.0, "do_sample": True} if trial.settings.top_k else {"do_sample": False}
        torch.manual_seed(trial.seed)
        texts = []
        for batch in encodings.split(BATCH):
            tokens = captioner.model.text_decoder.generate(
                input_ids=captioner.prompt_ids("a picture of").expand(len(batch), -1), encoder_hidden_states=batch,
                encoder_attention_mask=torch.ones(batch.shape[:2]), eos_token_id=captioner.tokenizer.sep_token_id,
                pad_token_id=captioner.tokenizer.pad_token_id, max_new_tokens=LONGEST, **kind,
            )  # fmt: skip
            texts += captioner.tokenizer.batch_decode(tokens[:, 4:], skip_special_tokens=True)
        assert run(trial, tmp_path, cache).tables["caption"].text.tolist() == texts
        assert len(set(texts)) > 1


def test_the_first_trial_prepares_what_the_others_use(
    scenes: CaptionedSource, folder: Path, cache: Path, tmp_path: Path
) -> None:
    trials = trials_of(scenes, folder)
    captions = [run(trial, tmp_path, cache).tables["caption"].drop(columns="seconds") for trial in trials[:3]]
    assert prepared.cache_info().misses == 1
    prepared.cache_clear()  # as in another process: encodings come from the file
    again = run(trials[1], tmp_path, cache).tables["caption"].drop(columns="seconds")
    pandas.testing.assert_frame_equal(again, captions[1])
    [file] = cache.glob("features-*.f16")
    file.write_bytes(file.read_bytes()[:100])
    prepared.cache_clear()  # or from the captioner, where the file is cut short
    again = run(trials[1], tmp_path, cache).tables["caption"].drop(columns="seconds")
    pandas.testing.assert_frame_equal(again, captions[1])


def test_captioners_that_differ_are_prepared_anew(scenes: CaptionedSource, folder: Path, cache: Path) -> None:
    starts = [
        Start(None, str(folder), digest, scenes, CPU, cache, report)
        for digest, report in (("a", print), ("a", len), ("b", len))
    ]
    assert prepared(starts[0]) is prepared(starts[1])
    assert prepared(starts[1]) is not prepared(starts[2])


def test_one_captions_row_worked_by_hand(folder: Path) -> None:
    captioner = blip.official_captioner(folder)
    numbers = captioner.tokenizer.get_vocab()
    caption = Written(
        (numbers["a"], numbers["a"], numbers["and"], numbers[","], numbers["[SEP]"]), (0.5, 0.25, 1.0, 0.125, 0.75)
    )
    row = caption_row(captioner, caption, ["A cat, and", "a, a"])
    probability = row.pop("token_probability")
    assert probability.dtype == np.float32
    assert probability.tolist() == [0.5, 0.25, 1.0, 0.125, 0.75]
    assert row.pop("bleu") == pytest.approx((1.0 * 0.1 / 3 * 0.1 / 2 * 0.1 / 1) ** 0.25)
    assert row == {
        "text": "a a and,", "reference": "A cat, and", "words": 4, "distinct_words": 3, "matches": [4, 0, 0, 0],
        "one_matches": [3, 0, 0, 0], "totals": [4, 3, 2, 1], "reference_words": 4, "one_reference_words": 4,
        "tokens": ["a", "a", "and", ",", "[SEP]"],
    }  # fmt: skip
    silent = caption_row(captioner, Written((numbers["[SEP]"],), (0.5,)), ["a cat"])
    assert (silent["text"], silent["words"], silent["bleu"], silent["totals"]) == ("", 0, 0.0, [0, 0, 0, 0])
    assert silent["tokens"] == ["[SEP]"]


def test_without_published_weights_the_captioner_is_trained_first(scenes: CaptionedSource, tmp_path: Path) -> None:
    training = BlipTraining(
        scenes=8, image_size_px=32, stem=(4, 4, 8, 8), vision_layers=1, decoder_layers=1, encoder_layers=1, features=4,
        stem_steps=2, stem_batch_size=4, stem_learning_rate=1e-3, steps=2, batch_size=4, learning_rate=1e-3,
    )  # fmt: skip
    first, second = experiment.trials("mini", 0, scenes, None, replace(TINY, training=training))[:2]
    rows = run(first, tmp_path / "images", tmp_path / "cache")
    assert rows.weights == "a BLIP trained on 8 scenes of the OpenMoji world with seed 0"
    assert rows.parameters > 1000
    assert run(second, tmp_path / "images", tmp_path / "cache").weights_sha256 == rows.weights_sha256
    assert len(rows.tables["caption"]) == VAL
