"""Where BLIP's published weights lie: in a folder that people name, or in the cache of the Hugging Face hub."""

import json
import os
from pathlib import Path

from huggingface_hub import constants, try_to_load_from_cache

from compute.data.files import read_limited

CAPTIONER, RETRIEVER = "blip-image-captioning-base", "blip-itm-base-coco"
PUBLISHER = "Salesforce"
NETWORKS = {CAPTIONER: "BlipForConditionalGeneration", RETRIEVER: "BlipForImageTextRetrieval"}  # as config.json names them
CONFIG, WEIGHTS = "config.json", ("model.safetensors", "pytorch_model.bin")


def blip_folder(folder: Path | None, name: str) -> Path | None:
    """Of a folder that people name, what holds the network of that name: a subfolder, itself, or None.

    It is None as well where only the other network is there. What is unclear is taken, for loading says what is wrong with it.
    """
    if folder is None:
        return None
    if os.path.isdir(folder / name):
        return folder / name
    if any(os.path.isdir(folder / other) for other in NETWORKS):
        return None
    others = {network for other, network in NETWORKS.items() if other != name}
    return None if others & set(_networks(folder)) else folder


def is_whole(folder: Path) -> bool:
    """Whether a folder has a configuration and weights."""
    return os.path.isfile(folder / CONFIG) and any(os.path.isfile(folder / file) for file in WEIGHTS)


def hub_folder(name: str) -> tuple[Path, bool]:
    """Where the hub's cache keeps, or would keep, a network, and whether it is there."""
    found = try_to_load_from_cache(f"{PUBLISHER}/{name}", CONFIG)
    if isinstance(found, str):
        return Path(found).parent, is_whole(Path(found).parent)
    return Path(constants.HF_HUB_CACHE) / f"models--{PUBLISHER}--{name}", False


def _networks(folder: Path) -> list[str]:
    try:
        named = json.loads(read_limited(folder / CONFIG))["architectures"]
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return []
    return [str(network) for network in named] if isinstance(named, list) else []
