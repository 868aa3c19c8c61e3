"""The two views of pictures on the page imagenet_rn50_vs_clip: ten classes with their clearest pictures, and all pictures."""

import pandas
import streamlit

from dashboard import address, layout, links
from dashboard import queries_predictions as queries
from dashboard.components import answers, search_field
from dashboard.components.answers import Card, Section
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.queries_predictions import Filter
from dashboard.views import answer_cards, picks, picture_filters
from dashboard.views.contest import Contest, Tally, tally
from dashboard.views.hierarchy import Hierarchy, hierarchy_of
from dashboard.views.picture_dialog import follow, open_picture, show_opened

PAGE_PICTURES = 18
ORDERS = {"clearest difference": "difference", "least sure": "unsure", "number": "number"}
MOST_STYLE_BUTTONS = 8
PICKS_OF_A, PICKS_OF_B = 1, 2
CLASSES, REPLACED = "classes", "class to replace"
CLASSES_HINT = "Ten from far apart in WordNet, chosen automatically. Type others: goldfish, n02085620, …"


@streamlit.fragment
@layout.errors_as_messages()
def who_wins_where(results: Results, contest: Contest, pages: layout.Pages) -> None:
    """For each of ten classes from far apart, the clearest pictures that one model alone got right."""
    tree, by_class = hierarchy_of(results), contest.counts(results, by="wnid")
    by_class = by_class[by_class.images > 0]
    if by_class.empty:
        streamlit.info("No picture has a label that is a class of both, so that there is nothing to compare.")
        return
    _replace_class(tree, by_class)
    typed = search_field.show(CLASSES, "Classes", CLASSES_HINT, 1000, is_live=False)
    chosen, complaints = _chosen_classes(tree, by_class, typed)
    for complaint in complaints:
        streamlit.warning(layout.plain(complaint, 400))
    if not chosen:
        streamlit.info("On every picture both models are right, or both wrong: there is none that one alone gets right.")
        return
    reasons, notice = picks.read_reasons(results.images)
    sections = _sections(results, contest, tree, by_class, chosen, reasons)
    names = (contest.a.name, contest.b.name)
    followed = answers.show(sections, names, "winners", on_open=open_picture, on_swap=_ask_for_another)
    if notice:
        streamlit.warning(layout.plain(notice, 300))
    _how_to_read(contest)
    follow(followed, pages)
    show_opened(results, contest, pages)


def _chosen_classes(tree: Hierarchy, by_class: pandas.DataFrame, typed: str) -> tuple[list[str], list[str]]:
    """The classes that a person typed, or else those that stand for all, and what is wrong with the typed ones."""
    chosen, complaints = picks.parse_classes(tree, typed, set(by_class.wnid))
    return chosen or picks.chosen_classes(tree, by_class), complaints


def _ask_for_another(wnid: str) -> None:
    streamlit.session_state[REPLACED] = wnid


def _replace_class(tree: Hierarchy, by_class: pandas.DataFrame) -> None:
    """Type another class in place of the one for which a person asked that."""
    if replaced := streamlit.session_state.pop(REPLACED, ""):
        chosen, _ = _chosen_classes(tree, by_class, streamlit.query_params.get(CLASSES, ""))
        other = picks.next_class(tree, by_class, chosen, replaced)
        address.keep(CLASSES, ", ".join(other if each == replaced else each for each in chosen))


@kept
def _sections(
    results: Results,
    contest: Contest,
    tree: Hierarchy,
    by_class: pandas.DataFrame,
    chosen: list[str],
    reasons: dict[str, str],
) -> list[Section]:
    found = queries.clearest_pictures(results, contest.a.run_id, contest.b.run_id, contest.top, chosen, PICKS_OF_A, PICKS_OF_B)
    drawn = answer_cards.cards(results, contest, [int(each) for each in found.ordinal], reasons, badges=True)
    cards = dict(zip(found.ordinal, drawn, strict=True)) if len(drawn) == len(found) else {}
    counted = by_class.set_index("wnid")
    sections = []
    for wnid in chosen:
        of_class = found[found.wnid == wnid]
        shown: list[Card] = []
        for is_b, model, wanted in ((True, contest.b, PICKS_OF_B), (False, contest.a, PICKS_OF_A)):
            numbers = of_class[of_class.is_b == is_b].ordinal
            shown += [cards[number] for number in numbers if number in cards]
            if len(numbers) < wanted:
                which = "No" if numbers.empty else "No other"
                shown.append(Card(absent=f"{which} picture of {tree.name(wnid)} that only {model.name} gets right."))
        counts = tally(counted.loc[wnid])
        branch = tree.branch_apart(wnid, chosen)
        within = "" if branch == wnid else f"{tree.name(branch)} branch · "
        note = (
            f"{within}{_pictures(counts.images)}: {counts.both:,} both right, "
            f"{counts.only_b:,} only {contest.b.name}, {counts.only_a:,} only {contest.a.name}"
        )
        sections.append(Section(shown, tree.name(wnid), wnid, note, can_swap=True))
    return sections


def _pictures(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"


def _how_to_read(contest: Contest) -> None:
    only_a, only_b = layout.plain(contest.a.name), layout.plain(contest.b.name)
    streamlit.caption(
        f"Each class: the two clearest pictures that only {only_b} gets right, and the clearest that only {only_a} does, by "
        "the difference of margins. A margin is the true class’s probability minus the largest other. Rendering is what CLIP "
        "finds nearest among “a photo”, “a sketch”, “a rendering”; likeness is the mean cosine similarity of CLIP’s image "
        "features. All of this describes a picture; it proves no cause."
    )
    with streamlit.expander("Write down why, beside a picture"):
        streamlit.markdown(
            f"Keep `images/{picks.REASONS_FILE}` in UTF-8 with the columns `image_id` and `reason`, one picture a line; put a "
            "reason that holds commas in double quotes. A picture’s `image_id` stands at the foot of the picture when it is "
            "opened. The reason appears on its card when the page is loaded again.\n\n"
            '`image_id,reason`  \n`openmoji_classes-…/n01443537/black_line_whole_1.jpg,"Outline only, no color"`'
        )


@streamlit.fragment
@layout.errors_as_messages()
def all_pictures(results: Results, contest: Contest, pages: layout.Pages) -> None:
    """Every picture, filtered by outcome, branch and style, in pages."""
    tree = hierarchy_of(results)
    node = picture_filters.node_in_address(tree)
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        hint = "dog, vehicle, n02084071, …"
        typed = search_field.show(picture_filters.SEARCH, "Class or branch", hint, 80, width_px=260, is_live=False)
        style = _choose_style(results, contest)
        order = layout.choose_button("Order", list(ORDERS), "sort")
    found, notes = _search(results, contest, tree, typed)
    counted = tally(contest.counts(results, Filter(None, node, style)).iloc[0])
    picture_filters.show(tree, "filters", node, True, found, notes, contest, counted)
    _found_pictures(results, contest, pages, Filter(picture_filters.outcome_in_address(), node, style), order, counted)


@streamlit.fragment
@layout.errors_as_messages()
def _found_pictures(
    results: Results, contest: Contest, pages: layout.Pages, chosen: Filter, order: str, counted: Tally
) -> None:
    """The pictures of a filter; a fragment, so that the next page does not draw the filters anew."""
    count = getattr(counted, chosen.outcome) if chosen.outcome else counted.images + counted.not_compared
    if not count:
        streamlit.info("No picture is of this kind. Choose another outcome, branch or style.")
    else:
        of = f"{chosen} {order} {contest.a.run_id} {contest.b.run_id} {contest.top}"
        number = picture_filters.page_number("page", -(-count // PAGE_PICTURES), of)
        ordinals = queries.picture_numbers(
            results,
            contest.a.run_id,
            contest.b.run_id,
            contest.top,
            chosen,
            ORDERS[order],
            PAGE_PICTURES,
            PAGE_PICTURES * (number - 1),
        )
        show_compact(results, contest, ordinals, "all_pictures_gallery")
        streamlit.caption(
            f"Below each picture the first answers of {layout.plain(contest.a.name)} (blue) and "
            f"{layout.plain(contest.b.name)} (orange) with their probabilities; ✓ marks the true class. “Clearest difference” "
            "puts first where the margins differ most, “least sure” where both margins are nearest to zero."
        )
    show_opened(results, contest, pages)


def show_compact(results: Results, contest: Contest, ordinals: list[int], key: str) -> None:
    """A gallery of small cards, each of which a person can open."""
    shown = answer_cards.compact_cards(results, contest, ordinals)
    answers.show([Section(shown)], (contest.a.name, contest.b.name), key, "compact", on_open=open_picture)


def _choose_style(results: Results, contest: Contest) -> str | None:
    known = queries.styles(results, contest.a.run_id)
    if not known:
        return None
    names = ["any", *known]
    if len(known) <= MOST_STYLE_BUTTONS:
        links.by_name("style", names)
        chosen = layout.choose_button("Style", names, "style", default="any", shown=layout.as_label)
    else:
        chosen = streamlit.selectbox("Style", names, key="style", bind="query-params", width=240)
    return None if chosen == "any" else chosen


def _search(results: Results, contest: Contest, tree: Hierarchy, text: str) -> tuple[list[str], list[str]]:
    """Nodes that a text may mean, with the number of pictures below each."""
    if not text.strip():
        return [], []
    by_class = contest.counts(results, by="wnid").dropna(subset="wnid")
    pictures = dict(zip(by_class.wnid, by_class.pictures, strict=True))
    counted = {wnid: sum(pictures.get(leaf, 0) for leaf in tree.leaves.get(wnid, ())) for wnid in tree.search(text, limit=40)}
    found = [wnid for wnid, images in counted.items() if images][:8]
    if not found:
        streamlit.caption(f"No class or branch with pictures is called {layout.plain(text)}.")
    return found, [f"{wnid} · {_pictures(counted[wnid])}" for wnid in found]
