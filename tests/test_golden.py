"""Figures that must not move by themselves: those of the published miniature, and every metric's under its name.

The published file gives its key figures to 1 part in 10 ** 9 on any machine: counts are whole numbers, and the rest is a few
sums in double precision, whose order a library may change. Bootstrap intervals hang on numpy's stream of draws as well, and
are held to the same. Rewrite them, where results.duckdb itself is new, with `PYTHONPATH=. python tests/golden_figures.py`;
that file says as well how far a miniature computed on another machine may be. New metrics are added with
`PYTHONPATH=. python tests/golden_metrics.py`.
"""

import json

import pytest
from golden_figures import GOLDEN, ROOT, figures, is_beyond
from golden_metrics import GOLDEN as GOLDEN_METRICS
from golden_metrics import OTHERS, public_functions, values

from compute.plan import EXPERIMENTS
from dashboard.connection import open_results

SAME_FILE = 1e-9  # relative; see above
KNOWN = json.loads(GOLDEN.read_text())
NAMED = json.loads(GOLDEN_METRICS.read_text())
RENAME = (
    "gives other values than it did under this name. If its definition was meant to change, give the metric and its column a "
    "new name, so that no page shows old and new figures as one, and add it with: PYTHONPATH=. python tests/golden_metrics.py"
)


@pytest.fixture(scope="module")
def published():
    return figures(open_results(ROOT / "results.duckdb", ROOT / "images"))


def test_the_published_file_gives_its_key_figures(published):
    assert published.keys() == KNOWN.keys()
    moved = {
        name: (value, KNOWN[name]) for name, value in published.items() if value != pytest.approx(KNOWN[name], SAME_FILE, 0)
    }
    assert not moved, (
        "a library or a query computes other figures from the same file; where results.duckdb itself is new, write them anew: "
        "PYTHONPATH=. python tests/golden_figures.py"
    )


def test_every_experiment_has_a_key_figure():
    assert {name.partition(":")[0] for name in KNOWN} == {experiment.NAME for experiment in EXPERIMENTS}


@pytest.fixture(scope="module")
def computed():
    return values()


@pytest.mark.parametrize("name", NAMED)
def test_a_metric_that_keeps_its_name_keeps_its_values(name, computed):
    assert name in computed, f"{name} is gone; take its line out of tests/golden/metrics.json"
    assert same(computed[name], NAMED[name]), f"{name} {RENAME}"


def test_every_metric_has_its_values_written_down(computed):
    assert computed.keys() == NAMED.keys(), "add them with: PYTHONPATH=. python tests/golden_metrics.py"
    assert public_functions() - OTHERS <= computed.keys(), "a function of a metric's module is neither here nor among OTHERS"
    assert public_functions() >= OTHERS


def same(found: object, known: object) -> bool:
    """Whether nested lists hold the same, numbers to 1 part in 10 ** 9."""
    if isinstance(known, list):
        return isinstance(found, list) and len(found) == len(known) and all(map(same, found, known))
    if isinstance(known, float):
        return isinstance(found, int | float) and found == pytest.approx(known, rel=SAME_FILE, abs=1e-12)
    return found == known


def test_a_small_change_is_seen():
    assert same([1.0, [2, "a", None]], [1.0 + 1e-13, [2, "a", None]])
    assert not same([1.0, [2]], [1.0 + 1e-7, [2]])
    assert not same([1.0], [1.0, 2.0])
    assert not same([None], [0.0])
    assert not same([2], [3])


def test_what_another_machine_explains():
    skip, layers = "unet_skip_connections: pooled mean IoU, skip", "rn50_architectures: parameters, clip_rn50"
    assert not is_beyond(skip, 0.4575, 0.4407)
    assert is_beyond(skip, 0.5, 0.4407)
    assert is_beyond(skip, float("nan"), 0.4407)
    assert is_beyond(layers, 38_316_897, 38_316_896)
    assert not is_beyond(layers, 38_316_896, 38_316_896)
    assert not is_beyond("fp32_vs_fp16: first answers changed, bf16", 20, 16)
