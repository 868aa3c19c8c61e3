"""Notes where they belong: what people wrote about a page, a picture, a class or a finding, and a form to add a note.

What can be opened is filled only when it is open. Adding a note draws the notes anew and nothing else, or in a picture's dialog
that dialog, so that what was chosen on the page stays as it is.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit

from dashboard import layout, links, notes, queries
from dashboard.connection import Results
from dashboard.notes import Note, Notebook, NotesError

MOST_SHOWN = 50  # of one subject, the latest
AUTHOR = "note_author"  # what of a person this session remembers
OPEN = "notes"  # of the address: whether a page's notes are open
ICON = ":material/sticky_note_2:"
FINDING, PICTURE, CLASS, RUN, PAGE = "finding", "picture", "class", "run", "page"


@streamlit.fragment
@layout.errors_as_messages()
def of_page(results: Results, page: str, pages: layout.Pages) -> None:
    """The notes on a page, named by its stem, in a part that opens; whether it is open is in the address."""
    _folded(results, f"{PAGE}/{page}", "Notes", OPEN, _address_of(results, page), pages, "query-params")


def of_picture(results: Results, image_id: str, page: str) -> None:
    """The notes on a picture, in its dialog on a page or beside what the page says of it."""
    _of(results, PICTURE, image_id, page)


def of_class(results: Results, name: str, page: str) -> None:
    """The notes on a class or synset, by its wnid, or by its data set and name, on a page."""
    _of(results, CLASS, name, page)


def of_run(results: Results, run_id: str, page: str) -> None:
    """The notes on a run, beside what is known of it."""
    _of(results, RUN, run_id, page)


@layout.errors_as_messages()
def _of(results: Results, kind: str, name: str, page: str) -> None:
    subject = f"{kind}/{name}"
    _folded(results, subject, f"Notes on this {kind}", f"notes_{_digest(subject)}", _address_of(results, page))


def finding_name(experiment: str, data: str) -> str:
    """The name under which the notes on what an experiment found on some data are kept."""
    return f"{FINDING}/{experiment}/{data}"


def count(results: Results, name: str) -> int:
    """How many notes there are on a finding; 0 where they cannot be read."""
    return len(_notebook(results)[0].of(name))


@streamlit.dialog("Notes on this finding", on_dismiss="rerun")
@layout.errors_as_messages()
def of_finding(results: Results, name: str, sentence: str, page: str, view: Mapping[str, str]) -> None:
    """The notes on a finding, which says `sentence` (Markdown); `page` with the choices of `view` shows it."""
    streamlit.markdown(sentence)
    book, problem = _notebook(results)
    address = f"{page}?{urlencode(links.to(results, **view))}"
    _notes(results, name, f"notes_{_digest(name)}", lambda: address, book, problem)


def _folded(
    results: Results,
    subject: str,
    title: str,
    key: str,
    address: Callable[[], str],
    pages: layout.Pages | None = None,
    bind: Literal["query-params"] | None = None,
) -> None:
    book, problem = _notebook(results)
    found = book.of(subject)
    _keep(key)
    label = f"{title} ({len(found)})" if found else title
    open_at_first = bool(found) and bind is None  # what is said of a picture is seen with it; a page has the count
    with streamlit.expander(label, open_at_first, icon=ICON, key=key, on_change="rerun", bind=bind) as opened:
        if opened.open:
            _notes(results, subject, key, address, book, problem, pages)


def _keep(key: str) -> None:
    """Keep open what is open, though its label, and with it what it is to Streamlit, may change with the notes."""
    if key in streamlit.session_state:
        streamlit.session_state[key] = bool(streamlit.session_state[key])


def _notebook(results: Results) -> tuple[Notebook, str]:
    """All notes beside the results, or none and why not."""
    try:
        return notes.notebook(notes.beside(results.path)), ""
    except NotesError as error:
        return Notebook((), 0), str(error)


def _notes(
    results: Results,
    subject: str,
    key: str,
    address: Callable[[], str],
    book: Notebook,
    problem: str,
    pages: layout.Pages | None = None,
) -> None:
    """The notes on a subject, and the form to add one."""
    with streamlit.container():  # a place of its own, so that the form below keeps its
        _listed(results, book.of(subject), pages)
    if problem:
        streamlit.error(layout.plain(problem, longest=1000))
        return
    _form(results, subject, key, address)
    lines = "1 line is no note and was" if book.skipped == 1 else f"{book.skipped:,} lines are no notes and were"
    skipped = f" In {layout.plain(notes.FILE_NAME)} {lines} left out." if book.skipped else ""
    streamlit.caption(f"Everyone who sees these results can read it; it cannot be taken back here.{skipped}")


def _listed(results: Results, found: Sequence[Note], pages: layout.Pages | None) -> None:
    if len(found) > MOST_SHOWN:
        streamlit.caption(f"The latest {MOST_SHOWN} of {len(found):,} notes; all of them are in {notes.FILE_NAME}.")
    for note in found[-MOST_SHOWN:]:
        _note(results, note, pages)


def _note(results: Results, note: Note, pages: layout.Pages | None) -> None:
    """One note: who and when, and its text as it was typed."""
    with streamlit.container(gap=None):
        with streamlit.container(horizontal=True, vertical_alignment="center", gap="small"):
            streamlit.caption(f"**{layout.plain(note.author) or 'Somebody'}** · {note.day}", width="content")
            page, query = _view(note)
            if pages is not None and page in pages and query:
                streamlit.page_link(
                    pages[page], label="on this view", query_params=links.to(results, **{**query, OPEN: "true"})
                )
        streamlit.text(note.text)


def _view(note: Note) -> tuple[str, dict[str, str]]:
    """The page, by its stem, and the query that a note's address names."""
    try:
        parts = urlsplit(note.address)
        return parts.path.strip("/"), dict(parse_qsl(parts.query, max_num_fields=100))
    except ValueError:
        return "", {}


def _form(results: Results, subject: str, key: str, address: Callable[[], str]) -> None:
    with streamlit.form(f"{key}_form", border=False):
        streamlit.text_input(
            "Your name",
            streamlit.session_state.get(AUTHOR, ""),
            key=f"{key}_author",
            max_chars=notes.MOST_CHARACTERS["author"],
            width=320,
        )
        streamlit.text_area("Note", key=f"{key}_text", max_chars=notes.MOST_CHARACTERS["text"], height=100)
        streamlit.form_submit_button("Add note", on_click=_add, args=(notes.beside(results.path), subject, key, address))
    if problem := streamlit.session_state.pop(f"{key}_problem", ""):
        streamlit.error(layout.plain(problem, longest=1000))


def _add(path: Path, subject: str, key: str, address: Callable[[], str]) -> None:
    """Write down what stands in the form; what could not be saved stays in it."""
    author, text = (str(streamlit.session_state.get(f"{key}_{name}") or "") for name in ("author", "text"))
    try:
        notes.append(path, notes.written_now(author, subject, address(), text))
    except NotesError as error:
        streamlit.session_state[f"{key}_problem"] = str(error)
        return
    streamlit.session_state[AUTHOR] = author
    streamlit.session_state[f"{key}_text"] = ""


def _address_of(results: Results, page: str) -> Callable[[], str]:
    """What tells the address of a page as it is when that is asked: parts of it may have been drawn anew without the notes."""
    return partial(_address, queries.fingerprint(results), page)  # without the results, which a form would hold on to


def _address(fingerprint: str, page: str) -> str:
    """Path and query that open the view that a person sees now: what "Copy link" says of it, but for the open notes."""
    query = [(name, value) for name, value in parse_qsl(links.query_now(fingerprint), keep_blank_values=True) if name != OPEN]
    return f"/{page}?{urlencode(query)}"


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()[:12]
