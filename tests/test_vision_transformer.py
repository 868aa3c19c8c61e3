"""The Vision Transformer with weights in DINO's format against DINO's own steps, its files, and its training on tiles."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from compute.data.errors import DataError
from compute.data.openmoji_images import chosen_classes
from compute.models import official_weights
from compute.models.encoder_training import EncoderTraining, encoder_classes, lay_out, tile_edges, tile_scores, trained_encoder
from compute.models.official_weights import VIT_ADDRESS, file_digest, load_vit, vit_place
from compute.models.vision_transformer import encoder_inputs, from_dino, make_encoder, patch_features

CPU = torch.device("cpu")
WIDTH, DEPTH, TRAINED_SIDE = 128, 2, 3  # two attention heads, and a grid of 3x3 patches


def dino_state(width: int = WIDTH, depth: int = DEPTH, side: int = TRAINED_SIDE) -> dict[str, Tensor]:
    """Random weights in the names and shapes of facebookresearch/dino's VisionTransformer."""
    generator = torch.Generator().manual_seed(3)
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + side * side, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for block in range(depth):
        for part, out, before in (
            ("attn.qkv", 3 * width, width), ("attn.proj", width, width), ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):  # fmt: skip
            shapes |= {f"blocks.{block}.{part}.weight": (out, before), f"blocks.{block}.{part}.bias": (out,)}
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{block}.{norm}.weight": (width,), f"blocks.{block}.{norm}.bias": (width,)}
    return {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes.items()}


def dino_features(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """What dino's vision_transformer.py computes, step by step: the patch tokens of get_intermediate_layers(x, n=1)."""
    width, heads = state["cls_token"].shape[-1], state["cls_token"].shape[-1] // 64
    grid = functional.conv2d(images, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16)
    tokens = torch.cat([state["cls_token"].expand(len(images), -1, -1), grid.flatten(2).transpose(1, 2)], dim=1)
    tokens = tokens + dino_positions(state["pos_embed"], grid.shape[-1])
    for block in range(sum(name.endswith("norm1.bias") for name in state)):
        own = {name.removeprefix(f"blocks.{block}."): values for name, values in state.items()}
        normed = functional.layer_norm(tokens, (width,), own["norm1.weight"], own["norm1.bias"], eps=1e-6)
        qkv = functional.linear(normed, own["attn.qkv.weight"], own["attn.qkv.bias"])
        queries, keys, values = qkv.reshape(*tokens.shape[:2], 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        attention = (queries @ keys.transpose(-2, -1) * (width // heads) ** -0.5).softmax(dim=-1)
        attended = (attention @ values).transpose(1, 2).reshape(tokens.shape)
        tokens = tokens + functional.linear(attended, own["attn.proj.weight"], own["attn.proj.bias"])
        normed = functional.layer_norm(tokens, (width,), own["norm2.weight"], own["norm2.bias"], eps=1e-6)
        hidden = functional.gelu(functional.linear(normed, own["mlp.fc1.weight"], own["mlp.fc1.bias"]))
        tokens = tokens + functional.linear(hidden, own["mlp.fc2.weight"], own["mlp.fc2.bias"])
    tokens = functional.layer_norm(tokens, (width,), state["norm.weight"], state["norm.bias"], eps=1e-6)
    return tokens[:, 1:].transpose(1, 2).reshape(len(images), width, *grid.shape[-2:])


def dino_positions(embedding: Tensor, side: int) -> Tensor:
    trained = int((embedding.shape[1] - 1) ** 0.5)
    if trained == side:
        return embedding
    grid = embedding[:, 1:].reshape(1, trained, trained, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, scale_factor=((side + 0.1) / trained, (side + 0.1) / trained), mode="bicubic")
    return torch.cat([embedding[:, :1], grid.permute(0, 2, 3, 1).reshape(1, side * side, -1)], dim=1)


@pytest.mark.parametrize("side", [TRAINED_SIDE, 5, 2])
def test_features_are_those_of_dinos_own_steps_at_any_size(side: int) -> None:
    state = dino_state()
    images = torch.randn(2, 3, 16 * side, 16 * side, generator=torch.Generator().manual_seed(1))
    encoder = from_dino(state, 16 * side)
    expected = dino_features(state, images)
    with torch.inference_mode():
        found = patch_features(encoder, images)
    assert found.shape == (2, WIDTH, side, side)
    assert expected.std() > 0.1
    assert (found - expected).abs().max() < 2e-5
    assert not encoder.training


def test_the_full_size_has_dinos_parameters() -> None:
    with torch.device("meta"):
        encoder = make_encoder(224, width=384, depth=12, heads=6)
    # 384 * 768 + 384 of the patches, 384 of the class token, 197 * 384 positions, 768 of the last norm; and of each block
    # 4 * 384^2 + 4 * 384 of attention, 8 * 384^2 + 5 * 384 of the MLP, and 4 * 384 of the norms.
    assert sum(values.numel() for values in encoder.parameters()) == 21_665_664
    assert 12 * (12 * 384**2 + 13 * 384) + 384 * 768 + 384 + 384 + 197 * 384 + 768 == 21_665_664
    assert {module.eps for module in encoder.modules() if isinstance(module, torch.nn.LayerNorm)} == {1e-6}


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="50 is no multiple"):
        make_encoder(50, 64, 1, 1)
    with pytest.raises(ValueError, match="a stem has four convolutions, or there is none: \\(8, 8\\)"):
        make_encoder(64, 64, 1, 1, stem=(8, 8))
    with pytest.raises(ValueError, match="32 pixels square, not 48x32"):
        patch_features(make_encoder(32, 64, 1, 1), torch.zeros(1, 3, 48, 32))


def test_inputs_are_normalized_as_imagenets_whatever_their_size() -> None:
    photos = np.zeros((1, 4, 6, 3), dtype=np.uint8)
    photos[..., 0] = 255
    inputs = encoder_inputs(photos, 16)
    assert (inputs.shape, inputs.dtype) == ((1, 3, 16, 16), torch.float32)
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    assert inputs[0, :, 3, 5].tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.equal(inputs, encoder_inputs(torch.from_numpy(photos).permute(0, 3, 1, 2), 16))


def test_a_file_in_dinos_format_loads_with_its_digest(tmp_path: Path) -> None:
    torch.save(dino_state(), tmp_path / "vit.pth")
    encoder, digest = load_vit(64, tmp_path / "vit.pth")
    assert digest == file_digest(tmp_path / "vit.pth")
    assert (encoder.image_size, encoder.hidden_dim, len(encoder.encoder.layers)) == (64, WIDTH, DEPTH)


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "vit.pth"
    with pytest.raises(DataError, match=r"vit\.pth: cannot be read"):
        load_vit(64, file)
    torch.save(dino_state(), file)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(DataError, match="truncated or another file") as caught:
        load_vit(64, file)
    assert VIT_ADDRESS in str(caught.value)
    state = dino_state()
    wrong = [
        {"weights": torch.zeros(3)},
        {name: values for name, values in state.items() if name != "blocks.1.mlp.fc2.bias"},
        state | {"blocks.0.attn.qkv.weight": torch.zeros(5, WIDTH)},
        state | {"patch_embed.proj.weight": torch.zeros(WIDTH, 3, 8, 8)},
        [1, 2, 3],
    ]
    for content in wrong:
        torch.save(content, file)
        with pytest.raises(DataError, match=r"vit\.pth: holds no ViT in DINO's format"):
            load_vit(64, file)


def test_missing_weights_are_told_with_their_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(official_weights, "VIT_ADDRESS", "http://127.0.0.1:9/dino_deitsmall16_pretrain.pth")
    assert vit_place().path == tmp_path / "hub" / "checkpoints" / "dino_deitsmall16_pretrain.pth"
    with pytest.raises(DataError, match="is missing, and cannot be downloaded") as caught:
        load_vit(64)
    assert str(vit_place().path) in str(caught.value)
    vit_place().path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dino_state(), vit_place().path)
    assert load_vit(64)[1] == file_digest(vit_place().path)


def test_tiles_lie_row_by_row_and_their_scores_come_back_in_that_order() -> None:
    tiles = torch.arange(1, 9, dtype=torch.uint8)[:, None, None, None].expand(8, 3, 5, 5) * 20
    canvases = lay_out(tiles, 2, 64, torch.Generator().manual_seed(0))
    assert (canvases.shape, canvases.dtype) == ((2, 3, 64, 64), torch.uint8)
    assert canvases[0, 0, ::32, ::32].tolist() == [[20, 40], [60, 80]]
    assert canvases[1, 2, 31::32, 31::32].tolist() == [[100, 120], [140, 160]]
    patches = canvases.float()[:, :, ::16, ::16]  # (2, 3, 4, 4)
    assert tile_scores(patches, 2)[:, 0].tolist() == pytest.approx([20, 40, 60, 80, 100, 120, 140, 160])


def test_a_tiles_score_is_the_logarithm_of_the_mean_exponential_of_its_patches() -> None:
    patches = torch.tensor([[1.0, 3.0, 0.0, 0.0], [2.0, 2.0, 0.0, 4.0]])[None, None]  # two tiles of 2x2 patches
    patches = torch.cat([patches, torch.full((1, 1, 2, 4), 7.0)], dim=2)
    expected = [math.log((math.e + math.e**3 + 2 * math.e**2) / 4), math.log((3 + math.e**4) / 4), 7, 7]
    assert tile_scores(patches, 2)[:, 0].tolist() == pytest.approx(expected)
    far = torch.tensor([[200.0, -200.0], [0.0, 0.0]])[None, None]
    assert torch.isfinite(tile_scores(far, 2)).all()


def test_an_encoder_learns_from_what_scenes_show_first() -> None:
    tabby, taxi, airliner, burrito = "n02123045", "n02930766", "n02690373", "n07880968"
    few = encoder_classes(45)
    assert {tabby, taxi, airliner} <= set(few)
    assert burrito not in few
    assert len(set(few)) == 45
    assert list(few) == sorted(few)
    assert encoder_classes(None) == chosen_classes(None)


def test_tiles_are_mirrored_by_chance_and_fill_sizes_that_do_not_divide() -> None:
    assert tile_edges(3, 64) == [0, 21, 43, 64]
    tile = torch.zeros(90, 3, 4, 4, dtype=torch.uint8)
    tile[..., :2] = 200
    canvases = lay_out(tile, 3, 60, torch.Generator().manual_seed(0))
    left, right = canvases[:, 0, 5::20, 2::20], canvases[:, 0, 5::20, 17::20]
    assert torch.equal(left > 100, right < 100)
    assert 30 < int((left > 100).sum()) < 60


TINY = EncoderTraining(
    width=32, depth=1, heads=1, stem=(8, 8, 16, 16), classes=4, pictures=4, tile_px=32, tiles=(1, 2), canvases=8, steps=60,
    learning_rate=5e-3,
)  # fmt: skip


def test_training_is_kept_and_teaches_classes(tmp_path: Path) -> None:
    notes: list[str] = []
    first, digest = trained_encoder(TINY, 64, 0, CPU, tmp_path, lambda _done, _total, note: notes.append(note))
    losses = [float(note.rpartition(" ")[2]) for note in notes if "learns" in note]
    assert len(losses) == 60
    assert sum(losses[-5:]) / 5 < 0.9 * sum(losses[:5]) / 5
    assert not first.training
    assert not any(values.requires_grad for values in first.parameters())
    again, same = trained_encoder(TINY, 64, 0, CPU, tmp_path, lambda *_: pytest.fail("nothing is to be done"))
    assert same == digest
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(patch_features(first, images), patch_features(again, images))


def test_damaged_weights_in_the_cache_are_trained_again(tmp_path: Path) -> None:
    _, digest = trained_encoder(TINY, 64, 0, CPU, tmp_path, lambda *_: None)
    [kept] = tmp_path.glob("encoder-*.pt")
    kept.write_bytes(kept.read_bytes()[:5000])
    assert trained_encoder(TINY, 64, 0, CPU, tmp_path, lambda *_: None)[1] == digest
