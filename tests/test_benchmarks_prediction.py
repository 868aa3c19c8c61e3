"""The benchmark of passes over photos, on two pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import prediction_contestants, prediction_pass
from benchmarks.prediction_contestants import (
    CLIP_WAY,
    DIFFERENCE,
    LONG,
    NETWORK,
    ONE_READER,
    OPENVINO,
    OURS,
    PLAIN,
    PLAIN_KEPT,
    PREPARING,
    RATE,
    READING,
)
from compute import predictions


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, generator = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    found = [folder / f"{number}.png" for number in range(2)]
    for path in found:
        Image.fromarray(generator.integers(256, size=(224, 224, 3), dtype=np.uint8)).save(path)  # nothing to resize
    return found


def test_ways_of_asking_clip_give_the_same(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "LONG_PASS_PICTURES", predictions.LONG_PASS_PICTURES)  # which the contestant changes
    monkeypatch.setattr(predictions, "LONG_PASS_BATCH", 2)
    measured = prediction_pass.run_contestant(CLIP_WAY, "clip_rn50", paths, tmp_path / "outputs.npy")
    assert set(measured) == {RATE, READING, NETWORK, ONE_READER}
    theirs = np.load(tmp_path / "outputs.npy")
    ours, our_rates = prediction_contestants.ask_as_on_a_long_pass("clip_rn50", paths)
    assert set(our_rates) == {*measured, PREPARING, DIFFERENCE}
    assert min(*measured.values(), *(our_rates[what] for what in measured)) > 0
    assert our_rates[DIFFERENCE] <= 1e-4
    assert theirs.shape == (2, prediction_contestants.CLASSES)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert np.ptp(theirs) > 1


def test_others_refuse_to_run_beside_our_settings(paths):
    with pytest.raises(AssertionError, match="must not use our settings"):
        prediction_contestants.ask_plainly("efficientnet_lite0", paths)


def rates(whole: float, reading: float, network: float, one_reader: float) -> dict[str, float]:
    return {RATE: whole, READING: reading, NETWORK: network, ONE_READER: one_reader}


MEDIANS = {
    PLAIN: rates(10, 100, 12, 100),
    PLAIN_KEPT: rates(16, 100, 20, 100),
    OURS: rates(20, 300, 30, 160),
    LONG: rates(24, 300, 30, 160) | {DIFFERENCE: 2e-6, PREPARING: 3.0},
    OPENVINO: rates(32, 300, 40, 160) | {PREPARING: 5.0},
}


def test_reading_and_network_share_the_cores():
    assert prediction_pass.shared_bound(rates(0, 300, 60, 0)) == pytest.approx(50)  # 1/300 + 1/60 = 6/300


def test_ratios_stand_beside_their_goals():
    found = prediction_pass.judged("efficientnet_lite0", MEDIANS)
    assert [(ratio, goal) for _, ratio, goal in found] == [
        (2.0, 1.8),
        (1.25, None),
        (pytest.approx(24 * (1 / 300 + 1 / 30)), 0.95),
        (0.8, None),
        (1.6, 1.5),
        (0.75, 0.9),
        (0.75, 0.9),
    ]
    assert [what for what, _, _ in found][:2] == [f"{OURS}, of {PLAIN}", f"{OURS}, of {PLAIN_KEPT}"]
    without = {name: measured for name, measured in MEDIANS.items() if name != OPENVINO}
    assert prediction_pass.judged("efficientnet_lite0", without) == found[:5]


def test_missed_goals_are_counted_and_shown(capsys):
    assert prediction_pass._show("efficientnet_lite0", 2, 1, MEDIANS, 3e-3) == 3  # the bound, and OpenVINO twice
    differing = MEDIANS | {LONG: rates(39, 400, 40, 160) | {DIFFERENCE: 2e-4}}
    assert prediction_pass._show("efficientnet_lite0", 2, 1, differing, 3e-3) == 1
    shown = capsys.readouterr().out
    assert "2.0e-06" in shown
    assert "3.0e-03" in shown
    assert "efficientnet_lite0: 2 pictures" in shown


def test_probabilities_are_those_of_a_softmax():
    given = np.array([[0.0, np.log(3.0)], [1000.0, 1000.0]])
    np.testing.assert_allclose(prediction_contestants.probabilities(given), [[0.25, 0.75], [0.5, 0.5]])
