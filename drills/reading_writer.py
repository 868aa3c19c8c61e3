"""Publishes a trial again and again, as `python -m compute run` does, until its standard input ends.

Command: python -m drills.reading_writer RESULTS IMAGES LOG SEED SECONDS

The trials are those of the file, with other names, seeds and figures: a few are added, and then each is replaced by another run
of itself over and over, so that the file stops growing while it goes on changing. LOG gets a line of JSON for each state of the
file, the first one's at the start.
"""

import json
import random
import select
import shutil
import sys
import time
from pathlib import Path

import pandas

from compute.connection import reading
from compute.results import publish
from compute.schema import OWNER, TABLES
from dashboard.connection import open_results
from dashboard.queries import fingerprint

# Experiment, variant and seed of a trial of the published file, and the seed that it is published with: another one makes it
# a trial of its own. Both variants of a contrast gain the same seeds.
TRIALS = (
    ("unet_skip_connections", "skip", 0, 2),
    ("unet_skip_connections", "no_skip", 0, 2),
    ("unet_skip_connections", "skip", 1, 1),
    ("segmentation_metric", "constant_road", 0, 0),
    ("segmentation_metric", "kmeans_labels", 0, 0),
    ("segmentation_decoder_heads", "linear", 0, 0),
    ("rn50_architectures", "clip_rn50", 0, 0),
    ("imagenet_rn50_vs_clip", "rn50", 0, 0),
    ("wordnet_synsets", "wordnet_3_0", 0, 0),
    ("fp32_vs_fp16", "latency", 0, 0),
    ("fp32_vs_fp16", "memory", 0, 0),
    ("caption_sampling", "greedy", 0, 0),
    ("caption_sampling", "top20_t1.0", 2, 3),
    ("caption_sampling", "top50_t1.0", 1, 1),
    ("image_text_retrieval", "fine_tuned", 1, 2),
    ("image_text_retrieval", "random_wd0.2", 1, 1),
)
VARIED = {"training_step": ("loss", "milliseconds"), "latency": ("milliseconds",), "run": ("seconds",)}
Tables = dict[str, pandas.DataFrame]


def trials_of(results: Path) -> list[Tables]:
    """The rows of each of TRIALS as the file holds them, under a key of their own where their seed is another."""
    found = []
    with reading(results) as connection:
        for experiment, variant, seed, new_seed in TRIALS:
            [(run_id,)] = connection.execute(
                "SELECT run_id FROM run WHERE experiment = ? AND variant = ? AND seed = ?", [experiment, variant, seed]
            ).fetchall()
            tables = {
                table: connection.execute(f"FROM {table} WHERE {OWNER.get(table, 'run_id')} = ?", [run_id]).df()
                for table, columns in TABLES.items()
                if columns.strip().startswith("run_id")
            }
            tables["segmentation_mask"] = connection.execute("FROM segmentation_mask WHERE run_id = ?", [run_id]).df()
            tables["run"]["seed"] = new_seed
            if new_seed != seed:
                tables["run"]["trial_key"] += f"-{new_seed}"
            found.append({table: rows for table, rows in tables.items() if len(rows)})
    return found


def another_run(tables: Tables, kept: Path, images: Path, number: int, chance: random.Random) -> Tables:
    """The same trial as another run, begun `number` minutes after all others, its pictures copied from `kept` to `images`."""
    old_run_id, run_id = str(tables["run"].run_id.iloc[0]), f"drill{number:07d}"
    changed = {table: rows.assign(**{OWNER.get(table, "run_id"): run_id}) for table, rows in tables.items()}
    changed["run"]["started_at"] = pandas.Timestamp("2027-01-01") + pandas.Timedelta(minutes=number)
    for table, columns in VARIED.items():
        for column in columns if table in changed else ():
            changed[table][column] *= chance.uniform(0.9, 1.1)
    if "segmentation_mask" in changed:
        shutil.copytree(kept / old_run_id, images / "runs" / run_id)
        changed["segmentation_mask"]["path"] = changed["segmentation_mask"].path.str.replace(old_run_id, run_id, regex=False)
    return changed


def state_of(results: Path, images: Path) -> dict[str, object]:
    """What pages say of the file as it is now: its fingerprint, and of each run its experiment and the minute it began."""
    opened = open_results(results, images)
    rows = opened.query("SELECT experiment, strftime(started_at, '%Y-%m-%d %H:%M') AS minute FROM run ORDER BY ALL")
    return {"fingerprint": fingerprint(opened), "runs": rows.to_numpy().tolist()}


def main() -> None:
    """Publish until the standard input ends."""
    results, images, log = map(Path, sys.argv[1:4])
    chance, pause_s = random.Random(int(sys.argv[4])), float(sys.argv[5])
    trials = trials_of(results)
    kept = images.with_name("kept")  # pictures of the runs at first, as those of a run that is replaced are removed
    shutil.copytree(images / "runs", kept)
    with log.open("w", encoding="utf-8") as file:
        print(json.dumps(state_of(results, images)), file=file, flush=True)
        number, due = 0, time.monotonic()
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            due = max(due + pause_s, time.monotonic())
            number += 1
            tables = another_run(
                trials[number - 1] if number <= len(trials) else chance.choice(trials), kept, images, number, chance
            )
            publish(results, images, tables)
            [published] = tables["run"][["trial_key", "run_id"]].to_dict("records")
            print(json.dumps({**published, **state_of(results, images)}), file=file, flush=True)


if __name__ == "__main__":
    main()
