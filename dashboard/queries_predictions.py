"""The SQL of the page imagenet_rn50_vs_clip: a function each, from `Results` to a DataFrame.

Two classifiers are compared on the pictures that both answered for. Runs of one data set number its pictures alike, so that
their narrow `prediction` rows meet on `ordinal`; what else a picture has is asked for by the few numbers of one page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from dashboard.connection import Results
from dashboard.kept import kept

EXPERIMENT = "imagenet_rn50_vs_clip"
OUTCOMES = {
    "both": "a.label_rank <= $top AND b.label_rank <= $top",
    "only_a": "a.label_rank <= $top AND b.label_rank > $top",
    "only_b": "a.label_rank > $top AND b.label_rank <= $top",
    "neither": "a.label_rank > $top AND b.label_rank > $top",
    "not_compared": "(a.label_rank IS NULL OR b.label_rank IS NULL)",  # no label, or none that both classifiers have
}
ORDERS = {
    "difference": "abs(b.margin - a.margin) DESC NULLS LAST",
    "unsure": "abs(a.margin) + abs(b.margin) NULLS LAST",
    "number": "ordinal",
}
BOTH_RUNS = """
    FROM prediction a JOIN prediction b USING (ordinal) WHERE a.run_id = $run_a AND b.run_id = $run_b"""
COUNTED_OUTCOMES = ("both", "only_a", "only_b", "neither")
COUNTED = ", ".join(f"count_if({OUTCOMES[outcome]})::BIGINT AS {outcome}" for outcome in COUNTED_OUTCOMES)


@dataclass(frozen=True)
class Filter:
    """Which pictures: None leaves a choice open; `node` takes every class below it."""

    outcome: str | None = None
    node: str | None = None
    style: str | None = None

    def conditions(self) -> tuple[str, dict[str, str]]:
        """SQL to add to BOTH_RUNS, with its parameters."""
        chosen, parameters = [], {}
        if self.outcome is not None:
            chosen.append(OUTCOMES[self.outcome])
        if self.node is not None:
            chosen.append("a.wnid IN (SELECT leaf_wnid FROM synset_leaf WHERE wnid = $node UNION ALL SELECT $node)")
            parameters["node"] = self.node
        if self.style is not None:
            chosen.append("a.style = $style")
            parameters["style"] = self.style
        return "".join(f" AND {condition}" for condition in chosen), parameters


EVERYTHING = Filter()


@kept
def classifier_runs(results: Results) -> pandas.DataFrame:
    """The latest run of each variant on each data set and profile, the newest data first."""
    return results.query(
        """SELECT run_id, variant, profile, dataset, weights, started_at, name AS dataset_name, labels, val_images
           FROM run JOIN dataset USING (dataset) WHERE experiment = $experiment
           QUALIFY row_number() OVER (PARTITION BY dataset, profile, variant ORDER BY started_at DESC, run_id) = 1
           ORDER BY max(started_at) OVER (PARTITION BY dataset, profile) DESC, dataset, profile, started_at, run_id""",
        experiment=EXPERIMENT,
    )


@kept
def outcome_counts(
    results: Results, run_a: str, run_b: str, top: int, chosen: Filter = EVERYTHING, by: str | None = None
) -> pandas.DataFrame:
    """Pictures by OUTCOMES, a row for each `by` (style or wnid), or one for all: images, both, only_a, only_b, neither.

    `images` counts those that both classifiers could get right, `not_compared` the others.
    """
    if by not in (None, "style", "wnid"):
        raise ValueError(f"cannot count by {by}")
    found = class_outcomes(results, run_a, run_b, top)
    if chosen.node is not None:
        found = found[found.wnid.isin(classes_below(results, chosen.node))]
    if chosen.style is not None:
        found = found[found["style"] == chosen.style]
    numbers = ["pictures", *COUNTED_OUTCOMES]
    counts = found.groupby(by, dropna=False, as_index=False)[numbers].sum() if by else found[numbers].sum().to_frame().T
    compared = list(COUNTED_OUTCOMES)
    if chosen.outcome is not None:
        not_compared = counts.pictures - counts[compared].sum(axis=1)
        counts[[outcome for outcome in compared if outcome != chosen.outcome]] = 0
        counts["pictures"] = not_compared if chosen.outcome == "not_compared" else counts[chosen.outcome]
    counts["images"] = counts[compared].sum(axis=1)
    counts["not_compared"] = counts.pictures - counts.images
    return counts


@kept
def class_outcomes(results: Results, run_a: str, run_b: str, top: int) -> pandas.DataFrame:
    """Pictures by OUTCOMES for each class and style, from which every count of a branch or a style is added up."""
    return results.query(
        f"SELECT a.wnid, a.style, count(*) AS pictures, {COUNTED} {BOTH_RUNS} GROUP BY a.wnid, a.style",
        run_a=run_a,
        run_b=run_b,
        top=top,
    )


@kept
def classes_below(results: Results, node: str) -> frozenset[str]:
    """The classes at or below a node."""
    found = results.query("SELECT leaf_wnid FROM synset_leaf WHERE wnid = $node", node=node)
    return frozenset([node, *found.leaf_wnid])


def picture_numbers(
    results: Results, run_a: str, run_b: str, top: int, chosen: Filter, order: str, limit: int, offset: int
) -> list[int]:
    """The ordinals of a page of pictures, in one of ORDERS."""
    conditions, parameters = chosen.conditions()
    if chosen.outcome is not None and chosen.outcome != "not_compared":
        parameters["top"] = top  # type: ignore[assignment]
    found = results.query(
        f"SELECT ordinal {BOTH_RUNS}{conditions} ORDER BY {ORDERS[order]}, ordinal LIMIT $limit OFFSET $offset",
        run_a=run_a,
        run_b=run_b,
        limit=limit,
        offset=offset,
        **parameters,
    )
    return [int(number) for number in found.ordinal]


def clearest_pictures(
    results: Results, run_a: str, run_b: str, top: int, wnids: Sequence[str], only_a: int, only_b: int
) -> pandas.DataFrame:
    """Of each class the pictures that one classifier alone got right, by the largest difference of margins.

    At most `only_a` and `only_b` of a class; columns wnid, ordinal, is_b.
    """
    return results.query(
        f"""SELECT a.wnid, ordinal, b.label_rank <= $top AS is_b {BOTH_RUNS}
            AND a.wnid IN (SELECT unnest($wnids)) AND (a.label_rank <= $top) <> (b.label_rank <= $top)
            QUALIFY row_number() OVER (PARTITION BY a.wnid, is_b ORDER BY abs(b.margin - a.margin) DESC, ordinal)
                    <= CASE WHEN is_b THEN $only_b ELSE $only_a END
            ORDER BY a.wnid, is_b DESC, abs(b.margin - a.margin) DESC, ordinal""",
        run_a=run_a,
        run_b=run_b,
        top=top,
        wnids=list(wnids),
        only_a=only_a,
        only_b=only_b,
    )


def pictures(results: Results, dataset: str, ordinals: Sequence[int]) -> pandas.DataFrame:
    """The rows of some pictures, in the order asked for."""
    found = results.query(
        """SELECT ordinal, image_id, path, width, height, wnid, style, source, author, license FROM image
           WHERE dataset = $dataset AND ordinal IN (SELECT unnest($ordinals))""",
        dataset=dataset,
        ordinals=list(ordinals),
    ).drop_duplicates("ordinal")
    return found.set_index("ordinal", drop=False).reindex([each for each in ordinals if each in set(found.ordinal)])


def picture_number(results: Results, dataset: str, image_id: str) -> int | None:
    """The ordinal of a picture by its name, or None where the data set has no such picture."""
    found = results.query(
        "SELECT ordinal FROM image WHERE image_id = $image_id AND dataset = $dataset", image_id=image_id, dataset=dataset
    )
    return int(found.ordinal.iloc[0]) if len(found) else None


def answers(results: Results, run_id: str, ordinals: Sequence[int]) -> pandas.DataFrame:
    """One classifier's answers to some pictures, with `ordinal` as index."""
    return results.query(
        """SELECT ordinal, top5, top5_probability, label_rank, label_probability, margin, ancestor FROM prediction
           WHERE run_id = $run_id AND ordinal IN (SELECT unnest($ordinals)) AND len(top5) = len(top5_probability)""",
        run_id=run_id,
        ordinals=list(ordinals),
    ).set_index("ordinal")


def evidence(results: Results, run_id: str, image_ids: Sequence[str]) -> pandas.DataFrame:
    """What CLIP's features say of some pictures, with `image_id` as index: probe, probe_probability, class_similarity."""
    return results.query(
        """SELECT image_id, probe, probe_probability, class_similarity FROM image_evidence
           WHERE run_id = $run_id AND list_contains($image_ids, image_id)""",
        run_id=run_id,
        image_ids=list(image_ids),
    ).set_index("image_id")


def class_similarities(results: Results, run_id: str, wnids: Sequence[str]) -> dict[str, float]:
    """The mean cosine similarity of pairs of pictures of each class."""
    found = results.query(
        """SELECT wnid, similarity FROM class_similarity
           WHERE run_id = $run_id AND kind = 'any' AND wnid IN (SELECT unnest($wnids))""",
        run_id=run_id,
        wnids=list(wnids),
    )
    return dict(zip(found.wnid, found.similarity, strict=True))


@kept
def classifier_wnids(results: Results, run_id: str) -> list[str]:
    """The class of each of a classifier's outputs."""
    found = results.query("SELECT wnid FROM classifier_output WHERE run_id = $run_id ORDER BY position", run_id=run_id)
    return list(found.wnid)


def outputs(results: Results, run_id: str, image_id: str) -> pandas.Series:
    """A classifier's whole output for one picture as float64, with the wnid as index; empty where none is kept."""
    found = results.query(
        "SELECT single_values, half_bits FROM logit WHERE run_id = $run_id AND image_id = $image_id",
        run_id=run_id,
        image_id=image_id,
    )
    wnids = classifier_wnids(results, run_id)
    for single, half in found.itertuples(index=False):
        is_single = isinstance(single, np.ndarray)
        values = (
            np.asarray(single, np.float64) if is_single else np.asarray(half, np.uint16).view(np.float16).astype(np.float64)
        )
        if len(values) == len(wnids):
            return pandas.Series(values, index=wnids)
    return pandas.Series(dtype=float)


@kept
def mean_probabilities(results: Results, run_id: str) -> pandas.DataFrame:
    """In one row: images, and the means of the label's probability and of the first answer's."""
    return results.query(
        """SELECT count(*) AS images, avg(label_probability) AS label_probability, avg(top5_probability[1]) AS largest
           FROM prediction WHERE run_id = $run_id""",
        run_id=run_id,
    )


@kept
def equal_ranks(results: Results, run_a: str, run_b: str) -> tuple[int, int]:
    """On how many pictures two classifiers rank the label alike, and of how many."""
    found = results.query(
        f"SELECT count(*) FILTER (a.label_rank = b.label_rank) AS equal, count(a.label_rank) AS images {BOTH_RUNS}",
        run_a=run_a,
        run_b=run_b,
    )
    return int(found.equal.iloc[0]), int(found.images.iloc[0])


def surest_pictures(results: Results, run_id: str, limit: int) -> pandas.DataFrame:
    """Pictures by the margin of the label, the largest first: ordinal, wnid."""
    return results.query(
        """SELECT ordinal, wnid FROM prediction WHERE run_id = $run_id AND margin > 0
           ORDER BY margin DESC, ordinal LIMIT $limit""",
        run_id=run_id,
        limit=limit,
    )


@kept
def styles(results: Results, run_id: str) -> list[str]:
    """The styles of a run's pictures; none where none is known."""
    found = results.query(
        "SELECT DISTINCT style FROM class_score WHERE run_id = $run_id AND style IS NOT NULL ORDER BY style", run_id=run_id
    )
    return list(found["style"])
