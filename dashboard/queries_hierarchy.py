"""The SQL that reads WordNet's tree: a function each, from `Results` to a DataFrame."""

import pandas

from dashboard.connection import Results


def synsets(results: Results) -> pandas.DataFrame:
    """Every synset of the tree: wnid, name (OpenAI's, or the first lemma), lemmas, gloss, depth, imagenet_index."""
    return results.query(
        """SELECT wnid, coalesce(openai_name, lemmas[1]) AS name, array_to_string(lemmas, ', ') AS lemmas, gloss, depth,
                  imagenet_index FROM synset ORDER BY wnid"""
    )
