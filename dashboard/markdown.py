"""The Markdown that the pages are written in, as HTML: what `streamlit.markdown` shows, and no more of it than pages use."""

import inspect
import re
from html import escape

ITEM = re.compile(r"[-*] +(.*)")
NUMBERED = re.compile(r"\d+[.)] +(.*)")
HEADING = re.compile(r"(#{1,6}) +(.*)")
SAFE_LINK = re.compile(r"https?://[^\s\"'<>]+")
# Text in which a mark after a backslash ends nothing.
_TEXT = r"(?:\\.|[^\\])+?"
INLINE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    rf"|\*\*(?P<strong>{_TEXT})\*\*"
    r"|\*(?P<emphasized>(?:\\.|[^\\*])+?)\*"
    r"|(?<!\w)_(?P<underlined>(?:\\.|[^\\_])+?)_(?!\w)"
    r"|:material/[a-z0-9_]+:"
    r"|:(?P<color>[a-z]+)\[(?P<colored>(?:\\.|[^\\\]])*)\]"
    r"|\[(?P<label>(?:\\.|[^\\\]])+)\]\((?P<address>[^\s()]+)\)"
    r"|(?P<broken> {2,}\n|\\\n)",
    re.DOTALL,
)


def as_html(markdown: str) -> str:
    """Markdown as HTML in which every text is escaped; headings become paragraphs of a class of their own."""
    return "\n".join(_block(kind, lines) for kind, lines in _blocks(inspect.cleandoc(markdown)))


def inline(markdown: str) -> str:
    """Markdown without blocks, as HTML, which is XML as well, in which every text is escaped."""
    parts, end = [], 0
    for found in INLINE.finditer(markdown):
        parts += [escape(markdown[end : found.start()]), _inline_part(found)]
        end = found.end()
    return "".join([*parts, escape(markdown[end:])])


def _inline_part(found: re.Match[str]) -> str:
    part = found.groupdict()
    if part["escaped"]:
        return escape(part["escaped"])
    if part["code"]:
        return f"<code>{escape(part['code'].strip())}</code>"
    if part["strong"]:
        return f"<strong>{inline(part['strong'])}</strong>"
    if emphasized := part["emphasized"] or part["underlined"]:
        return f"<em>{inline(emphasized)}</em>"
    if part["color"]:
        return f'<span class="faint">{inline(part["colored"])}</span>'
    if part["label"]:
        label = inline(part["label"])
        if not SAFE_LINK.fullmatch(part["address"]):
            return label  # a page of the dashboard, which is not here
        return f'<a href="{escape(part["address"])}" rel="noopener noreferrer">{label}</a>'
    return "<br/>" if part["broken"] else ""  # an icon


def _blocks(markdown: str) -> list[tuple[str, list[str]]]:
    """Runs of lines that belong together, with their kind; each item of a list is one line."""
    blocks: list[tuple[str, list[str]]] = []
    is_open = False  # whether the next line goes on with the last block
    for line in markdown.split("\n"):
        stripped = line.strip()
        found = [(kind, mark.fullmatch(stripped)) for kind, mark in (("ul", ITEM), ("ol", NUMBERED), ("h", HEADING))]
        kind, match = next(((kind, match) for kind, match in found if match), ("p", None))
        if not stripped:
            is_open = False
        elif stripped == "---":
            blocks.append(("hr", []))
            is_open = False
        elif match and kind in ("ul", "ol"):
            if blocks and blocks[-1][0] == kind:
                blocks[-1][1].append(match[1])
            else:
                blocks.append((kind, [match[1]]))
            is_open = True
        elif match:
            blocks.append(("statement", [match[2]]))
            is_open = False
        elif is_open:
            blocks[-1][1][-1] += f"\n{line.lstrip()}"
        else:
            blocks.append(("p", [line.lstrip()]))
            is_open = True
    return blocks


def _block(kind: str, lines: list[str]) -> str:
    if kind == "hr":
        return "<hr>"
    if kind in ("ul", "ol"):
        return f"<{kind}>{''.join(f'<li>{inline(line)}</li>' for line in lines)}</{kind}>"
    opening = "<p>" if kind == "p" else f'<p class="{kind}">'
    return f"{opening}{inline(lines[0])}</p>"
