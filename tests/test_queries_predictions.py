"""What the page of two classifiers counts, sorts and chooses, against hand-worked numbers and a recount with pandas."""

from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from synset_rows import (
    ANIMAL,
    BEAGLE,
    CLASSES,
    CRANE,
    CRANE_BIRD,
    DATASET,
    DOG,
    ENTITY,
    LAMP,
    PUG,
    SOFA,
    publish_classifiers,
)

from compute.data import imagenet
from dashboard import intervals, queries_confusions
from dashboard import queries_predictions as queries
from dashboard.connection import Results, open_results
from dashboard.queries_predictions import Filter
from dashboard.views import contest, picks, picture_dialog, zero_shot_views
from dashboard.views.confusion_views import matrix_rows
from dashboard.views.hierarchy import hierarchy_of

A, B, SMALL = "run-rn50", "run-clip_80_templates", "run-small"
OUTCOMES = ["both", "only_a", "only_b", "neither", "not_compared"]
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return open_results(*publish_classifiers(tmp_path_factory.mktemp("classifiers")))


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The same, with margins that all differ: A's are 0, B's its picture's number in hundredths, less 0.05."""
    file, images = publish_classifiers(tmp_path_factory.mktemp("ranked"))
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE prediction SET margin = if(run_id = ?, ordinal / 100 - 0.05, 0)", [B])
    return open_results(file, images)


@pytest.mark.parametrize(
    "run_b, top, chosen, expected",
    [
        (B, 5, Filter(), [5, 2, 3, 0, 0]),
        (B, 1, Filter(), [3, 2, 2, 3, 0]),
        (B, 5, Filter(node=DOG), [3, 1, 2, 0, 0]),
        (B, 5, Filter(node=BEAGLE), [2, 1, 1, 0, 0]),
        (B, 5, Filter(style="black line"), [0, 0, 2, 0, 0]),
        (B, 5, Filter(node=DOG, style="rotated"), [1, 0, 1, 0, 0]),
        (B, 5, Filter(node="n99999999"), [0, 0, 0, 0, 0]),
        (SMALL, 5, Filter(), [5, 0, 2, 0, 3]),  # it does not know the crane and the sofa, and is right on all others
    ],
)
def test_outcomes_are_counted_on_what_both_know(results, run_b, top, chosen, expected):
    [row] = queries.outcome_counts(results, A, run_b, top, chosen).to_dict("records")
    assert [row[name] for name in OUTCOMES] == expected
    assert row["images"] == sum(expected[:4])


def test_outcomes_by_style_and_by_class(results):
    by_style = queries.outcome_counts(results, A, B, 5, by="style").set_index("style")
    assert by_style.loc["black line", OUTCOMES].tolist() == [0, 0, 2, 0, 0]
    assert by_style.loc["color on plain", OUTCOMES].tolist() == [4, 2, 0, 0, 0]
    assert by_style.loc["rotated", OUTCOMES].tolist() == [1, 0, 1, 0, 0]
    by_class = queries.outcome_counts(results, A, B, 5, by="wnid").set_index("wnid")
    assert by_class.loc[CRANE, OUTCOMES].tolist() == [0, 1, 0, 0, 0]
    with pytest.raises(ValueError, match="cannot count"):
        queries.outcome_counts(results, A, B, 5, by="1; DROP TABLE run")


@pytest.mark.parametrize(
    "outcome, expected",
    [(None, list(range(1, 11))), ("both", [1, 2, 5, 7, 9]), ("only_a", [4, 8]), ("only_b", [3, 6, 10]), ("neither", [])],
)
def test_pictures_of_an_outcome_by_number(results, outcome, expected):
    assert queries.picture_numbers(results, A, B, 5, Filter(outcome), "number", 20, 0) == expected


def test_pictures_that_cannot_be_compared_are_found_and_come_last(results):
    assert queries.picture_numbers(results, A, SMALL, 5, Filter("not_compared"), "number", 20, 0) == [8, 9, 10]
    for order in ("difference", "unsure"):
        assert set(queries.picture_numbers(results, A, SMALL, 5, Filter(), order, 20, 0)[-3:]) == {8, 9, 10}


def test_orders_and_pages(ranked):
    # By distance of the number from 5: 10 is the farthest; of equal ones the lower number comes first.
    clearest = [10, 1, 9, 2, 8, 3, 7, 4, 6, 5]
    assert queries.picture_numbers(ranked, A, B, 5, Filter(), "difference", 20, 0) == clearest
    assert queries.picture_numbers(ranked, A, B, 5, Filter(), "difference", 3, 3) == clearest[3:6]
    assert queries.picture_numbers(ranked, A, B, 5, Filter(), "unsure", 3, 0) == [5, 4, 6]


def test_the_clearest_pictures_of_classes(ranked):
    found = queries.clearest_pictures(ranked, A, B, 5, [BEAGLE, PUG, SOFA, CRANE_BIRD], 1, 2)
    assert list(found[["wnid", "ordinal", "is_b"]].itertuples(index=False, name=None)) == [
        (BEAGLE, 3, True),
        (BEAGLE, 4, False),
        (PUG, 6, True),
        (SOFA, 10, True),
    ]
    first_answers = queries.clearest_pictures(ranked, A, B, 1, [BEAGLE, SOFA], 1, 1)
    assert list(first_answers.ordinal) == [2, 4, 10, 9]


def test_pictures_come_in_the_order_asked_for(results):
    found = queries.pictures(results, DATASET, [7, 2, 99, 5])
    assert found.ordinal.tolist() == [7, 2, 5]
    assert queries.picture_number(results, DATASET, f"{DATASET}/4") == 4
    assert queries.picture_number(results, "other", f"{DATASET}/4") is None


def test_a_matrix_counts_each_picture_once(results):
    tree = hierarchy_of(results)
    branches = tree.branches(ENTITY, queries_confusions.class_images(results, A))
    rows, columns = matrix_rows(results, tree, A, branches)
    cells = {(row.name, column): count for row in rows for column, count in zip(columns, row.cells, strict=True) if count}
    assert sum(cells.values()) == 10
    # Wrong first answers of A: a beagle as pug, one as sofa, a pug as crane bird, a crane as crane bird, a sofa as beagle.
    assert cells["beagle", "pug"] == cells["beagle", "sofa"] == cells["pug", "crane bird"] == 1
    assert cells["construction crane", "crane bird"] == cells["sofa", "beagle"] == 1
    assert cells["beagle", "beagle"] == 2


def test_below_a_node_answers_outside_are_elsewhere(results):
    tree = hierarchy_of(results)
    rows, columns = matrix_rows(results, tree, A, tree.branches(DOG, queries_confusions.class_images(results, A)))
    assert columns == ["beagle", "pug", "elsewhere"]
    assert {row.name: row.cells for row in rows} == {"beagle": [2, 1, 1], "pug": [0, 1, 1]}


def test_wrong_pairs_and_their_pictures(results):
    pairs = queries_confusions.wrong_pairs(results, B, DOG, 10)
    assert sorted(pairs[["wnid", "answer", "images"]].itertuples(index=False, name=None)) == [
        (BEAGLE, CLASSES.index(PUG), 1),
        (BEAGLE, CLASSES.index(LAMP), 1),
        (PUG, CLASSES.index(BEAGLE), 1),
    ]
    assert queries_confusions.answered_pictures(results, B, [BEAGLE], [CLASSES.index(PUG)], 5, 0) == [3]
    assert queries_confusions.count_answered(results, B, [BEAGLE, PUG], [CLASSES.index(BEAGLE)]) == 3


def test_branches_hold_every_class_once_and_are_few(results):
    tree = hierarchy_of(results)
    for most in (2, 3, 12):
        branches = tree.branches(ENTITY, dict.fromkeys(CLASSES, 1), most)
        held = [wnid for branch in branches for wnid in branch.classes]
        assert sorted(held) == sorted(CLASSES)
        assert len(branches) <= most
    assert [branch.node for branch in tree.branches(ANIMAL, dict.fromkeys(CLASSES, 0))] == [ANIMAL]


def test_the_tree_answers_as_drawn(results):
    tree = hierarchy_of(results)
    assert tree.root == ENTITY
    assert tree.nearest_common_ancestor(BEAGLE, PUG) == DOG
    assert tree.common_depth(BEAGLE, CRANE_BIRD) == 1
    assert tree.path(BEAGLE)[-2:] == [DOG, BEAGLE]
    assert tree.branch_apart(BEAGLE, [BEAGLE, CRANE_BIRD, SOFA]) == "n00000004"  # pet: the bird is no pet
    assert tree.search("domestic") == [DOG]
    assert set(tree.search("crane")) == {CRANE, CRANE_BIRD}
    assert tree.search(BEAGLE) == [BEAGLE]


def test_classes_are_chosen_far_apart_and_can_be_replaced(results):
    tree, by_class = hierarchy_of(results), queries.outcome_counts(results, A, B, 5, by="wnid")
    chosen = picks.chosen_classes(tree, by_class)
    # Only a beagle shows both sides; then come, at the root, what is no animal, and the pug, next to the beagle, is last.
    assert chosen[0] == BEAGLE
    assert chosen[-1] == PUG
    assert set(chosen) == {BEAGLE, SOFA, CRANE, PUG}  # on the crane bird both are right
    # Far from the beagle are, in this order, crane, sofa and pug; after the last comes the first again.
    assert picks.next_class(tree, by_class, [BEAGLE, CRANE], CRANE) == SOFA
    assert picks.next_class(tree, by_class, [BEAGLE, SOFA], SOFA) == PUG
    assert picks.next_class(tree, by_class, [BEAGLE, PUG], PUG) == CRANE


def test_typed_classes_are_understood_or_complained_about(results):
    tree = hierarchy_of(results)
    found, complaints = picks.parse_classes(tree, f"beagle, {SOFA}, crane, teapot, beagle", set(CLASSES))
    assert found == [BEAGLE, SOFA]
    assert len(complaints) == 2
    assert CRANE in complaints[0]
    assert "teapot" in complaints[1]


def test_reasons_are_read_and_what_is_malformed_is_left_out(tmp_path):
    assert picks.read_reasons(tmp_path) == ({}, "")
    file = tmp_path / picks.REASONS_FILE
    file.write_text('\ufeffimage_id,reason\na/1,"Outline only, no color"\na/2\n,empty\na/3, Upside down \n', encoding="utf-8")
    reasons, notice = picks.read_reasons(tmp_path)
    assert reasons == {"a/1": "Outline only, no color", "a/3": "Upside down"}
    assert notice.startswith("2 lines")
    for content in (b"name,text\n1,2\n", b"\xff\xfe\x00", b"image_id,reason\n" + b"x" * picks.LARGEST_FILE_BYTES):
        file.write_bytes(content)
        reasons, notice = picks.read_reasons(tmp_path)
        assert reasons == {}
        assert "not read" in notice


def test_sentences_name_the_winner_or_say_that_nothing_was_shown(results):
    choice = contest.choices(queries.classifier_runs(results)).iloc[0]
    versus = contest.default_contest(results, choice)
    assert "No difference was shown" in contest.sentence(versus, contest.Tally(5, 2, 3, 0))
    won = contest.sentence(versus, contest.Tally(100, 10, 60, 30))
    assert won.startswith(
        "CLIP RN50 with 80 prompts finds the class in its top five on 0.800 of 200 pictures, ImageNet RN50 on"
    )
    assert f"**{intervals.as_text(intervals.paired_difference(60, 10, 200), signed=True)}**" in won
    assert contest.sentence(versus, contest.Tally(100, 60, 10, 30)).startswith("ImageNet RN50 finds")
    assert "cannot be compared" in contest.sentence(versus, contest.Tally(0, 0, 0, 0, 9))
    by_style = pandas.DataFrame(
        [("line", 10, 0, 80, 10, 0), ("plain", 10, 80, 0, 10, 0), ("rotated", 50, 5, 5, 40, 0)], columns=["style", *OUTCOMES]
    )
    told = contest.style_sentence(versus, by_style)
    assert told == (
        "ImageNet RN50 wins on plain (+0.800); CLIP RN50 with 80 prompts wins on line (+0.800); no difference was shown on "
        "rotated."
    )


def test_outputs_are_read_in_either_precision(tmp_path):
    file, images = publish_classifiers(tmp_path)
    values = np.array([2.0, 0.0, -1.0], np.float16)
    with duckdb.connect(str(file)) as connection:
        bits = values.view(np.uint16).tolist()
        connection.execute("UPDATE logit SET single_values = NULL, half_bits = ? WHERE run_id = ?", [bits, SMALL])
    results = open_results(file, images)
    half = queries.outputs(results, SMALL, f"{DATASET}/1")
    assert half.to_dict() == {BEAGLE: 2.0, PUG: 0.0, CRANE_BIRD: -1.0}
    assert queries.outputs(results, A, f"{DATASET}/1").to_dict() == dict.fromkeys(CLASSES, 0.5)
    assert queries.outputs(results, A, "none").empty
    expected = np.exp([2, 0, -1]) / np.exp([2, 0, -1]).sum()
    assert picture_dialog.probabilities(half).to_numpy() == pytest.approx(expected)


def test_the_learned_scale_and_the_entropy():
    raw = pandas.Series([0.2, -0.1, 0.3])
    assert zero_shot_views.learned_scale(raw * 100, raw) == pytest.approx(100)
    assert zero_shot_views.entropy_bits(pandas.Series([0.5, 0.25, 0.25])) == pytest.approx(1.5)


def test_the_prompts_shown_are_among_those_used():
    assert set(zero_shot_views.SOME_TEMPLATES) <= set(imagenet.templates())


def test_counts_equal_a_recount_of_the_published_results():
    published = open_results(ROOT / "results.duckdb", ROOT / "images")
    runs = queries.classifier_runs(published)
    if runs.empty:
        pytest.skip("the published results hold no run of imagenet_rn50_vs_clip")
    first = runs[runs.dataset == runs.dataset.iloc[0]]
    a, b = first.run_id.iloc[0], first.run_id.iloc[1]
    sql = "SELECT ordinal, wnid, label_rank FROM prediction WHERE run_id = $run_id"
    pair = published.query(sql, run_id=a).merge(published.query(sql, run_id=b), on="ordinal").dropna(subset=["label_rank_x"])
    right = pandas.DataFrame({"wnid": pair.wnid_x, "a": pair.label_rank_x <= 5, "b": pair.label_rank_y <= 5})
    only_b = (right.b & ~right.a).groupby(right.wnid).sum()
    counted = queries.outcome_counts(published, a, b, 5, by="wnid").dropna(subset="wnid").set_index("wnid")
    assert counted.only_b.reindex(only_b.index).tolist() == only_b.tolist()
