"""Notes: written whole by many at once, read from files of any kind, and shown where they belong."""

import hashlib
import json
import multiprocessing
import os
import threading
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from opened_pages import cards, open_page, words

from compute.results import publish
from dashboard import notes, queries
from dashboard.connection import open_results
from dashboard.notes import Note, NotesError

EACH = 200
NASTY = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** :material/home: $x$"


def note(text: str, author: str = "Ann", subject: str = "page/runs") -> Note:
    return notes.written_now(author, subject, "/runs?run=1", text)


def write_many(path: Path, author: str) -> None:
    for number in range(EACH):
        notes.append(path, note(f"{number} " + "long " * (number % 50), author))


def all_of(path: Path) -> set[tuple[str, int]]:
    return {(each.author, int(each.text.split()[0])) for each in notes.read(path)}


def test_two_processes_lose_no_note(tmp_path):
    path = tmp_path / "notes.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, author)) for author in ("Ann", "Ben")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert all_of(path) == {(author, number) for author in ("Ann", "Ben") for number in range(EACH)}
    assert notes.notebook(path).skipped == 0


def test_threads_of_one_process_lose_no_note(tmp_path):
    path = tmp_path / "notes.jsonl"
    writers = [threading.Thread(target=write_many, args=(path, author)) for author in ("Ann", "Ben", "Cleo")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(all_of(path)) == 3 * EACH


def test_a_note_is_one_line_whatever_it_holds(tmp_path):
    path = tmp_path / "notes.jsonl"
    text = 'one\r\ntwo\n\n"three"\u2028 \u0085 \x00 \u202e four \ud800'
    notes.append(path, note(text, author="  Ann\n of  X "))
    assert path.read_bytes().count(b"\n") == 1
    [found] = notes.read(path)
    assert (found.author, found.subject, found.address) == ("Ann of X", "page/runs", "/runs?run=1")
    assert found.text == 'one\ntwo\n\n"three"\u2028    four'
    assert found.day == f"{found.time[:10]} {found.time[11:16]} UTC"
    assert set(json.loads(path.read_text("utf-8"))) == {"author", "time", "subject", "address", "text"}


@pytest.mark.parametrize(
    "author, text",
    [("", "text"), ("Ann", ""), ("Ann", " \n\x00 "), ("a" * 81, "text"), ("Ann", "t" * 4001)],
)
def test_what_is_missing_or_too_long_is_not_written(author, text):
    with pytest.raises(NotesError, match="characters"):
        note(text, author)
    assert note("t" * 4000, "a" * 80).author == "a" * 80


BROKEN = [
    b"no json at all",
    b'{"author": "Ann", "time": "2026-01-02T03:04:05Z"}',
    b'{"author": 1, "time": "2026-01-02T03:04:05Z", "subject": "s", "address": "/", "text": "t"}',
    b'{"author": "A", "time": "yesterday", "subject": "s", "address": "/", "text": "t"}',
    b'{"author": "A", "time": 5, "subject": "s", "address": "/", "text": "t"}',
    b'{"author": "A", "time": "0001-01-01T00:00:00+23:00", "subject": "s", "address": "/", "text": "t"}',
    b'{"author": "A", "time": "2026-01-02T03:04:05Z", "subject": "s", "address": "/", "text": " "}',
    b"[1, 2]",
    b"null",
    b"\xff\xfe\x00",
    b"[" * 100_000,
]


def test_lines_that_are_no_notes_are_counted_and_left_out(tmp_path):
    path = tmp_path / "notes.jsonl"
    notes.append(path, note("first"))
    with open(path, "ab") as file:
        file.write(b"\n".join(BROKEN) + b"\n\n\n")
    notes.append(path, note("second"))
    book = notes.notebook(path)
    assert ([each.text for each in book.notes], book.skipped) == (["first", "second"], len(BROKEN))


def test_a_note_after_a_half_written_line_is_whole(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b'{"author": "Ann", "time": "2026-01')
    notes.append(path, note("whole"))
    book = notes.notebook(path)
    assert ([each.text for each in book.notes], book.skipped) == (["whole"], 1)


def test_foreign_notes_are_sorted_cut_and_each_kept_once(tmp_path):
    path = tmp_path / "notes.jsonl"
    later = {
        "author": "B" * 200,
        "time": "2026-01-02T05:00:00+01:00",
        "subject": "s",
        "address": "/" * 9000,
        "text": "t" * 9000,
    }
    earlier = {"author": "A", "time": "2026-01-02 03:30:00", "subject": "s", "address": "", "text": "first", "more": 1}
    path.write_text("\n".join(json.dumps(each) for each in (later, earlier, later)), "utf-8")
    first, second = notes.read(path)
    assert (first.text, first.time) == ("first", "2026-01-02T03:30:00Z")
    assert (second.time, len(second.author), len(second.text)) == ("2026-01-02T04:00:00Z", 80, 4000)
    assert len(second.address) == notes.MOST_CHARACTERS["address"]
    assert [each.text for each in notes.notebook(path).of("s")] == ["first", "t" * 4000]


def test_of_a_long_file_the_last_lines_are_read(tmp_path, monkeypatch):
    path = tmp_path / "notes.jsonl"
    monkeypatch.setattr(notes, "MOST_LINES", 10)
    for number in range(12):
        notes.append(path, note(f"{number}"))
    assert [each.text for each in notes.read(path)] == [str(number) for number in range(2, 12)]
    monkeypatch.setattr(notes, "MOST_BYTES", path.stat().st_size // 2)
    notes.append(path, note("12"))
    book = notes.notebook(path)
    assert (book.notes[-1].text, book.skipped) == ("12", 0)  # the line that the limit cuts is no broken one
    assert 1 < len(book.notes) < 10


def test_what_another_wrote_shows_at_once(tmp_path):
    path = tmp_path / "notes.jsonl"
    assert notes.read(path) == []
    notes.append(path, note("one"))
    assert len(notes.read(path)) == 1
    notes.append(path, note("two"))
    assert len(notes.read(path)) == 2


def test_where_notes_cannot_be_the_message_names_path_and_remedy(tmp_path):
    missing = tmp_path / "none" / "notes.jsonl"
    with pytest.raises(NotesError, match=r"none.notes\.jsonl.*CONTRAST_NOTES"):
        notes.append(missing, note("text"))
    assert notes.read(missing) == []
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(NotesError, match=r"is no file.*CONTRAST_NOTES"):
        notes.read(folder)
    with pytest.raises(NotesError, match="could not be saved"):
        notes.append(folder, note("text"))


def test_a_write_that_is_cut_short_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "notes.jsonl"
    notes.append(path, note("first"))
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:7]))
    with pytest.raises(NotesError, match="no space left"):
        notes.append(path, note("second"))
    assert path.read_bytes() == before


def test_notes_lie_beside_the_results_or_where_a_person_says(tmp_path, monkeypatch):
    monkeypatch.delenv("CONTRAST_NOTES", raising=False)
    assert notes.beside(tmp_path / "mine.duckdb") == tmp_path / "notes.jsonl"
    monkeypatch.setenv("CONTRAST_NOTES", str(tmp_path / "ours.jsonl"))
    assert notes.beside(tmp_path / "mine.duckdb") == tmp_path / "ours.jsonl"


@pytest.fixture
def published(tmp_path, make_trial, monkeypatch):
    """Two networks on two pictures, and where the notes on them are."""
    monkeypatch.delenv("CONTRAST_NOTES", raising=False)
    results, images = tmp_path / "full.duckdb", tmp_path / "images"
    for variant in ("skip", "no_skip"):
        tables = make_trial(f"run-{variant}", f"trial-{variant}")
        publish(results, images, {**tables, "run": tables["run"].assign(variant=variant)})
    return results, images, tmp_path / "notes.jsonl"


def test_a_note_is_added_and_nothing_that_was_chosen_is_lost(monkeypatch, published):
    results, images, path = published
    before = results.read_bytes()
    query = {"score": "per image", "view": "class by class", "notes": "true"}
    app = open_page(monkeypatch, results, images, "unet_skip_connections", **query)
    app.text_input(key="notes_author").input("Ann")
    app.text_area(key="notes_text").input(f"{NASTY}\nsecond line")
    app.button(key="FormSubmitter:notes_form-Add note").click().run()
    assert not app.exception
    [found] = notes.read(path)
    assert (found.author, found.subject, found.text) == ("Ann", "page/unet_skip_connections", f"{NASTY}\nsecond line")
    page, _, asked = found.address.partition("?")
    assert page == "/unet_skip_connections"
    assert (
        dict(parse_qsl(asked)).items()
        >= {
            "score": "per image",
            "view": "class by class",
            "data": "Tiny · mini",  # a default is another one on other results
            "results": queries.fingerprint(open_results(results, images)),
        }.items()
    )
    assert "notes" not in dict(parse_qsl(asked))
    assert [element.value for element in app.text] == [found.text]  # as text, not as Markdown
    assert "<script>" not in words(app)
    assert [expander.label for expander in app.expander] == ["Notes (1)"]
    assert {key: app.query_params[key] for key in query} == query
    assert (app.text_input(key="notes_author").value, app.text_area(key="notes_text").value) == ("Ann", "")
    assert results.read_bytes() == before


def test_a_note_without_a_name_stays_in_the_form(monkeypatch, published):
    results, images, path = published
    app = open_page(monkeypatch, results, images, "runs", notes="true")
    app.text_area(key="notes_text").input("of nobody")
    app.button(key="FormSubmitter:notes_form-Add note").click().run()
    assert "A name has 1 to 80 characters" in app.error[0].value.replace("\\", "")
    assert app.text_area(key="notes_text").value == "of nobody"
    assert not path.exists()


def test_notes_show_where_they_belong(monkeypatch, published):
    results, images, path = published
    picture = "tiny-ffffffff/val/1"
    for subject in (f"picture/{picture}", "finding/unet_skip_connections/Tiny · mini", "page/overview"):
        notes.append(path, note(f"on {subject}", NASTY[:80], subject))
    app = open_page(monkeypatch, results, images, "unet_skip_connections", picture=picture)
    assert [element.value for element in app.text] == [f"on picture/{picture}"]
    assert "<script>" not in words(app)
    assert [expander.label for expander in app.expander] == ["Notes", "Notes on this picture (1)"]
    app = open_page(monkeypatch, results, images)
    assert [expander.label for expander in app.expander] == ["Notes (1)"]
    assert cards(app).count("1 note") == 1
    assert [element.value for element in app.text] == []  # nothing is drawn that is not open


def form(app, subject: str, text: str) -> None:
    """Write a note in the form of a subject that is open."""
    key = f"notes_{hashlib.sha256(subject.encode()).hexdigest()[:12]}"
    app.session_state[key] = True
    app.run()
    app.text_input(key=f"{key}_author").input("Ann")
    app.text_area(key=f"{key}_text").input(text)
    app.button(key=f"FormSubmitter:{key}_form-Add note").click().run()
    assert not app.exception


@pytest.mark.parametrize(
    ("page", "query", "subject", "kind"),
    [
        ("runs", {"run": "run-skip"}, "run/run-skip", "run"),
        ("segmentation_metric", {"number": "1"}, "picture/tiny-ffffffff/val/1", "picture"),
        ("unet_skip_connections", {"view": "class by class", "class": "car"}, "class/tiny-ffffffff/car", "class"),
    ],
)
def test_a_run_a_picture_and_a_class_take_notes_where_they_are_shown(
    monkeypatch, published, make_trial, page, query, subject, kind
):
    results, images, path = published
    constant = make_trial("run-constant", "trial-constant")
    publish(results, images, set_values(constant, experiment="segmentation_metric", variant="constant_car"))
    app = open_page(monkeypatch, results, images, page, **query)
    assert f"Notes on this {kind}" in [expander.label for expander in app.expander]
    form(app, subject, "look here")
    [found] = notes.read(path)
    assert (found.subject, found.text) == (subject, "look here")
    assert dict(parse_qsl(found.address.partition("?")[2])).items() >= query.items()
    again = open_page(monkeypatch, results, images, page, **query)
    assert f"Notes on this {kind} (1)" in [expander.label for expander in again.expander]
    assert [element.value for element in again.text] == ["look here"]


def set_values(tables, **values):
    return {**tables, "run": tables["run"].assign(**values)}


def test_notes_that_cannot_be_read_leave_the_page_standing(monkeypatch, published):
    results, images, path = published
    path.mkdir()
    app = open_page(monkeypatch, results, images, "unet_skip_connections", notes="true")
    assert not app.exception
    assert [error.value.replace("\\", "") for error in app.error] == [
        f"{path} is no file, so that it can hold no notes. Move it, or name a file in CONTRAST_NOTES."
    ]
    assert len(app.tabs) == 4


def test_a_hostile_file_of_notes_does_no_harm(monkeypatch, published):
    results, images, path = published
    lines = [
        {"author": NASTY, "time": "2026-01-02T03:04:05Z", "subject": "page/runs", "address": address, "text": NASTY * 30}
        for address in ("javascript:alert(1)", "//evil.example/runs?x=1", "/runs?" + "a&" * 500, "http://[", "/runs?run=<b>")
    ]
    path.write_bytes(b"\n".join(json.dumps(line).encode() for line in lines) + b"\nnonsense")
    app = open_page(monkeypatch, results, images, "runs", notes="true")
    assert not app.exception
    assert not app.error
    assert "<script>" not in words(app)
    assert len(app.text) == 5
    assert "1 line is no note and was left out" in words(app)
