"""A pinhole camera over the street, and the canvas that paints photo and labels together."""

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from compute.data.openmoji.classes import SKY
from compute.data.openmoji.colors import Color, mix

Point = tuple[float, float]

PHOTO_PX = 256
SUPERSAMPLING = 2  # the canvas is that many times larger than the photo: shrinking it at the end smooths every edge
CANVAS_PX = PHOTO_PX * SUPERSAMPLING
OPAQUE_ABOVE_HALF = [0] * 129 + [255] * 127  # lookup table for alpha
SHADOW: Color = (20, 22, 34)


@dataclass(frozen=True)
class Camera:
    """Pinhole camera over a flat street; pixels count on the canvas, metres in the street.

    x runs right, y up, z away from the viewer. `curve_per_m` bends the street sideways with the square of z.
    """

    horizon_px: float
    vanish_px: float
    height_m: float
    lateral_m: float
    focal_px: float
    curve_per_m: float

    def scale(self, z_m: float) -> float:
        """Pixels per metre at depth `z_m`."""
        return self.focal_px / z_m

    def project(self, x_m: float, y_m: float, z_m: float) -> Point:
        """Canvas position of a point in the street."""
        scale = self.scale(z_m)
        x_px = self.vanish_px + (x_m - self.lateral_m + self.curve_per_m * z_m * z_m) * scale
        return x_px, self.horizon_px + (self.height_m - y_m) * scale

    def street_x(self, column_px: float, z_m: float) -> float:
        """Sideways place (x in metres) that canvas column `column_px` shows at depth `z_m`."""
        return (column_px - self.vanish_px) / self.scale(z_m) + self.lateral_m - self.curve_per_m * z_m * z_m


class Canvas:
    """Photo (RGB) and label map (L), both CANVAS_PX square, painted together from far to near."""

    def __init__(self, camera: Camera, haze: Color, haze_per_m: float) -> None:
        self.camera = camera
        self.haze = haze
        self.haze_per_m = haze_per_m
        self.photo = Image.new("RGB", (CANVAS_PX, CANVAS_PX))
        self.labels = Image.new("L", (CANVAS_PX, CANVAS_PX), SKY)
        self.photo_draw = ImageDraw.Draw(self.photo)
        self.label_draw = ImageDraw.Draw(self.labels)

    def haze_share(self, z_m: float) -> float:
        """Share of haze color that covers things at depth `z_m`; rational, not exponential, to be exact anywhere."""
        return 1 - 1 / (1 + self.haze_per_m * z_m)

    def hazy(self, color: Color, z_m: float) -> Color:
        """The color as seen through the air at depth `z_m`."""
        return mix(color, self.haze, self.haze_share(z_m))

    def polygon(self, points: list[Point], color: Color, z_m: float, label: int | None, outline: Color | None = None) -> None:
        """Filled polygon; `label` None leaves the label map as it is."""
        edge = None if outline is None else self.hazy(outline, z_m)
        self.photo_draw.polygon(points, fill=self.hazy(color, z_m), outline=edge)
        if label is not None:
            self.label_draw.polygon(points, fill=label)

    def line(self, points: list[Point], width_px: int, color: Color, z_m: float, label: int) -> None:
        """Line of `width_px` canvas pixels."""
        self.photo_draw.line(points, fill=self.hazy(color, z_m), width=width_px)
        self.label_draw.line(points, fill=label, width=width_px)

    def ellipse(self, center: Point, radii: Point, color: Color, outline: Color, z_m: float, label: int) -> None:
        """Filled ellipse around a canvas position; radii in canvas pixels."""
        (x, y), (across, down) = center, radii
        box = (x - across, y - down, x + across, y + down)
        self.photo_draw.ellipse(box, fill=self.hazy(color, z_m), outline=self.hazy(outline, z_m))
        self.label_draw.ellipse(box, fill=label)

    def sprite(
        self, picture: Image.Image, position: tuple[float, float, float], height_m: float, label: int, mirror: bool = False
    ) -> None:
        """Stand an RGBA picture upright with the middle of its foot at `position` (x, y, z in metres)."""
        z_m = position[2]
        center_px, foot_px = self.camera.project(*position)
        height_px = max(2, round(height_m * self.camera.scale(z_m)))
        width_px = max(2, round(height_px * picture.width / picture.height))
        left, top = round(center_px - width_px / 2), round(foot_px) - height_px
        if left >= CANVAS_PX or left + width_px <= 0 or top >= CANVAS_PX:
            return
        picture = picture.resize((width_px, height_px), Image.Resampling.BILINEAR, reducing_gap=1.1)
        self.paste(picture, (left, top), self.haze_share(z_m), label, mirror)

    def paste(
        self, picture: Image.Image, corner_px: tuple[int, int], haze_share: float, label: int, mirror: bool = False
    ) -> None:
        """Paste an RGBA picture as it is; opacity above one half takes the label."""
        picture = ImageOps.mirror(picture) if mirror else picture
        alpha, colors = picture.getchannel("A"), picture.convert("RGB")
        if haze_share > 0.04:
            colors = Image.blend(colors, Image.new("RGB", colors.size, self.haze), haze_share)
        self.photo.paste(colors, corner_px, alpha)
        box = (*corner_px, corner_px[0] + picture.width, corner_px[1] + picture.height)
        self.labels.paste(label, box, alpha.point(OPAQUE_ABOVE_HALF))

    def shadow(self, x_m: float, z_m: float, width_m: float) -> None:
        """Dark see-through ellipse on the ground below a thing; the ground keeps its label."""
        scale = self.camera.scale(z_m)
        x_px, y_px = self.camera.project(x_m, 0, z_m)
        half_px, flat_px = width_m * scale / 2, max(1.0, width_m * scale * 0.09)
        mask = Image.new("L", (max(1, round(2 * half_px)), max(1, round(2 * flat_px))))
        ImageDraw.Draw(mask).ellipse((0, 0, mask.width - 1, mask.height - 1), fill=102)
        self.photo.paste(self.hazy(SHADOW, z_m), (round(x_px - half_px), round(y_px - flat_px)), mask)
