"""CLIP in other number formats: what is converted, what is emulated, and that the stages are the encoder."""

import clip.model
import numpy as np
import pytest
import torch
from test_class_training import TINY

from compute.drift import relative_error
from compute.models.class_training import make_clip
from compute.models.precision import converted, emulated, kept_tensors, similarity, stages


@pytest.fixture(scope="module")
def model() -> clip.model.CLIP:
    torch.manual_seed(0)
    made = make_clip(TINY).eval()
    with torch.no_grad():
        for module in made.visual.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # as if it had learned: CLIP starts some scales at zero
                module.weight.uniform_(0.5, 1.5)
                module.running_mean.normal_(std=0.1)
    return made


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.randn(6, 3, TINY.image_size_px, TINY.image_size_px, generator=torch.Generator().manual_seed(1))


def test_half_precision_is_clips_own_conversion(model: clip.model.CLIP) -> None:
    ours = converted(model, torch.float16)
    theirs = make_clip(TINY)
    theirs.load_state_dict(model.state_dict())
    clip.model.convert_weights(theirs)
    for (name, mine), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert mine.dtype == other.dtype, name
        assert torch.equal(mine, other), name
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters()), "the model itself stays as it was"


def test_bfloat16_converts_the_same_tensors_from_full_precision(model: clip.model.CLIP) -> None:
    half, brain = converted(model, torch.float16), converted(model, torch.bfloat16)
    for (name, original), (_, mine), (_, other) in zip(
        model.named_parameters(), half.named_parameters(), brain.named_parameters(), strict=True
    ):
        assert (mine.dtype == torch.float16) == (other.dtype == torch.bfloat16), name
        if other.dtype == torch.bfloat16:
            assert torch.equal(other, original.to(torch.bfloat16)), "rounded once, not by way of half precision"


def test_norms_and_position_embeddings_stay_in_full_precision(model: clip.model.CLIP) -> None:
    kept = {entry.name: entry for entry in kept_tensors(model, torch.float16)}
    for name, data_type in {
        "visual.conv1.weight": "float16",
        "visual.bn1.weight": "float32",
        "visual.bn1.running_var": "float32",
        "visual.attnpool.positional_embedding": "float32",
        "visual.attnpool.q_proj.weight": "float16",
        "text_projection": "float16",
        "ln_final.weight": "float32",
        "token_embedding.weight": "float32",
    }.items():
        assert kept[name].data_type == data_type, name
    weight = model.visual.conv1.weight
    assert kept["visual.conv1.weight"].rounded == (weight != weight.half().float()).sum() > 0
    assert kept["visual.bn1.weight"].rounded == 0
    assert kept["visual.bn1.weight"].kind == "BatchNorm2d"
    assert kept["visual.conv1.weight"].elements == model.visual.conv1.weight.numel()
    assert "visual.bn1.num_batches_tracked" not in kept


@torch.inference_mode()
def test_stages_one_after_the_other_are_the_encoder(model: clip.model.CLIP, pictures: torch.Tensor) -> None:
    values = pictures
    for _, step in stages(model.visual):
        values = step(values)
    assert torch.equal(values, model.visual(pictures))
    assert [name for name, _ in stages(model.visual)] == [
        "stem", "layer1.0", "layer2.0", "layer3.0", "layer4.0", "attnpool",
    ]  # fmt: skip


@torch.inference_mode()
@pytest.mark.parametrize("data_type", [torch.float16, torch.bfloat16])
def test_emulation_drifts_as_native_arithmetic_does(
    model: clip.model.CLIP, pictures: torch.Tensor, data_type: torch.dtype
) -> None:
    exact = model.visual(pictures)
    native = converted(model.visual, data_type)(pictures).float()
    imitated = emulated(model.visual, data_type)(pictures)
    native_error, imitated_error = (relative_error(exact.numpy(), each.numpy()) for each in (native, imitated))
    unit = torch.finfo(data_type).eps / 2
    assert (native_error > unit / 20).all(), "rounding shows"
    assert 0.5 < np.median(imitated_error / native_error) < 2
    assert torch.equal(imitated, imitated.to(data_type).float()), "every output is a number of the format"
    correlation = np.corrcoef((native - exact).flatten().numpy(), (imitated - exact).flatten().numpy())[0, 1]
    assert correlation > 0.6, "they round the same weights and the same layers' outputs"


@torch.inference_mode()
def test_similarity_is_clips_own_product(model: clip.model.CLIP, pictures: torch.Tensor) -> None:
    tokens = clip.tokenize(["a cat", "two dogs", "a red bus"])
    half = converted(model, torch.float16)
    theirs, _ = half(pictures, tokens)
    text = half.encode_text(tokens)
    text = text / text.norm(dim=1, keepdim=True)
    ours = similarity(half.encode_image(pictures).float(), text.float(), half.logit_scale.exp(), torch.float16)
    assert ours.dtype == theirs.dtype == torch.float16
    assert torch.equal(ours, theirs)
