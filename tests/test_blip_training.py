"""The small BLIP that learns from the world's scenes: what it learns from, that it learns, and that its cache is no trap."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compute.data.openmoji_scenes import COLOR_WORDS, PLACES, DrawnScene
from compute.models import blip, blip_training
from compute.models.blip_scenes import LABEL_COUNT, UNCLEAR, draw_scenes, patch_targets
from compute.models.blip_training import TRAININGS, trained_captioner, trained_retriever

CPU = torch.device("cpu")
TINY = replace(
    TRAININGS["mini"], scenes=24, image_size_px=64, stem=(8, 8, 16, 32), features=8, stem_steps=12, stem_batch_size=8, steps=12,
    batch_size=8,
)  # fmt: skip


def quiet(done, of, words):
    pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def captioner(cache):
    return trained_captioner(TINY, 0, CPU, cache, quiet)


def scene(labels, colors, place="road"):
    return DrawnScene(np.zeros((64, 64, 3), np.uint8), labels, labels, (), colors, place, "")


def test_a_patch_has_the_label_and_the_color_that_cover_a_quarter_of_it():
    labels, colors = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    labels[:32, :32] = 7  # all of the first patch
    labels[:8, 32:] = 12  # a quarter of the second, on top
    labels[32:36, 32:] = 3  # an eighth of the last
    colors[:8, 32:], colors[8:32, 32:] = 5, 6  # of the second patch most is a thing that has no label

    found, found_colors = patch_targets(scene(labels, colors), 2)

    road = 21 + PLACES.index("road")
    assert found.tolist() == [[7, 12], [road, UNCLEAR]]
    assert found_colors.tolist() == [[0, 6], [0, 0]]


def test_void_is_no_thing():
    labels = np.full((64, 64), 255, np.uint8)
    found, _ = patch_targets(scene(labels, np.zeros_like(labels), PLACES[-1]), 1)
    assert found.item() == 20 + len(PLACES) == LABEL_COUNT - 1


def test_scenes_are_the_worlds_own_with_their_captions():
    scenes = draw_scenes(3, 64, 0, quiet)
    assert scenes.photos.shape == (3, 3, 64, 64)
    assert all(len(captions) >= 2 for captions in scenes.captions)
    assert ((scenes.labels < LABEL_COUNT) | (scenes.labels == UNCLEAR)).all()
    assert ((scenes.colors <= len(COLOR_WORDS)) | (scenes.colors == UNCLEAR)).all()


def test_in_a_mirrored_scene_left_is_right():
    text = "a cat left of a dog, to the right of a leftover"
    assert blip_training.mirrored(text) == "a cat right of a dog, to the left of a leftover"


def test_the_decoder_goes_on_from_the_prompt_and_the_encoder_reads_captions_as_they_are():
    scenes = replace(
        draw_scenes(1, 64, 0, quiet), captions=(("a photo of a cat left of a bus",),), remarks=("a cat left of a bus",)
    )
    tokenizer = blip.small_tokenizer([blip_training.PROMPT, *scenes.captions[0], "right"])
    lessons, place, dice = blip_training.Lessons(scenes, tokenizer), torch.tensor([0]), np.random.default_rng(0)
    words = tokenizer.convert_ids_to_tokens

    written = lessons.written(place, torch.tensor([True]), dice)[0].tolist()
    assert words(written) == ["[DEC]", "a", "picture", "of", "a", "cat", "right", "of", "a", "bus", "[SEP]"]
    assert len(lessons.prompt) == blip_training.PROMPT_TOKENS
    compared = lessons.compared(place, torch.tensor([False]), dice)[0].tolist()
    assert words(compared) == ["[CLS]", "a", "photo", "of", "a", "cat", "left", "of", "a", "bus", "[SEP]"]


def test_the_decoder_learns_remarks_and_captions_and_the_encoder_captions_alone():
    scenes = replace(draw_scenes(1, 64, 0, quiet), captions=(("a cat left of a bus", "a bus"),), remarks=("a cat",))
    tokenizer = blip.small_tokenizer([blip_training.PROMPT, *scenes.texts(), "right"])
    lessons, places, dice = (
        blip_training.Lessons(scenes, tokenizer),
        torch.zeros(400, dtype=torch.int64),
        np.random.default_rng(0),
    )
    as_it_is = torch.zeros(400, dtype=torch.bool)

    def shares(rows):
        lengths = [len(row[row != blip_training.PAD_ID]) for row in rows]
        return [lengths.count(length) / 400 for length in sorted(set(lengths))]

    assert shares(lessons.compared(places, as_it_is, dice)) == pytest.approx([0.5, 0.5], abs=0.08)
    ended = [row[row != blip_training.PAD_ID][-2].item() for row in lessons.written(places, as_it_is, dice)]
    assert ended.count(tokenizer.convert_tokens_to_ids("cat")) / 400 == pytest.approx(blip_training.REMARK_SHARE, abs=0.08)


def test_batches_bring_every_scene_before_any_comes_again():
    batches = blip_training._batches(10, 4, seed=0)
    first = torch.cat([next(batches)[0] for _ in range(2)]).tolist()
    assert len(set(first)) == 8
    assert [len(next(batches)[0]) for _ in range(5)] == [4] * 5  # what is left over waits for another order


def test_training_goes_down_both_losses(tmp_path):
    told = []
    trained_captioner(replace(TINY, stem_steps=60, steps=60), 0, CPU, tmp_path, lambda done, of, words: told.append(words))
    for what in ("vision learns", "BLIP learns"):
        losses = [float(words.rpartition(" ")[2]) for words in told if words.startswith(what)]
        assert len(losses) == 60
        assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_the_same_seed_gives_the_same_weights_and_the_cache_gives_them_back(captioner, cache, tmp_path):
    assert trained_captioner(TINY, 0, CPU, tmp_path, quiet).digest == captioner.digest
    kept = trained_captioner(TINY, 0, CPU, cache, lambda *told: pytest.fail("it learnt again"))
    assert kept.digest == captioner.digest
    assert kept.tokenizer.get_vocab() == captioner.tokenizer.get_vocab()
    assert trained_captioner(TINY, 1, CPU, tmp_path, quiet).digest != captioner.digest


def test_a_spoilt_file_in_the_cache_is_made_again(captioner, cache, tmp_path):
    [path] = cache.glob("blip-*.pt")
    (tmp_path / path.name).write_bytes(path.read_bytes()[:1000])
    assert trained_captioner(TINY, 0, CPU, tmp_path, quiet).digest == captioner.digest


def test_both_networks_see_with_the_same_eyes_which_see_what_training_saw(captioner, cache):
    retriever = trained_retriever(TINY, 0, CPU, cache, quiet)
    scenes = draw_scenes(4, TINY.image_size_px, 1, quiet)
    seen = blip.encode_images(captioner.model, scenes.photos)
    assert torch.equal(seen, blip.encode_images(retriever.model, scenes.photos))

    models = torch.nn.ModuleDict({"captioner": captioner.model, "retriever": retriever.model})
    patches = blip_training._cached_patches(models, TINY, scenes)
    with torch.no_grad():
        torch.testing.assert_close(blip_training._seen(models, patches[0].float()), seen, atol=5e-3, rtol=0)


def test_transformers_own_generation_takes_the_trained_network(captioner):
    scenes = draw_scenes(2, TINY.image_size_px, 0, quiet)
    prompt = captioner.prompt_ids(blip_training.PROMPT)
    written = captioner.model.generate(
        blip.pixels(scenes.photos, TINY.image_size_px),
        input_ids=torch.cat([prompt, torch.tensor([3])]).expand(2, -1).clone(),  # it cuts the last token off, as [SEP]
        max_new_tokens=4,
        do_sample=False,
    )
    assert written.shape[1] <= len(prompt) + 4
    assert torch.equal(written[:, : len(prompt)], prompt.expand(2, -1))
    assert captioner.model.config.text_config.bos_token_id == captioner.tokenizer.bos_token_id
    assert captioner.model.config.text_config.sep_token_id == captioner.tokenizer.sep_token_id
