"""Whether two results files hold the same rows and pictures, but for what is measured."""

import hashlib
from pathlib import Path

import duckdb

from compute.schema import TABLES

# Columns that say when, where and how fast something ran. `git_commit` tells whether the code was changed meanwhile.
MEASURED = {
    "run": {"started_at", "seconds", "git_commit"},
    "training_step": {"milliseconds"},
    "caption": {"seconds"},
    "latency": {"milliseconds"},
    "device_rate": {"per_second"},
    "memory_peak": {"mebibytes"},
}
COUNTED = {"memory"}  # which moments of a pass are kept goes by what was measured


def differences(ours: Path, theirs: Path, our_images: Path | None = None) -> list[str]:
    """How many rows of which table one of two files lacks, and what pictures below images, beside them, differ."""
    found = []
    with duckdb.connect() as connection:
        for name, file in (("ours", ours), ("theirs", theirs)):
            connection.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        for table in TABLES:
            rows = connection.execute(f"FROM ours.{table} LIMIT 0").description or []
            columns = ", ".join(f'"{name}"' for name, *_ in rows if name not in MEASURED.get(table, set()))
            chosen = "count(*) > 0" if table in COUNTED else columns
            queries = [f"SELECT {chosen} FROM {catalog}.{table}" for catalog in ("ours", "theirs")]
            counts = [
                connection.execute(f"SELECT count(*) FROM ({one} EXCEPT ALL {other})").fetchall()[0][0]
                for one, other in (queries, queries[::-1])
            ]
            if any(counts):
                found.append(f"{max(counts)} rows of {table}")
    ours_pictures, their_pictures = (
        pictures(folder) for folder in (our_images or ours.parent / "images", theirs.parent / "images")
    )
    if unlike := dict(ours_pictures.items() ^ their_pictures.items()):
        found.append(f"{len(unlike)} pictures, such as {min(unlike)}")
    return found


def pictures(images: Path) -> dict[str, str]:
    """SHA-256 of each picture, by its path; what is not whole yet has a hidden name, and is left out."""
    files = [path for path in images.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(images)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows_digest(file: Path) -> str:
    """A digest of all rows of a file, in whatever order they lie; that of a file that is not there is empty."""
    if not file.exists():
        return ""
    digest = hashlib.sha256()
    with duckdb.connect(str(file), read_only=True) as connection:
        for table in TABLES:
            digest.update(f"{table} {connection.execute(f'FROM {table} ORDER BY ALL').fetchall()}".encode())
    return digest.hexdigest()
