"""What `python -m compute doctor --results` finds in whole, damaged and foreign files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from result_files import FileAndImages, alter
from rich.console import Console
from typer.testing import CliRunner

from compute import __main__ as command_line
from compute.doctor_results import examine_results

ROOT = Path(__file__).parent.parent
FOLLOWS = "answers and probabilities, which add up to 1, must follow from logit"
COMMAND = "python -m compute run unet_skip_connections --profile mini --seed 0 --force"
# Label maps of the hand-worked counts of conftest: truth and prediction of both pictures, row by row.
MAPS = {
    "tiny-ffffffff/truth/1.png": [0] * 10 + [1] * 6,
    "runs/run-1/epoch_0/1.png": [0] * 9 + [1] + [1] * 3 + [0] * 3,
    "tiny-ffffffff/truth/2.png": [0] * 8 + [1] * 6 + [2] * 2,
    "runs/run-1/epoch_0/2.png": [0] * 8 + [1] * 4 + [0] * 2 + [1] * 2,
}


@pytest.fixture
def whole(tiny_results: FileAndImages, monkeypatch: pytest.MonkeyPatch) -> FileAndImages:
    """A results file whose every number and picture is right."""
    results, images = tiny_results
    for path, labels in MAPS.items():
        Image.fromarray(np.array(labels, np.uint8).reshape(4, 4)).save(images / path)
    monkeypatch.setattr(command_line, "console", Console(width=500, emoji=False))
    return results, images


def call(results: Path, images: Path) -> Result:
    return CliRunner().invoke(command_line.app, ["doctor", "--results", str(results), "--images", str(images)])


def told(results: Path, images: Path) -> list[str]:
    """Violations as `run: table: what`."""
    return [f"{each.run_id}: {each.table}: {each.what}" for each in examine_results(results, images)[1]]


def test_a_whole_file_is_said_to_be_whole_and_stays_as_it_was(whole: FileAndImages) -> None:
    results, images = whole
    before = results.read_bytes(), sorted(results.parent.rglob("*"))
    result = call(results, images)
    assert result.exit_code == 0, result.output
    checked = {line.what: line for line in examine_results(results, images)[0]}
    assert (checked["segmentation_score"].rows, checked["pictures"].rows, checked["latency"].rows) == (4, 6, 0)
    assert checked["segmentation_score"].checks > 5
    assert "6 " in result.output
    assert "latency" not in result.output  # of what there are no rows nothing is said
    assert (results.read_bytes(), sorted(results.parent.rglob("*"))) == before


@pytest.mark.parametrize(
    ("statement", "violation"),
    [
        ("UPDATE segmentation_score SET predicted = predicted + 1 WHERE class_id = 1", "run-1: segmentation_score: an image's"),
        ("UPDATE training_step SET learning_rate = 'nan'", "run-1: training_step: loss, learning_rate, milliseconds must be"),
        ("UPDATE training_step SET loss = '-inf' WHERE step = 0", "run-1: training_step: loss, learning rate and time must"),
        ("UPDATE run SET data_fingerprint = 'e'", ": run: data_fingerprint must be the one of its data set (1 rows)"),
        ("INSERT INTO latency VALUES ('gone', 'fp32', 1, 1, 'wall', 2)", ": latency: 1 rows are of run gone, which is not in"),
        ("INSERT INTO run FROM run", ": run: rows differ though their run_id are the same (1 rows)"),
        ("DELETE FROM dataset", ": run: dataset is not in the table dataset (1 rows)"),
        ("DELETE FROM image WHERE ordinal = 1", "run-1: segmentation_score: image_id is not in the table image (2 rows)"),
        ("DELETE FROM segmentation_class WHERE class_id = 1", "run-1: segmentation_score: class_id is no scored class of the"),
        ("DELETE FROM segmentation_score", "run-1: foreground_score: must have rows of each epoch and image_id of"),
        ("UPDATE image SET path = '../' || path", ": image: path must lie in the data set's folder (2 rows)"),
        ("DROP TABLE dataset", ": dataset: the file has no such table, as of an earlier release"),
        ("ALTER TABLE dataset DROP COLUMN source", ": dataset: the file lacks its column source, as of an earlier release"),
        ("ALTER TABLE run ALTER seed TYPE VARCHAR", ": run: seed is of type VARCHAR, not INTEGER"),
        (
            "ALTER TABLE image ALTER author DROP NOT NULL; ALTER TABLE image ALTER license DROP NOT NULL; "
            "UPDATE image SET license = NULL",
            "path, width, height, source, license, sha256 must not be empty (2 rows)",
        ),
        ("ALTER TABLE training_step ALTER loss TYPE VARCHAR; UPDATE training_step SET loss = 'much'", "could not be checked"),
    ],
)
def test_what_does_not_hold_is_named(whole: FileAndImages, statement: str, violation: str) -> None:
    results, images = whole
    alter(results, *statement.split("; "))
    found = told(results, images)
    assert any(violation in each for each in found), found
    result = call(results, images)
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert "do not hold" in result.output


def test_a_run_that_does_not_hold_is_named_with_the_command_that_computes_it_again(whole: FileAndImages) -> None:
    results, images = whole
    alter(results, "UPDATE training_step SET milliseconds = -1 WHERE step = 1")
    [violation] = examine_results(results, images)[1]
    assert (violation.experiment, violation.run_id, violation.remedy) == ("unet_skip_connections", "run-1", COMMAND)
    told = "training_step: loss, learning rate and time must be finite and not negative (1 rows)"
    assert f"unet_skip_connections, run run-1: {told}. Mend it: {COMMAND}" in call(results, images).output


def _link_outside(images: Path) -> None:
    outside = images.parent / "outside.png"
    (images / "runs/run-1/epoch_0/1.png").replace(outside)
    (images / "runs/run-1/epoch_0/1.png").symlink_to(outside)


@pytest.mark.parametrize(
    ("harm", "violation"),
    [
        (
            lambda images: (images / "tiny-ffffffff/photo/1.jpg").unlink(),
            ": pictures: is not below {images}: tiny-ffffffff/photo/1",
        ),
        (
            lambda images: (images / "runs/run-1/epoch_0/2.png").write_bytes(b""),
            "run-1: pictures: is no readable JPEG or PNG: runs",
        ),
        (
            lambda images: (images / "runs/run-1/epoch_0/2.png").write_bytes(b"GIF89a" * 9),
            "run-1: pictures: is no readable JPEG",
        ),
        (
            lambda images: Image.new("RGB", (5, 4)).save(images / "tiny-ffffffff/photo/2.jpg"),
            ": pictures: has 5x4 pixels instead of 4x4: tiny-ffffffff/photo/2.jpg",
        ),
        (
            lambda images: Image.new("L", (4, 4)).save(images / "runs/run-1/epoch_0/1.png"),
            "run-1: pictures: masks must have the pixels that segmentation_score counts, in 1 they differ: tiny-ffffffff/val/1",
        ),
        (
            lambda images: Image.new("RGB", (4, 4)).save(images / "tiny-ffffffff/truth/2.png"),
            "run-1: pictures: masks must have the pixels that segmentation_score counts, in 1 they differ: tiny-ffffffff/val/2",
        ),
        (_link_outside, "run-1: pictures: leads out of {images}: runs/run-1/epoch_0/1.png"),
        (shutil.rmtree, ": pictures: is not below {images}: tiny-ffffffff/photo/1.jpg and 3 more"),
    ],
)
def test_a_picture_that_is_not_what_the_rows_say_is_named(
    whole: FileAndImages, harm: Callable[[Path], object], violation: str
) -> None:
    results, images = whole
    harm(images)
    found = told(results, images)
    assert any(each.startswith(violation.format(images=images.resolve())) for each in found), found
    assert call(results, images).exit_code == 1


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/hosts.png", "tiny-ffffffff/../../secret.png", ".hidden/1.png", "a\n.png"]
)
def test_no_picture_is_read_elsewhere(whole: FileAndImages, path: str) -> None:
    results, images = whole
    Image.new("RGB", (4, 4)).save(images.parent / "secret.png")
    alter(results, f"UPDATE segmentation_mask SET path = '{path}' WHERE run_id IS NOT NULL AND path LIKE '%1.png'")
    found = told(results, images)
    assert any(each.startswith(f"run-1: pictures: leads out of {images.resolve()}: ") for each in found), found
    assert "\n.png" not in call(results, images).output


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Path.unlink, "there is no such file"),
        (lambda file: file.write_bytes(b""), "is no readable DuckDB file"),
        (lambda file: file.write_bytes(b"PK\x03\x04" * 999), "is no readable DuckDB file"),
        (lambda file: file.write_bytes(file.read_bytes()[:5000]), ""),
        (lambda file: file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2]), ""),
        (lambda file: alter(file, "UPDATE contract SET version = 99"), "has tables of version [99], this program writes 1."),
        (lambda file: alter(file, "DROP TABLE run"), "lacks the tables run, so this version did not write it."),
        (lambda file: alter(file, "DROP TABLE contract"), "lacks the tables contract"),
        (lambda file: alter(file, "ALTER TABLE run RENAME COLUMN run_id TO id"), "its tables are not as expected"),
    ],
)
def test_a_file_that_cannot_be_opened_is_refused_in_a_sentence(
    whole: FileAndImages, harm: Callable[[Path], object], message: str
) -> None:
    results, images = whole
    harm(results)
    result = call(results, images)
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert result.output.startswith(f"{results}: ")
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_texts_of_a_foreign_file_are_shown_as_they_are_and_not_at_length(whole: FileAndImages) -> None:
    results, images = whole
    name = "[bold]<b>" + "x" * 10_000 + "\x1b[31m"
    alter(results, f"UPDATE run SET experiment = '{name}', seconds = -1")
    output = call(results, images).output
    assert "[bold]<b>xxx" in output
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) < 2000


def test_answers_are_held_to_the_stored_outputs(tmp_path: Path) -> None:
    copy = tmp_path / "results.duckdb"
    shutil.copyfile(ROOT / "results.duckdb", copy)
    of = "run_id = (SELECT run_id FROM run WHERE experiment = 'fp32_vs_fp16' AND variant = '{}')"
    alter(
        copy,
        f"""UPDATE prediction SET top5_probability = list_concat([top5_probability[1] - 1e-5::FLOAT], top5_probability[2:])
            WHERE {of.format("fp16")} AND ordinal = 7 AND top5_probability[1] > top5_probability[2] + 1e-4""",
        f"UPDATE precision_drift SET kl_divergence = kl_divergence + 0.001 WHERE other_{of.format('bf16')} AND ordinal < 6",
        f"UPDATE prediction SET margin = margin / 2 WHERE {of.format('fp32')} AND ordinal < 4 AND abs(margin) > 1e-4",
    )
    found = examine_results(copy, ROOT / "images")[1]
    assert sorted((each.experiment, each.table, each.what) for each in found) == [
        ("fp32_vs_fp16", "precision_drift", "what drifted must follow from both runs' logit (5 rows)"),
        ("fp32_vs_fp16", "prediction", f"{FOLLOWS} (1 rows)"),
        ("fp32_vs_fp16", "prediction", f"{FOLLOWS} (3 rows)"),
    ]
