"""Heat maps of attention and small multiples, by hand."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dashboard.components import attention, gallery
from dashboard.components.markup import as_html
from dashboard.components.small_multiples import Series, Small, drawn


def test_a_patch_is_covered_by_as_much_of_a_class_as_it_holds():
    classes = np.zeros((4, 8), np.uint8)
    classes[:2, :3] = 1  # all of the first patch of 2 by 2, half of the second
    assert attention.coverage(classes, 1, (2, 4)).tolist() == [[1.0, 0.5, 0.0, 0.0], [0.0] * 4]
    weights = np.array([[0.4, 0.2, 0.0, 0.0], [0.4, 0.0, 0.0, 0.0]], np.float32)
    assert attention.share_on_class(weights, classes, 1) == (pytest.approx(0.5), 6 / 32)
    assert np.isnan(attention.share_on_class(0 * weights, classes, 1)[0])


def test_a_heat_map_is_a_block_for_each_patch_in_the_photo_s_shape():
    weights = np.array([[0.0, 0.5], [1.0, 0.25]])
    picture = decoded(attention.heat_url(weights, 1.0, aspect=2.0))
    assert picture.shape == (96, 192, 3)
    assert picture[0, 0].tolist() == list(attention.HEAT_COLORS[0])
    assert picture[0, -1].tolist() == list(attention.HEAT_COLORS[2])
    assert picture[-1, 0].tolist() == list(attention.HEAT_COLORS[-1])
    assert picture[-1, -1].tolist() == list(attention.HEAT_COLORS[1])
    for wrong in (np.array([[np.nan]]), np.zeros((0, 2)), np.zeros(3)):
        assert attention.heat_url(wrong, 1.0, 1.0) == gallery.MISSING
    assert attention.heat_url(weights, 0.0, 1.0) == gallery.MISSING


def decoded(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def test_small_charts_share_a_scale_and_break_where_there_is_no_value():
    series = [Series("one", "#2a78b8", (1, 0)), Series("two", "#d97a1c", (7, 3))]
    charts = [
        Small("<b>cat</b>", "#400000", "5 %", {"one": [0.0, float("nan"), 0.35, 0.7], "two": [0.7] * 4}),
        Small("dog", "url(x)", "2 %", {"one": [0.14] * 4}),
    ]
    html = as_html(drawn(charts, series, [0, 1, 2, 3]))
    assert "<b>cat" not in html
    assert "url(x)" not in html
    assert 'points="0.0,48.0"' in html
    assert 'points="66.7,24.0 100.0,0.0"' in html
    assert 'points="0.0,38.4 33.3,38.4 66.7,38.4 100.0,38.4"' in html  # a fifth of the common 0.7
    assert html.count('stroke-dasharray="7 3"') == 2  # the line, and its sample in the legend
    own = as_html(drawn(charts, series, [0, 1, 2, 3], same_scale=False))
    assert 'points="0.0,14.4 33.3,14.4 66.7,14.4 100.0,14.4"' in own  # 0.14 of its own 0.2
