"""Attention over a picture's patches: as a heat map to lay over the photo, and how much of it falls on a class."""

import functools

import numpy as np
from PIL import Image

from dashboard.components import gallery

LONGEST_PX = 192
# Evenly spread over the scale from no attention to the most; brighter is more, also in grey.
HEAT_COLORS = ((6, 4, 24), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))


def heat_url(weights: np.ndarray, largest: float, aspect: float) -> str:
    """Weights (h, w) as a PNG data URL of the photo's aspect ratio (width by height), a block of one color for each patch.

    `largest` is the weight of the brightest color. MISSING where there is nothing finite to draw.
    """
    if weights.ndim != 2 or not weights.size or not np.isfinite(weights).all() or not (largest > 0 and aspect > 0):
        return gallery.MISSING
    return _heat_url(np.ascontiguousarray(weights, np.float32).tobytes(), weights.shape, float(largest), float(aspect))


@functools.lru_cache(maxsize=gallery.MOST_KEPT)
def _heat_url(content: bytes, shape: tuple[int, int], largest: float, aspect: float) -> str:
    share = np.clip(np.frombuffer(content, np.float32).reshape(shape) / largest, 0, 1)
    places = np.linspace(0, 1, len(HEAT_COLORS))
    channels = [np.interp(share, places, [color[channel] for color in HEAT_COLORS]) for channel in range(3)]
    image = Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))
    width, height = (LONGEST_PX, LONGEST_PX / aspect) if aspect >= 1 else (LONGEST_PX * aspect, LONGEST_PX)
    return gallery.data_url(image.resize((max(1, round(width)), max(1, round(height))), Image.Resampling.NEAREST))


def coverage(classes: np.ndarray, class_id: int, shape: tuple[int, int]) -> np.ndarray:
    """Share of each patch that a class covers: classes of pixels (H, W) -> (h, w) float64, 0 to 1."""
    own = Image.fromarray((classes == class_id).astype(np.float32))
    return np.asarray(own.resize(shape[::-1], Image.Resampling.BOX), np.float64)


def share_on_class(weights: np.ndarray, classes: np.ndarray, class_id: int) -> tuple[float, float]:
    """How much of the attention (h, w) falls on a class's pixels, and that class's share of the picture (H, W); 0 to 1."""
    total = float(weights.sum(dtype=np.float64))
    on_class = float((weights * coverage(classes, class_id, weights.shape)).sum(dtype=np.float64))
    return (on_class / total if total > 0 else float("nan")), float((classes == class_id).mean())
