"""Folders of pictures: which files are taken, in which order, under which label, and what is refused in which words."""

import csv
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compute.data.errors import DataError
from compute.data.image_folder import PICTURE_SUFFIXES, Listed, list_folder

TENCH, SHARK = "n01440764", "n01484850"
ODD_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda name: not name.startswith(".") and len(name.encode()) <= 240
)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Call with paths to make a folder of files by these names, and with `manifest=` for the text of its manifest.csv."""

    def make(*names: str, manifest: str | bytes | None = None) -> Path:
        directory = tmp_path / "pictures"
        directory.mkdir(exist_ok=True)
        for name in names:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(b"a picture")
        if manifest is not None:
            (directory / "manifest.csv").write_bytes(manifest.encode() if isinstance(manifest, str) else manifest)
        return directory

    return make


def labels(directory: Path) -> list[tuple[str, str | None]]:
    listed, complaints = list_folder(directory)
    assert complaints == []
    return [(entry.name, entry.wnid) for entry in listed]


def test_subfolders_are_classes_in_natural_order(folder: Callable[..., Path]) -> None:
    directory = folder(f"{SHARK}/1.jpg", f"{TENCH}/10.jpg", f"{TENCH}/9.JPEG", f"{TENCH}/part 2/a.png", f"{TENCH}/notes.txt")
    assert labels(directory) == [
        (f"{TENCH}/9.JPEG", TENCH),
        (f"{TENCH}/10.jpg", TENCH),
        (f"{TENCH}/part 2/a.png", TENCH),
        (f"{SHARK}/1.jpg", SHARK),
    ]


def test_classes_may_lie_below_val(folder: Callable[..., Path]) -> None:
    assert labels(folder(f"ILSVRC/val/{TENCH}/ILSVRC2012_val_00000293.JPEG")) == [
        (f"ILSVRC/val/{TENCH}/ILSVRC2012_val_00000293.JPEG", TENCH)
    ]


def test_of_train_and_val_only_val_is_taken_and_that_is_said(folder: Callable[..., Path]) -> None:
    directory = folder(f"train/{TENCH}/1.jpg", f"val/{TENCH}/2.jpg")
    listed, complaints = list_folder(directory)
    assert [entry.name for entry in listed] == [f"val/{TENCH}/2.jpg"]
    assert complaints == [
        f"{directory}/train: left out, since models are judged by val/ beside it. Name train/ itself to have it taken."
    ]
    assert labels(directory / "train") == [(f"{TENCH}/1.jpg", TENCH)]


def test_a_training_folder_by_itself_is_taken(folder: Callable[..., Path]) -> None:
    assert labels(folder(f"train/{TENCH}/1.jpg")) == [(f"train/{TENCH}/1.jpg", TENCH)]


def test_files_named_by_their_class_and_files_without_one(folder: Callable[..., Path]) -> None:
    names = [
        f"{TENCH}_a fish.jpg",
        f"{SHARK}.png",
        f"{SHARK}-2.png",
        f"{SHARK}0_nine_digits.jpg",
        f"{SHARK}x.jpg",
        "n0148485_seven_digits.jpg",
        "N01484850_upper_case.jpg",
        f"my_{SHARK}.jpg",
        "holiday.jpg",
    ]
    found = dict(labels(folder(*names)))
    assert set(found) == set(names)
    assert {name: wnid for name, wnid in found.items() if wnid} == {
        f"{TENCH}_a fish.jpg": TENCH,
        f"{SHARK}.png": SHARK,
        f"{SHARK}-2.png": SHARK,
    }


def test_the_nearest_folder_decides_before_the_name(folder: Callable[..., Path]) -> None:
    assert labels(folder(f"{TENCH}/{SHARK}/{TENCH}_1.jpg")) == [(f"{TENCH}/{SHARK}/{TENCH}_1.jpg", SHARK)]


def test_the_folder_of_one_class_may_be_named_itself(folder: Callable[..., Path]) -> None:
    assert labels(folder(f"{TENCH}/1.jpg", f"{TENCH}/more/2.jpg") / TENCH) == [("1.jpg", TENCH), ("more/2.jpg", TENCH)]


def test_a_folder_without_any_label_is_taken(folder: Callable[..., Path]) -> None:
    assert labels(folder("2.jpg", "10.jpg", "1.jpg")) == [("1.jpg", None), ("2.jpg", None), ("10.jpg", None)]


def test_every_picture_suffix_is_taken_and_hidden_files_are_not(folder: Callable[..., Path]) -> None:
    taken = [f"picture{suffix}" for suffix in PICTURE_SUFFIXES] + ["LOUD.TIFF"]
    directory = folder(*taken, "._picture.jpg", ".cache/thumbnail.jpg", "README.md", "picture.svg", "archive.zip")
    assert {name for name, _ in labels(directory)} == set(taken)


def test_links_are_followed_but_not_in_circles(folder: Callable[..., Path], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "fish").mkdir(parents=True)
    (elsewhere / "fish" / "1.jpg").write_bytes(b"a picture")
    directory = folder(f"{SHARK}/2.jpg")
    (directory / TENCH).symlink_to(elsewhere / "fish")
    (directory / SHARK / "3.jpg").symlink_to(elsewhere / "fish" / "1.jpg")
    (directory / SHARK / "again").symlink_to(directory)
    listed, [complaint] = list_folder(directory)
    assert [entry.name for entry in listed] == [f"{TENCH}/1.jpg", f"{SHARK}/2.jpg", f"{SHARK}/3.jpg"]
    assert [entry.wnid for entry in listed] == [TENCH, SHARK, SHARK]
    assert complaint.endswith("is elsewhere, where a link leads, and so are 1 more pictures of the folder. They are taken; "
                              "remove the links if that is not meant.")  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no Unicode")
def test_a_name_that_is_no_unicode_is_skipped_and_said(folder: Callable[..., Path]) -> None:
    directory = folder("good.jpg")
    with open(os.fsencode(directory) + b"/caf\xe9.jpg", "wb") as file:
        file.write(b"a picture")
    listed, complaints = list_folder(directory)
    assert [entry.name for entry in listed] == ["good.jpg"]
    assert complaints == [f"{directory}/caf\N{REPLACEMENT CHARACTER}.jpg: skipped, its name is not UTF-8. Rename it."]


def test_folders_that_cannot_be_used_are_refused_with_what_is_expected(folder: Callable[..., Path], tmp_path: Path) -> None:
    expected = r"Expected are pictures in one subfolder per class .* or a manifest\.csv with the columns file,wnid"
    with pytest.raises(DataError, match=rf"missing: there is no such folder\. {expected}"):
        list_folder(tmp_path / "missing")
    directory = folder("notes.txt", "empty/notes.txt")
    with pytest.raises(DataError, match=rf"notes\.txt: is a file, not a folder\. {expected}"):
        list_folder(directory / "notes.txt")
    with pytest.raises(DataError, match=rf"pictures: holds no pictures\. {expected}"):
        list_folder(directory)


def test_a_manifest_decides_where_there_is_one(folder: Callable[..., Path]) -> None:
    directory = folder(
        f"{SHARK}/10.jpg",
        f"{SHARK}/9.jpg",
        "unnamed.dat",
        "not in it.jpg",
        manifest=f"""note,license,file,wnid,style,author,source
x,CC0,{SHARK}/10.jpg,{TENCH},sketch,Ada,web
"a, b",,./{SHARK}//9.jpg,,,,

,,unnamed.dat,"{TENCH} "
""",
    )
    assert list_folder(directory) == (
        [
            Listed(f"{SHARK}/9.jpg"),
            Listed(f"{SHARK}/10.jpg", TENCH, "sketch", None, "web", "Ada", "CC0"),
            Listed("unnamed.dat", TENCH),
        ],
        [],
    )


@pytest.mark.parametrize(
    "content",
    [
        f"file,wnid\na.jpg,{TENCH}\n".encode(),
        f"file,wnid\r\na.jpg,{TENCH}\r\n".encode(),
        f"\ufefffile,wnid\na.jpg,{TENCH}\n".encode(),
        f'"File","WNID"\n"a.jpg","{TENCH}"'.encode(),
        f"wnid,file,file size\n{TENCH},a.jpg,9,more,cells,than,columns".encode(),
    ],
    ids=["plain", "windows lines", "byte order mark", "quoted and upper case", "more cells"],
)
def test_manifests_as_other_programs_write_them(folder: Callable[..., Path], content: bytes) -> None:
    assert labels(folder("a.jpg", manifest=content)) == [("a.jpg", TENCH)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("file,label\na.jpg,x\n", r"lacks the column wnid; its first line names file, label\. It must be file,wnid and"),
        ("a.jpg,n01440764\n", "lacks the column file and wnid; its first line names a.jpg, n01440764"),
        ("file;wnid\na.jpg;n01440764\n", "first line names file;wnid. It must be .* separated by commas"),
        ("", "lacks the column file and wnid; its first line names none"),
        ("file,wnid\n", "names no picture that can be used.\nIt has no rows below its header"),
        ("file,wnid\n\n , \n", "names no picture that can be used.\nIt has no rows below its header"),
        ("file,wnid\nmissing.jpg,\n", "names no picture that can be used.\n.*line 2: skipped, there is no file 'missing.jpg'"),
        ("file,wnid\na.jpg,\n./a.jpg,\n", r"manifest\.csv, line 3: 'a\.jpg' is in line 2 already; a picture has one row"),
        ("file,wnid\ncafé.jpg,\n".encode("latin-1"), r"is not UTF-8 text \(byte 13 is 0xe9\)\. Save it as 'CSV UTF-8'"),
        ("file,wnid\na.jpg,\n".encode("utf-16"), r"is not UTF-8 text \(byte 0 is 0xff\)"),
        ('file,wnid\na.jpg,"n01440764\nb.jpg,\n', r"manifest\.csv, line 3: is no CSV \(unexpected end of data\)\. Save it"),
        (b"file,wnid\n" + b"x" * 200_000, r"manifest\.csv, line \d: is no CSV \(field larger than field limit"),
    ],
)
def test_a_malformed_manifest_is_refused(folder: Callable[..., Path], content: str | bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        list_folder(folder("a.jpg", manifest=content))
    assert "manifest.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("missing.jpg,", "there is no file 'missing.jpg'. Copy it there, or remove the row."),
        ("folder,", "there is no file 'folder'"),
        ('"nul\0byte.jpg",', "there is no file 'nul\0byte.jpg'"),
        ("x" * 5000 + ".jpg,", "there is no file 'xxx"),
        (",n01440764", "its column file is empty. Name a picture below the folder."),
        ("/etc/hostname,", "'/etc/hostname' is no path below the folder. Name a file in it, such as photos/1.jpg."),
        ("../secret.jpg,", "'../secret.jpg' is no path below the folder"),
        ("folder/../good.jpg,", "'folder/../good.jpg' is no path below the folder"),
        ("link.jpg,", "'link.jpg' is a link that leads out of the folder. Put the file itself there."),
        ("out/secret.jpg,", "'out/secret.jpg' is a link that leads out of the folder"),
        ("good2.jpg,tench", "'tench' is no wnid. Write n and eight digits, such as n01440764 for a tench, or nothing"),
        ("good2.jpg,n0144076", "'n0144076' is no wnid"),
        ("good2.jpg,n01440764x", "'n01440764x' is no wnid"),
        ("good2.jpg,n٠١٤٤٠٧٦٤", "'n٠١٤٤٠٧٦٤' is no wnid"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_skipped(
    folder: Callable[..., Path], tmp_path: Path, row: str, reason: str
) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"a picture")
    directory = folder("good.jpg", "good2.jpg", "folder/x.jpg", manifest=f"file,wnid\ngood.jpg,{TENCH}\n{row}\n")
    (directory / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (directory / "out").symlink_to(tmp_path)
    listed, [complaint] = list_folder(directory)
    assert listed == [Listed("good.jpg", TENCH)]
    assert complaint.startswith(f"{directory}/manifest.csv, line 3: skipped, {reason}")


def test_a_link_within_the_folder_is_taken_and_a_class_outside_the_thousand_is_kept(folder: Callable[..., Path]) -> None:
    directory = folder("photos/1.jpg", manifest="file,wnid\nlink.jpg,n00001740\n")
    (directory / "link.jpg").symlink_to(directory / "photos" / "1.jpg")
    assert labels(directory) == [("link.jpg", "n00001740")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stem=ODD_NAMES)
def test_odd_names_are_found_by_walking_and_in_a_manifest(tmp_path: Path, stem: str) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as temporary:
        directory = Path(temporary)
        name = f"{stem}.jpg"
        (directory / name).write_bytes(b"a picture")
        [entry], complaints = list_folder(directory)
        assert (entry.name, complaints) == (name, [])
        with (directory / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["file", "wnid"], [name, TENCH]])
        assert labels(directory) == [(name, TENCH)]
