"""Rows of the page fp32_vs_fp16 for benchmarks: drift of as many pictures as a run answered, and a GPU's times and memory."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from compute.connection import ROW_GROUP_ROWS

LOWER_VARIANT, FP32_VARIANT = "clip_80_templates_half", "clip_80_templates"
PRECISIONS = "(VALUES ('fp32'), ('fp16'), ('bf16'), ('tf32')) precisions(precision)"
FLIP_SHARE = 0.002
STATEMENTS = (
    f"""INSERT INTO precision_drift
        SELECT $fp32, $lower, image_id, ordinal, wnid, style, 10 ** (-5 + 3 * random()), 0, 10 ** (-5 + 3 * random()),
               10 ** (-9 + 4 * random()), random() < {FLIP_SHARE}, (3 * random())::UTINYINT, random()::UTINYINT,
               10 ** (-4 * random()), 0
        FROM prediction WHERE run_id = $fp32""",
    """INSERT INTO layer_drift
       SELECT $lower, image_id, layer, concat('layer', layer), 1e-3 * random(), 1e-3 * random(), 50 * random(), 0
       FROM range(18) layers(layer), (FROM image ORDER BY ordinal LIMIT 256)""",
    """INSERT INTO parameter_precision
       SELECT $lower, i, if(i < 250, 'image encoder', 'text encoder'), concat('name', i), concat('Kind', i % 7),
              if(i % 2 = 0, 'float16', 'float32'), 1000 * i + 1, if(i % 2 = 0, 900 * i, 0)
       FROM range(400) tensors(i)""",
    f"""INSERT INTO latency
        SELECT $lower, precision, size, repetition, clock, 2 + random()
        FROM {PRECISIONS}, (VALUES (1), (8), (32), (128)) sizes(size), range(1, 101) repetitions(repetition),
             (VALUES ('wall'), ('cuda')) clocks(clock)""",
    f"""INSERT INTO device_rate
        SELECT $lower, precision, kind, repetition, 1e12 * (1 + random())
        FROM {PRECISIONS}, (VALUES ('copy'), ('matrix')) kinds(kind), range(1, 21) repetitions(repetition)""",
    f"""INSERT INTO encoder_work
        SELECT $lower, precision, size, 12_000_000_000 * size::BIGINT, 100_000_000 * size::BIGINT
        FROM {PRECISIONS}, (VALUES (1), (8), (32), (128)) sizes(size)""",
    f"""INSERT INTO memory
        SELECT $lower, precision, 32, moment, moment / 10, concat('layer', moment // 20), category, 100 * random()
        FROM {PRECISIONS}, range(1, 401) moments(moment),
             (VALUES ('parameters'), ('inputs'), ('activations'), ('temporary')) categories(category)""",
    f"""INSERT INTO memory_peak
        SELECT $lower, precision, 32, measure, 1000 * random()
        FROM {PRECISIONS}, (VALUES ('allocated peak'), ('reserved peak'), ('device in use')) measures(measure)""",
)


@contextmanager
def changing(results: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a copy of the file, which takes its place at the end: whoever reads the file as it is can go on."""
    unfinished = results.with_name(f".{results.name}.changed")
    shutil.copyfile(results, unfinished)
    with duckdb.connect() as connection:
        # With DuckDB's own size of row groups, its checkpoint would write the file's small ones anew, as larger ones.
        connection.execute(f"ATTACH '{unfinished}' AS results (ROW_GROUP_SIZE {ROW_GROUP_ROWS})")
        connection.execute("USE results")
        yield connection
    os.replace(unfinished, results)


def add_precision_rows(results: Path) -> tuple[str, str]:
    """Write the rows, where there are none yet, beside CLIP's runs in single and half precision; returns those two runs."""
    with duckdb.connect(str(results), read_only=True) as connection:
        runs = dict(connection.execute("SELECT variant, run_id FROM run").fetchall())
        is_there = connection.execute("SELECT count(*) FROM precision_drift").fetchone() != (0,)
    pair = {"fp32": runs[FP32_VARIANT], "lower": runs[LOWER_VARIANT]}
    if not is_there:
        with changing(results) as connection:
            connection.execute("SELECT setseed(0.5)")
            for statement in STATEMENTS:
                used = {name: run_id for name, run_id in pair.items() if f"${name}" in statement}
                connection.execute(statement, used)
    return pair["fp32"], pair["lower"]
