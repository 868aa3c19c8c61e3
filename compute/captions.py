"""Writes captions with BLIP's text decoder: greedily, or drawn from the most probable tokens at a temperature.

The same tokens as transformers' `generate` writes from the same seed (its order: temperature, then top-k, then the draw), but
from encodings that are computed once for all settings, and with the probability that the model itself gave each token.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import BlipTextLMHeadModel


class Written(NamedTuple):
    """One caption's tokens behind the prompt, the end's included where it came, and the model's own probability of each."""

    tokens: tuple[int, ...]
    probabilities: tuple[float, ...]


@torch.inference_mode()
def sample(
    decoder: BlipTextLMHeadModel,
    encodings: Tensor,
    prompt_ids: Tensor,
    *,
    top_k: int | None,
    temperature: float | None,
    generator: torch.Generator | None,
    longest: int,
    end_id: int,
    pad_id: int,
) -> list[Written]:
    """Write a caption for each encoded picture (B, T, D), going on from one prompt (L,) int64 for all.

    With both None the most probable token is taken each time. Otherwise each token is drawn with `generator` from the `top_k`
    most probable ones (None: from all) after logits are divided by `temperature` (None: 1). At most `longest` tokens are
    written. All tensors and the generator lie on the decoder's device.
    """
    tokens = prompt_ids.expand(len(encodings), -1)  # (B, L), later (B, 1)
    ended = torch.zeros(len(encodings), dtype=torch.bool, device=encodings.device)
    keys_and_values = None
    chosen, probabilities = [], []
    for _ in range(longest):
        output = decoder(
            input_ids=tokens,
            encoder_hidden_states=encodings,
            past_key_values=keys_and_values,
            use_cache=True,
            logits_to_keep=1,
        )
        keys_and_values = output.past_key_values
        logits = output.logits[:, -1].float()  # (B, vocabulary)
        if top_k is None and temperature is None:
            token = logits.argmax(dim=-1)
        else:
            # A row that has ended draws as well, as it does in `generate`, so that the others' draws do not change.
            scores = _most_probable(logits / (temperature or 1.0), top_k)
            token = torch.multinomial(scores.softmax(dim=-1), 1, generator=generator).squeeze(1)
        token = token.masked_fill(ended, pad_id)
        chosen.append(token)
        probabilities.append(logits.softmax(dim=-1).gather(1, token.unsqueeze(1)).squeeze(1))
        ended = ended | (token == end_id)
        if ended.all():
            break
        tokens = token.unsqueeze(1)
    return [
        _until_end(row, probability, end_id)
        for row, probability in zip(torch.stack(chosen, 1).tolist(), torch.stack(probabilities, 1).tolist(), strict=True)
    ]


def _most_probable(scores: Tensor, top_k: int | None) -> Tensor:
    """Scores (B, vocabulary) with all but the `top_k` largest, and those as large as the last of them, at minus infinity."""
    if top_k is None or top_k >= scores.shape[-1]:
        return scores
    last = scores.topk(top_k).values[:, -1:]
    return scores.masked_fill(scores < last, -torch.inf)


def _until_end(tokens: list[int], probabilities: list[float], end_id: int) -> Written:
    count = tokens.index(end_id) + 1 if end_id in tokens else len(tokens)
    return Written(tuple(tokens[:count]), tuple(probabilities[:count]))
