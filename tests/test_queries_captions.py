"""What is asked of captions' rows and made of them: BLEU against nltk, settings, changes, marks, by hand from caption_rows."""

import json
import math
import random
import warnings

import duckdb
import numpy as np
import pandas
import pytest
from caption_rows import IDS, PICTURES, REFERENCES, SAMPLED, publish_sampling, sampling_tables
from heads_rows import publish_heads
from nltk.translate import bleu_score

from compute import bleu as computed
from compute.results import publish
from dashboard import bleu, charts_captions
from dashboard import queries_captions as queries
from dashboard.components import captions
from dashboard.components.markup import as_html
from dashboard.connection import Results, ResultsError, open_results
from dashboard.intervals import Estimate, image_weights
from dashboard.views import caption_diversity, caption_grid, caption_pictures, caption_runs, caption_scores, caption_tokens
from dashboard.views.caption_runs import Setting, Setup
from dashboard.views.caption_scores import ALL, ONE, Change, Scores

NAMES = ["greedy", "k = 20, t = 0.1", "k = 20, t = 1", "k = 50, t = 1"]
SMOOTHED = bleu_score.SmoothingFunction().method1


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return open_results(*publish_sampling(tmp_path_factory.mktemp("captions"), reported=True))


def only_setup(results: Results) -> Setup:
    found = caption_runs.choices(results)
    assert len(found) == 1
    return caption_runs.setup_of(results, found.iloc[0])


def by_nltk(texts: list[str], references: list[list[str]]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(
            bleu_score.corpus_bleu([[bleu.split(each) for each in own] for own in references], list(map(bleu.split, texts)))
        )


def statistics(texts: list[str], references: list[list[str]]) -> np.ndarray:
    """Counts as compute stores them, (captions, COUNTS)."""
    counts = [
        computed.counts(bleu.split(text), list(map(bleu.split, own))) for text, own in zip(texts, references, strict=True)
    ]
    matches, totals, words, reference_words = (np.array(column) for column in zip(*counts, strict=True))
    return bleu.statistics(matches, totals, words, reference_words)


@pytest.mark.parametrize("seed", range(20))
def test_bleu_of_counts_is_nltk_s(seed):
    draw = random.Random(seed)
    vocabulary = ["a", "red", "bus", "cat", "on", "the", "grass"][: draw.randint(2, 7)]
    texts = [" ".join(draw.choices(vocabulary, k=draw.randint(0, 9))) for _ in range(12)]
    references = [[" ".join(draw.choices(vocabulary, k=draw.randint(1, 9))) for _ in range(draw.randint(1, 3))] for _ in texts]
    counts = statistics(texts, references)
    assert bleu.corpus_bleu(counts.sum(axis=0)) == pytest.approx(by_nltk(texts, references), abs=1e-12)
    alone = [
        bleu_score.sentence_bleu([bleu.split(each) for each in own], bleu.split(text), smoothing_function=SMOOTHED)
        for text, own in zip(texts, references, strict=True)
    ]
    assert bleu.caption_bleu(counts) == pytest.approx(alone)
    # A drawn corpus is the corpus of the captions as often as they were drawn.
    weights = image_weights(12)[[0, 5]]
    drawn = [place for place, count in enumerate(np.rint(weights[1] * 12).astype(int)) for _ in range(count)]
    expected = by_nltk([texts[place] for place in drawn], [references[place] for place in drawn])
    assert caption_scores.seed_draws(weights, counts[None])[1, 0] == pytest.approx(expected, abs=1e-12)


def test_bleu_of_nothing():
    nothing = np.zeros(bleu.COUNTS)
    assert np.isnan(bleu.corpus_bleu(nothing))
    wordless = bleu.statistics(np.zeros(4), np.zeros(4), np.array(0), np.array(5))
    assert (bleu.corpus_bleu(wordless), bleu.brevity_penalty(wordless), bleu.caption_bleu(wordless)) == (0, 0, 0)


def test_parts_of_bleu_by_hand():
    # Of 5 words 4 match, of 4 pairs 2, of 3 triples 1, of 2 fours 1; the reference has 6 words.
    counts = bleu.statistics(np.array([4, 2, 1, 1]), np.array([5, 4, 3, 2]), np.array(5), np.array(6))
    assert bleu.precisions(counts).tolist() == pytest.approx([0.8, 0.5, 1 / 3, 0.5])
    assert bleu.brevity_penalty(counts) == pytest.approx(math.exp(-0.2))
    assert bleu.corpus_bleu(counts) == pytest.approx(math.exp(-0.2) * (0.8 * 0.5 / 3 * 0.5) ** 0.25)


@pytest.mark.parametrize("text", ["A dog's bus, 2", "t-shirt!!", "", "  ", "naïve café – ok", "a.b", "日本 語", "x_y ’quoted’"])
def test_words_are_split_as_the_counts_that_are_stored(text):
    assert bleu.split(text) == computed.words(text)
    found = duckdb.execute("SELECT regexp_extract_all(lower(?), ?)", [text, queries.WORD]).fetchone()
    assert found == (computed.words(text),)


@pytest.mark.parametrize(
    "text, references, expected",
    [
        ("a brown cow on grass", ["a brown cow on grass"], [4, 4, 4, 4, 4]),
        ("a brown dog on grass", ["a brown cow on grass"], [2, 2, 0, 2, 2]),
        ("the red bus", ["a red bus on a road", "the red boat"], [2, 2, 2]),  # each pair in one of the two
        ("cat cat cat", ["a cat sat"], [1, 0, 0]),  # matched as often as the reference has it
        ("", ["a cat"], []),
        ("a cat", [], [0, 0]),
    ],
)
def test_the_longest_match_of_each_word(text, references, expected):
    assert bleu.matched_lengths(bleu.split(text), list(map(bleu.split, references))) == expected


def test_marks_are_what_bleu_counts():
    draw = random.Random(0)
    for _ in range(100):
        words = draw.choices("abcd", k=draw.randint(1, 8))
        references = [draw.choices("abcd", k=draw.randint(1, 8)) for _ in range(2)]
        longest = bleu.matched_lengths(words, references)
        matches = computed.counts(words, references).matches
        assert max(longest) == max([order for order, count in enumerate(matches, start=1) if count], default=0)
        assert sum(length > 0 for length in longest) >= matches[0]


def test_settings_in_their_order_with_their_seeds(published):
    setup = only_setup(published)
    assert setup.names == NAMES
    assert [setting.seeds for setting in setup.settings] == [(0,), (0, 1), (0, 1), (0, 1)]
    assert (setup.greedy.name, setup.top_ks, setup.seeds) == ("greedy", [20, 50], (0, 1))
    assert [setting.temperature for setting in setup.of_top_k(20)] == [0.1, 1.0]
    assert setup.setting("k = 20, t = 1").run_of(1) == "run-top20_t1.0-1"
    assert setup.greedy.run_of(1) == "run-greedy-0"  # which has no other
    assert (setup.prompt, setup.longest, setup.image_count) == ("a picture of ", 20, PICTURES)
    assert setup.measured_on == "CPU, 2 threads"


def test_only_seeds_that_all_have_and_the_latest_runs_of_one_kind_are_compared(tmp_path):
    file, images = publish_sampling(tmp_path, ("greedy", "top20_t0.1"))
    publish(file, images, sampling_tables(images, "top50_t1.0", 1))
    other = sampling_tables(images, "top20_t1.0", 0)
    settings = json.dumps({"top_k": 20, "temperature": 1.0, "prompt": "another ", "longest": 20})
    publish(file, images, other | {"run": other["run"].assign(settings=settings, started_at=pandas.Timestamp("2026-03-01"))})
    setup = only_setup(open_results(file, images))
    assert setup.run_ids == ("run-greedy-0", "run-top20_t0.1-1", "run-top50_t1.0-1")


@pytest.mark.parametrize(
    "settings", ["[1]", '"x"', '{"top_k": "20", "temperature": NaN}', '{"top_k": true, "temperature": -1}']
)
def test_settings_that_say_nothing_leave_a_setting_outside_the_grid(published, settings):
    assert caption_runs._whole(caption_runs._parsed(settings).get("top_k")) is None
    assert caption_runs._positive(caption_runs._parsed(settings).get("temperature")) is None


@pytest.mark.parametrize("against", [ALL, ONE])
def test_the_scores_are_those_of_the_library(published, against):
    setup = only_setup(published)
    scores = caption_scores.scores_of(published, setup, against)
    kept = [list(texts) if against == ALL else [texts[0]] for texts in REFERENCES]
    for setting, estimate, by_seed in zip(setup.settings, scores.estimates, scores.seed_scores, strict=True):
        expected = [by_nltk(list(texts), kept) for texts in SAMPLED[setting.variant]]
        assert by_seed == pytest.approx(expected, abs=1e-9)
        assert estimate.value == pytest.approx(np.mean(expected), abs=1e-9)
    stored = caption_grid.stored_means(published, setup)
    assert [stored[name, "nltk", against] for name in NAMES] == pytest.approx(
        [each.value for each in scores.estimates], abs=1e-9
    )
    assert scores.images == PICTURES
    assert [(change.start.name, change.end.name) for change in scores.changes] == [("greedy", name) for name in NAMES[1:]]
    assert scores.changes[1].estimate.value == pytest.approx(scores.estimates[2].value - scores.estimates[0].value)
    assert [change.end.name for change in scores.to_hottest] == [NAMES[2], NAMES[3]]
    assert (scores.of_k.start.name, scores.of_k.end.name) == (NAMES[2], NAMES[3])


def test_drawing_is_the_same_each_time(published):
    setup = only_setup(published)
    first = caption_scores.scores_of(published, setup, ALL)
    again = caption_scores.scores_of.__wrapped__(published, setup, ALL)  # what is kept is worked out anew
    assert again.estimates == first.estimates


def test_pictures_without_whole_counts_are_left_out_and_said_to_be(tmp_path):
    file, images = publish_sampling(tmp_path, ("greedy", "top20_t0.1"))
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE caption SET matches = [1, 2] WHERE run_id = 'run-greedy-0' AND image_id = ?", [IDS[0]])
        connection.execute("UPDATE caption SET totals = [1, NULL, 1, 1] WHERE run_id LIKE '%t0.1-1' AND image_id = ?", [IDS[1]])
    results = open_results(file, images)
    setup = only_setup(results)
    scores = caption_scores.scores_of(results, setup, ALL)
    assert (scores.images, scores.left_out) == (2, 2)
    assert "2 pictures without counts of every run left out" in caption_scores.basis(setup, scores)
    expected = by_nltk([SAMPLED["greedy"][0][place] for place in (2, 3)], [list(REFERENCES[place]) for place in (2, 3)])
    assert scores.estimates[0].value == pytest.approx(expected)


def test_without_any_whole_counts_it_is_said_what_to_do(tmp_path):
    file, images = publish_sampling(tmp_path, ("greedy",))
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE caption SET matches = []")
    results = open_results(file, images)
    with pytest.raises(ResultsError, match=r"no picture whose n-grams .* --force"):
        caption_scores.scores_of(results, only_setup(results), ALL)


GREEDY = Setting("greedy", "greedy", None, None, (0,), ("g",))


def setting(top_k: int, temperature: float) -> Setting:
    name = f"k = {top_k}, t = {temperature:g}"
    return Setting(f"top{top_k}_t{temperature}", name, top_k, temperature, (0,), (name,))


def told(changes: list[tuple[int, float, Estimate]], with_greedy: bool = True) -> tuple[Setup, Scores]:
    """A setup and scores with some changes to settings, by k and temperature; BLEU of all is 0.5."""
    ends = [setting(top_k, temperature) for top_k, temperature, _ in changes]
    settings = [*([GREEDY] if with_greedy else []), *ends]
    setup = Setup("d", "mini", "D", 4, "w", "", 20, "here", tuple(settings))
    nothing = Estimate(0.5, math.nan, math.nan)
    made = [Change(settings[0], end, estimate) for end, (_, _, estimate) in zip(ends, changes, strict=True)]
    return setup, Scores(ALL, [nothing] * len(settings), [[0.5]] * len(settings), [], made, None, 4, 0)


FALL, RISE, OPEN = Estimate(-0.1, -0.2, -0.05), Estimate(0.1, 0.05, 0.2), Estimate(-0.01, -0.03, 0.02)


@pytest.mark.parametrize(
    "few, many, expected",
    [
        (FALL, FALL, "BLEU falls as temperature rises: from greedy’s **0.500** to temperature 1 it falls by "
         "**0.100 [0.050, 0.200]** with k = 20 and by **0.100 [0.050, 0.200]** with k = 50."),
        (FALL, OPEN, "BLEU falls as temperature rises, which was not shown for every k: from greedy’s **0.500** to temperature "
         "1 it falls by **0.100 [0.050, 0.200]** with k = 20 and changes by **-0.010 [-0.030, +0.020]** with k = 50, which "
         "shows nothing."),
        (OPEN, OPEN, "That BLEU falls as temperature rises was **not** shown: from greedy’s **0.500** to temperature 1 it "
         "changes by **-0.010 [-0.030, +0.020]** with k = 20 and by **-0.010 [-0.030, +0.020]** with k = 50, which shows "
         "nothing."),
        (RISE, OPEN, "BLEU does **not** fall as temperature rises: from greedy’s **0.500** to temperature 1 it rises by "
         "**0.100 [0.050, 0.200]** with k = 20 and changes by **-0.010 [-0.030, +0.020]** with k = 50, which shows nothing."),
        (FALL, RISE, "What temperature does to BLEU depends on k: from greedy’s **0.500** to temperature 1 it falls by "
         "**0.100 [0.050, 0.200]** with k = 20 and rises by **0.100 [0.050, 0.200]** with k = 50."),
    ],
)  # fmt: skip
def test_the_sentence_says_only_what_was_shown(few, many, expected):
    assert unbroken(caption_scores.sentence(*told([(20, 1.0, few), (50, 1.0, many)]))) == expected


def unbroken(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_sentence_without_greedy_and_of_too_little():
    changes = [(20, 1.0, FALL), (50, 0.7, FALL)]
    assert "from the lowest temperature to the highest temperature it falls by" in caption_scores.sentence(
        *told(changes, False)
    )
    setup, scores = told([])
    assert caption_scores.sentence(setup, scores) == "So far only one setting has run, greedy: BLEU **0.500**."


@pytest.mark.parametrize(
    "steps, expected",
    [
        ([OPEN, FALL, OPEN, FALL, FALL], "from temperature 0.7 on, and not at 0.1."),
        ([FALL] * 5, "at every temperature that was tried."),
        ([FALL, FALL, FALL, FALL, OPEN], "the highest temperature is not shown to be below greedy."),
    ],
)
def test_from_which_temperature_on_a_fall_was_shown(steps, expected):
    temperatures = (0.01, 0.05, 0.1, 0.7, 1.0)
    setup, scores = told([(20, temperature, step) for temperature, step in zip(temperatures, steps, strict=True)])
    [line] = caption_scores.further(setup, scores)
    assert line.endswith(expected)


def test_the_tables_by_hand(published):
    setup = only_setup(published)
    scores = caption_scores.scores_of(published, setup, ALL)
    table = caption_grid.score_table(published, setup, scores).set_index("setting")
    assert table.report.tolist() == pytest.approx([0.215, 0.2075, 0.0925, 0.085])
    assert table.loc["greedy", "nltk_all"] == pytest.approx(by_nltk(list(SAMPLED["greedy"][0]), list(map(list, REFERENCES))))
    assert table.seeds["greedy"] == ""
    facts = caption_grid.fact_table(published, setup, scores).set_index("setting")
    greedy = [text.split() for text in SAMPLED["greedy"][0]]
    words = [word for text in greedy for word in text]
    assert facts.loc["greedy", ["length", "vocabulary"]].tolist() == [len(words) / 4, len(set(words))]
    assert facts.loc["greedy", "distinct_share"] == len(set(words)) / len(words)
    assert math.isnan(facts.differ["greedy"])
    assert facts.differ[NAMES[1]] == 0.5  # of the first two pictures seeds have other captions
    assert facts.differ[NAMES[2]] == 1.0
    assert facts.cut_off.tolist() == [0.0] * 4
    assert facts.seconds.tolist() == pytest.approx([0.025] * 4)
    stored = published.query("SELECT avg(bleu) AS bleu FROM caption WHERE run_id = 'run-greedy-0'")
    assert facts.caption_bleu["greedy"] == pytest.approx(stored.bleu.item())
    parts = caption_grid.parts_table(setup, scores).set_index("setting")
    expected = [18 / 19, 14 / 15, 10 / 11, 6 / 8]  # as caption_rows says; nltk counts a fourth n-gram of "a red bus"
    assert parts.loc["greedy", [f"precision_{order}" for order in range(1, 5)]].tolist() == pytest.approx(expected)
    assert parts.loc["greedy", ["brevity", "length_ratio"]].tolist() == pytest.approx([1.0, 19 / 18])


def test_a_caption_that_did_not_end_is_cut_off(tmp_path):
    file, images = publish_sampling(tmp_path, ("greedy",))
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE caption SET tokens = tokens[:-2] WHERE image_id = ?", [IDS[0]])
        connection.execute("UPDATE caption SET tokens = list_concat(tokens[:-2], ['</s>']) WHERE image_id = ?", [IDS[1]])
    results = open_results(file, images)
    assert queries.caption_facts(results, only_setup(results).run_ids).cut_off.tolist() == [0.25]


def test_diversity_by_hand(published):
    setup = only_setup(published)
    table = caption_diversity.diversity_table(published, setup, caption_scores.scores_of(published, setup, ALL))
    assert table.name.tolist() == NAMES
    assert table.different.tolist() == [1.0, 1.5, 2.0, 2.0]
    told_of = caption_diversity.sentence(setup, table)
    assert told_of.startswith("Of 2 captions of a picture, so many are different: **1.50** at temperature 0.1 and **2.00**")


def test_marks_close_together_share_a_label():
    rows = pandas.DataFrame(
        {"diversity": [1.0, 1.0, 1.1, 3.0], "bleu": [0.5, 0.5, 0.49, 0.1], "temperature": [0.01, math.nan, 0.05, 1.0],
         "label": ["0.01", "greedy", "0.05", "1"]}
    )  # fmt: skip
    found = charts_captions.shared_labels(rows).sort_values("diversity")
    assert found.label.tolist() == ["greedy, 0.01, 0.05", "1"]
    assert found.diversity.tolist() == [1.1, 3.0]


def test_pictures_are_ordered_and_searched(published):
    setup = only_setup(published)
    pair = caption_pictures.pair_of(setup, "greedy", NAMES[3], 1)
    assert (pair.run_a, pair.run_b) == ("run-greedy-0", "run-top50_t1.0-1")
    found = caption_pictures.compared(published, setup, pair, ALL)
    stored = published.query("SELECT ordinal, bleu FROM caption WHERE run_id = 'run-top50_t1.0-1' ORDER BY ordinal")
    assert found.sort_values("ordinal").b_bleu.tolist() == pytest.approx(stored.bleu.tolist())
    for order, column in (("A better", "difference"), ("largest difference", "size"), ("longest", "longest")):
        values = caption_pictures.ordered(found, order)[column].tolist()
        assert values == sorted(values, reverse=True)
    assert caption_pictures.ordered(found, "worst")["mean"].is_monotonic_increasing
    assert caption_pictures.ordered(found, "number").ordinal.tolist() == [1, 2, 3, 4]
    for typed, numbers in (("COW", [1, 3]), ("red bus", [2]), ("do", [4]), ("unicorn", []), (" ", [1, 2, 3, 4])):
        own = caption_pictures.with_words(published, setup, found, typed)
        assert sorted(own.ordinal) == numbers
    alone = caption_pictures.compared(published, setup, pair, ONE).set_index("ordinal")
    references = [bleu.split(REFERENCES[1][0])]
    expected = bleu_score.sentence_bleu(references, ["a", "bus"], smoothing_function=SMOOTHED)
    assert alone.b_bleu[2] == pytest.approx(expected)


def test_a_card_shows_references_and_marks(published):
    setup = only_setup(published)
    pair = caption_pictures.pair_of(setup, "greedy", NAMES[2], 0)
    found = caption_pictures.ordered(caption_pictures.compared(published, setup, pair, ALL), "number")
    card = caption_pictures.card(published, setup, pair, next(found.itertuples()), ALL)
    assert card.references == list(REFERENCES[0])
    assert [caption.name for caption in card.captions] == ["A: greedy", "B: k = 20, t = 1"]
    # "a cow and two boats on grass", of which "the cow stands on grass" has "on grass".
    assert card.captions[1].matched == [1, 1, 0, 0, 0, 2, 2]
    html = as_html(captions.cards([card]))
    assert '<mark class="n4" title="four or more in a row">a brown cow on grass<sub>4</sub></mark>' in html
    assert '<mark class="n2" title="two in a row">on grass<sub>2</sub></mark>' in html
    assert caption_pictures.card(published, setup, pair, next(found.itertuples()), ONE).references == [REFERENCES[0][0]]


def test_foreign_text_stays_text_and_is_cut():
    nasty = "<script>alert(1)</script>"
    caption = captions.Caption(nasty, "BLEU 1", [nasty] * 500, [4] * 500, 0)
    card = captions.Card(nasty, nasty, "", "", nasty, [nasty * 100] * 20, [caption])
    row = captions.TokenRow(nasty, nasty, [captions.Token(nasty * 9, math.nan)] * 500, 0, True)
    for html in (as_html(captions.cards([card])), as_html(captions.token_rows([row]))):
        assert "<script" not in html
        assert len(html) < 40_000
        assert "440 more" in html
    assert "and 14 more" in as_html(captions.cards([card]))
    assert "a red bus, a cat." in as_html(
        captions.cards(
            [captions.Card("k", "t", "", "", "", [], [captions.Caption("A", "", bleu.split("a red bus, a cat."), [1] * 8)])]
        )
    )


def test_tokens_with_their_probabilities(published):
    setup = only_setup(published)
    shown = {row.name: row for row in caption_tokens.token_rows(published, setup, IDS[0], 0, ALL)}
    assert list(shown) == NAMES
    greedy = shown["greedy"]
    assert [token.text for token in greedy.tokens] == ["a", "brown", "cow", "on", "grass", "[SEP]"]
    assert [token.is_end for token in greedy.tokens] == [False] * 5 + [True]
    assert [token.probability for token in greedy.tokens] == pytest.approx([1 / (1 + place) for place in range(6)])
    mean = math.prod(1 / (1 + place) for place in range(6)) ** (1 / 6)
    assert greedy.note == f"BLEU 1.000 · {mean:.2f} a token"
    assert (greedy.leaves, shown[NAMES[1]].leaves, shown[NAMES[2]].leaves) == (None, None, 1)
    assert shown[NAMES[1]].note.endswith("as greedy")


def test_odd_tokens():
    row = pandas.Series({"tokens": np.array(["co", "##w", "##", "[SEP]", None], object), "token_probability": [0.5, None]})
    found = caption_tokens.tokens_in(row)
    assert [(token.text, token.is_joined, token.is_end) for token in found] == [
        ("co", False, False), ("w", True, False), ("##", False, False), ("[SEP]", False, False), ("None", False, False),
    ]  # fmt: skip
    assert found[0].probability == 0.5
    assert all(math.isnan(token.probability) for token in found[1:])
    assert caption_tokens.tokens_in(pandas.Series({"tokens": None, "token_probability": math.nan})) == []
    assert math.isnan(caption_tokens.mean_probability(found))
    assert caption_tokens.mean_probability([captions.Token("a", 0.25), captions.Token("b", 1.0)]) == pytest.approx(0.5)
    assert caption_tokens.first_difference(["a"], ["a", "b"]) is None
    assert caption_tokens.first_difference(["a", "b", "c"], ["a", "b"]) == 2
    assert [captions.probability_text(share) for share in (0.5, 0.005, 1e-7)] == ["0.50", "0.005", "<0.001"]


def test_other_experiments_are_no_sampling(tmp_path):
    results = open_results(*publish_heads(tmp_path, ("linear",)))
    assert caption_runs.choices(results).empty
