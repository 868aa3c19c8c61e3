"""The colors of variants: seen on both backgrounds, told apart in grey and by colour-blind readers, the same everywhere."""

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pytest

from dashboard import charts, charts_captions, charts_heads, charts_precision, charts_predictions, charts_retrieval
from dashboard.views import contest

ROOT = Path(__file__).parent.parent
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
BACKGROUNDS = {name: THEME[name]["backgroundColor"] for name in ("light", "dark")}
FIRST, SECOND = THEME["chartCategoricalColors"][:2]
LEAST_CONTRAST = 3.0  # WCAG 2.2, success criterion 1.4.11
LEAST_GREY_CONTRAST = 1.4  # of the first two colors with each other; dashes, places or words tell all others apart
LEAST_DISTANCE = 0.2  # in linear light; what colour-blind readers confuse is nearer than half of it

# What a reader without red, and one without green, sees of linear red, green and blue (Viénot, Brettel and Mollon 1999).
PROTANOPE = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTERANOPE = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])

USED = {
    *THEME["chartCategoricalColors"],
    *charts.VARIANT_COLORS.values(),
    *charts.METRIC_COLORS.values(),
    charts.INTERVAL_COLOR,
    *charts_captions.K_COLORS,
    *charts_heads.HEAD_COLORS.values(),
    *charts_heads.OTHER_COLORS,
    *charts_precision.PRECISION_COLORS.values(),
    *charts_precision.CATEGORY_COLORS.values(),
    charts_precision.FLIP_COLOR,
    *charts_retrieval.COLORS,
}


def linear(color: str) -> np.ndarray:
    """Red, green and blue in linear light, 0 to 1."""
    values = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Contrast of two colors as WCAG counts it, 1 to 21."""
    darker, lighter = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) + 0.05 for color in (one, other))
    return lighter / darker


def test_contrast_is_what_wcag_counts():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=list(BACKGROUNDS))
@pytest.mark.parametrize("color", sorted(USED))
def test_every_variant_is_seen_on_both_backgrounds(color, background):
    assert contrast(color, background) >= LEAST_CONTRAST


def test_the_two_variants_differ_in_grey():
    assert contrast(FIRST, SECOND) >= LEAST_GREY_CONTRAST


@pytest.mark.parametrize("seen", [np.eye(3), PROTANOPE, DEUTERANOPE], ids=["all colors", "no red", "no green"])
def test_the_two_variants_differ_for_colour_blind_readers(seen):
    assert np.linalg.norm(seen @ linear(FIRST) - seen @ linear(SECOND)) >= LEAST_DISTANCE


def test_the_first_two_colors_are_the_same_everywhere():
    pairs = [
        tuple(charts.VARIANT_COLORS.values()),
        tuple(charts_predictions.PAIR_COLORS),
        contest.COLORS,
        charts_captions.K_COLORS[:2],
        tuple(charts_heads.HEAD_COLORS.values())[:2],
        charts_retrieval.COLORS[:2],
        (charts_precision.PRECISION_COLORS["fp32"], charts_precision.PRECISION_COLORS["fp16"]),
    ]
    assert set(pairs) == {(FIRST, SECOND)}
    for name in ("answers", "captions", "architecture"):
        styles = (ROOT / "dashboard" / "components" / f"{name}.css").read_text()
        assert FIRST in styles
        assert SECOND in styles


def test_colors_of_one_chart_are_not_the_same_twice():
    for colors in (charts_retrieval.COLORS, THEME["chartCategoricalColors"], charts_precision.CATEGORY_COLORS.values()):
        assert all(one != other for one, other in itertools.combinations(colors, 2))
