"""Every table of `results.duckdb`: the contract between compute and the dashboard.

Fractions are 0 to 1, times are milliseconds unless named seconds, pictures are paths below `images/`, class indices are those
of the data set's label maps. A published name keeps its meaning; a change that readers must know of raises CONTRACT_VERSION.
"""

CONTRACT_VERSION = 1

TABLES: dict[str, str] = {
    "contract": "version INTEGER NOT NULL",
    "run": """
        run_id VARCHAR NOT NULL, trial_key VARCHAR NOT NULL, experiment VARCHAR NOT NULL, variant VARCHAR NOT NULL,
        profile VARCHAR NOT NULL, seed INTEGER NOT NULL, dataset VARCHAR, settings JSON NOT NULL,
        started_at TIMESTAMP NOT NULL, seconds DOUBLE NOT NULL, device VARCHAR NOT NULL, host VARCHAR NOT NULL,
        python VARCHAR NOT NULL, torch VARCHAR NOT NULL, threads INTEGER NOT NULL, git_commit VARCHAR,
        weights VARCHAR NOT NULL, weights_sha256 VARCHAR, data_fingerprint VARCHAR NOT NULL, parameters BIGINT""",
    "dataset": """
        dataset VARCHAR NOT NULL, name VARCHAR NOT NULL, labels VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL,
        train_images INTEGER NOT NULL, val_images INTEGER NOT NULL, source VARCHAR NOT NULL, license VARCHAR NOT NULL""",
    "image": """
        image_id VARCHAR NOT NULL, dataset VARCHAR NOT NULL, split VARCHAR NOT NULL, ordinal INTEGER NOT NULL,
        path VARCHAR NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, wnid VARCHAR, style VARCHAR,
        source VARCHAR NOT NULL, author VARCHAR, license VARCHAR NOT NULL, sha256 VARCHAR NOT NULL""",
    "segmentation_class": """
        dataset VARCHAR NOT NULL, class_id UTINYINT NOT NULL, name VARCHAR NOT NULL, color VARCHAR NOT NULL,
        ignored BOOLEAN NOT NULL""",
    "segmentation_score": """
        run_id VARCHAR NOT NULL, epoch SMALLINT NOT NULL, image_id VARCHAR NOT NULL, class_id UTINYINT NOT NULL,
        intersection INTEGER NOT NULL, predicted INTEGER NOT NULL, truth INTEGER NOT NULL""",
    "foreground_score": """
        run_id VARCHAR NOT NULL, epoch SMALLINT NOT NULL, image_id VARCHAR NOT NULL,
        intersection INTEGER NOT NULL, union_pixels INTEGER NOT NULL""",
    "boundary_score": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, band VARCHAR NOT NULL, correct INTEGER NOT NULL,
        total INTEGER NOT NULL""",
    "segmentation_mask": "run_id VARCHAR, epoch SMALLINT, image_id VARCHAR NOT NULL, path VARCHAR NOT NULL",
    "training_step": """
        run_id VARCHAR NOT NULL, epoch SMALLINT NOT NULL, step INTEGER NOT NULL, loss DOUBLE NOT NULL,
        learning_rate DOUBLE NOT NULL, milliseconds DOUBLE NOT NULL""",
    "label_cluster": """
        run_id VARCHAR NOT NULL, cluster UTINYINT NOT NULL, color VARCHAR NOT NULL, class_id UTINYINT NOT NULL,
        pixels BIGINT NOT NULL""",
}

# What must be unique in each table.
KEYS: dict[str, tuple[str, ...]] = {
    "run": ("run_id",),
    "dataset": ("dataset",),
    "image": ("image_id",),
    "segmentation_class": ("dataset", "class_id"),
    "segmentation_score": ("run_id", "epoch", "image_id", "class_id"),
    "foreground_score": ("run_id", "epoch", "image_id"),
    "boundary_score": ("run_id", "image_id", "band"),
    "segmentation_mask": ("run_id", "epoch", "image_id"),
    "training_step": ("run_id", "step"),
    "label_cluster": ("run_id", "cluster", "class_id"),
}

# Rows that several runs bring along, such as a picture's; equal ones are written once, unequal ones are an error.
SHARED = ("dataset", "image", "segmentation_class", "segmentation_mask")
