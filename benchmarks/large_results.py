"""The published results with ImageNet's 50,000 pictures beside them: every page has its content, at the size it has to bear.

Command: python -m benchmarks.large_results --folder FOLDER [--images N] [--classes N]

The generated runs of `python -m benchmarks.imagenet_results` are joined by generated rows of fp32_vs_fp16, and the published
trials come in as a teammate's would, by `python -m compute merge`. For `python -m benchmarks.page_load --data`.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from benchmarks.browsing import REPOSITORY
from benchmarks.imagenet_results import CLASS_COUNT, DATASET, IMAGE_COUNT, PROFILE, write_results
from benchmarks.precision_rows import LOWER_VARIANT, add_precision_rows, changing
from compute.merge import merge
from dashboard.queries_precision import EXPERIMENT

LABEL = f"generated classes · {PROFILE}"  # what the pages call these pictures
TIMED = ("latency", "device_rate", "encoder_work")
REMEMBERED = ("memory", "memory_peak")


def write_large_results(folder: Path, image_count: int = IMAGE_COUNT, class_count: int = CLASS_COUNT) -> tuple[Path, Path]:
    """Write `folder`/results.duckdb and `folder`/images where they are not there yet; returns both."""
    results, images = folder / "results.duckdb", folder / "images"
    finished = folder / "is_whole"
    if not finished.exists():
        write_results(folder, image_count, class_count)
        add_precision_rows(results)
        _own_experiment(results)
        _show_drawings(images)
        merge(REPOSITORY / "results.duckdb", results, images, REPOSITORY / "images")
        finished.touch()
    return results, images


def _show_drawings(images: Path) -> None:
    """Let the generated pictures, all gray, be the published class pictures in turns, under many names."""
    drawings = sorted((REPOSITORY / "images").glob("openmoji_classes-*/photo/*.jpg"))
    places = sorted((images / DATASET / "photo").glob("*.jpg"))
    for number, place in enumerate(places):
        place.unlink()
        if number < len(drawings):
            shutil.copyfile(drawings[number], place)
        else:
            os.link(places[number % len(drawings)], place)


def _own_experiment(results: Path) -> None:
    """Make CLIP's run in half precision the trial fp16 of fp32_vs_fp16, with its times and memory as trials of their own."""
    with changing(results) as connection:
        [(lower,)] = connection.execute("SELECT run_id FROM run WHERE variant = ?", [LOWER_VARIANT]).fetchall()
        connection.execute(
            "UPDATE run SET experiment = ?, variant = 'fp16', settings = '{\"arithmetic\": \"native\"}' WHERE run_id = ?",
            [EXPERIMENT, lower],
        )
        for variant, tables in (("latency", TIMED), ("memory", REMEMBERED)):
            connection.execute(
                "INSERT INTO run SELECT * REPLACE (run_id || $v AS run_id, trial_key || $v AS trial_key, $v AS variant) "
                "FROM run WHERE run_id = $lower",
                {"v": variant, "lower": lower},
            )
            for table in tables:
                connection.execute(
                    f"UPDATE {table} SET run_id = $lower || $v WHERE run_id = $lower", {"v": variant, "lower": lower}
                )


def main() -> int:
    """Write both, and say where and how large."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--images", type=int, default=IMAGE_COUNT)
    parser.add_argument("--classes", type=int, default=CLASS_COUNT)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    clock = time.perf_counter()
    results, images = write_large_results(given.folder, given.images, given.classes)
    print(f"{results}: {results.stat().st_size / 1e6:,.0f} MB, pictures in {images}, {time.perf_counter() - clock:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
