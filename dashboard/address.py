"""What a page's code keeps in the browser's address by itself; Streamlit keeps the choices of its widgets there."""

import streamlit


def keep(name: str, value: str | None) -> None:
    """Keep a choice in the address, or take it out where it is none."""
    if value:
        streamlit.query_params[name] = value
    else:
        streamlit.query_params.pop(name, None)
