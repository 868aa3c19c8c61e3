"""The sampler against transformers' `generate`, token for token, on a tiny BLIP with random weights."""

import pytest
import torch
from torch import Tensor
from transformers import BlipConfig, BlipForConditionalGeneration

from compute.captions import Written, sample

PAD, END, START = 0, 3, 5
VOCABULARY, LONGEST = 40, 14
PROMPT = torch.tensor([START, 8, 9, 10])
GRID = [(20, 1.0), (20, 0.7), (20, 0.1), (5, 2.0), (50, 1.0), (50, 0.05), (1, 1.0)]


@pytest.fixture(scope="module")
def model() -> BlipForConditionalGeneration:
    """A BLIP whose captions end after one to fourteen tokens, and whose pictures matter."""
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.6,
    }
    numbers = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "sep_token_id": END, "bos_token_id": START}
    config = BlipConfig(
        text_config={**sizes, **numbers, "max_position_embeddings": 32},
        vision_config={**sizes, "image_size": 32, "patch_size": 16},
    )
    torch.manual_seed(0)
    made = BlipForConditionalGeneration(config).eval()
    with torch.no_grad():
        made.text_decoder.cls.predictions.bias[END] = 8.0
    return made


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return 3 * torch.randn(9, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def encoded(model: BlipForConditionalGeneration, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        return model.vision_model(pixels).last_hidden_state


def ours(
    model: BlipForConditionalGeneration, encodings: Tensor, top_k: int | None, temperature: float | None, seed: int = 0
) -> list[Written]:
    dice = torch.Generator().manual_seed(seed)
    return sample(
        model.text_decoder, encodings, PROMPT, top_k=top_k, temperature=temperature, generator=dice, longest=LONGEST,
        end_id=END, pad_id=PAD,
    )  # fmt: skip


def theirs(model: BlipForConditionalGeneration, pixels: Tensor, seed: int = 0, **settings: object) -> list[list[int]]:
    """What `generate` writes behind the prompt, with its padding."""
    given = torch.cat([torch.tensor([2]), PROMPT[1:], torch.tensor([END])]).repeat(len(pixels), 1)
    torch.manual_seed(seed)
    tokens = model.generate(pixels, input_ids=given, max_new_tokens=LONGEST, **settings)
    assert tokens[:, : len(PROMPT)].tolist() == [PROMPT.tolist()] * len(pixels)
    return tokens[:, len(PROMPT) :].tolist()


def padded(captions: list[Written]) -> list[list[int]]:
    width = max(len(caption.tokens) for caption in captions)
    return [[*caption.tokens, *[PAD] * (width - len(caption.tokens))] for caption in captions]


@pytest.mark.parametrize("top_k, temperature", GRID)
def test_a_batch_is_drawn_as_generate_draws_it(
    model: BlipForConditionalGeneration, pixels: Tensor, top_k: int, temperature: float
) -> None:
    for seed in range(4):
        written = ours(model, encoded(model, pixels), top_k, temperature, seed)
        assert padded(written) == theirs(model, pixels, seed, do_sample=True, top_k=top_k, temperature=temperature)


@pytest.mark.parametrize("top_k, temperature", GRID)
def test_one_picture_is_drawn_as_generate_draws_it(
    model: BlipForConditionalGeneration, pixels: Tensor, top_k: int, temperature: float
) -> None:
    for place in range(3):
        one = pixels[place : place + 1]
        written = ours(model, encoded(model, one), top_k, temperature, seed=place)
        assert padded(written) == theirs(model, one, place, do_sample=True, top_k=top_k, temperature=temperature)


def test_greedy_captions_are_those_of_generate(model: BlipForConditionalGeneration, pixels: Tensor) -> None:
    for chosen in (pixels, pixels[:1], pixels[3:4]):
        assert padded(ours(model, encoded(model, chosen), None, None)) == theirs(model, chosen, do_sample=False)


def test_captions_of_a_batch_end_at_different_lengths_or_are_cut_off(
    model: BlipForConditionalGeneration, pixels: Tensor
) -> None:
    captions = [caption for seed in range(4) for caption in ours(model, encoded(model, pixels), 20, 1.0, seed)]
    lengths = {len(caption.tokens) for caption in captions}
    assert len(lengths) > 5
    for caption in captions:
        assert END not in caption.tokens[:-1]
        assert caption.tokens[-1] == END or len(caption.tokens) == LONGEST
        assert len(caption.probabilities) == len(caption.tokens)
    assert {caption.tokens[-1] == END for caption in captions} == {True, False}


def test_a_batch_stops_when_its_last_caption_ends(model: BlipForConditionalGeneration, pixels: Tensor) -> None:
    # A second batch goes on with the same dice: where the first one took more than it needs, the second one shows it.
    encodings = encoded(model, pixels)
    dice = torch.Generator().manual_seed(1)
    settings = {"top_k": 20, "temperature": 1.0, "generator": dice, "longest": LONGEST, "end_id": END, "pad_id": PAD}
    both = [sample(model.text_decoder, part, PROMPT, **settings) for part in (encodings[4:7], encodings[:4])]
    torch.manual_seed(1)
    for written, part in zip(both, (pixels[4:7], pixels[:4]), strict=True):
        given = torch.cat([PROMPT, torch.tensor([END])]).repeat(len(part), 1)
        tokens = model.generate(
            part, input_ids=given, max_new_tokens=LONGEST, do_sample=True, top_k=settings["top_k"], temperature=1.0
        )
        assert padded(written) == tokens[:, len(PROMPT) :].tolist()
    assert max(len(caption.tokens) for caption in both[0]) < LONGEST


@pytest.mark.parametrize("top_k, temperature", [(None, None), (20, 0.1), (3, 2.0)])
def test_probabilities_are_the_models_own_whatever_the_setting(
    model: BlipForConditionalGeneration, pixels: Tensor, top_k: int | None, temperature: float | None
) -> None:
    encodings = encoded(model, pixels)
    for encoding, caption in zip(encodings, ours(model, encodings, top_k, temperature), strict=True):
        tokens = torch.tensor([*PROMPT.tolist(), *caption.tokens])[None]
        with torch.no_grad():  # the whole caption at once, without keys and values kept
            logits = model.text_decoder(input_ids=tokens, encoder_hidden_states=encoding[None]).logits
        whole = logits.softmax(dim=-1)[0, len(PROMPT) - 1 : -1]
        naive = [float(row[token]) for row, token in zip(whole, caption.tokens, strict=True)]
        assert caption.probabilities == pytest.approx(naive, abs=1e-5)


def test_no_token_but_the_most_probable_ones_is_drawn(model: BlipForConditionalGeneration, pixels: Tensor) -> None:
    encodings = encoded(model, pixels[:1]).expand(400, -1, -1)
    with torch.no_grad():
        prompt = PROMPT.expand(1, -1)
        logits = model.text_decoder(input_ids=prompt, encoder_hidden_states=encodings[:1]).logits[0, -1]
    for top_k, temperature in ((3, 4.0), (7, 1.0)):
        firsts = [caption.tokens[0] for caption in ours(model, encodings, top_k, temperature)]
        likely = logits.topk(top_k)
        assert set(firsts) <= set(likely.indices.tolist())
        shares = (likely.values / temperature).softmax(dim=0)
        counted = torch.tensor([firsts.count(token) / 400 for token in likely.indices.tolist()])
        assert (counted - shares).abs().max() < 0.1
    assert len(set(firsts)) > 2


def test_two_seeds_draw_different_captions_and_one_seed_the_same(model: BlipForConditionalGeneration, pixels: Tensor) -> None:
    encodings = encoded(model, pixels)
    assert ours(model, encodings, 20, 1.0, 7) == ours(model, encodings, 20, 1.0, 7)
    assert ours(model, encodings, 20, 1.0, 7) != ours(model, encodings, 20, 1.0, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_as_generate_draws_there(model: BlipForConditionalGeneration, pixels: Tensor) -> None:
    there, device = model.to("cuda"), torch.device("cuda")
    try:
        dice = torch.Generator(device).manual_seed(3)
        written = sample(
            there.text_decoder, encoded(there, pixels.to(device)), PROMPT.to(device), top_k=20, temperature=1.0,
            generator=dice, longest=LONGEST, end_id=END, pad_id=PAD,
        )  # fmt: skip
        given = torch.cat([PROMPT, torch.tensor([END])]).repeat(len(pixels), 1).to(device)
        torch.manual_seed(3)
        tokens = there.generate(
            pixels.to(device), input_ids=given, max_new_tokens=LONGEST, do_sample=True, top_k=20, temperature=1.0
        )
        assert padded(written) == tokens[:, len(PROMPT) :].tolist()
    finally:
        model.to("cpu")
