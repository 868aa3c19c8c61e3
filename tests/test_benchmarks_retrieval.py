"""The benchmark of retrieval, at a size at which it takes a moment."""

import pytest
import torch

from benchmarks import retrieval_pass
from benchmarks.retrieval_pass import DENSE, OURS

IMAGES = 120
# Three images, the rows, and six captions, two of each image in turn.
MATRIX = torch.tensor([
    [0.1, 0.2, 0.9, 0.0, 0.3, 0.4],
    [0.3, 0.1, 0.8, 0.7, 0.2, 0.0],
    [0.2, 0.4, 0.1, 0.3, 0.5, 0.6],
])  # fmt: skip


@pytest.mark.parametrize("recalls", [retrieval_pass.dense_recalls, retrieval_pass.ranked_recalls])
def test_both_ways_give_a_small_matrix_its_recalls(recalls, monkeypatch):
    monkeypatch.setattr(retrieval_pass, "FIRST", (1, 2, 3))  # there are but three images to find
    owner = torch.tensor([0, 0, 1, 1, 2, 2])
    assert recalls(torch.eye(3), MATRIX.T / 2, owner) == pytest.approx({
        "text to image R@1": 3 / 6, "text to image R@2": 5 / 6, "text to image R@3": 1.0,
        "image to text R@1": 2 / 3, "image to text R@2": 2 / 3, "image to text R@3": 2 / 3,
    })  # fmt: skip


def test_recalls_agree_and_both_are_timed_and_weighed():
    seconds, recalls, highest_mib = retrieval_pass.measure(IMAGES, turns=2)
    assert min(seconds.values()) > 0
    assert set(highest_mib) == {DENSE, OURS}
    assert retrieval_pass.differing_queries(recalls, IMAGES) == pytest.approx(0, abs=1e-3)
    assert 0.2 < recalls[OURS]["text to image R@1"] < recalls[OURS]["text to image R@10"] < 1


def test_queries_by_which_recalls_differ_are_counted():
    recalls = {
        DENSE: {"text to image R@1": 0.5, "image to text R@1": 0.5},
        OURS: {"text to image R@1": 0.505, "image to text R@1": 0.48},
    }
    assert retrieval_pass.differing_queries(recalls, 100) == pytest.approx(2.5)


def test_the_exit_code_tells_a_missed_goal(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["retrieval_pass", "--images", "40", "--turns", "1"])
    monkeypatch.setattr(retrieval_pass, "GOAL", 0.0)
    assert retrieval_pass.main() == 0
    monkeypatch.setattr(retrieval_pass, "GOAL", 1e9)
    assert retrieval_pass.main() == 1
    assert "40 images x 200 captions" in capsys.readouterr().out
