"""The benchmark of training steps, on a network that takes a moment."""

import pytest

from benchmarks import training_step
from benchmarks.training_step import OURS, PLAIN, PLAIN_KEPT, Size

TINY = Size(base_channels=2, image_size_px=16, batch_size=2)


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    monkeypatch.setattr(training_step, "STEPS", 3)


def test_both_loops_learn_the_same():
    plain_ms, plain_losses = training_step.train_plainly(TINY)
    our_ms, our_losses = training_step.train_as_the_experiment(TINY)
    assert len(plain_ms) == len(our_ms) == 3
    assert min(plain_ms + our_ms) > 0
    assert our_losses[0] == pytest.approx(plain_losses[0], rel=1e-5)  # from the same weights
    assert our_losses == pytest.approx(plain_losses, rel=0.05)  # Adam's first steps go by signs, which rounding turns
    assert our_losses[-1] != our_losses[0]


def test_labels_can_be_learned_from_the_pictures():
    inputs, labels = training_step.pictures(TINY)
    assert inputs.shape == (10, 3, 16, 16)
    assert (labels.min(), labels.max()) == (0, 19)
    assert (labels == (inputs[:, 0] * 20).astype(int)).all()


@pytest.mark.parametrize(
    ("plain_ms", "difference", "code"), [(30.0, 0.0, 0), (10.0, 0.0, 1), (30.0, 0.11, 1)], ids=["kept", "slow", "differs"]
)
def test_the_exit_code_tells_a_missed_goal(plain_ms, difference, code, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["training_step", "--turns", "1"])
    monkeypatch.setattr(training_step, "SIZES", {"tiny": TINY})
    medians = {PLAIN: plain_ms, PLAIN_KEPT: 21.0, OURS: 20.0}
    monkeypatch.setattr(training_step, "measure", lambda size, turns: (medians, difference))
    assert training_step.main() == code
    assert "1.05x" in capsys.readouterr().out
