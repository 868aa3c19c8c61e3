"""What is ImageNet's label hierarchy?"""

import streamlit

from dashboard import layout, links, queries
from dashboard import queries_synsets as rows
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views import answer_depth, synset_questions
from dashboard.views.classifier_pair import Pair, choose_data, choose_pair, pair_of
from dashboard.views.synset_explorer import explorer
from dashboard.views.synset_hierarchy import SynsetHierarchy, hierarchy_of

EXPERIMENT = "wordnet_synsets"
TITLE = "WordNet synsets"
QUESTION = "What is ImageNet’s label hierarchy?"
COST = "a few seconds"  # in every profile
VIEWS = ("explorer", "four questions", "how far off")


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "Every ImageNet class is a *synset*, a set of words for one thing, in WordNet’s hierarchy of nouns. Walk through it, "
        "and see at every branch how well two classifiers do there.",
    )
    runs = rows.hierarchy_runs(results)
    hierarchy = hierarchy_of(results) if len(runs) else None
    if hierarchy is None or not hierarchy.synsets:
        layout.not_run_yet(EXPERIMENT)
        return
    pair = _controls(results)
    streamlit.markdown(f"## {_sentence(hierarchy)}")
    if pair and (told := answer_depth.sentence(results, pair)):
        streamlit.markdown(told)
    note = f" {layout.profile_note(pair.profile)}" if pair else ""
    streamlit.caption(f"{_basis(results, hierarchy, pair)}{note}")
    _views(results, hierarchy, pair, pages)
    _conclusion()
    fallback = runs[runs.experiment == EXPERIMENT].run_id.head(1).tolist() or runs.run_id.head(1).tolist()
    layout.provenance(queries.runs(results), pair.run_ids if pair else fallback, pages)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first; of the hierarchy alone where no classifier ran."""
    if rows.hierarchy_runs(results).empty:
        return []
    hierarchy = hierarchy_of(results)
    if not hierarchy.synsets:
        return []
    found = rows.classifier_runs(results)
    labels = layout.dataset_labels(found)
    pairs: list[Pair | None] = [pair_of(row, label) for label, (_, row) in zip(labels, found.iterrows(), strict=True)]
    return [
        Finding(
            _sentence(hierarchy),
            pair.label if pair else "WordNet 3.0",
            _basis(results, hierarchy, pair),
            [],
            view={"data": pair.label, "view": VIEWS[2]} if pair else {"view": VIEWS[0]},
            detail=answer_depth.sentence(results, pair) if pair else "",
        )
        for pair in pairs or [None]
    ]


def _controls(results: Results) -> Pair | None:
    """The classifiers that a person compares, None where none ran."""
    found = rows.classifier_runs(results)
    if found.empty:
        return None
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        return choose_pair(*choose_data(found))


@streamlit.fragment
@layout.errors_as_messages()
def _views(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None, pages: Pages) -> None:
    """The tabs and which answers count as right in them; a fragment, so that another choice draws nothing else anew."""
    right = layout.choose_button("Right is", ["top five", "first answer"], "right") if pair else "top five"
    links.open_view(
        VIEWS,
        lambda: explorer(results, pair, right, pages),
        lambda: synset_questions.draw(results, hierarchy, pair, right),
        lambda: answer_depth.draw(results, hierarchy, pair),
    )


def _sentence(hierarchy: SynsetHierarchy) -> str:
    depths = [int(hierarchy.synsets[wnid].depth) for wnid in hierarchy.by_index.values()]
    levels = f", {min(depths)} to {max(depths)} levels below the top" if depths else ""
    classes, synsets = len(hierarchy.by_index), len(hierarchy.synsets)
    return f"ImageNet’s **{classes:,}** classes are among **{synsets:,}** synsets of WordNet{levels}."


def _basis(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None) -> str:
    counted = (
        f"{sum(map(len, hierarchy.parents.values())):,} edges “is a kind of”, read from WordNet 3.0 and counted, so that these "
        "figures have no interval."
    )
    if pair is None:
        return f"{counted} No classifier has run yet: accuracies appear when imagenet\\_rn50\\_vs\\_clip has."
    wrong = answer_depth.depths_of(results, pair).both_wrong
    compared = (
        f"Both first answers, of one seed each, are wrong on {wrong:,} pictures; near is a deep common ancestor of answer and "
        "truth, in brackets the 95 % interval over pictures."
    )
    return f"{counted} {compared}"


def _conclusion() -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- ImageNet took its labels from **meaning, not from looks**. Neighbors in the tree are alike in what they are for or descend
  from, which often, but not always, makes them look alike.
- The tree is **not balanced**: depth counts WordNet’s distinctions, not likeness. An error among dogs is “deeper” than one
  among furniture because WordNet says more about dogs. Compare two classifiers by depth on the same pictures only.
- An accuracy at a branch is over **the pictures that are here**, of those classes below that both classifiers know. Where these
  are few, the interval says so.
- A classifier’s error can be the **label’s** fault: two classes with one name, or a thing that belongs to both.
"""
    )
