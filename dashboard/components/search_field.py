"""A field to type a search into, whose words are kept in the address.

Streamlit’s own text field takes a browser markedly longer to show: a page or a tab with it comes 5 to 9 % later (LOG.md).
"""

from collections.abc import Callable
from pathlib import Path

import streamlit

from dashboard import address

HERE = Path(__file__).parent

_component = streamlit.components.v2.component(
    "contrast_search_field",
    html="""<label><span class="line"><span class="name"></span><span class="hint" hidden>Enter applies</span></span>
        <span class="box">
        <svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="10" cy="10" r="6"/><path d="m15 15 6 6"/></svg>
        <input type="search" autocomplete="off" spellcheck="false"></span></label>""",
    css=(HERE / "search_field.css").read_text(),
    js=(HERE / "search_field.js").read_text(),
)


def show(
    name: str,
    label: str,
    placeholder: str,
    most_characters: int,
    width_px: int | None = None,
    is_live: bool = True,
    on_typed: Callable[[], None] | None = None,
) -> str:
    """Draw the field, as wide as its place where it has no width; what the address says under `name`, "" where nothing.

    What a person types is taken over when they pause; where it `is_live` not, when they press Enter or leave the field. Then
    `on_typed` is called.
    """
    key, taken_over = f"{name}_field", f"{name}_taken_over"

    def typed() -> None:
        told = streamlit.session_state[key].get("typed")
        if isinstance(told, dict):
            streamlit.session_state[taken_over] = told.get("number")
            address.keep(name, str(told.get("text", "")))
            if on_typed is not None:
                on_typed()

    asked = streamlit.query_params.get(name, "")
    text = asked[:most_characters]
    data = {
        "label": label,
        "placeholder": placeholder,
        "most": most_characters,
        "live": is_live,
        "text": text,
        "takenOver": streamlit.session_state.get(taken_over, 0),
    }
    _component(key=key, data=data, width=width_px or "stretch", on_typed_change=typed)
    if text != asked:
        told = f"The address asks for **{name}** of {len(asked):,} characters; its first {most_characters:,} are taken."
        streamlit.warning(told, icon=":material/link_off:")
    return text
