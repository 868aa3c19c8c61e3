"""CLIP's text side: the context that is cut short against the plain one, and class weights by hand."""

import math
from pathlib import Path

import clip
import numpy as np
import pytest
import torch
from clip.model import CLIP
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from compute.data import imagenet
from compute.models import clip_text
from compute.models.class_training import Training, make_clip
from compute.models.clip_text import class_features, encode_prompts

CPU = torch.device("cpu")
SMALL = Training(
    image_size_px=32, classes=3, pictures=1, blocks=(1, 1, 1, 1), resnet_width=8, resnet_epochs=1, clip_width=8,
    clip_embedding=16, clip_text_width=64, clip_text_layers=2, clip_epochs=1, batch_size=4, learning_rate=1e-3,
)  # fmt: skip
LONGEST = " ".join(["dog"] * 75)  # and a token at each end
PROMPTS = [
    "a photo of a great white shark.",
    "",
    LONGEST,
    "a photo of a hen.",
    " ".join(["dog"] * 74),
    "a photo of a crane (bird)!",
    "dog",
]


@pytest.fixture(scope="module")
def small() -> CLIP:
    torch.manual_seed(6)
    return make_clip(SMALL).eval()


@torch.inference_mode()
def plain_features(model: CLIP, prompts: list[str]) -> Tensor:
    """As CLIP's own notebook has them: padded to the whole context."""
    return functional.normalize(model.encode_text(clip.tokenize(prompts)).float(), dim=-1)


def test_a_small_model_gives_what_the_padded_route_gives(small: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_text, "PROMPTS_AT_ONCE", 3)
    told: list[tuple[int, int]] = []
    found = encode_prompts(small, PROMPTS, CPU, lambda *step: told.append(step))
    assert (found.shape, found.dtype) == ((7, 16), torch.float32)
    assert (found - plain_features(small, PROMPTS)).abs().max() < 1e-5
    assert told == [(3, 7), (6, 7), (7, 7)]
    apart = functional.pdist(found)
    assert apart.min() > 1e-3  # so that a mix-up would show


def test_the_text_encoder_of_clip_rn50_gives_what_the_padded_route_gives() -> None:
    torch.manual_seed(7)
    model = CLIP(
        embed_dim=1024, image_resolution=32, vision_layers=(1, 1, 1, 1), vision_width=8, vision_patch_size=None,
        context_length=77, vocab_size=49408, transformer_width=512, transformer_heads=8, transformer_layers=12,
    ).eval()  # fmt: skip
    prompts = [template.format("hen") for template in imagenet.templates()[:4]] + PROMPTS[:3]
    assert (encode_prompts(model, prompts, CPU) - plain_features(model, prompts)).abs().max() < 1e-5


def test_the_order_of_the_prompts_changes_no_features(small: CLIP) -> None:
    order = [4, 0, 6, 2, 5, 1, 3]
    shuffled = encode_prompts(small, [PROMPTS[place] for place in order], CPU)
    assert (shuffled - encode_prompts(small, PROMPTS, CPU)[order]).abs().max() < 1e-6


prompts_of_tokens = st.lists(st.lists(st.integers(1, 3), max_size=5), min_size=1, max_size=8)


@given(prompts_of_tokens)
def test_each_beginning_is_found_once(prompts: list[list[int]]) -> None:
    """Tokens 1 to 3 between a start of 8 and an end of 9, in every way, against a dictionary of all beginnings."""
    rows = sorted(([8, *prompt, 9] + [0] * 7)[:7] for prompt in prompts)
    tokens = torch.tensor(rows)
    ends = tokens.argmax(dim=-1)
    places, beginnings = clip_text._different_beginnings(tokens, ends)
    first_places: dict[tuple[int, ...], int] = {}
    for number, row in enumerate(rows):
        for position in range(int(ends[number]) + 1):
            first_places.setdefault(tuple(row[: position + 1]), 7 * number + position)
    assert places.tolist() == [*first_places.values()]
    numbers = {beginning: number for number, beginning in enumerate(first_places)}
    expected = [[numbers[tuple(row[: min(place, end) + 1])] for place in range(7)] for row, end in zip(rows, ends, strict=True)]
    assert beginnings.tolist() == expected


def test_prompts_that_begin_alike_or_are_the_same_keep_their_own_features(small: CLIP) -> None:
    prompts = ["a dog", "a", "a dog in a park", "a dog", "a dog in a car", "a dogged hen"]
    found = encode_prompts(small, prompts, CPU)
    assert (found - plain_features(small, prompts)).abs().max() < 1e-5
    torch.testing.assert_close(found[0], found[3], rtol=0, atol=0)
    assert functional.pdist(found[[0, 1, 2, 4, 5]]).min() > 1e-3


def test_a_prompt_that_exceeds_the_context_is_refused(small: CLIP) -> None:
    with pytest.raises(RuntimeError, match="dog is too long for context length 77"):
        encode_prompts(small, ["dog", f"{LONGEST} dog"], CPU)


# Features of prompts in a plane, by their angles: "red hen" lies at 0 degrees, and so on.
ANGLES = {"red hen": 0, "blue hen": 90, "red jay": 30, "blue jay": 90, "red cat": 180, "blue cat": 180}


class ByHand:
    """Stands in for encode_prompts, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, model: object, prompts: list[str], device: object, progress: object = None) -> Tensor:
        self.asked += 1
        angles = [math.radians(ANGLES[prompt]) for prompt in prompts]
        return torch.tensor([[math.cos(angle), math.sin(angle)] for angle in angles])


NAMES, TEMPLATES = ["hen", "jay", "cat"], ["red {}", "blue {}"]
EXPECTED = [[math.cos(math.radians(angle)), math.sin(math.radians(angle))] for angle in (45, 60, 180)]


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> ByHand:
    function = ByHand()
    monkeypatch.setattr(clip_text, "encode_prompts", function)
    return function


def ask(cache: Path, names: list[str] = NAMES, templates: list[str] = TEMPLATES, weights: str = "w") -> np.ndarray:
    return class_features(None, weights, names, templates, CPU, cache).numpy()


def test_a_class_has_the_unit_mean_of_its_prompts(tmp_path: Path, by_hand: ByHand) -> None:
    found = ask(tmp_path)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, EXPECTED, atol=1e-6)
    assert by_hand.asked == 1


def test_class_weights_are_computed_once(tmp_path: Path, by_hand: ByHand) -> None:
    first = ask(tmp_path / "cache")
    np.testing.assert_array_equal(ask(tmp_path / "cache"), first)
    assert by_hand.asked == 1


@pytest.mark.parametrize("other", [{"names": ["hen", "cat", "jay"]}, {"templates": ["blue {}", "red {}"]}, {"weights": "v"}])
def test_other_names_templates_or_weights_are_computed_anew(tmp_path: Path, by_hand: ByHand, other: dict) -> None:
    ask(tmp_path)
    ask(tmp_path, **other)
    assert by_hand.asked == 2


@pytest.mark.parametrize("size", [0, 40, -3])
def test_a_damaged_file_in_the_cache_is_made_again(tmp_path: Path, by_hand: ByHand, size: int) -> None:
    first = ask(tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:size])
    np.testing.assert_array_equal(ask(tmp_path), first)
    np.testing.assert_array_equal(np.load(path), first)
    assert by_hand.asked == 2


def test_a_foreign_array_in_the_cache_is_not_taken_for_class_weights(tmp_path: Path, by_hand: ByHand) -> None:
    first = ask(tmp_path)
    [path] = tmp_path.iterdir()
    np.save(path, np.zeros((2, 2), np.float32))
    np.testing.assert_array_equal(ask(tmp_path), first)


def test_the_whole_way_is_that_of_clips_notebook(tmp_path: Path, small: CLIP) -> None:
    names, templates = ["hen", "great white shark"], imagenet.templates()[:3]
    found = class_features(small, "w", names, templates, CPU, tmp_path)
    for name, row in zip(names, found, strict=True):
        prompts = plain_features(small, [template.format(name) for template in templates])
        assert (row - functional.normalize(prompts.mean(dim=0), dim=0)).abs().max() < 1e-5
