"""A small button that copies a link to what the page shows, and what else the browser does on every page.

Its history has steps that a person would call so.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit

HERE = Path(__file__).parent

_component = streamlit.components.v2.component(
    "contrast_copy_link",
    html="""<div class="copy"><button type="button"><svg viewBox="0 0 24 24" aria-hidden="true"><path
        d="M17 7h-4v2h4a3 3 0 0 1 0 6h-4v2h4a5 5 0 0 0 0-10M7 17h4v-2H7a3 3 0 0 1 0-6h4V7H7a5 5 0 0 0 0 10m1-6h8v2H8z"/></svg>
        <span></span></button><input readonly hidden aria-label="Link to this view">
        <span class="said" role="status"></span></div>""",
    css=(HERE / "copy_link.css").read_text(),
    js=(HERE / "copy_link.js").read_text(),
)


def show(query: str, key: str, steps: Sequence[str]) -> None:
    """Draw the button; a click asks for the `query` anew, then writes it to the clipboard with the address of the page.

    A person's change of one of the parameters in `steps` makes an entry of the browser's history, that of any other does not.
    """
    asked = f"{key}_asked"

    def ask() -> None:
        streamlit.session_state[asked] = streamlit.session_state.get(asked, 0) + 1

    answer = streamlit.session_state.get(asked, 0)
    data = {"query": query, "answer": answer, "steps": list(steps)}
    _component(key=key, data=data, width="content", on_asked_change=ask)
