"""What a page drew, element by element, as HTML that needs no server.

Components, charts and tables among them, keep their JSON, which `report.js` draws in the browser; all else is plain HTML here.
What a person could press is left out, and what they have chosen stands in words.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

from dashboard import markdown

PICTURE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+")
CHOICES = {"button_group", "selectbox", "multiselect", "radio", "select_slider", "slider", "checkbox", "toggle", "pagination"}
FIELD = "contrast_search_field"
INPUTS = {"text_input", "number_input", "date_input", "time_input", "text_area"}
LEFT_OUT = {"download_button", "button", "link_button", "menu_button", "toast", "space", "empty", "progress", "file_uploader"}
ALERTS = {"info", "warning", "error", "success"}
LEFT_OUT_COMPONENTS = {"contrast_copy_link", FIELD}
HORIZONTAL = 2
CHOICES_START, CHOICES_END = '<p class="choices">', "</p>"
CHOICES_ALONE = re.compile(rf"{CHOICES_START}(?:(?!</p>).)*</p>", re.DOTALL)
EMPTY_COLUMN = re.compile(r'<div class="column empty[^>]*></div>\s*')
MOST_WORDS = 200
Json = dict[str, Any]


@dataclass
class Drawing:
    """What the browser draws: pictures by their name, kinds of components, and the JSON of each component."""

    pictures: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, Json] = field(default_factory=dict)
    components: list[Json] = field(default_factory=list)

    def without_pictures(self, text: str) -> str:
        """The text with each picture replaced by its name, under which it is kept once."""

        def kept(found: re.Match[str]) -> str:
            name = f"picture-{hashlib.sha256(found[0].encode()).hexdigest()[:20]}"
            self.pictures[name] = found[0]
            return name

        return PICTURE.sub(kept, text)


@dataclass
class PageWriter:
    """Writes the elements of one page; `sections` are the pages that a link may lead to, by their stem."""

    drawing: Drawing
    anchor: str
    sections: set[str]
    views: dict[str, Any] = field(default_factory=dict)  # of each tab the run that drew its contents
    topic: str = ""
    is_in_view: bool = False
    titles: list[tuple[str, str]] = field(default_factory=list)  # of the views: where they stand, and their names

    def blocks(self, nodes: list[Any]) -> str:
        """Elements one below the other; neighbouring choices share a line."""
        parts: list[str] = []
        for node in nodes:
            words = self._choice(node)
            written = f"{CHOICES_START}<span>{words}</span>{CHOICES_END}" if words else self.node(node)
            if parts and CHOICES_ALONE.fullmatch(written) and CHOICES_ALONE.fullmatch(parts[-1]):
                parts[-1] = parts[-1].removesuffix(CHOICES_END) + written.removeprefix(CHOICES_START)
            elif written:
                parts.append(written)
        return "\n".join(parts)

    def node(self, node: Any) -> str:
        """One element or block as HTML; empty where nothing of it can be seen."""
        if hasattr(node, "children"):
            return self._block(node)
        write = getattr(self, f"_{node.type}", None)
        if write is not None:
            return str(write(node))
        if node.type in LEFT_OUT | CHOICES | INPUTS:
            return ""
        if node.type in ALERTS:
            return f'<div class="alert {node.type}">{markdown.as_html(node.value)}</div>'
        return f"<p class=faint>Not in this report: {escape(node.type)}.</p>"

    def _block(self, node: Any) -> str:
        children = list(node.children.values())
        if node.type == "tab_container":
            return "\n".join(filter(None, map(self._tab, children)))
        inside = self.blocks(children)
        if node.type == "column":
            style = f'style="flex-grow:{_weight(node)}"'
            kind = "column" if inside else "column empty"  # which keeps its place, so that its neighbours keep their width
            return f'<div class="{kind}{_framed(node.proto.show_border)}" {style}>{inside}</div>'
        if not inside or not re.sub(EMPTY_COLUMN, "", inside):
            return ""
        if node.type == "expander":
            return f"<details open><summary>{markdown.inline(node.proto.label)}</summary>{inside}</details>"
        if node.type == "dialog":
            return f'<aside class="framed"><h3>{escape(node.proto.dialog.title)}</h3>{inside}</aside>'
        flex = getattr(node.proto, "flex_container", None)
        if flex is None or CHOICES_ALONE.fullmatch(inside):
            return inside
        if flex.direction == HORIZONTAL:
            return f'<div class="beside{_framed(flex.border)}">{inside}</div>'
        return f'<div class="framed">{inside}</div>' if flex.border else inside

    def _tab(self, tab: Any) -> str:
        drawn = self.views.get(tab.label, tab)
        if isinstance(drawn, str):  # why it could not be drawn
            inside = f'<div class="alert error">{markdown.as_html(drawn)}</div>' if drawn else ""
        else:
            self.topic, self.is_in_view = tab.label, True
            inside = self.blocks(list(drawn.children.values()))
            self.is_in_view = False
        if not inside:
            return ""
        anchor = f"{self.anchor}-{len(self.titles) + 1}"
        title = tab.label[:1].upper() + tab.label[1:]
        self.titles.append((anchor, title))
        return f'<section class="view" id="{anchor}"><h3>{markdown.inline(title)}</h3>\n{inside}</section>'

    def _choice(self, node: Any) -> str:
        """A choice in words; empty where the node is none, or nothing was chosen."""
        if node.type == "bidi_component" and node.proto.component_name == FIELD:
            data = json.loads(node.proto.json)
            return f"{escape(data['label'])} <b>{escape(data['text'])}</b>" if data["text"] else ""
        if node.type not in CHOICES and node.type not in INPUTS:
            return ""
        if node.type == "pagination":
            return f"page <b>{int(node.value)}</b> of {int(node.proto.num_pages)}"
        value = node.value
        if value is None or value == "" or value == []:
            return ""
        values = value if isinstance(value, list | tuple) else [value]
        shown = ", ".join(str(getattr(each, "content", each)) for each in values)[:MOST_WORDS]
        return f"{markdown.inline(node.label)} <b>{markdown.inline(shown)}</b>"

    def _title(self, node: Any) -> str:
        self.topic = node.value
        return f"<h2>{markdown.inline(node.value)}</h2>"

    def _subheader(self, node: Any) -> str:
        self.topic = node.value
        level = "h4" if self.is_in_view else "h3"
        return f"<{level}>{markdown.inline(node.value)}</{level}>"

    _header = _subheader

    def _markdown(self, node: Any) -> str:
        return markdown.as_html(node.value)

    def _caption(self, node: Any) -> str:
        return f'<div class="caption">{markdown.as_html(node.value)}</div>'

    def _text(self, node: Any) -> str:
        return f"<p>{escape(str(node.value))}</p>"

    def _code(self, node: Any) -> str:
        return f"<pre>{escape(node.value)}</pre>"

    def _divider(self, node: Any) -> str:
        return "<hr>"

    def _metric(self, node: Any) -> str:
        delta = f'<span class="faint">{escape(node.delta)}</span>' if node.delta else ""
        return f'<div class="framed"><p>{escape(node.label)}</p><p class="statement">{escape(node.value)}</p>{delta}</div>'

    def _exception(self, node: Any) -> str:
        return f'<div class="alert error">This part could not be drawn: {escape(str(node.message)[:MOST_WORDS])}</div>'

    def _page_link(self, node: Any) -> str:
        if node.proto.page not in self.sections - {self.anchor}:
            return ""
        return f'<p class="way"><a href="#{escape(node.proto.page)}">{markdown.inline(node.proto.label)}</a></p>'

    def _bidi_component(self, node: Any) -> str:
        proto = node.proto
        if proto.component_name in LEFT_OUT_COMPONENTS:
            return ""
        self.drawing.kinds.setdefault(
            proto.component_name, {"html": proto.html_content, "css": proto.css_content, "js": proto.js_content}
        )
        data = json.loads(self.drawing.without_pictures(proto.json or "{}"), parse_constant=lambda _: None)
        self.drawing.components.append({"kind": proto.component_name, "data": data})
        return f'<div class="component" data-component="{len(self.drawing.components) - 1}"></div>'


def _framed(has_border: bool) -> str:
    return " framed" if has_border else ""


def _weight(node: Any) -> str:
    return f"{max(1.0, 100 * node.proto.weight):.0f}"
