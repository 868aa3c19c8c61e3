"""BLIP's loading, its pixels and features, and the small vocabulary, on tiny networks written as the hub has them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipImageProcessor,
    PreTrainedTokenizerFast,
)

from compute.data.errors import DataError
from compute.data.openmoji_scenes import draw_scene
from compute.models import blip
from compute.models.official_weights import file_digest

TEXTS = ("A bus, a plane and a bottle.", "two dogs on grass")
SIZE_PX = 32


def tiny_config(tokenizer: PreTrainedTokenizerFast, vocabulary_size: int | None = None) -> BlipConfig:
    numbers = {
        "pad_token_id": tokenizer.pad_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "bos_token_id": tokenizer.bos_token_id if vocabulary_size is None else vocabulary_size - 2,
        "vocab_size": vocabulary_size or len(tokenizer),
    }
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**sizes, **numbers, "max_position_embeddings": 32, "initializer_range": 0.5}
    vision = {**sizes, "image_size": SIZE_PX, "patch_size": 16, "initializer_range": 0.5}
    return BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=8)


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return blip.small_tokenizer(TEXTS)


@pytest.fixture
def captioner_folder(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    return written(tmp_path / "captioner", BlipForConditionalGeneration, tokenizer)


def written(
    folder: Path, kind: Callable[..., torch.nn.Module], tokenizer: PreTrainedTokenizerFast, vocabulary_size: int | None = None
) -> Path:
    torch.manual_seed(4)
    kind(tiny_config(tokenizer, vocabulary_size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def photos(count: int, size_px: int = SIZE_PX) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size_px, size_px, 3), dtype=np.uint8)


def test_a_captioner_of_a_folder_is_the_one_that_was_saved_and_frozen(captioner_folder: Path) -> None:
    captioner = blip.official_captioner(captioner_folder)
    saved = BlipForConditionalGeneration.from_pretrained(captioner_folder)
    for name, value in saved.state_dict().items():
        assert torch.equal(captioner.model.state_dict()[name], value), name
    assert not captioner.model.training
    assert not any(each.requires_grad for each in captioner.model.parameters())
    assert captioner.digest == file_digest(captioner_folder / "model.safetensors") == blip.weights_digest(captioner_folder)
    assert (captioner.origin, captioner.image_size_px) == (str(captioner_folder), SIZE_PX)
    assert captioner.tokenizer.decode(captioner.tokenizer(TEXTS[0])["input_ids"], skip_special_tokens=True) == TEXTS[0].lower()


def test_half_precision_on_disk_is_computed_with_in_single_precision(captioner_folder: Path) -> None:
    BlipForConditionalGeneration.from_pretrained(captioner_folder).half().save_pretrained(captioner_folder)
    assert blip.official_captioner(captioner_folder).model.dtype == torch.float32


def test_a_prompt_starts_as_the_decoder_learnt_and_has_no_end(captioner_folder: Path) -> None:
    captioner = blip.official_captioner(captioner_folder)
    tokens = captioner.prompt_ids("a bus ")
    assert captioner.tokenizer.convert_ids_to_tokens(tokens.tolist()) == ["[DEC]", "a", "bus"]
    # as transformers' generate makes it of what its processor gives
    theirs = captioner.tokenizer("a bus ", return_tensors="pt")["input_ids"]
    theirs[:, 0] = captioner.model.config.text_config.bos_token_id
    assert tokens.tolist() == theirs[0, :-1].tolist()


def test_weights_that_torch_pickled_load_without_running_code(captioner_folder: Path, tmp_path: Path) -> None:
    expected = blip.official_captioner(captioner_folder)
    state = {name: value.clone() for name, value in expected.model.state_dict().items()}
    (captioner_folder / "model.safetensors").unlink()
    torch.save(state, captioner_folder / "pytorch_model.bin")
    again = blip.official_captioner(captioner_folder)
    assert torch.equal(blip.encode_images(again.model, photos(1)), blip.encode_images(expected.model, photos(1)))
    assert again.digest == file_digest(captioner_folder / "pytorch_model.bin")

    class Intruder:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "was here",)

    torch.save({**state, "extra": Intruder()}, captioner_folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pytorch_model\.bin: cannot be loaded"):
        blip.official_captioner(captioner_folder)
    assert not (tmp_path / "was here").exists()


def test_officials_leave_two_tokens_out_of_their_vocabulary(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bus", "##es", ",", "plane", "and"]
    bert = BertTokenizer(vocab={word: number for number, word in enumerate(words)})
    folder = written(tmp_path / "bert", BlipForConditionalGeneration, bert, len(words) + 2)
    captioner = blip.official_captioner(folder)
    assert captioner.tokenizer.convert_ids_to_tokens([11, 12]) == ["[DEC]", "[ENC]"]
    assert captioner.prompt_ids("A buses").tolist() == [11, 5, 6, 7]
    assert captioner.tokenizer.decode([11, 5, 6, 7, 8, 5, 9, 3], skip_special_tokens=True) == "a buses, a plane"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    from_words = blip.official_captioner(folder)
    assert from_words.prompt_ids("A buses").tolist() == [11, 5, 6, 7]
    assert from_words.tokenizer.convert_ids_to_tokens([11, 12]) == ["[DEC]", "[ENC]"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("model.safetensors", cut, r"model\.safetensors: cannot be loaded as BLIP's weights"),
        ("model.safetensors", Path.unlink, r"captioner: has no model\.safetensors"),
        ("config.json", cut, r"config\.json: is missing or damaged"),
        ("config.json", Path.unlink, r"config\.json: is missing or damaged"),
        ("config.json", lambda path: path.write_text('{"model_type": "bert"}'), r"config\.json: describes no BLIP"),
        ("config.json", lambda path: path.write_text("[]"), r"config\.json: describes no BLIP"),
        ("tokenizer.json", cut, r"tokenizer\.json: is damaged"),
        ("tokenizer.json", lambda path: path.write_text("{}"), r"tokenizer\.json: is damaged"),
        ("tokenizer.json", Path.unlink, r"captioner: has neither tokenizer\.json nor vocab\.txt"),
    ],
)
def test_a_damaged_folder_is_told_with_the_remedy(
    captioner_folder: Path, name: str, change: Callable[[Path], object], message: str
) -> None:
    change(captioner_folder / name)
    with pytest.raises(DataError, match=message) as raised:
        blip.official_captioner(captioner_folder)
    remedy = "hf download Salesforce/blip-image-captioning-base --local-dir weights/blip-image-captioning-base, then pass "
    assert str(raised.value).endswith(f"The official ones: {remedy}--blip-weights weights.")
    assert "\n" not in str(raised.value)


def test_another_networks_weights_are_told(captioner_folder: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match=r"model\.safetensors: is no BlipForImageTextRetrieval, for it lacks \S+ and \d+ more"):
        blip.official_retriever(captioner_folder)
    other = written(tmp_path / "other", BlipForConditionalGeneration, blip.small_tokenizer(["one more word"]))
    shutil.copy(other / "model.safetensors", captioner_folder)
    with pytest.raises(DataError, match=r"model\.safetensors: cannot be loaded as BLIP's weights"):
        blip.official_captioner(captioner_folder)
    blip.small_tokenizer(["many", "more words of", "another vocabulary", *TEXTS]).save_pretrained(other)
    with pytest.raises(DataError, match=r"tokenizer\.json: is the tokenizer of another network than config\.json describes"):
        blip.official_captioner(other)


def test_a_wrong_value_in_the_configuration_is_told(captioner_folder: Path) -> None:
    config = json.loads((captioner_folder / "config.json").read_text())
    config["text_config"]["hidden_size"] = "wide"
    (captioner_folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"config\.json: text_config\.hidden_size is 'wide', and must be a whole number"):
        blip.official_captioner(captioner_folder)


def hub_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def test_without_a_folder_the_hubs_cache_is_read(
    captioner_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_cache(monkeypatch, tmp_path / "hub")
    with pytest.raises(DataError, match=r"Salesforce/blip-image-captioning-base: is not in the hub's cache.*hf download"):
        blip.official_captioner()
    with pytest.raises(DataError, match=r"hf download Salesforce/blip-itm-base-coco .* --blip-weights weights"):
        blip.official_retriever()
    entry = tmp_path / "hub" / "models--Salesforce--blip-image-captioning-base"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text("0" * 40)
    snapshot = entry / "snapshots" / ("0" * 40)
    shutil.copytree(captioner_folder, snapshot)
    captioner = blip.official_captioner()
    assert captioner.digest == file_digest(captioner_folder / "model.safetensors")
    assert captioner.origin == "Salesforce/blip-image-captioning-base"
    (snapshot / "model.safetensors").unlink()  # a download that was interrupted
    with pytest.raises(DataError, match="is not in the hub's cache"):
        blip.official_captioner()


@pytest.mark.parametrize("size_px", [SIZE_PX, 50, 20])
def test_pixels_are_those_of_blips_own_processor(size_px: int) -> None:
    given = photos(3, size_px)
    processor = BlipImageProcessor(size={"height": SIZE_PX, "width": SIZE_PX})
    theirs = processor(list(given), return_tensors="pt")["pixel_values"]
    ours = blip.pixels(given, SIZE_PX)
    assert (ours.shape, ours.dtype) == ((3, 3, SIZE_PX, SIZE_PX), torch.float32)
    assert (ours - theirs).abs().max() <= 1e-5
    assert torch.equal(blip.pixels(torch.from_numpy(given).permute(0, 3, 1, 2), SIZE_PX), ours)
    by_hand = (given[0, 0, 0] / 255 - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    assert size_px != SIZE_PX or ours[0, :, 0, 0].tolist() == pytest.approx(by_hand.tolist(), abs=1e-5)


def test_features_make_the_cosines_of_the_whole_network(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    retriever = blip.official_retriever(written(tmp_path, BlipForImageTextRetrieval, tokenizer))
    texts = ["a bus", "two dogs, a bus and a bottle."]
    image, text = blip.encode_images(retriever.model, photos(2)), blip.text_features(retriever, texts)
    assert (image.shape, text.shape) == ((2, 1 + 4, 16), (2, 16))
    projected = [
        torch.nn.functional.normalize(layer(features), dim=-1)
        for layer, features in ((retriever.model.vision_proj, image[:, 0]), (retriever.model.text_proj, text))
    ]
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        whole = retriever.model(
            tokens["input_ids"], blip.pixels(photos(2), SIZE_PX), use_itm_head=False, attention_mask=tokens["attention_mask"]
        ).itm_score
    assert torch.allclose(projected[0] @ projected[1].T, whole, atol=1e-6)
    assert whole.unique().numel() == 4
    # what a text is batched with changes nothing, and what is longer than the network reads is cut
    assert torch.allclose(blip.text_features(retriever, texts[:1])[0], text[0], atol=1e-6)
    assert torch.equal(blip.text_features(retriever, ["bus " * 30]), blip.text_features(retriever, ["bus " * 300]))


def test_the_small_vocabulary_is_sorted_and_splits_as_bert() -> None:
    made = blip.small_tokenizer(TEXTS)
    words = [word for word, _ in sorted(made.get_vocab().items(), key=lambda entry: entry[1])]
    assert words[:7] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"]
    assert words[7:] == [",", ".", "a", "and", "bottle", "bus", "dogs", "grass", "on", "plane", "two"]
    assert made.get_vocab() == blip.small_tokenizer(TEXTS[::-1]).get_vocab()
    assert made.convert_ids_to_tokens(made("A BUS, zebra")["input_ids"]) == ["[CLS]", "a", "bus", ",", "[UNK]", "[SEP]"]
    assert (made.bos_token, made.sep_token, made.pad_token_id) == ("[DEC]", "[SEP]", 0)
    assert set(made("a")) == {"input_ids", "attention_mask"}


def test_captions_of_the_world_come_back_from_their_tokens() -> None:
    captions = [caption for number in range(60) for caption in draw_scene(0, number).captions]
    made = blip.small_tokenizer(captions)
    tokens = made(captions)["input_ids"]
    assert not any(made.unk_token_id in each for each in tokens)
    assert made.batch_decode(tokens, skip_special_tokens=True) == [caption.lower() for caption in captions]
    assert any(", " in caption for caption in captions)
