"""Links that show elsewhere what a page shows now, and words about what a link asks for and is not there.

Every choice is a query parameter, most of them bound to their widget. Streamlit leaves a choice at its default out of the
address, and drops without a word what is no choice of a widget: here links say all, and what was dropped is said.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import streamlit
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state.query_params import _coerce_value_for_query_url as as_in_address

from dashboard import layout, queries
from dashboard.components import copy_link as button
from dashboard.connection import Results

RESULTS = "results"  # the parameter that says on which results a link was made
ESCAPED = re.compile(r"\\([^\w\s]|_)")
FINGERPRINT = re.compile(r"[0-9a-f]{12}")
EVERYWHERE = f"{RESULTS} notes compare beside"
# What each page's address may say: the keys of its bound widgets, and what its code keeps in the address by itself.
PARAMETERS = {
    "overview": "",
    "unet_skip_connections": "data images score view class sort seed opacity page picture curve",
    "segmentation_metric": "data view number constant opacity class",
    "segmentation_decoder_heads": "data score view scale a b seed sort opacity page picture cost number token",
    "rn50_architectures": "data stage",
    "imagenet_rn50_vs_clip": "data right a b view classes class style sort page node outcome confused cells cell cell_page "
    "image example",
    "wordnet_synsets": "data right a b view synset search show page question word form rendition rotation unlike typical",
    "fp32_vs_fp16": "data precision pictures view clock batch sort show page image",
    "caption_sampling": "data against view library a b seed sort word page picture number",
    "image_text_retrieval": "data view direction run search sort page image caption cutoff a b",
    "runs": "experiment run first second",
}
# A change of these is a step that one can go back from.
STEPS = "view page cell_page number example picture image caption synset node outcome cell run class"
MOST_LINES = 8
STATE = "link"


@dataclass
class Visit:
    """What a session came to a page with, and what it has seen of the page's choices since."""

    page: str
    asked: dict[str, list[str]]  # not yet compared with a widget
    seen: dict[str, list[str]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)  # choices whose labels are names in Markdown
    returning: bool = False  # a way back or forward is not drawn to its end yet
    told: list[str] = field(default_factory=list)
    told_at: str = ""


def to(results: Results, /, **parameters: str) -> dict[str, str]:
    """The query of a link from page to page. What follows the results' fingerprint is kept, whatever the page it comes from."""
    return {RESULTS: queries.fingerprint(results), **parameters}


def arrive(results: Results, page: str) -> DeltaGenerator:
    """Note what the address of a page asks for, before the page is drawn; gives the place for what is to be said of it."""
    visit = streamlit.session_state.get(STATE)
    context = get_script_run_ctx()
    returned = _is_return(context, visit, page)
    if visit is not None and (visit.page != page or returned):
        _restore(context, returned)
        if visit.page != page:
            _forget(visit)
    elif visit is not None and context is not None and RESULTS in streamlit.query_params:
        with context.session_state.query_params() as parameters:  # the browser does not note where a page links to itself
            parameters._send_query_param_msg()
    if visit is None or visit.page != page or returned or _followed(visit):
        streamlit.session_state[STATE] = visit = Visit(page, _address(), returning=returned)
    # What a person has changed since is no longer what the link asks for.
    visit.asked = {name: values for name, values in visit.asked.items() if _address().get(name) == values}
    _drop_empty(context)
    place = streamlit.container()
    made_with = streamlit.query_params.get(RESULTS)
    if made_with is not None and (now := queries.fingerprint(results)) != made_with:
        place.warning(_other_results(made_with, now), icon=":material/link_off:")
    return place


def by_name(name: str, options: Iterable[str], shown: Callable[[str], str] = layout.as_label) -> None:
    """Let the address say a choice by its name, for the widget that is drawn next: one of `options`, each of them `shown` so.

    A button's label is Markdown, and is what the widget takes for its choice. In an address a name stands as it is; one
    of before may say it in all its backslashes, or say an option that is shown under another name.
    """
    context, visit = get_script_run_ctx(), streamlit.session_state.get(STATE)
    if context is None or visit is None:
        return
    visit.named.add(name)
    asked = streamlit.query_params.get(name, "")
    labels = {said: label for option in options for label in [shown(option)] for said in (_unescaped(label), option, label)}
    wanted = labels.get(asked, labels.get(_unescaped(asked), asked))
    if wanted == asked:
        return
    _read_as(context, name, wanted)
    if visit.asked.get(name) == [asked]:
        visit.asked[name] = [wanted]


def _read_as(context: Any, name: str, value: str) -> None:
    """Have the widgets that are drawn next read a value in the address, as it is seen here; the browser has its own."""
    with context.session_state.query_params() as parameters:
        parameters._set_item_internal(name, value)
        parameters.set_initial_query_params_from_current()


def _unescaped(value: str) -> str:
    """A name as it is, of which an address says a button's label."""
    return ESCAPED.sub(r"\1", value)


def _drop_empty(context: Any) -> None:
    """Take out of the address what it names and leaves empty: Streamlit's buttons would read that as no choice at all."""
    empty = [name for name, values in _address().items() if not any(values)]
    if context is None or not empty:
        return
    with context.session_state.query_params() as parameters:
        for name in empty:
            parameters.discard_param_no_forward_msg(name)
        parameters.set_initial_query_params_from_current()


def _is_return(context: Any, visit: Visit | None, page: str) -> bool:
    """Whether the browser went back or forward to here, so that the address decides every choice.

    A click that cuts such a run short starts one that Streamlit takes for an ordinary one, with choices of before that the
    address no longer says. It is a return all the same: what was clicked is in the address.
    """
    if context is None:
        return False
    if visit is not None and visit.page == page and visit.returning:
        context.is_history_navigation = True
        visit.returning = False  # once: a page that fails each time must not hold on to it
    return bool(context.is_history_navigation)


def _other_results(made_with: str, now: str) -> str:
    if FINGERPRINT.fullmatch(made_with):
        return f"This link was made with other results (then {made_with}, now {now}). What it shows may differ."
    return f"The address asks for {RESULTS} “{layout.plain(made_with, 40)}”, which is no fingerprint. These results are {now}."


def _followed(visit: Visit) -> bool:
    """Whether a link of this page to itself was followed."""
    return RESULTS in streamlit.query_params and RESULTS not in dict(parse_qsl(visit.told_at))


def _restore(context: Any, returned: bool) -> None:
    """Bring back what Streamlit took out of the address on the way from another page.

    It removes each parameter whose name a widget of the page before is bound to, also where the address means the new page: in
    that of a history entry all does, in that of a link of ours what follows the fingerprint.
    """
    if context is None:
        return
    asked = parse_qsl(context.query_string, keep_blank_values=True)
    names = [name for name, _ in asked]
    if not returned:
        if RESULTS not in names:
            return
        asked = asked[len(names) - 1 - names[::-1].index(RESULTS) :]
    with context.session_state.query_params() as parameters:
        parameters.populate_from_query_string(urlencode(asked))
        parameters.set_initial_query_params_from_current()
        parameters._send_query_param_msg()


def _forget(visit: Visit) -> None:
    """Forget what the page before held, so that no widget of the same name here takes it over as a choice it may not have."""
    for name in {*visit.seen, *_known(visit.page)}:
        streamlit.session_state.pop(name, None)


def _address() -> dict[str, list[str]]:
    return {name: streamlit.query_params.get_all(name) for name in streamlit.query_params}


def _known(page: str) -> set[str]:
    return {*EVERYWHERE.split(), *PARAMETERS.get(page, "").split()}


def tell(page: str, place: DeltaGenerator) -> None:
    """Say, once the page is drawn, what of its address was not followed; what a closed tab holds is compared when it opens."""
    visit = streamlit.session_state[STATE]
    visit.returning = False
    held = held_choices()
    visit.seen |= held
    lines = []
    for name, values in list(visit.asked.items()):
        if name in held:
            del visit.asked[name]
            if not _same(values, held[name]):
                instead = _quoted(held[name]) if any(held[name]) else "nothing"
                lines.append(f"{_words(name, values)}, which is not there; shown instead: {instead}.")
        elif name not in _known(page):
            del visit.asked[name]
            lines.append(f"{_words(name, values)}, which is no choice of this page; it is shown without.")
    now = urlencode(sorted(_address().items()), doseq=True)
    if not lines and now == visit.told_at:
        lines = visit.told  # nothing was chosen since
    visit.told, visit.told_at = lines, now
    if lines:
        more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
        shown = [*lines[:MOST_LINES], *more]
        place.warning(shown[0] if len(shown) == 1 else "\n".join(f"- {line}" for line in shown), icon=":material/link_off:")


@streamlit.fragment
@layout.errors_as_messages()
def open_view(names: Sequence[str], *drawings: Callable[[], object], held: Mapping[str, str] | None = None) -> str:
    """Tabs, of which the open one alone is drawn, by what stands in its place; the address keeps it. Returns its name.

    An address that says none, but a choice that one of them `held`s, by the choice's name, opens that one. A fragment: another
    tab is drawn without the page around it, and what the address asks of it is compared then.
    """
    place = streamlit.container()
    _turn_to_what_is_asked(names, held or {})
    opened = ""
    for name, draw, tab in zip(names, drawings, streamlit.tabs(names, key="view", bind="query-params"), strict=True):
        if tab.open:
            opened = name
            with tab:
                draw()
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        tell(streamlit.session_state[STATE].page, place)
    return opened


def _turn_to_what_is_asked(names: Sequence[str], held: Mapping[str, str]) -> None:
    """Have the tab opened that holds what a link asks for, where it does not say which; not when it was followed already."""
    context, visit = get_script_run_ctx(), streamlit.session_state.get(STATE)
    if context is None or visit is None or visit.told_at or "view" in streamlit.query_params:
        return
    wanted = next((view for name, view in held.items() if name in visit.asked and view in names), None)
    if wanted is not None:
        _read_as(context, "view", wanted)


def not_there(name: str, value: str, shown: str) -> None:
    """Say here that the address asks for what is not there, and what is shown instead."""
    streamlit.warning(f"{_words(name, [value])}, which is not there; shown instead: {shown}.", icon=":material/link_off:")


def _words(name: str, values: list[str]) -> str:
    return f"The address asks for **{layout.plain(name, 40)}** {_quoted(values)}"


def _quoted(values: list[str]) -> str:
    return f"“{layout.plain(', '.join(map(_unescaped, values)), 60)}”"  # names of choices are Markdown already


def _same(asked: list[str], held: list[str]) -> bool:
    return asked == held or (len(asked) == 1 and asked[-1:] == held) or _numbers(asked) == _numbers(held) != []


def _numbers(values: list[str]) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError:
        return []


def held_choices() -> dict[str, list[str]]:
    """What each bound widget holds that is drawn, as the address would say it were it not the default."""
    context = get_script_run_ctx()
    if context is None:
        return {}
    state = context.session_state
    with state.query_params() as parameters:  # Streamlit has no public way to ask for these
        bindings = list(parameters._bindings_by_param.items())
    held = {}
    for name, binding in bindings:
        drawn = context.fragment_ids_this_run or binding.widget_id in context.shared.widget_ids_this_run
        metadata = state._state.get_widget_metadata(binding.widget_id)
        if not drawn or metadata is None or name not in streamlit.session_state:
            continue
        value = metadata.serializer(streamlit.session_state[name])
        written = [] if value is None else as_in_address(value, binding.value_type)  # None where nothing is chosen
        held[name] = written if isinstance(written, list) else [written]
    return held


def query_now(fingerprint: str) -> str:
    """The query that shows what the page shows now: the results' fingerprint, and all choices, also those at their defaults."""
    visit = streamlit.session_state.get(STATE) or Visit("", {})
    held = held_choices()
    known = _known(visit.page) | set(held)
    said: Mapping[str, list[str]] = {name: values for name, values in _address().items() if name in known}
    chosen = {**visit.seen, **said, **held}
    chosen[RESULTS] = [fingerprint]
    chosen |= {name: [_unescaped(value) for value in chosen[name]] for name in visit.named & chosen.keys()}
    named = {name: values for name, values in chosen.items() if any(values)}
    return urlencode(sorted(named.items(), key=lambda item: (item[0] != RESULTS, item[0])), doseq=True)


@streamlit.fragment
@layout.errors_as_messages()
def copy_link(results: Results, key: str = "copy_link") -> None:
    """A small button that copies a link to what the page shows; a fragment, so that it draws nothing else anew."""
    button.show(query_now(queries.fingerprint(results)), key, STEPS.split())
