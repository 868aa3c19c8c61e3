"""CLIP's text side: prompts to class weights, computed once and only as far as the longest prompt reaches.

A causal text encoder ignores what follows the end token, so cutting the context to the longest prompt of a batch changes
nothing but the time. Source: openai/CLIP, clip/model.py and notebooks/Prompt_Engineering_for_ImageNet.ipynb.
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


@torch.inference_mode()
def encode_prompts(
    model: CLIP, prompts: Sequence[str], device: torch.device, progress: Callable[[int, int], None] | None = None
) -> Tensor:
    """Unit text features of prompts, in their order: (len(prompts), D) float32 on the CPU.

    Prompts of like length are encoded together. `progress` is told (done, total). Raises RuntimeError, as clip.tokenize does,
    where a prompt exceeds the model's context.
    """
    tokens = clip.tokenize(list(prompts), context_length=model.context_length)
    order = tokens.argmax(dim=-1).argsort(stable=True)
    features = torch.empty(len(prompts), model.text_projection.shape[1])
    for start in range(0, len(order), PROMPTS_AT_ONCE):
        batch = order[start : start + PROMPTS_AT_ONCE]
        features[batch] = functional.normalize(encode_tokens(model, tokens[batch].to(device)).float(), dim=-1).cpu()
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
