"""The report's one HTML file: contents, pages, notes, and the scripts and styles that it carries with it.

A policy in its head lets run only the scripts written here, known by their hashes, and lets nothing be loaded from anywhere.
"""

import base64
import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from dashboard import queries
from dashboard.connection import Results, ResultsError
from dashboard.notes import Note
from dashboard.report_elements import Drawing

HERE = Path(__file__).parent
THEME = HERE.parent / ".streamlit" / "config.toml"
# The names under which components expect the theme's colors, and those in its file.
COLORS = {
    "--st-primary-color": "primaryColor",
    "--st-background-color": "backgroundColor",
    "--st-secondary-background-color": "secondaryBackgroundColor",
    "--st-text-color": "textColor",
    "--st-link-color": "linkColor",
    "--st-border-color": "borderColor",
}
MOST_NAMED = 4
MOST_SOURCES = 20


@dataclass(frozen=True)
class Page:
    """A written page: stem, section and short name, its HTML, and its views as (anchor, name)."""

    stem: str
    section: str
    title: str
    content: str
    views: list[tuple[str, str]]


def not_drawn(title: str, error: Exception) -> str:
    """What stands in place of a page that could not be drawn."""
    return f'<h2>{escape(title)}</h2><div class="alert error">This page could not be drawn: {escape(str(error)[:300])}</div>'


def html(results: Results, pages: Sequence[Page], drawing: Drawing, notes: Sequence[Note], remark: str) -> str:
    """The whole document."""
    stems = {page.stem for page in pages}
    elsewhere = [note for note in notes if _stem_of(note) not in stems] if len(pages) > 1 else []
    parts = [
        f'<section class="page" id="{page.stem}">{page.content}'
        f"{_notes([note for note in notes if _stem_of(note) == page.stem], 'h3')}</section>"
        for page in pages
    ]
    if elsewhere:
        parts.append(f'<section class="page" id="notes">{_notes(elsewhere, "h2")}</section>')
    if remark:
        parts.append(f'<div class="alert warning">{escape(remark)}</div>')
    scripts = [_script((HERE / "report.js").read_text("utf-8")), _component_script(drawing)]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {hashes}; base-uri 'none'"
    title = "Contrast" if len(pages) > 1 else f"Contrast: {pages[0].title}"
    data = {"pictures": drawing.pictures, "components": drawing.components}
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            f"<style>{_theme()}{(HERE / 'report.css').read_text('utf-8')}</style></head><body>",
            '<a class="skip" href="#main">To the contents</a>',
            f'<header>{_header(results, title)}</header><div class="sheet">{_contents(pages, bool(elsewhere))}',
            f'<main id="main"><noscript><p class="alert warning">Charts and pictures need JavaScript; nothing is loaded from'
            f" anywhere.</p></noscript>{''.join(parts)}</main></div>",
            f"<footer>{_licences(results)}</footer>",
            f'<script type="application/json" id="report-data">{as_inert_json(data)}</script>',
            *[f"<script>{script}</script>" for script in scripts],
            "</body></html>\n",
        ]
    )


def as_inert_json(data: object) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin another."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _script(code: str) -> str:
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _component_script(drawing: Drawing) -> str:
    """The components' own modules, each as a function of its own, and what draws them all."""
    kinds = []
    for name, kind in drawing.kinds.items():
        code = kind["js"].replace("export default ", "const mount = ", 1)
        kinds.append(
            f"{json.dumps(name)}: {{css: {json.dumps(kind['css'])}, html: {json.dumps(kind['html'])}, "
            f'mount: (() => {{ "use strict";\n{code}\nreturn mount; }})()}}'
        )
    return _script(f"drawReport({{{','.join(kinds)}}});")


def _theme() -> str:
    """The dashboard's own colors as custom properties, light and dark."""
    theme = tomllib.loads(THEME.read_text("utf-8"))["theme"]
    light, dark = (
        "".join(f"{name}:{theme[mode][key]};" for name, key in COLORS.items() if key in theme[mode])
        for mode in ("light", "dark")
    )
    # Printed on white, whatever the screen shows.
    return f":root{{{light}--st-base-radius:0.5rem}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def _header(results: Results, title: str) -> str:
    try:
        runs = queries.runs(results)
        devices = sorted(set(map(str, runs.device)))
        facts = [
            f"{len(runs):,} runs of {runs.experiment.nunique()} experiments",
            f"profile {', '.join(sorted(set(map(str, runs.profile)))[:MOST_NAMED])}",
            f"computed on {', '.join(devices[:MOST_NAMED])}{' and others' if len(devices) > MOST_NAMED else ''}",
            f"the latest {runs.started_at.max():%Y-%m-%d %H:%M} UTC" if len(runs) else "",
            f"results {queries.fingerprint(results)}",
        ]
    except ResultsError as error:
        facts = [str(error)]
    told = " · ".join(escape(fact[:300]) for fact in facts if fact)
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"<h1>{escape(title)} <span>as it was on {made}</span></h1><p class=faint>{told}</p>"


def _licences(results: Results) -> str:
    """Where the pictures come from and under which licence."""
    try:
        sources = queries.data_sources(results)
        told = [f"{row.name}: {row.source}, {row.license}" for row in sources.head(MOST_SOURCES).itertuples()]
    except ResultsError:  # the pages say what is wrong with the file
        told = []
    return f"<p>Pictures. {'; '.join(escape(text[:300]) for text in told)}.</p>" if told else ""


def _contents(pages: Sequence[Page], has_notes: bool) -> str:
    if len(pages) == 1 and len(pages[0].views) < 2:
        return ""
    listed, section = [], ""
    for page in pages:
        if page.section != section and len(pages) > 1:
            section = page.section
            listed.append(f'<li class="section">{escape(section)}</li>')
        views = "".join(f'<li><a href="#{anchor}">{escape(name)}</a></li>' for anchor, name in page.views)
        inside = f"<ul>{views}</ul>" if views else ""
        listed.append(f'<li><a href="#{page.stem}">{escape(page.title)}</a>{inside}</li>')
    if has_notes:
        listed.append('<li><a href="#notes">Notes</a></li>')
    return f'<nav aria-label="Contents"><details open><summary>Contents</summary><ul>{"".join(listed)}</ul></details></nav>'


def _stem_of(note: Note) -> str:
    """The page that a note was written on."""
    try:
        return urlsplit(note.address).path.strip("/").rpartition("/")[2]
    except ValueError:
        return ""


def _notes(notes: Sequence[Note], heading: str) -> str:
    if not notes:
        return ""
    listed = "".join(
        f'<li><p class="caption"><b>{escape(note.author or "without a name")}</b> on {escape(note.subject)} · '
        f'{escape(note.day)}</p><p class="told">{escape(note.text)}</p></li>'
        for note in notes
    )
    return f'<{heading}>Notes</{heading}><ul class="notes">{listed}</ul>'
