"""Links: what stands in them, and what is said where one was made with other results or asks for what is not there."""

import ast
import hashlib
import json
import shutil
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from opened_pages import figures, open_page, panels, words
from PIL import Image
from precision_rows import publish_precisions
from result_files import alter
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from synset_rows import BEAGLE, DATASET, DOG, publish_classifiers

from compute.results import publish
from dashboard import layout, links, queries
from dashboard.connection import open_results
from dashboard.views import class_card, comparison

DASHBOARD = Path(links.__file__).parent
PICTURE = "tiny-ffffffff/val/1"
CHOICES = {
    "checkbox", "color_picker", "date_input", "multiselect", "number_input", "pagination", "pills", "radio",
    "segmented_control", "select_slider", "selectbox", "slider", "tabs", "text_input", "time_input", "toggle",
}  # fmt: skip
OURS = {"layout.choose_button", "choose_button", "layout.choose_one"}  # made of those; a label, options, a key
WRITTEN = {"notes.py"}  # fields in which a person writes, and that no link should fill


@pytest.fixture(scope="module")
def _classified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return publish_classifiers(tmp_path_factory.mktemp("classifiers"))


@pytest.fixture
def classified(tmp_path, _classified):
    shutil.copytree(_classified[0].parent, tmp_path / "classified")
    return tmp_path / "classified" / "results.duckdb", tmp_path / "classified" / "images"


@pytest.fixture(scope="module")
def _streets(tmp_path_factory: pytest.TempPathFactory, trial_tables) -> Path:
    folder = tmp_path_factory.mktemp("streets")
    results, images = folder / "streets.duckdb", folder / "images"
    for experiment, variant in (
        ("unet_skip_connections", "skip"),
        ("unet_skip_connections", "no_skip"),
        ("segmentation_metric", "constant_car"),
    ):
        publish(results, images, _trial(trial_tables, images, experiment, variant))
    return folder


@pytest.fixture
def streets(tmp_path, _streets):
    """Both variants of the network and a constant predictor, on two pictures."""
    shutil.copytree(_streets, tmp_path, dirs_exist_ok=True)
    return tmp_path / "streets.duckdb", tmp_path / "images"


def _trial(trial_tables, images, experiment, variant, seed=0):
    tables = trial_tables(images, f"run-{variant}-{seed}", f"trial-{variant}-{seed}", seed)
    for path in tables["segmentation_mask"].path:
        Image.new("P", (4, 4)).save(images / path)
    return {**tables, "run": tables["run"].assign(experiment=experiment, variant=variant)}


def link(app: AppTest) -> dict[str, str]:
    """What the button below the page copies, by parameter."""
    drawn = [each.proto for each in app.get("bidi_component") if "copy_link" in each.proto.component_name]
    return dict(parse_qsl(json.loads(drawn[-1].json)["query"]))


def said(app: AppTest) -> str:
    return "\n".join(warning.value.replace("\\", "") for warning in app.warning)


def turn_to(app: AppTest, page: str, query: dict[str, str]) -> AppTest:
    """Another page in the same session."""
    app._page_hash = calc_hash(page)
    app.query_params = query
    return app.run()


def open_tab(app: AppTest, name: str) -> None:
    """Another tab of the page, in the address as the browser writes it."""
    app.session_state["view"] = name
    app.query_params = {**app.query_params, "view": name}
    app.run()


def test_the_fingerprint_is_of_every_run_and_when_it_began(streets, trial_tables, tmp_path):
    results, images = streets
    lines = [f"run-{variant}-0 2026-01-02 03:04:05" for variant in ("constant_car", "no_skip", "skip")]
    expected = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
    copied, ordered = tmp_path / "copied.duckdb", tmp_path / "ordered.duckdb"
    shutil.copy(results, copied)
    shutil.copy(results, ordered)
    alter(ordered, "CREATE TABLE other AS FROM run ORDER BY run_id DESC", "DELETE FROM run", "INSERT INTO run FROM other")
    for same in (results, copied, ordered):
        assert queries.fingerprint(open_results(same, images)) == expected
    publish(results, images, _trial(trial_tables, images, "unet_skip_connections", "skip", 1))
    assert queries.fingerprint(open_results(results, images)) != expected


def test_a_link_says_all_choices_also_those_at_their_defaults(monkeypatch, streets):
    app = open_page(monkeypatch, *streets, "unet_skip_connections", sort="hardest", opacity="75 %", foo="1")
    assert (
        link(app).items()
        >= {
            "data": "Tiny · mini",
            "images": "all",
            "score": "pooled",
            "sort": "hardest",
            "opacity": "75 %",
            "seed": "0",
            "page": "1",
            "view": "picture by picture",
            "results": queries.fingerprint(open_results(*streets)),
        }.items()
    )
    assert "foo" not in link(app)


def test_a_link_opens_what_it_was_made_of_without_a_word(monkeypatch, streets):
    query = {"sort": "hardest", "opacity": "75 %", "score": "per image", "picture": PICTURE}
    copied = link(open_page(monkeypatch, *streets, "unet_skip_connections", **query))
    again = open_page(monkeypatch, *streets, "unet_skip_connections", **copied)
    assert said(again) == ""
    assert link(again) == copied
    assert copied.items() >= query.items()


def test_a_link_keeps_what_a_tab_held_that_is_closed_now(monkeypatch, streets):
    app = open_page(monkeypatch, *streets, "unet_skip_connections", sort="hardest")
    open_tab(app, "training")
    assert not any(group.key == "sort" for group in app.button_group)
    assert link(app)["sort"] == "hardest"
    assert link(app)["view"] == "training"


def test_a_link_made_with_other_results_says_so_and_shows_what_it_can(monkeypatch, streets, trial_tables):
    results, images = streets
    made_with = queries.fingerprint(open_results(results, images))
    publish(results, images, _trial(trial_tables, images, "unet_skip_connections", "skip", 1))
    now = queries.fingerprint(open_results(results, images))
    app = open_page(monkeypatch, results, images, "unet_skip_connections", sort="hardest", results=made_with)
    assert said(app) == f"This link was made with other results (then {made_with}, now {now}). What it shows may differ."
    assert next(group.value for group in app.button_group if group.key == "sort") == "hardest"
    assert link(app)["results"] == now
    assert said(open_page(monkeypatch, results, images, "unet_skip_connections", results=now)) == ""
    odd = open_page(monkeypatch, results, images, "runs", results="<b>x</b>")
    assert "results “<b>x</b>”, which is no fingerprint" in said(odd)


MALFORMED = [
    ("unet_skip_connections", {"score": "zzz"}, "**score** “zzz”, which is not there; shown instead: “pooled”."),
    ("unet_skip_connections", {"view": "x" * 5000}, f"**view** “{'x' * 59}…”, which is not there"),
    ("unet_skip_connections", {"seed": "<b>7"}, "**seed** “<b>7”, which is not there; shown instead: “0”."),
    ("unet_skip_connections", {"experiment": "all"}, "**experiment** “all”, which is no choice of this page"),
    ("unet_skip_connections", {"picture": "none"}, "no picture none"),
    ("segmentation_metric", {"number": "999"}, "**number** “999”, which is not there; shown instead: “2”."),
    ("segmentation_metric", {"number": "two"}, "**number** “two”, which is not there; shown instead: “2”."),
    ("segmentation_metric", {"constant": ""}, "**constant** “”, which is not there; shown instead: “car”."),
    (
        "unet_skip_connections",
        {"view": "class by class", "class": "bus"},
        "**class** “bus”, which is not there; shown instead: nothing.",
    ),
    ("segmentation_metric", {"class": "<b>"}, "**class** “<b>”, which is not there; shown instead: nothing."),
    ("runs", {"first": "x"}, "**first** “x”, which is not there; shown instead: nothing."),
    ("runs", {"experiment": "x"}, "**experiment** “x”, which is not there; shown instead: “all”."),
    ("runs", {"experiment": "x_y"}, "**experiment** “x_y”, which is not there"),
    ("unet_skip_connections", {"score": ""}, "**score** “”, which is not there; shown instead: “pooled”."),
    ("runs", {"run": "<i>none"}, "no run <i>none"),
    ("", {"'; DROP TABLE run": "1"}, "**'; DROP TABLE run** “1”, which is no choice of this page"),
    ("", {f"p{number}": "1" for number in range(20)}, "and 12 more"),
]
MALFORMED_CLASSES = [
    ("imagenet_rn50_vs_clip", {"a": "x"}, "**a** “x”, which is not there; shown instead: “ImageNet RN50”."),
    ("imagenet_rn50_vs_clip", {"view": "all pictures", "node": "n1"}, "**node** “n1”, which is not there; shown instead: all"),
    ("imagenet_rn50_vs_clip", {"view": "all pictures", "outcome": "no"}, "**outcome** “no”, which is not there"),
    ("imagenet_rn50_vs_clip", {"view": "confusions", "cell": "99-99"}, "**cell** “99-99”, which is not there"),
    ("imagenet_rn50_vs_clip", {"image": "none"}, "no picture none"),
    ("wordnet_synsets", {"synset": "n1"}, "n1 is no synset of ImageNet’s tree; here is the top of it."),
    ("wordnet_synsets", {"show": "q"}, "**show** “q”, which is not there; shown instead: “all”."),
    ("wordnet_synsets", {"page": "-9"}, "**page** “-9”"),
]


def test_a_class_has_an_address_on_both_pages_of_segmentation(monkeypatch, streets):
    query = {"view": "class by class", "class": "car"}
    app = open_page(monkeypatch, *streets, "unet_skip_connections", **{"class": "car"})  # which opens the view that holds it
    assert not app.exception
    assert said(app) == ""
    assert ("IoU with skips", "0.538") in [figure[:2] for figure in figures(app)]  # 7 right, 8 predicted, 12 true: 7 / 13
    assert "car has 40.0 % of all true pixels" in words(app)
    assert link(app).items() >= query.items()
    other = open_page(monkeypatch, *streets, "segmentation_metric", **{"class": "car"})
    assert not other.exception
    assert said(other) == ""
    assert link(other)["class"] == "car"
    assert "Notes on this class" in [expander.label for expander in other.expander]
    closed = open_page(monkeypatch, *streets, "segmentation_metric")
    assert "class" not in link(closed)
    assert "Notes on this class" not in [expander.label for expander in closed.expander]


def test_a_class_is_told_picture_by_picture(streets):
    results = open_results(*streets)
    chosen = comparison.comparison_of(results, queries.comparisons(results).iloc[0])
    table = class_card.pictures(results, chosen, "car", False)
    # Of the first picture 3 are right, 4 predicted, 6 true; of the second 4, 4 and 6.
    assert table.values.tolist() == [[1, 6, 3 / 7, 3 / 7, 0], [2, 6, 4 / 6, 4 / 6, 0]]


@pytest.mark.parametrize("page, query, told", MALFORMED)
def test_what_is_not_there_is_named_with_what_is_shown_instead(monkeypatch, streets, page, query, told):
    app = open_page(monkeypatch, *streets, page, **query)
    assert not app.exception
    assert told in said(app)


@pytest.mark.parametrize("page, query, told", MALFORMED_CLASSES)
def test_what_is_not_there_is_named_on_the_pages_of_classes(monkeypatch, classified, page, query, told):
    app = open_page(monkeypatch, *classified, page, **query)
    assert not app.exception
    if "page" in query:  # one page of pictures has no widget to turn it
        assert said(app) == ""
    else:
        assert told in said(app)


def test_what_a_closed_tab_would_hold_is_neither_reported_nor_lost(monkeypatch, streets):
    app = open_page(monkeypatch, *streets, "unet_skip_connections", view="near boundaries", sort="hardest", curve="zzz")
    assert said(app) == ""
    assert link(app)["sort"] == "hardest"
    open_tab(app, "picture by picture")
    assert next(group.value for group in app.button_group if group.key == "sort") == "hardest"
    assert said(app) == ""
    open_tab(app, "training")
    assert "**curve** “zzz”, which is not there; shown instead: “score”." in said(app)


def test_a_notice_stays_until_something_is_chosen(monkeypatch, streets):
    app = open_page(monkeypatch, *streets, "unet_skip_connections", score="zzz")
    app.run()
    assert "zzz" in said(app)
    app.session_state["images"] = "first ten"
    app.query_params = {"images": "first ten"}  # as the browser does
    app.run()
    assert said(app) == ""


def test_another_page_does_not_take_over_choices_of_the_same_name(monkeypatch, streets):
    app = open_page(monkeypatch, *streets, "unet_skip_connections", opacity="75 %", seed="0", sort="hardest", foo="x")
    turn_to(app, "segmentation_metric", {links.RESULTS: link(app)[links.RESULTS], "view": "one picture"})
    assert said(app) == ""
    assert set(link(app)) - {"compare"} == {"data", "view", "number", "constant", "opacity", "notes", links.RESULTS}
    assert link(app)["opacity"] == "50 %"
    turn_to(app, "unet_skip_connections", {})
    assert link(app)["sort"] == "skips help most"


def test_what_a_click_cuts_short_on_the_way_back_still_follows_the_address(monkeypatch, streets):
    app = open_page(monkeypatch, *streets, "unet_skip_connections", sort="number")
    app.session_state[links.STATE].returning = True  # as a run leaves it that was not drawn to its end
    app.query_params = {"sort": "hardest"}
    app.run()
    assert app.button_group(key="sort").value == "hardest"
    assert not app.session_state[links.STATE].returning
    app.session_state["sort"] = "number"
    app.query_params = {"sort": "number"}
    app.run()
    assert app.button_group(key="sort").value == "number"


def test_a_link_from_page_to_page_keeps_parameters_that_both_pages_know(monkeypatch, classified):
    app = open_page(monkeypatch, *classified, "wordnet_synsets", view="four questions", right="first answer")
    results = open_results(*classified)
    ours = links.to(results, view="all pictures", node=DOG, style="any")
    # The browser sends what the old page's widgets hold, and after it what the link says.
    query = {"right": "first answer", **ours}
    monkeypatch.setattr("streamlit.testing.v1.local_script_runner.parse.urlencode", _first_old_then_new)
    turn_to(app, "imagenet_rn50_vs_clip", query)
    assert app.session_state["view"] == "all pictures"
    assert "right" not in app.query_params
    assert said(app) == ""


def _first_old_then_new(query, doseq):
    """As `urlencode`, with the old page's view before what the link says."""
    return urlencode([("view", "four questions"), *query.items()] if links.RESULTS in query else query, doseq=doseq)


@pytest.mark.parametrize(
    "page, query, shown",
    [
        ("imagenet_rn50_vs_clip", {"image": f"{DATASET}/3"}, f"{DATASET}/3"),
        ("wordnet_synsets", {"synset": BEAGLE}, "1 class"),
    ],
)
def test_a_picture_and_a_synset_have_an_address(monkeypatch, classified, page, query, shown):
    app = open_page(monkeypatch, *classified, page, **query)
    assert shown in words(app).replace("\\", "") + panels(app)
    assert said(app) == ""
    assert link(app).items() >= query.items()


@pytest.mark.parametrize("said", ["unet_skip_connections", "Skip connections", "unet\\_skip\\_connections"])
def test_an_experiment_is_shown_by_its_title_and_found_by_its_stem_as_well(monkeypatch, streets, said):
    app = open_page(monkeypatch, *streets, "runs", experiment=said)
    chosen = app.button_group(key="experiment")
    assert chosen.options == ["all", "The wrong and the right IoU", "Skip connections"]
    assert chosen.value == "unet_skip_connections"
    assert link(app)["experiment"] == "Skip connections"
    assert [warning.value for warning in app.warning] == []
    assert "2 runs. Select one" in words(app)


NAMES = {
    "CLIP-RN50 (v1.5), a_b": "CLIP-RN50 (v1.5), a_b",
    "2.5 px": "2.5 px",
    "a *b* _c_": r"a \*b\* \_c\_",
    "[x](http://y)": r"\[x\](http\://y)",
    ":material/home: $x$ <b>": r"\:material/home: \$x\$ \<b\>",
    "# 1": r"\# 1",
    "1. x -- &lt;": r"1\. x \-- \&lt;",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_label_is_the_name_itself_but_for_what_markdown_would_obey(name):
    assert layout.as_label(name) == NAMES[name]
    assert links._unescaped(layout.as_label(name)) == name


@pytest.mark.parametrize("form", [str, layout.as_label, layout.plain])
def test_an_address_says_a_name_as_it_is(monkeypatch, tmp_path, form):
    results, images = publish_precisions(tmp_path, ("fp32", "fp16", "bf16"))
    odd = "half *16*_(e)"
    alter(results, f"UPDATE run SET variant = '{odd}' WHERE variant = 'fp16'")
    app = open_page(monkeypatch, results, images, "fp32_vs_fp16", precision=form(odd))
    assert not app.exception
    assert app.button_group(key="precision").value == odd
    assert link(app)["precision"] == odd
    assert said(app) == ""


def test_a_run_has_an_address(monkeypatch, streets):
    app = open_page(monkeypatch, *streets, "runs", run="run-skip-0")
    assert "Run run-skip-0" in words(app).replace("\\", "")
    assert link(app)["run"] == "run-skip-0"


@pytest.mark.parametrize("page", links.PARAMETERS)
def test_the_link_of_every_page_of_the_published_results_opens_without_a_word(monkeypatch, page):
    published = DASHBOARD.parent / "results.duckdb", DASHBOARD.parent / "images"
    stem = "" if page == "overview" else page
    first = open_page(monkeypatch, *published, stem)
    again = open_page(monkeypatch, *published, stem, **link(first))
    assert not again.exception
    assert said(again) == said(first)
    assert link(again) == link(first)
    assert set(link(first)) <= links._known(page)


def _calls() -> list[tuple[Path, ast.Call]]:
    return [
        (path, node)
        for path in DASHBOARD.rglob("*.py")
        if path.name not in WRITTEN
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {*(f"streamlit.{name}" for name in CHOICES), *OURS}
    ]


def _arguments(call: ast.Call) -> dict[str | None, ast.expr]:
    positional = dict(zip(("label", "options", "key"), call.args, strict=False)) if ast.unparse(call.func) in OURS else {}
    return positional | {keyword.arg: keyword.value for keyword in call.keywords}


def test_every_choice_is_in_the_address():
    assert len(_calls()) > 50
    calls = [(path, call) for path, call in _calls() if ast.unparse(call.func) not in OURS]  # which are made of the others
    unbound = [f"{path.name}:{call.lineno}" for path, call in calls if "bind" not in _arguments(call)]
    assert unbound == []


def test_every_parameter_is_known_to_a_page():
    known = {name for names in (links.EVERYWHERE, *links.PARAMETERS.values()) for name in names.split()}
    keys = [_arguments(call)["key"] for _, call in _calls()]
    named = {key.value for key in keys if isinstance(key, ast.Constant)}
    assert len(named) > 25
    assert named <= known, f"add to links.PARAMETERS: {sorted(named - known)}"
    assert set(links.STEPS.split()) <= known
    assert {path.stem for path in (DASHBOARD / "app_pages").glob("[a-z]*.py")} == set(links.PARAMETERS)
