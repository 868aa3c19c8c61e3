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
    # A lower precision's run, other_run_id, against run_id, the fp32 run of the same weights on the same pictures, which it
    # came after. Probabilities are the softmax of `logit`. largest_change: of any class's probability, and of which
    # (ImageNet index); encoder_change: the same where the product with the text features is taken in fp32, so that only the
    # image encoder differs. kl_divergence in nats, of the lower precision's from fp32's. top5_changes: of fp32's five first
    # answers, how many have another rank; top5_left: how many are no longer among the five. margin: fp32's first minus second
    # probability. label_change: lower precision minus fp32, NULL without a label that CLIP was asked for. ordinal, wnid and
    # style are the image's.
    "precision_drift": """
        run_id VARCHAR NOT NULL, other_run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, ordinal INTEGER NOT NULL,
        wnid VARCHAR, style VARCHAR, largest_change FLOAT NOT NULL, changed_class USMALLINT NOT NULL,
        encoder_change FLOAT NOT NULL, kl_divergence DOUBLE NOT NULL, top1_flip BOOLEAN NOT NULL,
        top5_changes UTINYINT NOT NULL, top5_left UTINYINT NOT NULL, margin FLOAT NOT NULL, label_change FLOAT""",
    # Distance of a stage's output from fp32's, as a share of fp32's length: with all stages before it in the lower precision,
    # too, and (own_error) with fp32's own input. largest_value: the largest magnitude in fp32; below_normal: the share of its
    # values other than zero that are below the precision's smallest normal number.
    "layer_drift": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, ordinal UTINYINT NOT NULL, layer VARCHAR NOT NULL,
        relative_error FLOAT NOT NULL, own_error FLOAT NOT NULL, largest_value FLOAT NOT NULL, below_normal FLOAT NOT NULL""",
    # What each tensor of CLIP is kept in where the run's precision is asked for; part: 'image encoder' or 'text encoder';
    # rounded: how many of its elements become other numbers by that.
    "parameter_precision": """
        run_id VARCHAR NOT NULL, ordinal SMALLINT NOT NULL, part VARCHAR NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        data_type VARCHAR NOT NULL, elements BIGINT NOT NULL, rounded BIGINT NOT NULL""",
    # clock: 'wall', or 'cuda' for the device's own events. milliseconds are of the whole batch.
    "latency": """
        run_id VARCHAR NOT NULL, precision VARCHAR NOT NULL, batch_size INTEGER NOT NULL, repetition INTEGER NOT NULL,
        clock VARCHAR NOT NULL, milliseconds DOUBLE NOT NULL""",
    # kind: 'copy' (bytes read and written a second) or 'matrix' (multiplications and additions a second, two for each pair).
    "device_rate": """
        run_id VARCHAR NOT NULL, precision VARCHAR NOT NULL, kind VARCHAR NOT NULL, repetition INTEGER NOT NULL,
        per_second DOUBLE NOT NULL""",
    # What one pass over a batch must do at least: operations as in device_rate, bytes of weights, inputs and layers' outputs.
    "encoder_work": """
        run_id VARCHAR NOT NULL, precision VARCHAR NOT NULL, batch_size INTEGER NOT NULL, operations BIGINT NOT NULL,
        bytes BIGINT NOT NULL""",
    # What is allocated after each allocation or release of one forward pass, by category: 'parameters', 'inputs',
    # 'activations', 'temporary'. layer: the module that runs at that moment. milliseconds since the pass began.
    "memory": """
        run_id VARCHAR NOT NULL, precision VARCHAR NOT NULL, batch_size INTEGER NOT NULL, moment INTEGER NOT NULL,
        milliseconds DOUBLE NOT NULL, layer VARCHAR NOT NULL, category VARCHAR NOT NULL, mebibytes DOUBLE NOT NULL""",
    # measure: 'allocated peak', 'reserved peak', 'process before', 'process peak', 'device in use'.
    "memory_peak": """
        run_id VARCHAR NOT NULL, precision VARCHAR NOT NULL, batch_size INTEGER NOT NULL, measure VARCHAR NOT NULL,
        mebibytes DOUBLE NOT NULL""",
    # Pixels of one object's part that another hides, and what a segmentation calls them; control: the hiding object's pixels
    # that hide nothing, and how many of them are called the hidden class all the same.
    "hidden_score": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, class_id UTINYINT NOT NULL, occluder_class_id UTINYINT NOT NULL,
        hidden INTEGER NOT NULL, as_hidden INTEGER NOT NULL, as_occluder INTEGER NOT NULL, control INTEGER NOT NULL,
        control_as_hidden INTEGER NOT NULL""",
    # How a class token looks at the patches, row by row; the weights of all patches add up to 1.
    "token_attention": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, class_id UTINYINT NOT NULL, height UTINYINT NOT NULL,
        width UTINYINT NOT NULL, weights FLOAT[] NOT NULL""",
    # part: 'encoder' or 'head'; multiply_adds for one picture.
    "model_cost": "run_id VARCHAR NOT NULL, part VARCHAR NOT NULL, parameters BIGINT NOT NULL, multiply_adds BIGINT NOT NULL",
    # What people, or a drawn world, say of a picture. ordinal counts an image's captions, position all of a data set's.
    "image_caption": """
        caption_id VARCHAR NOT NULL, dataset VARCHAR NOT NULL, image_id VARCHAR NOT NULL, ordinal USMALLINT NOT NULL,
        position INTEGER NOT NULL, text VARCHAR NOT NULL""",
    # text: what a model says of the picture, in lower case; reference: the first of image_caption. bleu: of this one caption
    # against all references, of the n-grams' four precisions with a count of 0 taken as 0.1 (nltk's smoothing method 1).
    # words: what text splits into. matches, totals: n-grams (1 to 4) that a reference has, and n-grams; one_matches: that the
    # first reference has. reference_words, one_reference_words: length of the reference nearest in length, of the first one.
    # From these counts corpus BLEU is made. tokens: as the model wrote them, the last one being the end unless the caption was
    # cut off; token_probability: the model's own for each, before temperature and top-k. seconds: the caption's share of its
    # batch's time, without the picture's encoding.
    "caption": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, ordinal INTEGER NOT NULL, text VARCHAR NOT NULL,
        reference VARCHAR NOT NULL, bleu DOUBLE NOT NULL, words USMALLINT NOT NULL, distinct_words USMALLINT NOT NULL,
        matches USMALLINT[] NOT NULL, one_matches USMALLINT[] NOT NULL, totals USMALLINT[] NOT NULL,
        reference_words USMALLINT NOT NULL, one_reference_words USMALLINT NOT NULL, tokens VARCHAR[] NOT NULL,
        token_probability FLOAT[] NOT NULL, seconds DOUBLE NOT NULL""",
    # Corpus BLEU of a run, 0 to 1. library: 'nltk' or 'sacrebleu'; against: 'one reference' or 'all references'; signature: how
    # it was computed, in the library's own words where it has some.
    "caption_score": """
        run_id VARCHAR NOT NULL, library VARCHAR NOT NULL, against VARCHAR NOT NULL, bleu DOUBLE NOT NULL,
        signature VARCHAR NOT NULL""",
    # image_to_text_rank: of this caption among all captions but the image's other ones. text_to_image_rank: of the image among
    # all images. 1 is the first; where others are just as similar (tied: how many), it is the mean of the places they share.
    # similarity: the pair's cosine.
    "retrieval_rank": """
        run_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, caption_id VARCHAR NOT NULL, image_to_text_rank FLOAT NOT NULL,
        image_to_text_tied INTEGER NOT NULL, text_to_image_rank FLOAT NOT NULL, text_to_image_tied INTEGER NOT NULL,
        similarity FLOAT NOT NULL""",
    # direction: 'image to text' (a query is an image, and counts with its most similar caption) or 'text to image' (a query is
    # a caption). hits: queries found among the first 1, 5, 10 answers; one that shares places counts with the part of them that
    # is among the first. Epoch 0: before any training.
    "retrieval_epoch": """
        run_id VARCHAR NOT NULL, epoch SMALLINT NOT NULL, direction VARCHAR NOT NULL, queries INTEGER NOT NULL,
        hits_at_1 DOUBLE NOT NULL, hits_at_5 DOUBLE NOT NULL, hits_at_10 DOUBLE NOT NULL, median_rank DOUBLE NOT NULL,
        mean_rank DOUBLE NOT NULL""",
    # The most similar answers to a query, at most ten, the first first. query: image.ordinal or image_caption.position, by
    # direction; answers: the other one of the two.
    "retrieval_answer": """
        run_id VARCHAR NOT NULL, direction VARCHAR NOT NULL, query INTEGER NOT NULL, answers INTEGER[] NOT NULL,
        similarities FLOAT[] NOT NULL""",
    "reference_result": """
        experiment VARCHAR NOT NULL, variant VARCHAR NOT NULL, metric VARCHAR NOT NULL, value DOUBLE NOT NULL,
        source VARCHAR NOT NULL""",
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
    "precision_drift": ("run_id", "other_run_id", "image_id"),
    "layer_drift": ("run_id", "image_id", "layer"),
    "parameter_precision": ("run_id", "ordinal"),
    "latency": ("run_id", "precision", "batch_size", "repetition", "clock"),
    "device_rate": ("run_id", "precision", "kind", "repetition"),
    "encoder_work": ("run_id", "precision", "batch_size"),
    "memory": ("run_id", "precision", "moment", "category"),
    "memory_peak": ("run_id", "precision", "batch_size", "measure"),
    "hidden_score": ("run_id", "image_id", "class_id", "occluder_class_id"),
    "token_attention": ("run_id", "image_id", "class_id"),
    "model_cost": ("run_id", "part"),
    "image_caption": ("caption_id",),
    "caption": ("run_id", "image_id"),
    "caption_score": ("run_id", "library", "against"),
    "retrieval_rank": ("run_id", "caption_id"),
    "retrieval_epoch": ("run_id", "epoch", "direction"),
    "retrieval_answer": ("run_id", "direction", "query"),
    "reference_result": ("experiment", "variant", "metric"),
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
    "image_caption",
    "reference_result",
)

# Of these, what the file holds stays where a run brings another row of the same key: people replace figures of reports.
KEPT = ("reference_result",)

# The column that names the run which a row came with, where that is not run_id.
OWNER = {"precision_drift": "other_run_id"}
