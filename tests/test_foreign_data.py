"""Data sets from anyone, given to the commands: what cannot be used is named with a remedy, and nothing else is touched.

Each case looks for a message, an exit code, no traceback, nothing changed but results, pictures and cache, and no code run.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from foreign_files import DAMAGED
from foreign_places import CAPTIONS, PALETTE, Place, on_captions, on_pairs, on_pictures, on_voc, pairs, photos, voc
from PIL import Image
from test_voc import write_pair

from compute.data.files import LARGEST_TEXT_BYTES


@pytest.fixture
def place(tmp_path: Path, empty_results: Path) -> Place:
    return Place(tmp_path, empty_results)


# Pictures that are damaged, among whole ones, in each kind of data set: one call for all of them


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, empty_results: Path) -> dict[str, tuple[Place, str]]:
    """What the command says of each kind of data set with every damaged picture in it, and where it was called."""
    places = {kind: Place(tmp_path_factory.mktemp("damaged"), empty_results) for kind in ("pairs", "folder", "photo", "mask")}
    places["captioned"] = Place(tmp_path_factory.mktemp("damaged"), empty_results)
    folders = {
        "pairs": pairs(places["pairs"].folder / "streets"),
        "folder": photos(places["folder"].folder / "photos"),
        "photo": voc(places["photo"].folder),
        "mask": voc(places["mask"].folder),
        "captioned": photos(places["captioned"].folder / "photos"),
    }
    captions = [CAPTIONS]
    for number, content in enumerate(DAMAGED.values(), start=10):
        (folders["pairs"] / "train" / f"{number}.png").write_bytes(content)
        (folders["folder"] / f"n01440764_{number}.png").write_bytes(content)
        (folders["captioned"] / f"{number}.png").write_bytes(content)
        captions.append(f"{number}.png,picture {number},train\n")
        for kind, part in (("photo", "JPEGImages"), ("mask", "SegmentationClass")):
            write_pair(folders[kind], f"extra_{number}", np.repeat([0, 3], 8)[:, None].repeat(16, axis=1))
            suffix = "jpg" if kind == "photo" else "png"
            (folders[kind] / part / f"extra_{number}.{suffix}").write_bytes(content)
            with (folders[kind] / "ImageSets/Segmentation/train.txt").open("a") as file:
                file.write(f"extra_{number}\n")
    file = places["captioned"].folder / "captions.csv"
    file.write_text("".join(captions))
    return {
        "pairs": (places["pairs"], on_pairs(places["pairs"], folders["pairs"], code=0)),
        "folder": (places["folder"], on_pictures(places["folder"], folders["folder"])),
        "photo": (places["photo"], on_voc(places["photo"], folders["photo"])),
        "mask": (places["mask"], on_voc(places["mask"], folders["mask"])),
        "captioned": (places["captioned"], on_captions(places["captioned"], folders["captioned"], file, code=0)),
    }


@pytest.mark.parametrize("dataset", ["pairs", "folder", "photo", "mask"])
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_picture_is_named_and_the_others_are_used(damaged, dataset: str, kind: str) -> None:
    _, output = damaged[dataset]
    number = list(DAMAGED).index(kind) + 10
    names = {"pairs": f"/{number}.png", "folder": f"_{number}.png", "photo": f"_{number}.jpg", "mask": f"_{number}.png"}
    lines = [line for line in output.splitlines() if names[dataset] in line and "skipped" in line]
    if kind == "changed byte" and not lines:  # a checksum that nobody looks at
        return
    assert lines, f"{kind} is not named in {output}"
    assert any(
        word in lines[0] for word in ("Copy", "Make it", "Save it", "Remove it", "Cut it", "its header claims", "Rename")
    )


def test_the_whole_pictures_among_damaged_ones_were_used(damaged) -> None:
    assert damaged["pairs"][0].rows("SELECT DISTINCT split, ordinal FROM image ORDER BY ALL") == [("val", 1), ("val", 2)]
    [(shown,)] = damaged["folder"][0].rows("SELECT count(*) FROM image WHERE image_id SIMILAR TO '.*/[abcd].png'")
    assert shown == 4
    assert "1 trials finished, 4 failed" in damaged["folder"][1]
    output = " ".join(damaged["captioned"][1].split())
    assert (
        f"captions of 2 train and 2 val pictures are used. Left out: {len(DAMAGED)} pictures that cannot be decoded" in output
    )


# Street pairs: sizes, modes, names, palettes


def changed(mode: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
        Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey).save(path)

    return change


def replaced(image: Image.Image) -> Callable[[Path], None]:
    return lambda path: image.save(path)


ODD_PAIRS: dict[str, tuple[Callable[[Path], object], str]] = {
    "16 bits": (changed("I;16"), "are no 8-bit colours. Save it as an ordinary PNG."),
    "one pixel": (replaced(Image.new("RGB", (1, 1))), "1x1 pixels are no pair; the width must be even"),
    "odd width": (replaced(Image.new("RGB", (63, 16))), "63x16 pixels are no pair; the width must be even"),
    "strip": (replaced(Image.new("RGB", (60_000, 1))), "60000x1 pixels are no pair"),
    "other size": (replaced(Image.new("RGB", (128, 32), (0x46, 0x82, 0xB4))), "its photo has 64x32 pixels, the others 32x16"),
    "other colours": (replaced(Image.new("RGB", (64, 16), (0, 255, 0))), "is in none of the palette's colours"),
    "palette of one colour": (
        replaced(Image.new("P", (64, 16))), "is in none of the palette's colours",
    ),
    "black and white": (replaced(Image.new("1", (64, 16), 1)), "is in none of the palette's colours"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read as a picture"),
    "a link to itself": (lambda path: (path.unlink(), path.symlink_to(path)), "cannot be read as a picture"),
    "a link to nothing": (lambda path: (path.unlink(), path.symlink_to("nothing.png")), "cannot be read as a picture"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD_PAIRS)
def test_an_odd_pair_is_named_and_skipped(place: Place, kind: str) -> None:
    change, message = ODD_PAIRS[kind]
    folder = pairs(place.folder / "streets", PALETTE.replace("void,#000000", "void,#ff0000"))
    shutil.copy(folder / "train" / "1.png", folder / "train" / "3.png")
    change(folder / "train" / "3.png")
    output = on_pairs(place, folder, code=0)
    assert str(folder / "train" / "3") in output
    assert message in output
    assert place.rows("SELECT DISTINCT train_images, val_images FROM dataset") == [(2, 2)]


PALETTES: dict[str, tuple[str | bytes, str]] = {
    "one colour twice": ("name,color\na,#102030\nb,#102030\n", "line 3: the colour #102030 is given more than once"),
    "one name twice": ("name,color\na,#102030\na,#102031\n", "line 3: the name a is given more than once"),
    "one colour in two cases": ("name,color\na,#aabbcc\nb,#AABBCC\n", "line 3: the colour #aabbcc is given more than once"),
    "no colour": ("name,color\na,blue\n", "line 2: colour 'blue' of 'a' is not of the form #rrggbb."),
    "formula as colour": ("name,color\na,=1+1\n", "line 2: colour '=1+1' of 'a' is not of the form #rrggbb."),
    "colour of 10,000 characters": (f"name,color\na,#{'f' * 10_000}\n", "line 2: colour '#fff"),
    "name of 10,000 characters": (f"name,color\n{'a' * 10_000},#102030\n", "has more than 100 characters, or one that cannot"),
    "orders to a terminal": ("name,color\n\x1b]0;title\x07a,#102030\n", "has more than 100 characters, or one that cannot"),
    "NUL": ("name,color\na\0b,#102030\n", "has more than 100 characters, or one that cannot be shown. Write another."),
    "neither true nor false": ("name,color,ignored\na,#102030,maybe\n", "ignored is 'maybe' for 'a', but must be true or"),
    "missing column": ("name\na\n", "no column color. The first line must read name,color,ignored."),
    "no header": ("sky,#4682b4\nroad,#804080\n", "no column color, name. The first line must read name,color,ignored."),
    "empty": ("", "no column color, name."),
    "one class": ("name,color\na,#102030\n", "1 classes are scored, but a segmentation needs at least 2"),
    "all ignored": ("name,color,ignored\na,#102030,true\nb,#102031,true\n", "0 classes are scored"),
    "251 classes": (
        "name,color\n" + "".join(f"c{number},#{number:06x}\n" for number in range(251)), "251 classes, but label maps of bytes",
    ),
    "UTF-16": (PALETTE.encode("utf-16"), "is not UTF-8 text"),
    "Latin-1": ("name,color\nKäfer,#102030\n".encode("latin-1"), "is not UTF-8 text"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8 text"),
    "one cell of 200,000 characters": (f"name,color\n{'a' * 200_000},#102030\n", "is no readable CSV"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PALETTES)
def test_a_malformed_palette_is_refused(place: Place, kind: str) -> None:
    content, message = PALETTES[kind]
    output = on_pairs(place, pairs(place.folder / "streets", content))
    assert output.startswith(f"{place.folder / 'streets' / 'classes.csv'}")
    assert message in output
    assert len(output) < 1000


@pytest.mark.parametrize(
    "name", ["[/]", "[bold]x[/bold]", "[/red] [link=file:///etc]", "=1+1", "<script>alert(1)</script>", "../x"]
)
def test_a_class_name_is_shown_as_it_is_and_leads_nowhere(place: Place, name: str) -> None:
    folder = pairs(place.folder / "streets", PALETTE.replace("road", name))
    on_pairs(place, folder, code=0)
    assert place.rows("SELECT DISTINCT name FROM segmentation_class WHERE class_id = 1") == [(name,)]
    told = " ".join(place.call("list", "--pairs", folder, code=0).split())
    assert f"constant_{name.replace(' ', '_')}" in told


@pytest.mark.parametrize("change", [lambda text: f"\ufeff{text}", lambda text: text.replace("\n", "\r\n")], ids=["BOM", "CRLF"])
def test_a_palette_of_another_program_is_read(place: Place, change: Callable[[str], str]) -> None:
    on_pairs(place, pairs(place.folder / "streets", change(PALETTE)), code=0)
    assert place.rows("SELECT DISTINCT name FROM segmentation_class ORDER BY ALL") == [("road",), ("sky",), ("void",)]


@pytest.mark.parametrize("name", ["a" * 200 + ".png", "new\nline.png", "\x1b[2J.png", "bell\x07.png"])
def test_a_pair_whose_name_cannot_be_used_is_refused(place: Place, name: str) -> None:
    folder = pairs(place.folder / "streets")
    shutil.copy(folder / "train" / "1.png", folder / "train" / name)
    output = on_pairs(place, folder)
    assert "its name holds characters that cannot be shown, or more than 120 bytes. Rename it." in output
    assert "\x1b" not in output


def test_a_folder_with_a_long_name_is_taken(place: Place) -> None:
    on_pairs(place, pairs(place.folder / ("s" * 250)), code=0)


# Folders of pictures: manifests

ROW = "file,wnid,author\n"
MANIFESTS: dict[str, tuple[str | bytes, str]] = {
    "missing column": ("file\na.png\n", "lacks the column wnid; its first line names file. It must be file,wnid"),
    "column of 10,000 characters": (f"{'x' * 10_000}\na.png\n", "lacks the column file and wnid; its first line names xxx"),
    "out of the folder": (f"{ROW}../secret.png,n01440764,\n", "'../secret.png' is no path below the folder."),
    "absolute": (f"{ROW}/etc/passwd,n01440764,\n", "'/etc/passwd' is no path below the folder."),
    "over a link": (f"{ROW}out/secret.png,,\n", "'out/secret.png' is a link that leads out of the folder."),
    "name of 10,000 characters": (f"{ROW}{'x' * 10_000}.png,,\n", "there is no file 'xxx"),
    "wnid of 10,000 characters": (f"{ROW}a.png,{'n' * 10_000},\n", "is no wnid. Write n and eight digits"),
    "formula as wnid": (f"{ROW}a.png,=1+1,\n", "'=1+1' is no wnid."),
    "one file twice": (f"{ROW}a.png,,\n./a.png,,\n", "'a.png' is in line 2 already; a picture has one row."),
    "NUL": (f"{ROW}a\0.png,,\n", "there is no file 'a"),
    "orders to a terminal": (f"{ROW}\x1b[2J.png,,\n", "there is no file '"),
    "UTF-16": (f"{ROW}a.png,,\n".encode("utf-16"), "is not UTF-8 text (byte 0 is 0xff). Save it as 'CSV UTF-8'."),
    "Latin-1": (f"{ROW}a.png,,J\xf6rg\n".encode("latin-1"), "is not UTF-8 text"),
    "open quotes": (f'{ROW}"a.png,,\n', "is no CSV (unexpected end of data). Save it as 'CSV UTF-8'."),
    "empty": ("", "lacks the column file and wnid; its first line names none"),
    "a picture": (DAMAGED["half"], "is not UTF-8 text"),
    "too long": (b"", f"cannot be read (it has more than {LARGEST_TEXT_BYTES:,} bytes)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_malformed_manifest_is_refused(place: Place, kind: str) -> None:
    content, message = MANIFESTS[kind]
    folder, elsewhere = photos(place.folder / "photos"), photos(place.folder / "elsewhere")
    (elsewhere / "a.png").rename(elsewhere / "secret.png")
    (folder / "out").symlink_to(elsewhere)
    manifest = folder / "manifest.csv"
    manifest.write_bytes(content if isinstance(content, bytes) else content.encode())
    if kind == "too long":
        os.truncate(manifest, LARGEST_TEXT_BYTES + 1)  # without taking up the room
    output = on_pictures(place, folder)
    assert output.startswith(str(manifest))
    assert message in output
    assert len(output) < 1500
    assert "\x1b" not in output


ODD_TEXTS = [
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
    "[/red]",
    "x" * 10_000,
    "a\0b",
    "\u202egnp.exe",
    "![x](http://evil.example)",
]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text[:20]))
def test_an_odd_text_beside_a_picture_is_kept_as_it_is(place: Place, text: str) -> None:
    folder = photos(place.folder / "photos")
    (folder / "manifest.csv").write_bytes(f'\ufeffFile,WNID,Author\r\na.png,n01440764,"{text}"\r\n'.encode())
    assert "1 trials finished" in on_pictures(place, folder)
    assert place.rows("SELECT author FROM image") == [(text,)]


def test_links_out_of_a_folder_are_told(place: Place) -> None:
    folder, elsewhere = photos(place.folder / "photos"), photos(place.folder / "elsewhere")
    (folder / "all").symlink_to(elsewhere)
    output = on_pictures(place, folder)
    assert f"{folder / 'all'}" in output
    assert "is elsewhere, where a link leads, and so are 3 more pictures of the folder." in output
