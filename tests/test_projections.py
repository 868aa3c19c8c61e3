"""Projections on frozen features: their loss by hand, their batches, and what they learn."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BlipConfig, BlipForImageTextRetrieval

from compute.data.errors import DataError
from compute.models import projections as module
from compute.models.class_training import digest_of
from compute.models.projections import (
    Pairs,
    Projections,
    ProjectionTrainer,
    contrastive_loss,
    frozen_features,
    own_projections,
    random_projections,
    unit_features,
)
from compute.ranks import pair_ranks, summary


def halves(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float16)


@pytest.fixture(scope="module")
def blip() -> BlipForImageTextRetrieval:
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "initializer_range": 0.5,
    }
    config = BlipConfig(
        text_config={**sizes, "vocab_size": 30, "max_position_embeddings": 16},
        vision_config={**sizes, "hidden_size": 12, "image_size": 32, "patch_size": 16},
        image_text_hidden_size=8,
    )
    torch.manual_seed(0)
    return BlipForImageTextRetrieval(config).eval().requires_grad_(requires_grad=False)


def made_pairs(images: int = 40, captions_each: int = 2, width: int = 12, seed: int = 0) -> Pairs:
    """Features in which an image and its captions say the same in two languages, so that there is something to learn."""
    dice = np.random.default_rng(seed)
    language = np.random.default_rng(99)
    meaning = dice.standard_normal((images, width))
    owner = np.repeat(np.arange(images), captions_each)
    spoken = meaning[owner] @ language.standard_normal((width, 16)) / 4 + 0.05 * dice.standard_normal((len(owner), 16))
    seen = meaning @ language.standard_normal((width, width)) / 4
    return Pairs(frozen_features(seen.astype(np.float16)), frozen_features(spoken.astype(np.float16)), torch.from_numpy(owner))


def recall(projections: Projections, pairs: Pairs) -> float:
    images = unit_features(projections.vision_proj, pairs.images)
    told = summary(pair_ranks(images, unit_features(projections.text_proj, pairs.texts), pairs.owner).text_to_image)
    return told.hits_at_1 / told.queries


def train(projections: Projections, pairs: Pairs, epochs: int = 20, seed: int = 0, rate: float = 1e-2) -> list[float]:
    trainer = ProjectionTrainer(projections, pairs, rate, weight_decay=0.0, temperature=0.1)
    return [
        trainer.step(batch)["loss"] for epoch in range(1, epochs + 1) for batch in pairs.batches(16, seed, epoch)
    ]  # fmt: skip


def test_the_loss_of_two_pairs_by_hand() -> None:
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # Similarities [[1, 0.6], [0, 0.8]], divided by 0.5: [[2, 1.2], [0, 1.6]].
    from_images = math.log(1 + math.exp(1.2 - 2)) + math.log(1 + math.exp(0 - 1.6))
    from_texts = math.log(1 + math.exp(0 - 2)) + math.log(1 + math.exp(1.2 - 1.6))
    loss = contrastive_loss(images, texts, torch.eye(2, dtype=torch.bool), 0.5)
    assert float(loss) == pytest.approx((from_images / 2 + from_texts / 2) / 2, rel=1e-6)


def test_other_captions_of_an_image_are_no_negatives() -> None:
    generator = torch.Generator().manual_seed(0)
    images = functional.normalize(torch.randn(3, 4, generator=generator), dim=1)[[0, 0, 1, 2]]
    texts = functional.normalize(torch.randn(4, 4, generator=generator), dim=1)
    same = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).bool()
    logits = images @ texts.T / 0.1
    losses = []
    for pair, rivals in enumerate(([2, 3], [2, 3], [0, 1, 3], [0, 1, 2])):
        for row in (logits[pair], logits[:, pair]):
            losses.append(math.log(sum(math.exp(row[rival] - row[pair]) for rival in (pair, *rivals))))
    assert float(contrastive_loss(images, texts, same, 0.1)) == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert float(contrastive_loss(images, texts, torch.eye(4).bool(), 0.1)) > sum(losses) / len(losses) + 0.1


def test_a_batch_that_holds_nothing_but_matches_teaches_nothing() -> None:
    images, texts = torch.ones(2, 4) / 2, torch.eye(4)[:2].requires_grad_()
    loss = contrastive_loss(images, texts, torch.ones(2, 2, dtype=torch.bool), 0.1)
    loss.backward()
    assert loss.item() == 0
    assert texts.grad is not None
    assert not texts.grad.any()


def test_pairs_are_the_same_by_image_or_by_equal_text() -> None:
    texts = frozen_features(halves([1, 2], [3, 4]), np.array([0, 1, 0, 1, 0]))
    pairs = Pairs(frozen_features(halves([1, 1], [2, 2], [1, 1])), texts, torch.tensor([0, 0, 1, 1, 2]))
    expected = [
        [1, 1, 1, 0, 1],
        [1, 1, 0, 1, 1],  # caption 4 belongs to image 2, which is equal to image 0
        [1, 0, 1, 1, 1],
        [0, 1, 1, 1, 0],
        [1, 1, 1, 0, 1],
    ]
    assert pairs.same(torch.arange(5)).int().tolist() == expected
    assert pairs.same(torch.tensor([3, 0])).int().tolist() == [[1, 0], [0, 1]]


def test_equal_features_are_kept_once_and_stay_equal_when_projected() -> None:
    dice = np.random.default_rng(0)
    different = dice.standard_normal((301, 24)).astype(np.float16)
    chosen = dice.integers(301, size=1000)
    features = frozen_features(different[chosen])
    assert len(features.rows) == len(set(chosen.tolist()))
    assert (features.rows[features.which].numpy() == different[chosen]).all()
    layer = nn.Linear(24, 7)
    projected = unit_features(layer, features)
    naive = functional.normalize(layer(torch.from_numpy(different[chosen]).float()), dim=-1)
    assert torch.allclose(projected, naive, atol=1e-6)
    for number in set(chosen.tolist()):
        assert len(projected[chosen == number].unique(dim=0)) == 1
    some = torch.tensor([3, 5, 3])
    assert (features.of(some, torch.device("cpu")).numpy() == different[chosen[[3, 5, 3]]]).all()


def test_blocks_change_nothing_that_is_projected(monkeypatch: pytest.MonkeyPatch) -> None:
    features, layer = frozen_features(np.random.default_rng(0).standard_normal((50, 8)).astype(np.float16)), nn.Linear(8, 4)
    whole = unit_features(layer, features)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    assert torch.allclose(unit_features(layer, features), whole, atol=1e-6)


def test_batches_are_an_order_by_chance_that_seed_and_epoch_decide() -> None:
    pairs = made_pairs(images=25)
    batches = pairs.batches(16, seed=0, epoch=1)
    assert [len(batch) for batch in batches] == [13, 13, 12, 12]  # of 50 pairs
    assert sorted(torch.cat(batches).tolist()) == list(range(50))
    orders = [torch.cat(pairs.batches(16, *chosen)).tolist() for chosen in ((0, 1), (0, 1), (0, 2), (1, 1))]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3


def test_the_networks_own_layers_are_copied_and_stay_as_they_are(blip: BlipForImageTextRetrieval) -> None:
    before = digest_of(blip)
    projections = own_projections(blip)
    assert torch.equal(projections.vision_proj.weight, blip.vision_proj.weight)
    assert torch.equal(projections.text_proj.bias, blip.text_proj.bias)
    train(projections, made_pairs())
    assert not torch.equal(projections.vision_proj.weight, blip.vision_proj.weight)
    assert digest_of(blip) == before


def test_the_networks_own_layers_give_its_own_similarities(blip: BlipForImageTextRetrieval) -> None:
    generator = torch.Generator().manual_seed(1)
    pixels, tokens = torch.randn(3, 3, 32, 32, generator=generator), torch.randint(5, 30, (4, 6), generator=generator)
    with torch.no_grad():
        theirs = blip(input_ids=tokens, pixel_values=pixels, use_itm_head=False).itm_score
        seen = blip.vision_model(pixel_values=pixels).last_hidden_state[:, 0]
        read = blip.text_encoder(input_ids=tokens).last_hidden_state[:, 0]
    projections = own_projections(blip)
    images = unit_features(projections.vision_proj, frozen_features(seen.half().numpy()))
    texts = unit_features(projections.text_proj, frozen_features(read.half().numpy()))
    assert torch.allclose(images @ texts.T, theirs, atol=0.01)  # half precision
    assert (theirs - theirs[0]).abs().max() > 0.1


def test_random_layers_have_the_same_sizes_and_their_seed_decides_them(blip: BlipForImageTextRetrieval) -> None:
    first, again, other = (digest_of(random_projections(blip, seed)) for seed in (1, 1, 2))
    assert first == again != other
    shapes = [tuple(value.shape) for value in random_projections(blip, 0).state_dict().values()]
    assert shapes == [tuple(value.shape) for value in own_projections(blip).state_dict().values()]
    assert shapes == [(8, 12), (8,), (8, 16), (8,)]


def test_training_from_random_layers_learns_to_find_unseen_captions(blip: BlipForImageTextRetrieval) -> None:
    pairs, unseen = made_pairs(seed=0), made_pairs(seed=1)
    projections = random_projections(blip, 0)
    before = recall(projections, unseen)
    losses = train(projections, pairs)
    assert before < 0.2
    assert recall(projections, unseen) > 0.7
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_one_seed_gives_the_same_layers_twice(blip: BlipForImageTextRetrieval) -> None:
    digests = []
    for seed in (0, 0, 1):
        projections = random_projections(blip, 0)
        train(projections, made_pairs(), epochs=2, seed=seed)
        digests.append(digest_of(projections))
    assert digests[0] == digests[1] != digests[2]


def test_weight_decay_pulls_the_layers_towards_zero(blip: BlipForImageTextRetrieval) -> None:
    pairs, lengths = made_pairs(), []
    for decay in (0.0, 5.0):
        projections = random_projections(blip, 0)
        trainer = ProjectionTrainer(projections, pairs, 1e-2, decay, temperature=0.1)
        for batch in pairs.batches(16, 0, 1):
            told = trainer.step(batch)
        lengths.append(float(projections.vision_proj.weight.detach().norm()))
    assert lengths[1] < 0.9 * lengths[0]
    assert told["learning_rate"] == 1e-2
    assert told["milliseconds"] > 0


def spoilt(layer: nn.Linear) -> Tensor:
    layer.weight.data[0, 0] = torch.nan
    return layer.weight


def test_what_is_no_number_is_told(blip: BlipForImageTextRetrieval) -> None:
    projections, pairs = random_projections(blip, 0), made_pairs()
    spoilt(projections.text_proj)
    with pytest.raises(DataError, match="not all finite numbers"):
        unit_features(projections.text_proj, pairs.texts)
    with pytest.raises(DataError, match="Training diverged: the loss became nan"):
        train(projections, pairs, epochs=1)
