"""The four heads: their parameters and shapes by hand, the shared projection against a plain copy, and what they cost."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compute.experiments.segmentation_decoder_heads import HEADS
from compute.head_rows import cost_rows, latency_rows, multiply_adds
from compute.models.decoder_heads import TransformerHead, convolutional_head, linear_head
from compute.models.vision_transformer import make_encoder

CPU = torch.device("cpu")


def parameters_by_hand(variant: str, width: int, classes: int) -> int:
    def layer(before: int, after: int, places: int = 1) -> int:
        return before * after * places + after  # weights and biases

    def block(before: int, after: int) -> int:
        return layer(before, after, 2 * 2) + layer(after, after, 3 * 3)

    if variant == "linear":
        return layer(width, classes)
    if variant == "convolutional":
        return block(width, 2 * width) + block(2 * width, width) + block(width, classes)
    projections = 3 if variant == "transformer_shared" else 4  # queries, keys, values and output
    mlp = layer(width, 4 * width) + layer(4 * width, width)
    return classes * width + 2 * width + projections * layer(width, width) + 2 * mlp + 2 * classes


def count(model: nn.Module) -> int:
    return sum(values.numel() for values in model.parameters())


@pytest.mark.parametrize("variant", HEADS)
@pytest.mark.parametrize(("width", "classes"), [(8, 3), (64, 21), (384, 21)])
def test_parameters_are_those_worked_out_by_hand(variant: str, width: int, classes: int) -> None:
    with torch.device("meta"):
        head = HEADS[variant](width, classes)
    assert count(head) == parameters_by_hand(variant, width, classes)


def test_parameters_of_the_full_size() -> None:
    # Convolutional: 1,180,416 + 5,309,184, 1,180,032 + 1,327,488, 32,277 + 3,990. Transformer: 8,064 of class tokens, 768 of
    # the norm, four projections of 147,840, two MLPs of 1,181,568, and 42 of the masks' norm.
    expected = {"linear": 8_085, "convolutional": 9_033_387, "transformer": 2_963_370, "transformer_shared": 2_815_530}
    assert {variant: count(head(384, 21)) for variant, head in HEADS.items()} == expected


@pytest.mark.parametrize("variant", HEADS)
@pytest.mark.parametrize(("height", "width"), [(4, 6), (1, 1)])
def test_logits_have_a_plane_for_each_class(variant: str, height: int, width: int) -> None:
    grows = 8 if variant == "convolutional" else 1
    logits = HEADS[variant](16, 5)(torch.randn(3, 16, height, width))
    assert logits.shape == (3, 5, grows * height, grows * width)


def test_the_convolutional_head_widens_narrows_and_doubles_the_resolution_three_times() -> None:
    head = convolutional_head(16, 5)
    kinds = [type(layer).__name__ for layer in head]
    assert kinds == ["ConvTranspose2d", "ReLU"] * 5 + ["ConvTranspose2d"]
    shapes = []
    values = torch.randn(1, 16, 2, 3)
    for layer in head:
        values = layer(values)
        shapes.append(tuple(values.shape[1:]))
    assert shapes[::2] == [(32, 4, 6), (32, 4, 6), (16, 8, 12), (16, 8, 12), (5, 16, 24), (5, 16, 24)]
    assert values.min() < 0  # no ReLU after the logits


def test_the_linear_head_sees_each_patch_alone() -> None:
    head = linear_head(8, 3)
    features = torch.randn(1, 8, 2, 2)
    by_hand = head.weight[:, :, 0, 0] @ features[0, :, 1, 0] + head.bias
    assert torch.allclose(head(features)[0, :, 1, 0], by_hand, atol=1e-6)


class PlainHead(nn.Module):
    """A transformer head of one attention head written out, with two projections for queries and keys."""

    def __init__(self, like: TransformerHead) -> None:
        super().__init__()
        self.query, self.key = (nn.Parameter(like.query.weight.detach().clone()) for _ in range(2))
        self.query_bias, self.key_bias = (nn.Parameter(like.query.bias.detach().clone()) for _ in range(2))
        self.like = like

    def attention(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, width, height, across = features.shape
        patches = features.permute(0, 2, 3, 1).reshape(batch, height * across, width)
        tokens = torch.cat([patches, self.like.class_tokens.repeat(batch, 1, 1)], dim=1)
        mean, variance = tokens.mean(-1, keepdim=True), tokens.var(-1, keepdim=True, unbiased=False)
        normed = (tokens - mean) / (variance + 1e-5).sqrt() * self.like.norm.weight + self.like.norm.bias
        queries = normed @ self.query.T + self.query_bias
        keys = normed @ self.key.T + self.key_bias
        return tokens, normed, (queries @ keys.transpose(1, 2) / width**0.5).softmax(dim=-1)

    def forward(self, features: Tensor) -> Tensor:
        batch, _, height, across = features.shape
        tokens, normed, weights = self.attention(features)
        tokens = tokens + self.like.output(weights @ self.like.value(normed))
        patches = self.like.patch_mlp(tokens[:, : height * across])
        classes = self.like.class_mlp(tokens[:, height * across :])
        patches = patches / patches.norm(dim=-1, keepdim=True)
        classes = classes / classes.norm(dim=-1, keepdim=True)
        masks = functional.layer_norm(
            torch.einsum("bpd,bcd->bpc", patches, classes),
            (classes.shape[1],), self.like.mask_norm.weight, self.like.mask_norm.bias,
        )  # fmt: skip
        return masks.permute(0, 2, 1).reshape(batch, -1, height, across)


def shared_and_plain() -> tuple[TransformerHead, PlainHead, Tensor]:
    torch.manual_seed(0)
    shared = TransformerHead(32, 5, share_query_key=True, heads=1).double()
    return shared, PlainHead(shared), torch.randn(2, 32, 3, 4, dtype=torch.float64)


def test_shared_queries_and_keys_are_two_tied_projections() -> None:
    shared, plain, features = shared_and_plain()
    assert torch.allclose(shared(features), plain(features))
    shared(features)[0, 1].sum().backward()
    plain(features)[0, 1].sum().backward()
    gradient = shared.query.weight.grad
    # The plain copy's other weights are the shared head's own, so only the projections' gradients are apart.
    assert gradient is not None
    assert gradient.abs().max() > 1e-6
    assert torch.allclose(gradient, plain.query.grad + plain.key.grad)
    assert not torch.allclose(gradient, plain.query.grad)


def test_separate_queries_and_keys_start_and_stay_apart() -> None:
    torch.manual_seed(0)
    head = TransformerHead(32, 5)
    assert head.query is not head.key
    assert not torch.equal(head.query.weight, head.key.weight)
    head(torch.randn(2, 32, 3, 4))[0, 1].sum().backward()
    assert not torch.equal(head.query.weight.grad, head.key.weight.grad)


def test_class_attention_is_what_class_tokens_give_to_patches() -> None:
    shared, plain, features = shared_and_plain()
    with torch.no_grad():
        found = shared.class_attention(features)
        _, _, weights = plain.attention(features)
    expected = weights[:, 12:, :12]
    expected = expected / expected.sum(dim=-1, keepdim=True)
    assert found.shape == (2, 5, 3, 4)
    assert torch.allclose(found.flatten(2), expected)
    assert torch.allclose(found.sum(dim=(2, 3)), torch.ones(2, 5, dtype=torch.float64))


def test_attention_heads_are_of_64_channels_and_attention_is_their_mean() -> None:
    torch.manual_seed(0)
    head = TransformerHead(128, 3)
    assert (head.heads, TransformerHead(384, 3).heads, TransformerHead(48, 3).heads) == (2, 6, 1)
    features = torch.randn(1, 128, 2, 2)
    with torch.no_grad():
        tokens = head.norm(torch.cat([features.flatten(2).mT, head.class_tokens], dim=1))[0]
        halves = []
        for half in (slice(0, 64), slice(64, 128)):
            queries, keys = head.query(tokens)[4:, half], head.key(tokens)[:, half]
            halves.append((queries @ keys.T / 8).softmax(dim=-1)[:, :4])
        expected = (halves[0] + halves[1]) / 2
        found = head.class_attention(features)
    assert torch.allclose(found[0].flatten(1), expected / expected.sum(dim=-1, keepdim=True), atol=1e-6)


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="a width of 100 is no multiple of 3 attention heads"):
        TransformerHead(100, 5, heads=3)


@pytest.mark.parametrize("variant", HEADS)
def test_every_weight_of_a_head_learns(variant: str) -> None:
    torch.manual_seed(0)
    head = HEADS[variant](16, 3)
    loss = functional.cross_entropy(head(torch.randn(2, 16, 4, 4)).mean(dim=(2, 3)), torch.tensor([0, 2]))
    loss.backward()
    # A key's bias adds the same to all of a query's products, so that no softmax sees it.
    still = [name for name, values in head.named_parameters() if values.grad is None or not values.grad.any()]
    assert set(still) <= {"key.bias"}


def multiply_adds_by_hand(variant: str, width: int, classes: int, side: int) -> int:
    places = side * side
    if variant == "linear":
        return places * width * classes
    if variant == "convolutional":
        total = 0
        for before, after in ((width, 2 * width), (2 * width, width), (width, classes)):
            total += places * before * after * 4  # each input place writes 2x2 outputs
            places *= 4
            total += places * after * after * 9
        return total
    tokens = places + classes
    return 4 * tokens * width**2 + 2 * tokens**2 * width + 8 * tokens * width**2 + places * classes * width


@pytest.mark.parametrize("variant", HEADS)
@pytest.mark.parametrize("training", [True, False])
def test_multiply_adds_are_those_worked_out_by_hand(variant: str, training: bool) -> None:
    head = HEADS[variant](64, 7).train(training)
    features = torch.randn(1, 64, 4, 4)
    assert multiply_adds(lambda: head(features)) == multiply_adds_by_hand(variant, 64, 7, 4)


def test_costs_of_encoder_and_head_change_neither() -> None:
    encoder = make_encoder(64, 64, 2, 1, stem=(4, 4, 8, 8)).eval().requires_grad_(requires_grad=False)
    plain = make_encoder(64, 64, 2, 1).eval().requires_grad_(requires_grad=False)
    head = linear_head(64, 5)
    image, features = torch.randn(1, 3, 64, 64), torch.randn(1, 64, 4, 4)
    before = {name: values.clone() for name, values in encoder.state_dict().items()}
    rows = cost_rows("run-1", encoder, image, head, features)
    assert all(torch.equal(values, before[name]) for name, values in encoder.state_dict().items())
    assert rows[["run_id", "part"]].values.tolist() == [["run-1", "encoder"], ["run-1", "head"]]
    assert rows[["parameters", "multiply_adds"]].values.tolist()[1] == [5 * 65, 16 * 5 * 64]
    # 16 patches of 768 values, and two layers of 17 tokens: 12 * D^2 for each, 2 * D for each pair.
    by_hand = 16 * 768 * 64 + 2 * (17 * 12 * 64**2 + 2 * 17**2 * 64)
    found = cost_rows("run-1", plain, image, head, features)
    assert found.multiply_adds[0] == by_hand
    assert found.parameters[0] == count(plain)
    assert torch.backends.mha.get_fastpath_enabled()


def test_latency_has_fifty_repetitions_of_one_picture() -> None:
    rows = latency_rows("run-1", linear_head(8, 3), torch.randn(1, 8, 2, 2))
    assert rows.repetition.tolist() == list(range(1, 51))
    assert set(map(tuple, rows[["run_id", "precision", "batch_size", "clock"]].values)) == {("run-1", "fp32", 1, "wall")}
    assert (rows.milliseconds > 0).all()
