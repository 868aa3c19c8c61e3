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
        form VARCHAR, source VARCHAR NOT NULL, author VARCHAR, license VARCHAR NOT NULL, sha256 VARCHAR NOT NULL""",
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
    "model_layer": """
        run_id VARCHAR NOT NULL, model VARCHAR NOT NULL, ordinal SMALLINT NOT NULL, stage VARCHAR NOT NULL,
        name VARCHAR NOT NULL, kind VARCHAR NOT NULL, detail VARCHAR NOT NULL, output_shape VARCHAR NOT NULL,
        parameters BIGINT NOT NULL, multiply_adds BIGINT NOT NULL""",
    # wnid: WordNet's n and eight digits. depth: edges of the longest way up to entity.n.01, as nltk's max_depth() counts.
    "synset": """
        wnid VARCHAR NOT NULL, name VARCHAR NOT NULL, lemmas VARCHAR[] NOT NULL, gloss VARCHAR NOT NULL,
        depth UTINYINT NOT NULL, imagenet_index USMALLINT, torchvision_name VARCHAR, openai_name VARCHAR""",
    "synset_parent": "wnid VARCHAR NOT NULL, parent_wnid VARCHAR NOT NULL",
    "synset_leaf": "wnid VARCHAR NOT NULL, leaf_wnid VARCHAR NOT NULL",  # a leaf is under itself, too
    "word_sense": """
        word VARCHAR NOT NULL, sense UTINYINT NOT NULL, wnid VARCHAR NOT NULL, name VARCHAR NOT NULL,
        gloss VARCHAR NOT NULL""",
    # Which class each output of a run's classifier stands for, and the class's row below.
    "classifier_output": "run_id VARCHAR NOT NULL, position USMALLINT NOT NULL, wnid VARCHAR NOT NULL",
    # ordinal, wnid, style and form are the image's, repeated so that pages need no join. top5: ImageNet indices, the most
    # probable first. label_rank: 1 is the most probable; the label_ columns and margin are NULL where the image has no label
    # or the classifier no such class. margin: the label's probability minus the largest other. ancestor: the nearest common
    # ancestor of the label and the first answer.
    "prediction": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, ordinal INTEGER NOT NULL, wnid VARCHAR, style VARCHAR, form VARCHAR,
        top5 USMALLINT[] NOT NULL, top5_probability FLOAT[] NOT NULL, label_rank USMALLINT, label_probability FLOAT,
        margin FLOAT, ancestor VARCHAR, ancestor_depth UTINYINT""",
    "class_score": """
        run_id VARCHAR NOT NULL, wnid VARCHAR NOT NULL, style VARCHAR, images INTEGER NOT NULL, top1 INTEGER NOT NULL,
        top5 INTEGER NOT NULL""",
    # One of the two holds the outputs in their positions: single-precision values, or the bits of half-precision ones.
    "logit": "run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, single_values FLOAT[], half_bits USMALLINT[]",
    # What CLIP's image features say of a picture: the nearest of its probe prompts, and the mean cosine similarity to the
    # other images of its class.
    "image_evidence": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, probe VARCHAR NOT NULL, probe_probability FLOAT NOT NULL,
        class_similarity FLOAT""",
    # Mean cosine similarity of pairs of a class's images, by what differs between the two ('same', 'rendition', 'rotation',
    # 'form', 'any'), and, as 'nearest class', with the images of the other class that is most alike.
    "class_similarity": """
        run_id VARCHAR NOT NULL, wnid VARCHAR NOT NULL, kind VARCHAR NOT NULL, other_wnid VARCHAR, pairs INTEGER NOT NULL,
        similarity FLOAT NOT NULL""",
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
    "model_layer": ("run_id", "ordinal"),
    "synset": ("wnid",),
    "synset_parent": ("wnid", "parent_wnid"),
    "synset_leaf": ("wnid", "leaf_wnid"),
    "word_sense": ("word", "sense"),
    "classifier_output": ("run_id", "position"),
    "prediction": ("run_id", "image_id"),
    "class_score": ("run_id", "wnid", "style"),
    "logit": ("run_id", "image_id"),
    "image_evidence": ("run_id", "image_id"),
    "class_similarity": ("run_id", "wnid", "kind"),
}

# Rows that several runs bring along, such as a picture's; equal ones are written once, unequal ones are an error.
SHARED = (
    "dataset",
    "image",
    "segmentation_class",
    "segmentation_mask",
    "synset",
    "synset_parent",
    "synset_leaf",
    "word_sense",
)
