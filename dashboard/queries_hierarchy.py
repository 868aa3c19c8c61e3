"""The SQL that reads WordNet's tree: a function each, from `Results` to a DataFrame."""

import pandas

from dashboard.connection import Results


def synsets(results: Results) -> pandas.DataFrame:
    """Every synset of the tree: wnid, name (OpenAI's, or the first lemma), lemmas, gloss, depth, imagenet_index."""
    return results.query(
        """SELECT wnid, coalesce(openai_name, lemmas[1]) AS name, array_to_string(lemmas, ', ') AS lemmas, gloss, depth,
                  imagenet_index FROM synset ORDER BY wnid"""
    )


def synset_parents(results: Results) -> pandas.DataFrame:
    """Every edge of the tree: wnid, parent_wnid."""
    return results.query("SELECT wnid, parent_wnid FROM synset_parent ORDER BY wnid, parent_wnid")


def synset_leaves(results: Results) -> pandas.DataFrame:
    """Every class below every node: wnid, leaf_wnid; a class is below itself."""
    return results.query("SELECT wnid, leaf_wnid FROM synset_leaf")
