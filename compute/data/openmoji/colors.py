"""Colors that several parts of a scene share, and their mixing."""

Color = tuple[int, int, int]

OUTLINE: Color = (34, 32, 36)
PAINTS: list[Color] = [  # of vehicles, doors and awnings
    (234, 90, 71), (66, 133, 200), (245, 245, 242), (84, 88, 96), (250, 190, 60), (95, 165, 110), (190, 195, 200),
    (40, 46, 70), (150, 60, 80), (120, 195, 205),
]  # fmt: skip
WALLS: list[Color] = [
    (196, 104, 78), (222, 198, 160), (168, 172, 178), (236, 228, 210), (142, 92, 76), (206, 164, 112), (128, 138, 150),
    (228, 172, 158), (160, 184, 196), (176, 190, 158), (112, 104, 108), (240, 214, 140), (206, 210, 214),
]  # fmt: skip
GRASSES: list[Color] = [(124, 168, 74), (98, 144, 76), (160, 166, 86), (134, 152, 92)]


def mix(first: Color, second: Color, share: float) -> Color:
    """Color between `first` (share 0) and `second` (share 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
