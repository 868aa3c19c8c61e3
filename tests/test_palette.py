"""Palettes from files, from Cityscapes and from k-means, and labels by the nearest colour."""

from pathlib import Path

import numpy as np
import pytest

from compute.data.errors import DataError
from compute.data.palette import (
    LARGEST_CLASS_COUNT,
    SegmentationClass,
    color_values,
    kmeans_palette,
    nearest_color,
    read_palette,
)

HEADER = "name,color,ignored\n"


def write_classes(folder: Path, content: str | bytes) -> Path:
    path = folder / "classes.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_scored_classes_come_first_each_group_in_the_order_of_the_file(tmp_path: Path) -> None:
    write_classes(tmp_path, HEADER + "void,#000000,true\nroad,#804080,false\nego car,#010101,TRUE\ncar, #E6A000 ,False\n")
    assert read_palette(tmp_path) == (
        SegmentationClass(0, "road", "#804080", ignored=False),
        SegmentationClass(1, "car", "#e6a000", ignored=False),
        SegmentationClass(2, "void", "#000000", ignored=True),
        SegmentationClass(3, "ego car", "#010101", ignored=True),
    )


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    write_classes(tmp_path, b"\xef\xbb\xbfname,color,ignored\r\nstra\xc3\x9fe,#804080,false\r\ncar,#e6a000,false\r\n")
    assert [entry.name for entry in read_palette(tmp_path)] == ["straße", "car"]


def test_without_the_column_ignored_every_class_is_scored(tmp_path: Path) -> None:
    write_classes(tmp_path, "color,name\n#804080,road\n#e6a000,car\n")
    assert [(entry.name, entry.ignored) for entry in read_palette(tmp_path)] == [("road", False), ("car", False)]


def test_a_folder_without_classes_csv_has_the_palette_of_cityscapes(tmp_path: Path) -> None:
    palette = read_palette(tmp_path)
    assert [entry.class_id for entry in palette] == list(range(29))
    assert [entry.ignored for entry in palette] == [False] * 19 + [True] * 10
    assert [(palette[index].name, palette[index].color) for index in (0, 10, 13, 18, 19)] == [
        ("road", "#804080"),
        ("sky", "#4682b4"),
        ("car", "#00008e"),
        ("bicycle", "#770b20"),
        ("void", "#000000"),
    ]
    assert len({entry.color for entry in palette}) == len({entry.name for entry in palette}) == 29


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("name,ignored\nroad,false\n", "classes.csv: no column color"),
        ("", "classes.csv: no column color, name"),
        ("name;color;ignored\nroad;#804080;false\n", "no column color, name. The first line must read name,color,ignored"),
        (HEADER + "road,#804080,false\ncar,e6a000,false\n", "classes.csv, line 3: colour 'e6a000' of 'car'"),
        (HEADER + "road,#80408,false\n", "classes.csv, line 2: colour '#80408' of 'road' is not of the form #rrggbb"),
        (HEADER + "road,#80408g,false\n", "classes.csv, line 2: colour '#80408g'"),
        (HEADER + "road\n", "classes.csv, line 2: colour '' of 'road'"),
        (HEADER + "road,#804080,false\ncar,#e6a000,perhaps\n", "classes.csv, line 3: ignored is 'perhaps' for 'car'"),
        (HEADER + "road,#804080,false\n  ,#e6a000,false\n", "classes.csv, line 3: the name is empty"),
        (HEADER + "road,#804080,false\nroad,#e6a000,false\n", "classes.csv, line 3: the name road is given more than once"),
        (HEADER + "road,#804080,false\ncar,#804080,true\n", "classes.csv, line 3: the colour #804080 is given more than once"),
        (HEADER + "road,#80408A,false\ncar,#80408a,true\n", "classes.csv, line 3: the colour #80408a is given more than once"),
        (HEADER + "road,#804080,false\ncar,#e6a000,true\n", "classes.csv: 1 classes are scored"),
        (HEADER, "classes.csv: 0 classes are scored"),
        (HEADER.encode() + b"stra\xdfe,#804080,false\n", "classes.csv: is not UTF-8 text"),
        ((HEADER + "road,#804080,false\n").encode("utf-16"), "classes.csv: is not UTF-8 text"),
        (
            HEADER + "".join(f"class {number},#{number:06x},false\n" for number in range(LARGEST_CLASS_COUNT + 1)),
            "classes.csv: 251 classes, but label maps of bytes hold at most 250",
        ),
    ],
)
def test_a_malformed_palette_is_refused_by_file_and_line(tmp_path: Path, content: str | bytes, complaint: str) -> None:
    path = write_classes(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_palette(tmp_path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_line_of_a_complaint_counts_empty_lines_too(tmp_path: Path) -> None:
    write_classes(tmp_path, HEADER + "\nroad,#804080,false\n\ncar,red,false\n")
    with pytest.raises(DataError, match="line 5"):
        read_palette(tmp_path)


def test_a_colour_given_twice_is_refused_by_line(tmp_path: Path) -> None:
    write_classes(tmp_path, HEADER + "road,#804080,false\ncar,#804080,false\n")
    with pytest.raises(DataError, match="line 3"):
        read_palette(tmp_path)


def test_a_field_too_long_for_csv_is_refused_by_file(tmp_path: Path) -> None:
    write_classes(tmp_path, HEADER + f"road,#804080,false\n{'a' * 200_000},#e6a000,false\n")
    with pytest.raises(DataError, match=r"classes\.csv"):
        read_palette(tmp_path)


def test_colour_values_are_the_bytes_of_the_hexadecimal_colour(tmp_path: Path) -> None:
    write_classes(tmp_path, HEADER + "road,#0080ff,false\ncar,#e6a001,false\n")
    values = color_values(read_palette(tmp_path))
    assert (values.dtype, values.tolist()) == (np.float32, [[0, 128, 255], [230, 160, 1]])


def test_the_nearest_colour_is_that_of_the_distance_loop() -> None:
    dice = np.random.default_rng(0)
    for colors in (color_values(read_palette(Path("no such folder"))), dice.integers(0, 256, (250, 3)).astype(np.float32)):
        pixels = dice.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        indices, distances = nearest_color(pixels, colors)
        for y in range(40):
            for x in range(50):
                squares = [int(((pixels[y, x].astype(int) - color.astype(int)) ** 2).sum()) for color in colors]
                assert (int(indices[y, x]), float(distances[y, x])) == (squares.index(min(squares)), min(squares))


def test_the_lower_index_wins_where_two_colours_are_equally_near() -> None:
    colors = np.array([[255, 255, 255], [10, 0, 0], [20, 0, 0], [0, 254, 0], [0, 0, 254]], dtype=np.float32)
    pixels = np.array([[[15, 0, 0], [0, 127, 127], [15, 3, 3], [20, 0, 0]]], dtype=np.uint8)
    indices, distances = nearest_color(pixels, colors)
    # (0, 127, 127) is equally far from the green and the blue, 2 * 127², and 100 further from (10, 0, 0).
    assert indices.tolist() == [[1, 3, 1, 2]]
    assert distances.tolist() == [[25, 2 * 127**2, 25 + 9 + 9, 0]]


def test_kmeans_gives_the_same_ten_clusters_each_time_and_others_for_another_seed() -> None:
    palette = kmeans_palette(0)
    assert [(entry.class_id, entry.name, entry.ignored) for entry in palette] == [
        (number, f"cluster {number}", False) for number in range(10)
    ]
    assert len({entry.color for entry in palette}) == 10
    assert kmeans_palette(0) == palette
    assert kmeans_palette(1) != palette
