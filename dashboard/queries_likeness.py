"""SQL queries on how alike pictures are and how they are rendered, for the page on WordNet's synsets.

No caller changes what it is given; `a` and `b` are the ids of two classifiers' runs.
"""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept


@kept
def style_scores(results: Results, a: str, b: str) -> pandas.DataFrame:
    """Right answers by style, in classes that both know: style, images, top1_a, top5_a, top1_b, top5_b."""
    return results.query(
        """SELECT a.style, sum(a.images)::BIGINT AS images, sum(a.top1)::BIGINT AS top1_a, sum(a.top5)::BIGINT AS top5_a,
                  sum(b.top1)::BIGINT AS top1_b, sum(b.top5)::BIGINT AS top5_b
           FROM class_score a JOIN class_score b ON a.wnid = b.wnid AND a.style IS NOT DISTINCT FROM b.style
           WHERE a.run_id = $a AND b.run_id = $b GROUP BY a.style ORDER BY a.style""",
        a=a,
        b=b,
    )


def form_scores(results: Results, a: str, b: str, evidence_run: str | None) -> pandas.DataFrame:
    """Right answers by form, in classes that both know and that have pairs of pictures which differ in form alone.

    `evidence_run` is the run that has such pairs. Columns form, then as `style_scores`.
    """
    left, right = form_counts(results, a, b, evidence_run), form_counts(results, b, a, evidence_run)
    both = left.merge(right.drop(columns="images"), on="form", suffixes=("_a", "_b"))
    return both[["form", "images", "top1_a", "top5_a", "top1_b", "top5_b"]]


@kept
def form_counts(results: Results, run_id: str, other_run: str, evidence_run: str | None) -> pandas.DataFrame:
    """One run's part of `form_scores`: form, images, top1, top5."""
    return results.query(
        """WITH several AS (SELECT wnid FROM class_similarity WHERE run_id = $evidence_run AND kind = 'form'
                            INTERSECT SELECT wnid FROM class_score WHERE run_id = $run_id
                            INTERSECT SELECT wnid FROM class_score WHERE run_id = $other_run)
           SELECT form, count(*) AS images, count(*) FILTER (label_rank = 1) AS top1,
                  count(*) FILTER (label_rank <= 5) AS top5
           FROM prediction WHERE run_id = $run_id AND form IS NOT NULL AND wnid IN (FROM several)
           GROUP BY form ORDER BY form""",
        run_id=run_id,
        other_run=other_run,
        evidence_run=evidence_run,
    )


@kept
def similarities(results: Results, run_id: str) -> pandas.DataFrame:
    """How alike pairs of pictures of a class are, by what differs in them: wnid, kind, other_wnid, pairs, similarity."""
    return results.query(
        "SELECT wnid, kind, other_wnid, pairs, similarity FROM class_similarity WHERE run_id = $run_id ORDER BY wnid, kind",
        run_id=run_id,
    )


def class_pictures(results: Results, dataset: str, run_id: str | None, wnids: list[str]) -> pandas.DataFrame:
    """The pictures of some classes: wnid, ordinal, path, style, form, class_similarity (to the class's other pictures)."""
    return results.query(
        """SELECT i.wnid, ordinal, path, style, form, class_similarity
           FROM image i LEFT JOIN image_evidence e ON e.image_id = i.image_id AND e.run_id = $run_id
           WHERE dataset = $dataset AND i.wnid IN (SELECT unnest($wnids)) ORDER BY i.wnid, ordinal LIMIT 1000""",
        dataset=dataset,
        run_id=run_id,
        wnids=wnids,
    )


@kept
def typicality(results: Results, run_id: str) -> pandas.DataFrame:
    """How many pictures are how alike the others of their class, in steps of 0.02: similarity (a step's start), pictures."""
    return results.query(
        """SELECT floor(class_similarity / 0.02) * 0.02 AS similarity, count(*) AS pictures FROM image_evidence
           WHERE run_id = $run_id AND isfinite(class_similarity) GROUP BY 1 ORDER BY 1""",
        run_id=run_id,
    )
