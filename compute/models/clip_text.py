"""CLIP's text side: prompts to class weights, computed once, and each beginning that prompts share only once.

In a causal text encoder a token's state depends on what stands before it alone. So what follows the end token can be left
out, and "a photo of a" need not be computed for every class again: neither changes anything but the time. Source:
openai/CLIP, clip/model.py and notebooks/Prompt_Engineering_for_ImageNet.ipynb.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import clip
import numpy as np
import torch
from clip.model import CLIP
from torch import Tensor
from torch.nn import functional

from compute.unfinished import whole_file

PROMPTS_AT_ONCE = 512


def encode_tokens(model: CLIP, tokens: Tensor) -> Tensor:
    """CLIP's text features, as `model.encode_text` computes them: (B, context) int -> (B, D), not normalized.

    The context is cut to the longest prompt. `tokens` are clip.tokenize's, in which the end token has the highest number.
    """
    ends = tokens.argmax(dim=-1)
    length = int(ends.max()) + 1
    embedded = model.token_embedding(tokens[:, :length]).type(model.dtype) + model.positional_embedding[:length].type(
        model.dtype
    )
    states = embedded.permute(1, 0, 2)  # (length, B, width), as clip's blocks want it
    for block in model.transformer.resblocks:
        mask = block.attn_mask[:length, :length].to(states)
        normalized = block.ln_1(states)
        states = states + block.attn(normalized, normalized, normalized, need_weights=False, attn_mask=mask)[0]
        states = states + block.mlp(block.ln_2(states))
    states = model.ln_final(states.permute(1, 0, 2)).type(model.dtype)
    return states[torch.arange(len(tokens)), ends] @ model.text_projection


def _encode_beginnings(model: CLIP, tokens: Tensor) -> Tensor:
    """As `encode_tokens`, of sorted prompts, without gradients: all but attention works on different beginnings only."""
    ends = tokens.argmax(dim=-1)
    tokens = tokens[:, : int(ends.max()) + 1]
    places, beginnings = _different_beginnings(tokens, ends)
    embedded, positions = model.token_embedding(tokens.flatten()[places]), model.positional_embedding[places % tokens.shape[1]]
    states = embedded.type(model.dtype) + positions.type(model.dtype)
    for block in model.transformer.resblocks:
        projected = functional.linear(block.ln_1(states), block.attn.in_proj_weight, block.attn.in_proj_bias)
        queries, keys, values = projected[beginnings].unflatten(-1, (3, block.attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)  # (B, heads, length, width)
        states = states + block.attn.out_proj(attended.transpose(1, 2).flatten(0, 1).flatten(1)[places])
        states = states + block.mlp(block.ln_2(states))
    states = model.ln_final(states[beginnings[:, -1]]).type(model.dtype)
    return states @ model.text_projection


def _different_beginnings(tokens: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Where in sorted (B, length) tokens each beginning is found first, and which one a prompt has up to each of its tokens.

    Places (N,) in the flattened tokens; beginnings (B, length) in 0 to N - 1, after a prompt's end the whole prompt again.
    """
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    differs = (tokens[1:] != tokens[:-1]).cumsum(dim=1) > 0  # from the prompt before, at a token or before it
    is_new = functional.pad(differs, (0, 0, 1, 0), value=True) & (positions <= ends[:, None])
    numbers = torch.where(is_new.flatten(), is_new.flatten().cumsum(dim=0) - 1, 0).view_as(tokens)
    beginnings = numbers.cummax(dim=0).values.gather(1, torch.minimum(positions, ends[:, None]))
    return is_new.flatten().nonzero()[:, 0], beginnings


@torch.inference_mode()
def encode_prompts(
    model: CLIP, prompts: Sequence[str], device: torch.device, progress: Callable[[int, int], None] | None = None
) -> Tensor:
    """Unit text features of prompts, in their order: (len(prompts), D) float32 on the CPU.

    Prompts that begin alike are encoded together. `progress` is told (done, total). Raises RuntimeError, as clip.tokenize
    does, where a prompt exceeds the model's context.
    """
    tokens = clip.tokenize(list(prompts), context_length=model.context_length)
    order = sorted(range(len(tokens)), key=tokens.tolist().__getitem__)
    features = torch.empty(len(prompts), model.text_projection.shape[1])
    for start in range(0, len(order), PROMPTS_AT_ONCE):
        batch = order[start : start + PROMPTS_AT_ONCE]
        features[batch] = functional.normalize(_encode_beginnings(model, tokens[batch].to(device)).float(), dim=-1).cpu()
        if progress is not None:
            progress(start + len(batch), len(order))
    return features


def class_features(
    model: CLIP,
    weights_sha256: str,
    names: Sequence[str],
    templates: Sequence[str],
    device: torch.device,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Zero-shot weights of the classes `names`: (classes, D) float32, each the unit mean over its prompts' unit features.

    Kept in `cache` by weights, names and templates.
    """
    key = hashlib.sha256(json.dumps([weights_sha256, list(names), list(templates)]).encode()).hexdigest()
    path = cache / f"class_features-{key[:16]}.npy"
    try:
        kept = np.load(path)
        if kept.shape[:1] == (len(names),):
            return torch.from_numpy(kept)
    except (OSError, ValueError, EOFError):  # not there, or cut short
        pass
    prompts = [template.format(name) for name in names for template in templates]
    features = encode_prompts(model, prompts, device, progress).view(len(names), len(templates), -1)
    weights = functional.normalize(features.mean(dim=1), dim=-1)
    with whole_file(path) as unfinished:
        np.save(unfinished, weights.numpy())
    return weights
