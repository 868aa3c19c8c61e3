"""What must hold of WordNet's rows and of classifiers' answers before they may enter `results.duckdb`.

Each check is what it says when it fails, and a query that counts the offending rows.
"""

SYNSET_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "synset_parent: parent_wnid is not in the table synset",
        "SELECT count(*) FROM synset_parent WHERE parent_wnid NOT IN (SELECT wnid FROM synset)",
    ),
    (
        "synset: depth must be 0 without a parent, and else one more than the deepest parent's",
        """SELECT count(*) FROM synset LEFT JOIN (
               SELECT edge.wnid, max(above.depth) AS above FROM synset_parent edge JOIN synset above ON above.wnid = parent_wnid
               GROUP BY edge.wnid) USING (wnid)
           WHERE depth <> coalesce(above + 1, 0)""",
    ),
    (
        "synset: only one may be without a parent",
        "SELECT greatest(count(*) - 1, 0) FROM synset WHERE wnid NOT IN (SELECT wnid FROM synset_parent)",
    ),
    (
        "synset: an ImageNet class has an index of its own and two names, any other synset none",
        """SELECT (SELECT count(imagenet_index) - count(DISTINCT imagenet_index) FROM synset) + count(*) FROM synset
           WHERE (imagenet_index IS NULL) <> (torchvision_name IS NULL) OR (imagenet_index IS NULL) <> (openai_name IS NULL)""",
    ),
    (
        "synset_leaf: leaf_wnid is no ImageNet class",
        "SELECT count(*) FROM synset_leaf WHERE leaf_wnid NOT IN (SELECT wnid FROM synset WHERE imagenet_index IS NOT NULL)",
    ),
    (
        "synset_leaf: an ImageNet class must be under itself",
        """SELECT count(*) FROM synset WHERE imagenet_index IS NOT NULL
           AND wnid NOT IN (SELECT wnid FROM synset_leaf WHERE wnid = leaf_wnid)""",
    ),
    (
        "synset_leaf: what is under a synset must be under each of its parents",
        """SELECT count(*) FROM (
               SELECT parent_wnid AS wnid, leaf_wnid FROM synset_parent JOIN synset_leaf USING (wnid)
               EXCEPT SELECT wnid, leaf_wnid FROM synset_leaf)""",
    ),
    (
        "synset_leaf: what is under a synset must be itself or under one of its children",
        """SELECT count(*) FROM (
               SELECT wnid, leaf_wnid FROM synset_leaf WHERE wnid <> leaf_wnid
               EXCEPT SELECT parent_wnid, leaf_wnid FROM synset_parent JOIN synset_leaf USING (wnid))""",
    ),
    (
        "word_sense: the senses of a word must count from 1 without a gap",
        "SELECT count(*) FROM (SELECT 1 FROM word_sense GROUP BY word HAVING min(sense) <> 1 OR max(sense) <> count(*))",
    ),
    (
        "word_sense: a lemma's own synset must be among its senses",
        """SELECT count(*) FROM (SELECT wnid, unnest(lemmas) AS word FROM synset
               EXCEPT SELECT wnid, word FROM word_sense)""",
    ),
)

PREDICTION_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "prediction: ordinal, wnid, style and form must be the image's",
        """SELECT count(*) FROM prediction p JOIN image USING (image_id)
           WHERE run_id = $run_id AND (p.ordinal, p.wnid, p.style, p.form)
                 IS DISTINCT FROM (image.ordinal, image.wnid, image.style, image.form)""",
    ),
    (
        "prediction: label_rank, label_probability and margin belong to labels that the classifier knows, and to no others",
        """SELECT count(*) FROM prediction LEFT JOIN classifier_output o USING (run_id, wnid)
           WHERE run_id = $run_id AND ((label_rank IS NULL) <> (o.wnid IS NULL)
                 OR (label_probability IS NULL) <> (o.wnid IS NULL) OR (margin IS NULL) <> (o.wnid IS NULL))""",
    ),
    (
        "prediction: top5 must be five of the classifier's classes (all, where it has fewer), each once",
        """WITH answers AS (SELECT unnest(top5) AS imagenet_index FROM prediction WHERE run_id = $run_id)
           SELECT (SELECT count(*) FROM prediction
                   WHERE run_id = $run_id AND (
                       len(top5) <> least(5, (SELECT count(*) FROM classifier_output WHERE run_id = $run_id))
                       OR list_unique(top5) <> len(top5)))
                + (SELECT count(*) FROM answers ANTI JOIN (
                       SELECT imagenet_index FROM classifier_output JOIN synset USING (wnid) WHERE run_id = $run_id)
                   USING (imagenet_index))""",
    ),
    (
        "prediction: top5_probability must fall, from at most 1 in all",
        """SELECT count(*) FROM prediction
           WHERE run_id = $run_id AND (len(top5_probability) <> len(top5) OR list_min(top5_probability) < 0
                 OR top5_probability <> list_reverse_sort(top5_probability) OR NOT list_sum(top5_probability) <= 1.0001)""",
    ),
    (
        "prediction: label_rank must be the label's place in top5, or after it",
        """SELECT count(*) FROM prediction JOIN synset USING (wnid)
           WHERE run_id = $run_id AND label_rank IS NOT NULL AND (
               label_rank = 0 OR coalesce(list_position(top5, imagenet_index), 0) <> if(label_rank <= 5, label_rank, 0))""",
    ),
    (
        "prediction: label_probability must be 0 to 1 and margin -1 to 1, above 0 only in the first place",
        """SELECT count(*) FROM prediction
           WHERE run_id = $run_id AND label_rank IS NOT NULL
                 AND NOT (label_probability BETWEEN 0 AND 1 AND margin BETWEEN -1 AND 1 AND (margin <= 0 OR label_rank = 1))""",
    ),
    (
        "prediction: ancestor must be a synset above the label, at its depth",
        """SELECT count(*) FROM prediction p LEFT JOIN synset s ON s.wnid = ancestor
           WHERE run_id = $run_id AND ancestor IS NOT NULL AND (s.depth IS DISTINCT FROM ancestor_depth
                 OR NOT EXISTS (SELECT 1 FROM synset_leaf l WHERE l.wnid = p.ancestor AND l.leaf_wnid = p.wnid))""",
    ),
    (
        "class_score: must be the counts of prediction",
        """SELECT count(*) FROM (
               SELECT wnid, style, count(*) AS images, count(*) FILTER (label_rank = 1) AS top1,
                      count(*) FILTER (label_rank <= 5) AS top5
               FROM prediction WHERE run_id = $run_id AND label_rank IS NOT NULL GROUP BY wnid, style) counted
           FULL JOIN (SELECT * FROM class_score WHERE run_id = $run_id) s
                ON s.wnid = counted.wnid AND s.style IS NOT DISTINCT FROM counted.style
           WHERE (s.images, s.top1, s.top5) IS DISTINCT FROM (counted.images, counted.top1, counted.top5)""",
    ),
    (
        "logit: must hold each of the classifier's outputs once, in one precision, for each image of prediction",
        """SELECT (SELECT count(*) FROM logit WHERE run_id = $run_id AND (
                       (single_values IS NULL) = (half_bits IS NULL) OR coalesce(len(single_values), len(half_bits))
                       <> (SELECT count(*) FROM classifier_output WHERE run_id = $run_id)))
                + (SELECT count(*) FROM prediction ANTI JOIN logit USING (run_id, image_id) WHERE run_id = $run_id)""",
    ),
    (
        "image_evidence: probe_probability must be 0 to 1 and class_similarity -1 to 1",
        """SELECT count(*) FROM image_evidence
           WHERE run_id = $run_id AND NOT (probe_probability BETWEEN 0 AND 1.0001
                                           AND coalesce(class_similarity, 0) BETWEEN -1.0001 AND 1.0001)""",
    ),
    (
        "class_similarity: must be -1 to 1, over at least one pair, and name the other class where there is one",
        """SELECT count(*) FROM class_similarity
           WHERE run_id = $run_id AND NOT (similarity BETWEEN -1.0001 AND 1.0001 AND pairs > 0
                                           AND (kind = 'nearest class') = (other_wnid IS NOT NULL))""",
    ),
)
