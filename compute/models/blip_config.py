"""What a BLIP's config.json says of its architecture; nothing else in the file is passed on.

For transformers follows some of what may stand in one: to quantize, to fetch kernels from the hub, which are code, or to build
as many layers as it says.
"""

import json
import math
from pathlib import Path
from typing import Any

from transformers import BlipConfig, BlipTextConfig

from compute.data.errors import DataError
from compute.data.files import read_limited
from compute.models.blip_folders import CONFIG

ACTIVATIONS = ("gelu", "gelu_new", "quick_gelu", "relu", "silu")
# The least and the most of each whole number; BLIP large, the largest there is, has 24 layers that are 1024 wide.
SIZES = {
    "hidden_size": (1, 16_384), "intermediate_size": (1, 65_536), "encoder_hidden_size": (1, 16_384),
    "projection_dim": (1, 16_384), "image_text_hidden_size": (1, 16_384), "num_hidden_layers": (1, 100),
    "num_attention_heads": (1, 256), "vocab_size": (1, 1_000_000), "max_position_embeddings": (1, 100_000),
    "image_size": (1, 4_096), "patch_size": (1, 512), "bos_token_id": (0, 1_000_000), "eos_token_id": (0, 1_000_000),
    "pad_token_id": (0, 1_000_000), "sep_token_id": (0, 1_000_000),
}  # fmt: skip
NUMBERS = (
    "layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "attention_dropout", "initializer_range",
    "logit_scale_init_value", "label_smoothing",
)  # fmt: skip
SWITCHES = ("is_decoder", "use_cache", "tie_word_embeddings")
PARTS = ("text_config", "vision_config")


def read_config(folder: Path, how: str) -> BlipConfig:
    """The architecture that a folder's config.json describes; DataError, which ends with `how`, where it is none of BLIP."""
    path = folder / CONFIG
    try:
        found = json.loads(read_limited(path))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:200]
        raise DataError(f"{path}: is missing or damaged ({reason}). {how}") from error
    if not isinstance(found, dict) or found.get("model_type") != "blip":
        raise DataError(f"{path}: describes no BLIP. {how}")
    chosen: dict[str, Any] = {part: {} for part in PARTS}
    try:
        chosen |= _checked("", found)
        for part in PARTS:
            if part in found:
                chosen[part] = _checked(f"{part}.", found[part])
        _check_token_ids(chosen["text_config"])
    except ValueError as error:
        raise DataError(f"{path}: {error}. {how}") from error
    return BlipConfig(**chosen)


def _checked(prefix: str, values: Any) -> dict[str, Any]:
    """Those of the values that describe an architecture; ValueError in words where one of them cannot be."""
    if not isinstance(values, dict):
        raise ValueError(f"{prefix.rstrip('.')} holds no names and values")
    kept = {name: value for name, value in values.items() if name in (*SIZES, *NUMBERS, *SWITCHES, "hidden_act")}
    for name, value in kept.items():
        if name in SIZES:
            least, most = SIZES[name]
            good, expected = type(value) is int and least <= value <= most, f"a whole number from {least:,} to {most:,}"
        elif name in NUMBERS:
            good, expected = type(value) in (int, float) and math.isfinite(value), "a number"
        elif name in SWITCHES:
            good, expected = type(value) is bool, "true or false"
        else:
            good, expected = value in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}"
        if not good:
            raise ValueError(f"{prefix}{name} is {str(value)[:40]!r}, and must be {expected}")
    return kept


def _check_token_ids(text: dict[str, Any]) -> None:
    known = BlipTextConfig().to_dict() | text
    vocabulary = known["vocab_size"]
    for name in ("bos_token_id", "pad_token_id", "sep_token_id"):
        if not 0 <= known[name] < vocabulary:
            raise ValueError(f"text_config.{name} is none of the {vocabulary:,} tokens")
