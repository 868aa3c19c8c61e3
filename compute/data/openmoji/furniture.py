"""Tables, sofas, televisions and flower pots that OpenMoji lacks, drawn in its outlined style, and cached."""

from functools import cache

from PIL import Image, ImageDraw

from compute.data.openmoji.colors import Color, mix
from compute.data.openmoji.glyphs import cropped
from compute.data.openmoji.layers import colors

PEN_PX = 6  # OpenMoji's outline at the size of layers.colors()
BLACK: Color = (0, 0, 0)
FINE = 2  # painted that many times larger: shrinking smooths every edge

Box = tuple[int, int, int, int]


class _Sheet:
    """A transparent sheet that takes outlined shapes; coordinates are those of the finished drawing."""

    def __init__(self, width: int, height: int) -> None:
        self.picture = Image.new("RGBA", (width * FINE, height * FINE), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.picture)

    def box(self, box: Box, fill: Color, radius: int = 0) -> None:
        """Outlined rectangle, with rounded corners where `radius` is given."""
        scaled = tuple(value * FINE for value in box)
        self.draw.rounded_rectangle(scaled, radius * FINE, fill=(*fill, 255), outline=(*BLACK, 255), width=PEN_PX * FINE)

    def polygon(self, points: list[tuple[int, int]], fill: Color) -> None:
        """Outlined polygon."""
        scaled = [(x * FINE, y * FINE) for x, y in points]
        self.draw.polygon(scaled, fill=(*fill, 255))
        self.draw.line([*scaled, *scaled[:2]], fill=(*BLACK, 255), width=PEN_PX * FINE, joint="curve")

    def line(self, points: list[tuple[int, int]], color: Color, width: int = PEN_PX) -> None:
        """Line without outline."""
        self.draw.line([(x * FINE, y * FINE) for x, y in points], fill=(*color, 255), width=width * FINE, joint="curve")

    def ellipse(self, box: Box, fill: Color) -> None:
        """Outlined ellipse."""
        scaled = tuple(value * FINE for value in box)
        self.draw.ellipse(scaled, fill=(*fill, 255), outline=(*BLACK, 255), width=PEN_PX * FINE)

    def glyph(self, character: str, box: Box) -> None:
        """An OpenMoji drawing, fitted into `box`."""
        left, top, right, bottom = (value * FINE for value in box)
        drawing = cropped(colors(character)).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        self.picture.alpha_composite(drawing, (left, top))

    def finished(self) -> Image.Image:
        """The drawing at its own size, cropped."""
        return cropped(self.picture.reduce(FINE))


def _darker(color: Color, share: float = 0.25) -> Color:
    return mix(color, BLACK, share)


def _plates(sheet: _Sheet, left: int, right: int, top: int, meal: str) -> None:
    """Plates, and a dish in the middle, on a table top whose surface is at `top`."""
    for x in (left, right):
        sheet.ellipse((x - 30, top - 8, x + 30, top + 8), (240, 240, 240))
    if meal:
        middle = (left + right) // 2
        sheet.glyph(meal, (middle - 30, top - 50, middle + 30, top + 6))


@cache
def table(variant: int, color: Color) -> Image.Image:
    """RGBA dining table; `variant` 0 four legs, 1 a round one on a foot, 2 a cloth that hangs down, 3 seen from above."""
    sheet = _Sheet(300, 240)
    if variant == 0:
        for x in (36, 78, 206, 248):
            near = x in (36, 248)
            sheet.box((x, 92, x + 16, 220 if near else 190), color if near else _darker(color, 0.45))
        sheet.polygon([(48, 70), (252, 70), (288, 98), (12, 98)], color)
        sheet.box((12, 98, 288, 114), _darker(color))
        _plates(sheet, 90, 210, 82, "🥗")
    elif variant == 1:
        sheet.box((141, 96, 159, 204), _darker(color))
        sheet.ellipse((90, 192, 210, 220), _darker(color))
        sheet.ellipse((20, 66, 280, 128), _darker(color))
        sheet.ellipse((20, 58, 280, 118), color)
        _plates(sheet, 82, 218, 88, "🍲")
    elif variant == 2:
        for x in (40, 244):
            sheet.box((x, 150, x + 16, 220), (120, 85, 60))
        sheet.polygon([(48, 68), (252, 68), (290, 100), (10, 100)], color)
        hem = [(x, 166 if step % 2 else 150) for step, x in enumerate(range(290, 0, -40))]
        sheet.polygon([(10, 100), (290, 100), *hem], _darker(color, 0.15))
        _plates(sheet, 90, 210, 82, "")
    else:
        sheet.ellipse((40, 10, 260, 230), color)
        sheet.ellipse((54, 24, 246, 216), mix(color, (255, 255, 255), 0.2))
        for box in ((75, 80, 140, 145), (160, 95, 225, 160)):
            sheet.ellipse(box, (240, 240, 240))
            sheet.ellipse(tuple(v + d for v, d in zip(box, (14, 14, -14, -14), strict=True)), (215, 215, 215))  # type: ignore[arg-type]
        sheet.glyph("🥘", (118, 32, 182, 84))
        sheet.glyph("🥗", (118, 158, 180, 212))
    return sheet.finished()


@cache
def sofa(variant: int, color: Color) -> Image.Image:
    """RGBA sofa from the front; `variant` 0 two seats, 1 three seats and cushions, 2 a rounded one, 3 one long seat."""
    width = (230, 290, 250, 280)[variant]
    sheet, dark = _Sheet(width, 170), _darker(color, 0.2)
    round_px = (10, 8, 34, 14)[variant]
    for x in (24, width - 38):
        sheet.box((x, 136, x + 14, 160), (110, 76, 50))
    sheet.box((20, 20, width - 20, 120), color, round_px)
    if variant in (0, 1):
        seats = variant + 2
        for number in range(1, seats):
            x = 20 + (width - 40) * number // seats
            sheet.line([(x, 22), (x, 118)], BLACK)
    if variant == 1:
        sheet.polygon([(60, 60), (100, 50), (108, 92), (66, 98)], mix(color, (255, 255, 255), 0.55))
        sheet.polygon([(190, 54), (232, 58), (226, 98), (184, 92)], mix(color, (255, 255, 255), 0.55))
    sheet.box((26, 88, width - 26, 124), mix(color, (255, 255, 255), 0.15), round_px // 2)
    if variant in (0, 1):
        seats = variant + 2
        for number in range(1, seats):
            x = 20 + (width - 40) * number // seats
            sheet.line([(x, 90), (x, 122)], BLACK)
    sheet.box((22, 118, width - 22, 146), dark, 4)
    for left in (6, width - 44):
        sheet.box((left, 66, left + 38, 146), dark, max(12, round_px // 2))
    return sheet.finished()


@cache
def television(variant: int, color: Color) -> Image.Image:
    """RGBA old television with an antenna (`variant` 0), or a wide one on a low stand (1)."""
    sheet = _Sheet(270, 230)
    screen = ((92, 116, 130), (70, 96, 120))[variant]
    if variant == 0:
        sheet.line([(120, 66), (74, 10)], BLACK)
        sheet.line([(126, 66), (178, 14)], BLACK)
        for x in (50, 186):
            sheet.polygon([(x, 196), (x + 24, 196), (x + 12, 222)], _darker(color, 0.5))
        sheet.box((20, 62, 250, 204), color, 18)
        sheet.box((38, 80, 184, 186), screen, 26)
        sheet.polygon([(66, 100), (104, 92), (76, 150), (56, 150)], mix(screen, (255, 255, 255), 0.5))
        for y in (88, 122):
            sheet.ellipse((202, y, 230, y + 28), (230, 226, 214))
        for y in (162, 174, 186):
            sheet.line([(200, y), (234, y)], BLACK, 4)
        return sheet.finished()
    sheet.box((116, 160, 154, 196), _darker(color, 0.4))
    sheet.box((70, 190, 200, 208), _darker(color, 0.2), 6)
    sheet.box((4, 20, 266, 168), color, 6)
    sheet.box((18, 34, 252, 154), screen)
    sheet.polygon([(22, 150), (90, 88), (140, 128), (186, 80), (248, 150)], mix(screen, (120, 190, 110), 0.6))
    sheet.ellipse((52, 48, 88, 84), (250, 214, 90))
    return sheet.finished()


PLANTS = ("🌵", "🌷", "🌻", "🌺", "🌿")


@cache
def potted_plant(variant: int, color: Color) -> Image.Image:
    """RGBA plant, PLANTS[variant], in a pot of `color`."""
    sheet = _Sheet(200, 300)
    sheet.glyph(PLANTS[variant], (38, 6, 162, 206))
    sheet.polygon([(56, 206), (144, 206), (130, 290), (70, 290)], color)
    sheet.box((46, 190, 154, 216), _darker(color, 0.12), 4)
    return sheet.finished()
