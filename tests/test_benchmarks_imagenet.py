"""The benchmarks of the ImageNet experiments, at sizes at which they take seconds."""

import importlib
import inspect
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch
from PIL import Image

import dashboard
from benchmarks import imagenet_pages, imagenet_results, prediction_pass, zero_shot_weights
from compute.data import imagenet

IMAGES, CLASSES = 200, 40


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return imagenet_results.write_results(tmp_path_factory.mktemp("imagenet"), IMAGES, CLASSES)


@pytest.fixture(scope="module")
def rows(written):
    with duckdb.connect(str(written.results), read_only=True) as connection:
        yield connection


def test_every_run_is_written_with_every_output(written, rows):
    counts = rows.execute(
        """SELECT variant, count(*), sum(len(single_values)), sum(len(half_bits)) FROM logit JOIN run USING (run_id)
           GROUP BY variant ORDER BY variant"""
    ).fetchall()
    outputs = IMAGES * CLASSES
    assert counts == [
        ("clip_80_templates", IMAGES, outputs, None),
        ("clip_80_templates_half", IMAGES, None, outputs),
        ("rn50", IMAGES, outputs, None),
        ("rn50_half", IMAGES, None, outputs),
    ]
    assert set(written.publish_seconds) == {"wordnet_3_0", *(variant for variant, *_ in counts)}


def test_half_precision_is_the_rounded_single_one(rows):
    values = {
        variant: np.array(singles if singles is not None else halves)
        for variant, singles, halves in rows.execute(
            """SELECT variant, single_values, half_bits FROM logit JOIN run USING (run_id) JOIN image USING (image_id)
               WHERE ordinal = 7"""
        ).fetchall()
    }
    for variant in ("rn50", "clip_80_templates"):
        bits = values[f"{variant}_half"].astype(np.uint16)
        assert np.array_equal(bits.view(np.float16), values[variant].astype(np.float32).astype(np.float16))


def test_classes_are_spread_over_all_and_have_as_many_pictures_each(rows):
    indices = rows.execute("SELECT DISTINCT imagenet_index FROM image JOIN synset USING (wnid) ORDER BY 1").fetchall()
    counts = rows.execute("SELECT DISTINCT count(*) FROM image GROUP BY wnid").fetchall()
    assert (len(indices), indices[0], indices[-1], counts) == (CLASSES, (0,), (999,), [(IMAGES // CLASSES,)])


@pytest.mark.parametrize(("variant", "expected"), [("rn50", 0.75), ("clip_80_templates", 0.70)])
def test_labels_of_1000_classes_are_as_often_among_the_first_five_as_real_ones(variant, expected):
    labels = np.random.default_rng(0).integers(1000, size=3000)
    logits = imagenet_results.generated_logits(labels, 1000, imagenet_results.CLASSIFIERS[variant])
    better = (logits > logits[np.arange(len(labels)), labels][:, None]).sum(axis=1)
    assert (better < 5).mean() == pytest.approx(expected, abs=0.03)


def test_without_logit_the_file_is_smaller_and_nothing_stays_behind(written):
    before = set(written.results.parent.iterdir())
    assert 0 < imagenet_results.bytes_without_logit(written.results) < written.results.stat().st_size
    assert set(written.results.parent.iterdir()) == before


def test_every_query_of_the_pages_is_measured():
    stems = {path.stem for path in Path(dashboard.__path__[0]).glob("queries_*.py")}
    modules = [importlib.import_module(f"dashboard.{stem}") for stem in stems - set(imagenet_pages.OTHER_PAGES)]
    public = {
        f"{module.__name__.removeprefix('dashboard.')}.{name}"
        for module in modules
        for name, function in vars(module).items()
        if callable(function) and not name.startswith("_") and not inspect.isclass(function)
        if getattr(function, "__module__", None) == module.__name__
    }
    assert public == set(imagenet_pages.JUDGED) | set(imagenet_pages.ONCE) | set(imagenet_pages.COMPOSED)


def test_the_queries_answer_varied_calls(written):
    results = imagenet_pages.prepared_results(written.results.parent, IMAGES)
    times_ms = imagenet_pages.measure(results, calls=3, warm_ups=1)
    assert {len(times) for times in times_ms.values()} == {3}
    assert min(min(times) for times in times_ms.values()) > 0


def test_plain_loop_and_experiment_give_the_same_outputs(tmp_path):
    generator = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for path in paths:
        noise = generator.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC).save(path, quality=95)
    outputs = {}
    for contestant in (prediction_pass.PLAIN, prediction_pass.OURS):
        rates = prediction_pass.run_contestant(contestant, "resnet50", paths, tmp_path / "outputs.npy")
        assert {prediction_pass.RATE, prediction_pass.READING, prediction_pass.NETWORK} <= set(rates)
        outputs[contestant] = np.load(tmp_path / "outputs.npy")
    plain, ours = outputs.values()
    assert plain.shape == (3, 1000)
    assert np.abs(plain - ours).max() < 0.01 * np.abs(plain).max()


def test_without_photos_class_images_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_pass, "PHOTOS", tmp_path / "none")
    monkeypatch.setattr(prediction_pass, "DRAWN", (2, 1))
    drawn = prediction_pass.photos(None, None, tmp_path / "drawn")
    assert len(drawn) >= 2
    assert all(Image.open(path).size[0] > 0 for path in drawn)


def test_zero_shot_prompts_are_every_template_of_classes_spread_over_all():
    prompts = zero_shot_weights.class_prompts(4)
    names = [imagenet.classes()[index].openai_name for index in (0, 250, 500, 750)]
    assert prompts == [[template.format(name) for template in imagenet.templates()] for name in names]


def test_both_ways_to_zero_shot_weights_give_the_same_features():
    model, prompts = zero_shot_weights.rn50_text_encoder(), [["a photo of a tench."], ["a drawing of the plow."]]
    plain, ours = (contestant(model, prompts) for contestant in zero_shot_weights.CONTESTANTS.values())
    assert plain.shape == (2, 1024)
    assert torch.allclose(plain, ours, atol=zero_shot_weights.LARGEST_DIFFERENCE, rtol=0)
