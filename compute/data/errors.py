"""What a data source raises, and how foreign texts stand in messages."""

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of surrogate pairs, which cannot be written


class DataError(Exception):
    """Input data that cannot be used; the message names the file and the remedy."""


def for_terminal(text: str) -> str:
    """A text without what a terminal takes for orders, such as to clear the screen; ends of lines and tabs stay."""
    return CONTROL.sub(lambda found: found[0] if found[0] in "\n\t" else "\N{REPLACEMENT CHARACTER}", text)


def short(text: str) -> str:
    """A foreign name in as many characters as a message bears."""
    return text if len(text) <= 120 else f"{text[:119]}…"
