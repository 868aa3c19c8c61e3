"""What does half precision change in CLIP's image encoder?"""

import math

import pandas
import streamlit

from dashboard import intervals, layout, links, queries
from dashboard import queries_precision as rows
from dashboard import queries_predictions as predictions
from dashboard.components import figures, gallery
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views.hierarchy import hierarchy_of
from dashboard.views.precision_drift import drift, picture_by_picture, shown_effects
from dashboard.views.precision_layers import layers
from dashboard.views.precision_memory import memory, peak_mebibytes
from dashboard.views.precision_pictures import show_opened
from dashboard.views.precision_runs import Setup, choices, lower_precisions, place_of, setup_of, small
from dashboard.views.precision_time import CLOCK_WORDS, Speed, speed_of, time

EXPERIMENT = rows.EXPERIMENT
TITLE = "fp32 vs fp16"
QUESTION = "What does half precision change in CLIP’s image encoder?"
COST = (
    "about two minutes"  # of the miniature on two cores: 17 s, after a minute and a half for CLIP where it is not trained yet
)
VIEWS = ("time", "drift", "picture by picture", "where it arises", "memory")
HELD = dict.fromkeys(("sort", "show", "page"), "picture by picture")


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "The same weights and the same pictures, computed with 32 and with 16 bits for a number: timed pass by pass, the "
        "probabilities set side by side, the error followed from layer to layer, the memory recorded over a pass.",
    )
    found = choices(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    setup, pictures = _controls(results, found)
    with streamlit.container():  # so that what follows stays in its place, with or without a second sentence
        _answer(results, setup, pictures)
    opened = links.open_view(
        VIEWS,
        lambda: time(results, setup),
        lambda: drift(results, setup, pictures),
        lambda: picture_by_picture(results, setup, pictures, pages),
        lambda: layers(results, setup),
        lambda: memory(results, setup),
        held=HELD,
    )
    if opened != "picture by picture":  # which opens them itself
        show_opened(results, setup, pages)
    _conclusion()
    layout.provenance(queries.runs(results), setup.run_ids, pages)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = choices(results)
    answers = []
    for label, (_, choice) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        setup = setup_of(results, choice, label, lower_precisions(results, choice)[0])
        told, more = sentence(results, setup, "all"), further(results, setup)
        if told or more:
            view = {"data": label, "view": VIEWS[1] if told else VIEWS[0], "precision": setup.lower}
            pictures = _most_moved(results, setup)
            answers.append(Finding(told or more, label, basis(results, setup), pictures, view, more if told else ""))
    return answers


def _controls(results: Results, found: pandas.DataFrame) -> tuple[Setup, str]:
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        choice = layout.choose_data(found)
        lower = lower_precisions(results, choice)[: layout.MOST_BUTTONS]
        if streamlit.session_state.get("precision") not in lower:
            streamlit.session_state.pop("precision", None)  # what the other data does not leave to choose from
        links.by_name("precision", lower)
        precision = layout.choose_button("Beside fp32", lower, "precision", shown=layout.as_label)
        pictures = layout.choose_button("Pictures", list(rows.PICTURES), "pictures", default="all")
    label = layout.dataset_labels(found)[found.index.get_loc(choice.name)]
    return setup_of(results, choice, label, precision), pictures


def sentence(results: Results, setup: Setup, pictures: str) -> str:
    """What a lower precision changes in the answers, in Markdown; empty where they were not compared."""
    if setup.pair is None or not (summary := rows.drift_summary(results, *setup.pair, pictures)).images:
        return ""
    lower = f"{layout.plain(setup.lower)}{' (emulated)' if setup.is_emulated else ''}"
    flips, images = int(summary.flips), int(summary.images)
    told = (
        f"{lower} changes the first answer on **{flips:,} of {images:,}** pictures ({_share(flips, images)}) and no "
        f"probability by more than **{small(summary.largest_change)}**"
    )
    right = rows.right_answers(results, *setup.pair, pictures)
    effects = shown_effects(right)
    if effects is None:
        return f"{told}."
    if effects:
        return f"{told}; {' and '.join(effects)}."
    change = intervals.paired_difference(int(right.only_lower_1), int(right.only_fp32_1), int(right.images))
    by = "" if change.excludes_zero else f" ({intervals.as_text(change, signed=True)})"  # the test is the stricter one
    return f"No effect on accuracy was shown{by}: {told}."


def _share(count: int, total: int) -> str:
    """A share with its interval, in percent: 0.0 [0.0, 0.4] %."""
    share = intervals.proportion(count, total)
    return f"{100 * share.value:.1f} [{100 * max(0, share.low):.1f}, {100 * share.high:.1f}] %"


def further(results: Results, setup: Setup) -> str:
    """What a lower precision changes in time and memory, in Markdown; empty where neither was measured."""
    parts = []
    if speed := speed_of(results, setup, setup.lower):
        parts.append(speed.sentence(layout.plain(setup.lower)))
    (before, _), (after, _) = (peak_mebibytes(results, setup, name) for name in ("fp32", setup.lower))
    if before > 0 and not math.isnan(after):
        parts.append(f"At its peak a pass holds **{after / before:.2f}** of fp32’s memory")
    return ". ".join(parts) + "." if parts else ""


def _answer(results: Results, setup: Setup, pictures: str) -> None:
    told, more = sentence(results, setup, pictures), further(results, setup)
    if told or more:
        streamlit.markdown(f"## {told or more}\n\n{more if told else ''}")
    speed = speed_of(results, setup, setup.lower)
    drift, memory = _drift_figure(results, setup, pictures), _memory_figure(results, setup)
    figures.show([_time_figure(speed), drift, memory], "answer")
    streamlit.caption(f"{basis(results, setup)} {layout.profile_note(setup.profile)}")


def _time_figure(speed: Speed | None) -> tuple[str, str, str]:
    if speed is None or math.isnan(speed.ratio.value):
        return "Times as fast as fp32", "–", "not timed yet"
    is_faster = speed.ratio.value >= 1
    shown = speed.ratio if is_faster else speed.slowness
    batch = "one picture" if speed.batch_size == 1 else f"batch {speed.batch_size}"
    clock = CLOCK_WORDS.get(speed.clock, speed.clock[:40])
    interval = "" if math.isnan(shown.low) else f"[{shown.low:.2f}, {shown.high:.2f}] · "
    label = "Times as fast as fp32" if is_faster else "Times as long as fp32 takes"
    return label, f"{shown.value:.2f}", f"{interval}{batch}, {clock}"


def _drift_figure(results: Results, setup: Setup, pictures: str) -> tuple[str, str, str]:
    label = "Largest change of a probability"
    if setup.pair is None:
        return label, "–", "not compared yet"
    summary = rows.drift_summary(results, *setup.pair, pictures)
    if not summary.images:
        return label, "–", "no such pictures"
    return label, small(summary.largest_change), f"{int(summary.flips):,} of {int(summary.images):,} first answers change"


def _memory_figure(results: Results, setup: Setup) -> tuple[str, str, str]:
    label = "Its peak of memory over fp32’s"
    (before, batch), (after, _) = (peak_mebibytes(results, setup, name) for name in ("fp32", setup.lower))
    if not before > 0 or math.isnan(after):
        return label, "–", "not recorded yet"
    return label, f"{after / before:.2f}", f"{after:,.1f} of {before:,.1f} MiB allocated, batch {batch}"


def basis(results: Results, setup: Setup) -> str:
    """What the figures rest on: how much of drift and times, how and where they and memory were measured; in Markdown."""
    speed = speed_of(results, setup, setup.lower)
    places: dict[str, list[str]] = {}
    measured: list[tuple[str, str | None]] = []
    if setup.pair:
        images = int(rows.drift_summary(results, *setup.pair, "all").images)
        what = f"drift ({images:,} pictures, one seed, {layout.plain(setup.arithmetic, 40)} arithmetic)"
        measured.append((what, setup.lower_run))
    if speed:
        clock = CLOCK_WORDS.get(speed.clock, layout.plain(speed.clock, 40))
        passes = " and ".join(f"{count:,}" for count in dict.fromkeys(speed.repetitions))
        measured.append((f"times ({passes} passes of each, native arithmetic, {clock})", setup.timed_run))
    if peak_mebibytes(results, setup, setup.lower)[1]:
        measured.append(("memory", setup.memory_run))
    for what, run_id in measured:
        places.setdefault(place_of(setup, run_id), []).append(what)
    told = "".join(f"On {place}: {', '.join(what)}. " for place, what in places.items())
    return f"{told}In brackets 95 % intervals."


def _most_moved(results: Results, setup: Setup) -> list[gallery.Row]:
    """The picture that changes most."""
    if setup.pair is None or setup.dataset is None:
        return []
    tree, cells = hierarchy_of(results), []
    ordinals = rows.drifted_pictures(results, *setup.pair, "all", False, "change", 2, 0)
    moved = rows.picture_drift(results, *setup.pair, ordinals)
    for picture in predictions.pictures(results, setup.dataset, ordinals).itertuples():
        url = gallery.photo_url(gallery.find_picture(results.images, picture.path))
        name = tree.name(picture.wnid)
        words = f"{name}: {small(moved.largest_change.get(picture.ordinal, math.nan))}"
        cells.append(gallery.Cell(words, f"{name}, one of the pictures that change most", url))
    return [gallery.Row("", "", cells)] if cells else []


def _conclusion() -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- **Speed is the device’s.** A processor without half-precision arithmetic is slower in fp16, a GPU with tensor cores can be
  much faster. Read a ratio only beside its device, batch and clock, which stand below each figure.
- **Drift comes from rounding**, to 11 significant bits (8 in bf16), and from the order of sums. Another device adds in another
  order, and where drift is emulated, sums are more exact than a device’s may be. How much that changes was not measured.
- **A flip needs a tie.** An answer changes where two were almost equally probable. That says as much about the picture, or the
  prompts, as about the precision.
- **No effect shown is not no effect.** A test counts pictures on which one precision alone is right; where those are few, a
  small difference cannot be seen. The interval of the accuracy says how large one could be.
- **Memory need not halve as a whole**: what stays in fp32 and what a layer needs while it runs can keep their size or grow, and
  what the process holds besides is the same in every precision.
- This is inference. In training, gradients are far smaller than activations, and need more care than shown here.
"""
    )
