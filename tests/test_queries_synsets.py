"""The explorer's queries and what is made of them, against hand-worked numbers and a recount with pandas."""

import os
from pathlib import Path

import duckdb
import pandas
import pytest
from synset_rows import (
    ANIMAL,
    ARTIFACT,
    BEAGLE,
    CLASSES,
    CRANE,
    CRANE_BIRD,
    DATASET,
    DOG,
    ENTITY,
    LAMP,
    PET,
    PUG,
    SOFA,
    publish_classifiers,
    publish_hierarchy,
)

from dashboard import queries_likeness
from dashboard import queries_synsets as queries
from dashboard.connection import Results, open_results
from dashboard.views import answer_depth
from dashboard.views.classifier_pair import pair_of
from dashboard.views.synset_differences import DIFFERENCES, groups_of, kind_means, one_of_each
from dashboard.views.synset_hierarchy import hierarchy_of
from dashboard.views.synset_looks import likeness

A, B, SMALL = "run-rn50", "run-clip_80_templates", "run-small"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return open_results(*publish_classifiers(tmp_path_factory.mktemp("classifiers")))


@pytest.fixture(scope="module")
def plain_results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The same, of pictures whose styles nobody knows."""
    return open_results(*publish_classifiers(tmp_path_factory.mktemp("plain"), styled=False))


def scores_at(results: Results, wnid: str, a: str = A, b: str = B) -> list[int]:
    return queries.rolled_scores(results, a, b).set_index("wnid").loc[wnid].tolist()


@pytest.mark.parametrize(
    "wnid, expected",
    [
        (DOG, [2, 6, 3, 4, 3, 5]),  # classes, images, top1_a, top5_a, top1_b, top5_b
        (PET, [2, 6, 3, 4, 3, 5]),
        (ANIMAL, [3, 7, 4, 5, 4, 6]),  # dog is below animal on two ways, and counts once
        (ARTIFACT, [2, 3, 1, 2, 1, 2]),
        (ENTITY, [5, 10, 5, 7, 5, 8]),
    ],
)
def test_scores_roll_up_over_the_classes_below(results, wnid, expected):
    assert scores_at(results, wnid) == expected


def test_only_classes_that_both_know_are_compared(results):
    assert scores_at(results, ENTITY, A, SMALL) == [3, 7, 4, 5, 7, 7]
    assert ARTIFACT not in queries.rolled_scores(results, A, SMALL).wnid.tolist()
    assert queries.known_classes(results, A, SMALL) == sorted(CLASSES[:3])
    assert queries.outcome_counts(results, A, SMALL, ENTITY, 1) == {
        "all": 7, "both right": 4, "only A": 0, "only B": 3, "neither": 0,
    }  # fmt: skip
    assert queries.labelled_pictures(results, DATASET, ENTITY) == 10


def recount(path: Path, a: str, b: str) -> pandas.DataFrame:
    """`rolled_scores` anew, from `prediction` alone and with pandas."""
    with duckdb.connect(str(path), read_only=True) as connection:
        prediction = connection.execute("SELECT run_id, image_id, wnid, label_rank FROM prediction").df()
        leaves = connection.execute("SELECT wnid AS node, leaf_wnid AS wnid FROM synset_leaf").df()
    ranked = prediction.pivot(index=["image_id", "wnid"], columns="run_id", values="label_rank")[list({a, b})].dropna()
    ranks = ranked.reset_index().merge(leaves, on="wnid")
    counted = pandas.DataFrame(
        {
            "wnid": ranks.node,
            "images": 1,
            **{f"top{rank}_{side}": ranks[run] <= rank for side, run in (("a", a), ("b", b)) for rank in (1, 5)},
        }
    )
    sums = counted.groupby("wnid").sum().astype(int)
    sums.insert(0, "classes", ranks.groupby("node").wnid.nunique())
    return sums.reset_index()


@pytest.mark.parametrize("other", [B, SMALL, A])
def test_the_roll_up_equals_a_recount_of_the_predictions(results, other):
    pandas.testing.assert_frame_equal(
        queries.rolled_scores(results, A, other), recount(results.path, A, other), check_dtype=False
    )


def test_the_roll_up_of_other_results_equals_a_recount_too():
    """On whatever results CONTRAST_TEST_RESULTS names, or else on those that are published with the project."""
    path = Path(os.environ.get("CONTRAST_TEST_RESULTS", Path(__file__).parent.parent / "results.duckdb"))
    if not path.is_file():
        pytest.skip(f"there are no results at {path}")
    found = open_results(path, path.parent / "images")
    if not len(queries.hierarchy_runs(found)) or not len(queries.classifier_runs(found)):
        pytest.skip(f"{path} holds no classifier's answers")
    for _, row in queries.classifier_runs(found).iterrows():
        pair = pair_of(row, "")
        rolled = queries.rolled_scores(found, pair.run_a, pair.run_b)
        assert len(rolled)
        pandas.testing.assert_frame_equal(rolled, recount(path, pair.run_a, pair.run_b), check_dtype=False)


def test_pictures_are_found_by_outcome_each_once_and_always_in_the_same_order(results):
    counts = queries.outcome_counts(results, A, B, ENTITY, 5)
    assert counts == {"all": 10, "both right": 5, "only A": 2, "only B": 3, "neither": 0}
    for outcome, count in counts.items():
        pages = [queries.pictures(results, A, B, ENTITY, outcome, 5, 3, offset) for offset in (0, 3, 6, 9)]
        ordinals = [number for page in pages for number in page.ordinal]
        assert len(ordinals) == len(set(ordinals)) == count
    [row] = queries.pictures(results, A, B, DOG, "only A", 5, 12, 0).itertuples()
    assert (row.ordinal, row.wnid, row.style, row.form) == (4, BEAGLE, "color on plain", "face")
    assert (row.rank_a, row.answer_a, row.rank_b, row.answer_b) == (1, 0, 7, 5)
    assert row.path.endswith("4.png")


def test_confusions_stay_within_a_synset_or_leave_it(results):
    rows = queries.confusions(results, B, A, DOG)
    assert rows.drop(columns="run_id", errors="ignore").values.tolist() == [
        [BEAGLE, LAMP, 1, False, 1],
        [BEAGLE, PUG, 1, True, 2],
        [PUG, BEAGLE, 1, True, 2],
    ]


def test_wrong_answers_meet_the_truth_at_hand_worked_depths(results):
    [row] = [row for _, row in queries.classifier_runs(results).iterrows()]
    depths = answer_depth.depths_of(results, pair_of(row, ""))
    assert (depths.wrong_a, depths.wrong_b, depths.both_wrong) == (5, 5, 3)
    assert (depths.a.value, depths.b.value) == pytest.approx((0.8, 1.6))
    # Where both are wrong: 0 and 3, 1 and 3, 0 and 1; the variance of 3, 2, 1 is 1.
    reach = 1.959964 / 3**0.5
    assert (depths.difference.value, depths.difference.low, depths.difference.high) == pytest.approx((2, 2 - reach, 2 + reach))
    ancestors = queries.frequent_ancestors(results, A, B)
    assert ancestors.values.tolist() == [[ENTITY, 0, 3], [ANIMAL, 1, 1], [DOG, 3, 1]]


def test_random_answers_meet_where_the_other_classes_are(results):
    [row] = [row for _, row in queries.classifier_runs(results).iterrows()]
    shares = answer_depth.depth_shares(results, hierarchy_of(results), pair_of(row, ""))
    chance = shares[shares.classifier == answer_depth.CHANCE].set_index("depth").pictures
    # Of six other classes: a dog meets one at depth 3, one at 1, four at 0; the bird two at 1; an artifact three at 1.
    assert chance.to_dict() == pytest.approx({0: 6 * 4 / 6 + 4 / 6 + 3 * 3 / 6, 1: 6 / 6 + 2 / 6 + 3 * 3 / 6, 3: 6 / 6})
    assert shares.groupby("classifier").share.sum().tolist() == pytest.approx([1, 1, 1])


def test_a_synset_has_all_its_ways_up_its_siblings_and_its_name(results):
    hierarchy = hierarchy_of(results)
    assert hierarchy.root == ENTITY
    assert hierarchy.ways_up(BEAGLE) == [(ENTITY, ANIMAL, PET, DOG, BEAGLE), (ENTITY, ANIMAL, DOG, BEAGLE)]
    assert hierarchy.siblings(DOG) == [CRANE_BIRD, PET]
    assert [hierarchy.name(wnid) for wnid in (CRANE, DOG, "n0")] == ["construction crane", "dog", "n0"]
    assert hierarchy.is_class(CRANE)
    assert not hierarchy.is_class(DOG)


def test_the_depths_of_common_ancestors_are_those_of_the_rows(results):
    classes, depths = hierarchy_of(results).common_depth
    place = {wnid: number for number, wnid in enumerate(classes)}
    for wnid, other, depth in [(BEAGLE, PUG, 3), (PUG, CRANE_BIRD, 1), (CRANE, CRANE_BIRD, 0), (SOFA, LAMP, 1), (PUG, PUG, 4)]:
        assert depths[place[wnid], place[other]] == depths[place[other], place[wnid]] == depth


@pytest.mark.parametrize(
    "text, expected",
    [
        ("crane", [CRANE, CRANE_BIRD]),
        ("Domestic  DOG", [DOG]),
        ("dog.n.01", [DOG]),
        (PUG, [PUG]),
        ("bird", [CRANE_BIRD]),
        ("tifac", [ARTIFACT]),
        ("no such word", []),
        ("  ", []),
    ],
)
def test_a_search_finds_words_and_wnids_the_best_first(results, text, expected):
    assert hierarchy_of(results).search(text) == expected


def test_a_circle_in_foreign_rows_has_an_end(tmp_path):
    path, images = publish_hierarchy(tmp_path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO synset_parent VALUES (?, ?)", [ANIMAL, BEAGLE])
    ways = hierarchy_of(open_results(path, images)).ways_up(PUG)
    assert ways[0][-1] == PUG


def test_senses_and_shared_words(results):
    senses = queries.senses(results, ["Crane"])
    assert senses[["word", "sense", "wnid"]].values.tolist() == [
        ["crane", 1, "n99999999"],
        ["crane", 2, CRANE_BIRD],
        ["crane", 3, CRANE],
    ]
    [row] = queries.shared_words(results).itertuples()
    assert (row.word, list(row.wnids)) == ("crane", [CRANE_BIRD, CRANE])
    counted = queries.taken_for(results, A, [CRANE, CRANE_BIRD])
    assert counted.values.tolist() == [[CRANE, CRANE_BIRD, 1]]


def test_likeness_sets_a_classs_own_pictures_beside_the_nearest_others(results):
    [row] = [row for _, row in queries.classifier_runs(results).iterrows()]
    found = likeness(results, hierarchy_of(results), pair_of(row, "")).set_index("wnid")
    beagle = found.loc[BEAGLE]
    assert (beagle.own, beagle.other, beagle.other_wnid) == (pytest.approx(0.5), pytest.approx(0.7), PUG)
    assert (beagle.depth, beagle.is_sibling) == (3, True)
    assert (found.loc[CRANE].depth, bool(found.loc[CRANE].is_sibling)) == (0, False)
    assert found.own.isna().sum() == 2  # the cranes have one picture each


def test_mean_likeness_by_what_differs(results):
    means = kind_means(queries_likeness.similarities(results, B)).set_index("kind")
    assert means.loc["rotation", ["similarity", "classes", "pairs"]].tolist() == pytest.approx([0.85, 2, 2])
    assert means.loc["form", "low"] != means.loc["form", "low"]  # one class gives no interval
    assert "nothing that is known" not in means.index


def test_each_difference_is_scored_on_the_pictures_that_show_it(results):
    styles, forms = queries_likeness.style_scores(results, A, B), queries_likeness.form_scores(results, A, B, B)
    groups = {each.kind: groups_of(styles, forms, each) for each in DIFFERENCES}
    assert groups["rendition"].images.sum() == 8
    turned = groups["rotation"][groups["rotation"]["style"] == "rotated"]
    assert turned[["images", "top1_a", "top5_a", "top1_b", "top5_b"]].sum().tolist() == [2, 0, 1, 1, 2]
    assert groups["form"].values.tolist() == [["face", 1, 1, 1, 0, 0], ["whole", 3, 1, 2, 2, 3]]  # of beagles alone
    pictures = queries_likeness.class_pictures(results, DATASET, B, [BEAGLE])
    shown = {each.kind: one_of_each(pictures, each).ordinal.tolist() for each in DIFFERENCES}
    assert shown == {"rendition": [3, 1], "rotation": [1, 2], "form": [4, 1]}


def test_without_styles_all_that_needs_none_is_the_same(results, plain_results):
    pandas.testing.assert_frame_equal(queries.rolled_scores(plain_results, A, B), queries.rolled_scores(results, A, B))
    assert queries_likeness.style_scores(plain_results, A, B)["style"].isna().all()
    spread = queries_likeness.typicality(plain_results, B)
    assert spread.pictures.sum() == 8
