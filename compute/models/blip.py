"""BLIP, which captions pictures and compares them with texts: its published weights, pixels, features and a small vocabulary.

Source: Li et al. 2022; the networks are transformers' own, the weights Salesforce's on the Hugging Face hub.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from torchvision.transforms.v2 import functional as pictures
from transformers import BertTokenizer, BlipForConditionalGeneration, BlipForImageTextRetrieval, PreTrainedTokenizerFast
from transformers.utils import logging

from compute.data.errors import DataError
from compute.data.files import folder_problem
from compute.models.blip_config import read_config
from compute.models.blip_folders import CAPTIONER, CONFIG, PUBLISHER, RETRIEVER, WEIGHTS
from compute.models.official_weights import UNUSABLE, check_archive, check_finite, file_digest, first_line
from compute.models.preprocessing import CLIP_MEAN, CLIP_STD

SAFETENSORS, PICKLED = WEIGHTS
TOKENIZERS = ("tokenizer.json", "vocab.txt")
FETCHED = (CONFIG, SAFETENSORS, *TOKENIZERS, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]")  # BERT's, and BLIP's two
LONGEST_TEXT = 35  # tokens that retrieval reads of a text, as BLIP's own evaluation does


@dataclass(frozen=True, eq=False)
class Captioner:
    """A frozen BLIP that writes captions, its tokenizer, its weights' SHA-256, and where they come from in words."""

    model: BlipForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast
    digest: str
    origin: str

    @property
    def image_size_px(self) -> int:
        """Side of the square pictures that it encodes."""
        return _image_size_px(self.model)

    def prompt_ids(self, prompt: str) -> Tensor:
        """The tokens (L,) int64 that captions go on from: the start that BLIP's decoder learnt, then the prompt's own."""
        words = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return torch.tensor([_text_config(self.model).bos_token_id, *words])


@dataclass(frozen=True, eq=False)
class Retriever:
    """A frozen BLIP that compares pictures with texts, and the same about it as of a Captioner."""

    model: BlipForImageTextRetrieval
    tokenizer: PreTrainedTokenizerFast
    digest: str
    origin: str

    @property
    def image_size_px(self) -> int:
        """Side of the square pictures that it encodes."""
        return _image_size_px(self.model)


def official_captioner(directory: Path | None = None) -> Captioner:
    """BLIP base fine-tuned for captions, of a folder in Hugging Face's format or the hub's cache, in fp32 on the CPU.

    Where neither is given nor cached, it is downloaded. Raises DataError where it is missing, damaged or another network.
    """
    model, tokenizer, digest = _loaded(BlipForConditionalGeneration, directory, CAPTIONER)
    return Captioner(model, tokenizer, digest, str(directory or f"{PUBLISHER}/{CAPTIONER}"))


def official_retriever(directory: Path | None = None) -> Retriever:
    """BLIP base fine-tuned for retrieval on COCO, as `official_captioner` loads the one for captions."""
    model, tokenizer, digest = _loaded(BlipForImageTextRetrieval, directory, RETRIEVER)
    return Retriever(model, tokenizer, digest, str(directory or f"{PUBLISHER}/{RETRIEVER}"))


def weights_digest(directory: Path) -> str:
    """SHA-256 of the weights in a folder in Hugging Face's format; raises DataError where there are none."""
    return file_digest(_weights_file(directory, "It is no folder of a network in Hugging Face's format."))


def pixels(photos: np.ndarray | Tensor, size_px: int) -> Tensor:
    """Photos (B, H, W, 3) or (B, 3, H, W) uint8 -> (B, 3, size, size) float32, resized and normalized.

    The same as transformers' BlipImageProcessor to 1e-5: bicubic with antialiasing to a square, CLIP's mean and deviation.
    """
    channels_first = torch.as_tensor(photos)
    if channels_first.shape[-1] == 3:
        channels_first = channels_first.permute(0, 3, 1, 2)
    if channels_first.shape[-2:] != (size_px, size_px):
        channels_first = pictures.resize(channels_first, [size_px, size_px], pictures.InterpolationMode.BICUBIC, antialias=True)
    return pictures.normalize(pictures.to_dtype(channels_first, torch.float32, scale=True), list(CLIP_MEAN), list(CLIP_STD))


@torch.no_grad()
def encode_images(model: BlipForConditionalGeneration | BlipForImageTextRetrieval, photos: np.ndarray | Tensor) -> Tensor:
    """What the text side sees of photos (B, H, W, 3) or (B, 3, H, W) uint8: (B, 1 + patches, D) on the model's device.

    The first of them is the class token, which retrieval projects.
    """
    inputs = pixels(photos, _image_size_px(model))
    return model.vision_model(pixel_values=inputs.to(model.device, model.dtype)).last_hidden_state


@torch.no_grad()
def text_features(retriever: Retriever, texts: Sequence[str]) -> Tensor:
    """The class token of each text before it is projected: (B, D) on the model's device; 35 tokens of a text are read."""
    longest = min(LONGEST_TEXT, _text_config(retriever.model).max_position_embeddings)
    tokens = retriever.tokenizer(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")
    tokens = tokens.to(retriever.model.device)
    output = retriever.model.text_encoder(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
    return output.last_hidden_state[:, 0]


def small_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer whose vocabulary is the lower-case words and punctuation marks of `texts` in order, after the special tokens.

    It splits as BERT does, puts [CLS] before a text and [SEP] behind it, and joins words and commas again as people write them.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = {word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))}
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        additional_special_tokens=["[ENC]"],
        model_input_names=["input_ids", "attention_mask"],
        **dict(zip(names, SPECIAL, strict=False)),
    )


def _image_size_px(model: Any) -> int:
    return int(model.config.vision_config.image_size)


def _text_config(model: Any) -> Any:
    return model.config.text_config


def _loaded(kind: Any, directory: Path | None, name: str) -> tuple[Any, PreTrainedTokenizerFast, str]:
    how = f"The official ones: hf download {PUBLISHER}/{name} --local-dir weights/{name}, then pass --blip-weights weights."
    folder = directory or _fetched(name, how)
    weights = _weights_file(folder, how)
    digest = file_digest(weights)
    model = _model(kind, weights, how)
    return model, _tokenizer(folder, _text_config(model), how), digest


def _fetched(name: str, how: str) -> Path:
    """The folder of the hub's cache that holds an official network, which is downloaded where it is not whole there."""
    problem: Exception | None = None
    # Weights that torch pickled are only fetched where the hub has no others.
    for offline, files in ((True, (*FETCHED, PICKLED)), (False, FETCHED), (False, (*FETCHED, PICKLED))):
        try:
            folder = Path(snapshot_download(f"{PUBLISHER}/{name}", allow_patterns=list(files), local_files_only=offline))
        except Exception as error:  # of the network, the disk or the hub, whose client has dozens of kinds
            problem = error
            continue
        if all((folder / file).is_file() for file in (CONFIG, _weights_name(folder))):
            return folder
    raise DataError(f"{PUBLISHER}/{name}: is not in the hub's cache, and cannot be downloaded ({first_line(problem)}). {how}")


def _weights_name(folder: Path) -> str:
    return PICKLED if (folder / PICKLED).is_file() and not (folder / SAFETENSORS).is_file() else SAFETENSORS


def _weights_file(folder: Path, how: str) -> Path:
    path = folder / _weights_name(folder)
    if (problem := folder_problem(folder)).startswith("cannot"):
        raise DataError(f"{folder}: {problem}. {how}")
    if not path.is_file():
        raise DataError(f"{folder}: has no {SAFETENSORS}. {how}")
    for other in sorted(folder.iterdir()):  # transformers opens more of them than are named here
        if not os.path.isfile(other) and not os.path.isdir(other):
            raise DataError(f"{other}: is no file. Remove it. {how}")
    return path


def _model(kind: Any, weights: Path, how: str) -> Any:
    """The network of a folder, frozen, in single precision; transformers reads pickled weights without running their code."""
    folder = weights.parent
    config = read_config(folder, how)
    try:
        check_archive(weights)
        with _quiet():
            model, info = kind.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=weights.name == SAFETENSORS,
                weights_only=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (*UNUSABLE, ImportError, SafetensorError, StrictDataclassError) as error:
        raise DataError(f"{weights}: cannot be loaded as BLIP's weights ({first_line(error)}). {how}") from error
    if missing := sorted(info["missing_keys"]):
        raise DataError(f"{weights}: is no {kind.__name__}, for it lacks {missing[0]} and {len(missing) - 1} more. {how}")
    check_finite(model, weights, how)
    return model.eval().requires_grad_(requires_grad=False)


def _tokenizer(folder: Path, text_config: Any, how: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a folder, with BLIP's two tokens behind BERT's, which official files leave out."""
    there = [name for name in TOKENIZERS if (folder / name).is_file()]
    if not there:
        raise DataError(f"{folder}: has neither {' nor '.join(TOKENIZERS)}. {how}")
    kind = PreTrainedTokenizerFast if there[0] == "tokenizer.json" else BertTokenizer
    try:
        tokenizer = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if tokenizer.bos_token is None and len(tokenizer) + 2 <= text_config.vocab_size:
            tokenizer.add_special_tokens({"bos_token": "[DEC]"})
            tokenizer.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise DataError(f"{folder / there[0]}: is damaged ({first_line(error)}). {how}") from error
    known = (tokenizer.pad_token_id, tokenizer.sep_token_id) == (text_config.pad_token_id, text_config.sep_token_id)
    if not known or len(tokenizer) > text_config.vocab_size:
        raise DataError(f"{folder / there[0]}: is the tokenizer of another network than {CONFIG} describes. {how}")
    return tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and tables, as what it finds missing is told in an error."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
