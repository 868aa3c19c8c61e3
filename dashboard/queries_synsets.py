"""Every SQL query of the page on WordNet's synsets; no caller changes what it is given.

Two classifiers are compared on the pictures whose class both know, as only those could both get right: `a` and `b` are the ids
of their runs, the same one twice where there is only one classifier.
"""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

EXPERIMENTS = ("wordnet_synsets", "imagenet_rn50_vs_clip")  # either brings the synsets along
EVIDENCE_VARIANT = "clip_80_templates"  # whose image features say how alike pictures are
# Far more than ImageNet has, so that no foreign file keeps the page busy.
MOST_SYNSETS, MOST_EDGES, LONGEST_TEXT, MOST_LEMMAS = 20_000, 40_000, 400, 40
RIGHT = {"first answer": 1, "top five": 5}  # the largest rank of the true class that counts as right
OUTCOMES = {
    "all": "TRUE",
    "both right": "a.label_rank <= $rank AND b.label_rank <= $rank",
    "only A": "a.label_rank <= $rank AND b.label_rank > $rank",
    "only B": "a.label_rank > $rank AND b.label_rank <= $rank",
    "neither": "a.label_rank > $rank AND b.label_rank > $rank",
}
BOTH_KNOW = """FROM prediction a JOIN prediction b ON a.ordinal = b.ordinal
               WHERE a.run_id = $a AND b.run_id = $b AND a.label_rank IS NOT NULL AND b.label_rank IS NOT NULL"""
BELOW_NODE = "a.wnid IN (SELECT leaf_wnid FROM synset_leaf WHERE wnid = $node)"


@kept
def hierarchy_runs(results: Results) -> pandas.DataFrame:
    """The runs that brought synsets along, the latest first: run_id, experiment.

    Asks the table `run` alone, which every results file has.
    """
    return results.query(
        "SELECT run_id, experiment FROM run WHERE list_contains($experiments, experiment) ORDER BY started_at DESC, run_id",
        experiments=list(EXPERIMENTS),
    )


@kept
def classifier_runs(results: Results) -> pandas.DataFrame:
    """Data sets and profiles on which classifiers ran, the latest first, with their latest runs in the order of variants.

    Columns dataset, profile, dataset_name, labels, val_images, variants, run_ids.
    """
    return results.query(
        """WITH latest AS (
               SELECT * FROM run WHERE experiment = 'imagenet_rn50_vs_clip' QUALIFY row_number() OVER (
                   PARTITION BY variant, profile, dataset ORDER BY started_at DESC, run_id) = 1)
           SELECT dataset, profile, any_value(name) AS dataset_name, any_value(labels) AS labels,
                  any_value(val_images) AS val_images, list(left(variant, 80) ORDER BY variant) AS variants,
                  list(run_id ORDER BY variant) AS run_ids
           FROM latest JOIN dataset USING (dataset) GROUP BY dataset, profile ORDER BY max(started_at) DESC, dataset"""
    )


@kept
def synsets(results: Results) -> pandas.DataFrame:
    """All synsets, those of ImageNet's classes with their index and names; texts are cut, as they may be foreign."""
    return results.query(
        """SELECT left(wnid, 12) AS wnid, left(name, $name) AS name, lemmas[:$most_lemmas] AS lemmas,
                  left(gloss, $longest) AS gloss, depth, imagenet_index,
                  coalesce(left(torchvision_name, $name), '') AS torchvision_name,
                  coalesce(left(openai_name, $name), '') AS openai_name
           FROM synset ORDER BY wnid LIMIT $most""",
        name=80,
        longest=LONGEST_TEXT,
        most_lemmas=MOST_LEMMAS,
        most=MOST_SYNSETS,
    )


@kept
def edges(results: Results) -> pandas.DataFrame:
    """Which synset lies right below which: wnid, parent_wnid."""
    return results.query("SELECT wnid, parent_wnid FROM synset_parent ORDER BY ALL LIMIT $most", most=MOST_EDGES)


@kept
def leaves(results: Results) -> pandas.DataFrame:
    """ImageNet's classes below each synset, a class being below itself: wnid, leaf_wnid."""
    return results.query("SELECT wnid, leaf_wnid FROM synset_leaf ORDER BY ALL LIMIT $most", most=20 * MOST_EDGES)


def senses(results: Results, words: list[str]) -> pandas.DataFrame:
    """All senses of some words as nouns, however they are spelt, the most frequent first: word, sense, wnid, name, gloss.

    Of words that differ in nothing but case, such as cardigan and Cardigan, whose senses are the same, the first stays.
    """
    return results.query(
        """SELECT left(min(word), 80) AS word, sense, wnid, left(any_value(name), 80) AS name,
                  left(any_value(gloss), $longest) AS gloss
           FROM word_sense WHERE list_contains($words, lower(word))
           GROUP BY lower(word), sense, wnid ORDER BY list_position($words, lower(word)), sense, wnid LIMIT 60""",
        words=[word.lower() for word in words],
        longest=LONGEST_TEXT,
    )


@kept
def shared_words(results: Results) -> pandas.DataFrame:
    """Words that are lemmas of more than one of ImageNet's classes: word, wnids; words spelt alike but for case are one."""
    return results.query(
        """SELECT left(min(word), 80) AS word, list(DISTINCT wnid ORDER BY wnid)[:6] AS wnids
           FROM word_sense SEMI JOIN (SELECT wnid FROM synset WHERE imagenet_index IS NOT NULL) USING (wnid)
           GROUP BY lower(word) HAVING count(DISTINCT wnid) > 1 ORDER BY lower(min(word)) LIMIT 100"""
    )


@kept
def class_scores(results: Results, a: str, b: str) -> pandas.DataFrame:
    """Right answers of two runs for each class that both know: wnid, images, top1_a, top5_a, top1_b, top5_b."""
    return results.query(
        """WITH summed AS (SELECT run_id, wnid, sum(images)::BIGINT AS images, sum(top1)::BIGINT AS top1,
                                  sum(top5)::BIGINT AS top5
                           FROM class_score WHERE run_id IN ($a, $b) GROUP BY run_id, wnid)
           SELECT a.wnid, a.images, a.top1 AS top1_a, a.top5 AS top5_a, b.top1 AS top1_b, b.top5 AS top5_b
           FROM summed a JOIN summed b USING (wnid) WHERE a.run_id = $a AND b.run_id = $b ORDER BY a.wnid""",
        a=a,
        b=b,
    )


@kept
def rolled_scores(results: Results, a: str, b: str) -> pandas.DataFrame:
    """`class_scores` summed over the classes below each synset: wnid, classes, images, top1_a, top5_a, top1_b, top5_b."""
    return results.query(
        """WITH summed AS (SELECT run_id, wnid, sum(images) AS images, sum(top1) AS top1, sum(top5) AS top5
                           FROM class_score WHERE run_id IN ($a, $b) GROUP BY run_id, wnid),
           known AS (SELECT a.wnid, a.images, a.top1 AS top1_a, a.top5 AS top5_a, b.top1 AS top1_b, b.top5 AS top5_b
                     FROM summed a JOIN summed b USING (wnid) WHERE a.run_id = $a AND b.run_id = $b)
           SELECT l.wnid, count(*) AS classes, sum(images)::BIGINT AS images, sum(top1_a)::BIGINT AS top1_a,
                  sum(top5_a)::BIGINT AS top5_a, sum(top1_b)::BIGINT AS top1_b, sum(top5_b)::BIGINT AS top5_b
           FROM synset_leaf l JOIN known ON known.wnid = l.leaf_wnid GROUP BY l.wnid ORDER BY l.wnid""",
        a=a,
        b=b,
    )


def labelled_pictures(results: Results, dataset: str, node: str) -> int:
    """How many pictures of a data set have a class below `node`, whoever knows it."""
    found = results.query(
        f"SELECT count(*) AS pictures FROM image a WHERE dataset = $dataset AND {BELOW_NODE}", dataset=dataset, node=node
    )
    return int(found.pictures.iloc[0])


def outcome_counts(results: Results, a: str, b: str, node: str, rank: int) -> dict[str, int]:
    """How many pictures below `node` fall under each of OUTCOMES."""
    sums = ", ".join(f'count(*) FILTER ({condition}) AS "{outcome}"' for outcome, condition in OUTCOMES.items())
    counts = results.query(f"SELECT {sums} {BOTH_KNOW} AND {BELOW_NODE}", a=a, b=b, node=node, rank=rank)
    return {str(outcome): int(count) for outcome, count in counts.iloc[0].items()}


def pictures(results: Results, a: str, b: str, node: str, outcome: str, rank: int, limit: int, offset: int) -> pandas.DataFrame:
    """A page of the pictures below `node` with both first answers, in an order that is always the same but mixes the classes.

    Columns ordinal, image_id, wnid, style, form, rank_a, answer_a, rank_b, answer_b (ImageNet's index), path.
    """
    # First only narrow columns, to find the page's few pictures; then what is shown of those.
    return shown_pictures(results, a, b, picture_ordinals(results, a, b, node, outcome, rank, limit, offset))


def picture_ordinals(
    results: Results, a: str, b: str, node: str, outcome: str, rank: int, limit: int, offset: int
) -> list[int]:
    """The ordinals of a page of the pictures below `node`."""
    found = results.query(
        f"""SELECT a.ordinal {BOTH_KNOW} AND {BELOW_NODE} AND {OUTCOMES[outcome]}
            ORDER BY a.ordinal * 7919 % 10007, a.ordinal LIMIT $limit OFFSET $offset""",
        a=a,
        b=b,
        node=node,
        limit=limit,
        offset=offset,
        **({} if outcome == "all" else {"rank": rank}),
    )
    return found.ordinal.tolist()


@kept
def shown_pictures(results: Results, a: str, b: str, ordinals: list[int]) -> pandas.DataFrame:
    """What `pictures` shows of some pictures, in their order."""
    both = first_answers(results, [a, b], ordinals)
    left = both[both.run_id == a].rename(columns={"label_rank": "rank_a", "answer": "answer_a"})
    right = both[both.run_id == b].rename(columns={"label_rank": "rank_b", "answer": "answer_b"})
    shown = left.merge(right[["ordinal", "rank_b", "answer_b"]], on="ordinal")
    shown = shown.merge(picture_paths(results, ordinals), on=["ordinal", "image_id"]).drop(columns="run_id")
    shown = shown.drop_duplicates("ordinal").set_index("ordinal", drop=False)
    return shown.loc[[ordinal for ordinal in ordinals if ordinal in shown.index]]  # of foreign rows some may not meet


def first_answers(results: Results, run_ids: list[str], ordinals: list[int]) -> pandas.DataFrame:
    """Label, its rank and the first answer of runs to some pictures."""
    return results.query(
        """SELECT run_id, ordinal, image_id, wnid, style, form, label_rank, coalesce(top5[1], -1) AS answer
           FROM prediction
           WHERE list_contains($run_ids, run_id) AND list_contains($ordinals, ordinal)""",
        run_ids=run_ids,
        ordinals=ordinals,
    )


def picture_paths(results: Results, ordinals: list[int]) -> pandas.DataFrame:
    """Where the pictures of these numbers lie, whatever their data set: ordinal, image_id, path."""
    return results.query("SELECT ordinal, image_id, path FROM image WHERE list_contains($ordinals, ordinal)", ordinals=ordinals)


def confusions(results: Results, run_id: str, other_run: str, node: str, limit: int = 6) -> pandas.DataFrame:
    """A run's most frequent wrong first answers to pictures below `node`: wnid, answer_wnid, pictures, within, total.

    `within` tells whether the answer is below `node` as well; there are at most `limit` of either kind, and `total` of all.
    """
    return results.query(
        """WITH below AS MATERIALIZED (
               SELECT leaf_wnid AS wnid, imagenet_index FROM synset_leaf l JOIN synset s ON s.wnid = leaf_wnid
               WHERE l.wnid = $node),
           pair AS MATERIALIZED (
               SELECT wnid, top5[1] AS answer, count(*) AS pictures, answer IN (SELECT imagenet_index FROM below) AS within
               FROM prediction WHERE run_id = $a AND label_rank > 1 AND wnid IN (SELECT wnid FROM below)
                    AND wnid IN (SELECT wnid FROM classifier_output WHERE run_id = $b) GROUP BY ALL),
           frequent AS (
               (FROM pair WHERE within ORDER BY pictures DESC, wnid, answer LIMIT $limit)
               UNION ALL (FROM pair WHERE NOT within ORDER BY pictures DESC, wnid, answer LIMIT $limit))
           SELECT f.wnid, s.wnid AS answer_wnid, pictures, within,
                  (SELECT sum(pictures) FROM pair WHERE pair.within = f.within)::BIGINT AS total
           FROM frequent f JOIN synset s ON s.imagenet_index = answer ORDER BY within, pictures DESC, f.wnid, answer_wnid""",
        a=run_id,
        b=other_run,
        node=node,
        limit=limit,
    )


@kept
def answer_depths(results: Results, a: str, b: str) -> pandas.DataFrame:
    """Pictures by how deep the nearest common ancestor of label and wrong first answer lies: depth_a, depth_b, pictures.

    A depth is missing where that classifier's first answer is right.
    """
    return results.query(
        f"""SELECT CASE WHEN a.label_rank > 1 THEN a.ancestor_depth END AS depth_a,
                   CASE WHEN b.label_rank > 1 THEN b.ancestor_depth END AS depth_b, count(*) AS pictures
            {BOTH_KNOW} GROUP BY ALL ORDER BY ALL""",
        a=a,
        b=b,
    )


@kept
def frequent_ancestors(results: Results, run_id: str, other_run: str, limit: int = 200) -> pandas.DataFrame:
    """Where a run's wrong first answers meet their labels, on pictures that the other run knows too: wnid, depth, pictures."""
    return results.query(
        f"""SELECT a.ancestor AS wnid, any_value(a.ancestor_depth) AS depth, count(*) AS pictures {BOTH_KNOW}
            AND a.label_rank > 1 GROUP BY a.ancestor ORDER BY pictures DESC, wnid LIMIT $limit""",
        a=run_id,
        b=other_run,
        limit=limit,
    )


@kept
def known_classes(results: Results, a: str, b: str) -> list[str]:
    """The classes that both runs' classifiers can answer with."""
    found = results.query(
        """SELECT wnid FROM classifier_output WHERE run_id IN ($a, $b)
           GROUP BY wnid HAVING count(DISTINCT run_id) = len(list_distinct([$a, $b])) ORDER BY wnid LIMIT 5000""",
        a=a,
        b=b,
    )
    return found.wnid.tolist()


def taken_for(results: Results, run_id: str, wnids: list[str]) -> pandas.DataFrame:
    """How often a run's first answer to pictures of some classes is another of these: wnid, answer_wnid, pictures."""
    return results.query(
        """SELECT p.wnid, s.wnid AS answer_wnid, count(*) AS pictures
           FROM prediction p JOIN synset s ON s.imagenet_index = top5[1]
           WHERE run_id = $run_id AND label_rank > 1 AND list_contains($wnids, p.wnid) AND list_contains($wnids, s.wnid)
           GROUP BY ALL ORDER BY pictures DESC, p.wnid, answer_wnid""",
        run_id=run_id,
        wnids=wnids,
    )
