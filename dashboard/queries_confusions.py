"""The SQL behind a confusion matrix: what one classifier takes for what, and the pictures of a cell."""

from collections.abc import Sequence

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

ANSWERED = """
    FROM prediction WHERE run_id = $run_id AND label_rank IS NOT NULL AND wnid IN (SELECT unnest($wnids))
    AND top5[1] IN (SELECT unnest($indices))"""


@kept
def class_images(results: Results, run_id: str) -> dict[str, int]:
    """How many pictures of each class a classifier could get right."""
    found = results.query(
        "SELECT wnid, sum(images) AS images FROM class_score WHERE run_id = $run_id GROUP BY wnid ORDER BY wnid", run_id=run_id
    )
    return dict(zip(found.wnid, map(int, found.images), strict=True))


def branch_confusions(
    results: Results, run_id: str, branch_of_class: dict[str, int], branch_of_index: Sequence[int]
) -> pandas.DataFrame:
    """First answers by the branch of the true class and the branch of the answer: truth, answer, images.

    `branch_of_index` holds a branch for each of ImageNet's indices. Pictures of other classes do not count.
    """
    return results.query(
        """WITH classes AS (SELECT unnest($wnids) AS wnid, unnest($branches) AS truth)
           SELECT truth, $branch_of_index[top5[1] + 1] AS answer, count(*) AS images
           FROM prediction JOIN classes USING (wnid) WHERE run_id = $run_id AND label_rank IS NOT NULL
           GROUP BY truth, answer ORDER BY truth, answer""",
        run_id=run_id,
        wnids=list(branch_of_class),
        branches=list(branch_of_class.values()),
        branch_of_index=list(branch_of_index),
    )


def wrong_pairs(results: Results, run_id: str, node: str, limit: int) -> pandas.DataFrame:
    """The most frequent wrong first answers to pictures below a node: wnid, answer (an ImageNet index), ancestor, images."""
    return results.query(
        """SELECT wnid, top5[1] AS answer, any_value(ancestor) AS ancestor, count(*) AS images FROM prediction
           WHERE run_id = $run_id AND label_rank > 1 AND wnid IN (SELECT leaf_wnid FROM synset_leaf WHERE wnid = $node)
           GROUP BY wnid, answer ORDER BY images DESC, wnid, answer LIMIT $limit""",
        run_id=run_id,
        node=node,
        limit=limit,
    )


def count_answered(results: Results, run_id: str, wnids: Sequence[str], indices: Sequence[int]) -> int:
    """How many pictures of some classes have a first answer that is one of `indices`."""
    found = results.query(f"SELECT count(*) AS images {ANSWERED}", run_id=run_id, wnids=list(wnids), indices=list(indices))
    return int(found.images.iloc[0])


def answered_pictures(
    results: Results, run_id: str, wnids: Sequence[str], indices: Sequence[int], limit: int, offset: int
) -> list[int]:
    """The ordinals of a page of those pictures, the surest first."""
    found = results.query(
        f"SELECT ordinal {ANSWERED} ORDER BY top5_probability[1] DESC, ordinal LIMIT $limit OFFSET $offset",
        run_id=run_id,
        wnids=list(wnids),
        indices=list(indices),
        limit=limit,
        offset=offset,
    )
    return [int(number) for number in found.ordinal]
