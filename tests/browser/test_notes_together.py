"""Two people in two browsers write notes on the same things: none is lost, and each sees the other's."""

import re

from caption_rows import publish_retrieval
from playwright.sync_api import Page, expect
from test_dashboard import settled

from dashboard import notes

FINDING = "finding/image_text_retrieval/Four captioned · mini"
NASTY = "first line <b>bold</b>\n<img src=x onerror=alert(1)> *second*"


def write(page: Page, author: str, text: str) -> None:
    """Fill the form that is open, and send it."""
    name = page.get_by_role("textbox", name="Your name")  # of what is open
    if name.input_value() != author:
        name.fill(author)
    page.get_by_role("textbox", name="Note").fill(text)
    page.get_by_role("button", name="Add note").click()


def test_two_people_write_and_each_sees_both(changing_dashboard, open_page):
    results, _ = publish_retrieval(changing_dashboard.images.parent)
    address = f"{changing_dashboard.address}/image_text_retrieval"
    pages = {name: settled(open_page(f"{address}?view=ranks&direction=image+to+text")) for name in ("Ann", "Ben")}
    for page in pages.values():
        page.get_by_test_id("stExpander").get_by_text("Notes").click()
    write(pages["Ann"], "Ann", NASTY)
    expect(pages["Ann"].get_by_text("Notes (1)")).to_be_visible()
    write(pages["Ben"], "Ben", "second note")
    for author, page in pages.items():
        if author == "Ann":  # whose page learns of the other's note when something on it changes
            write(page, "Ann", "third note")
        expect(page.get_by_test_id("stText").filter(has_text="second note")).to_be_visible()
        text = page.get_by_test_id("stText").filter(has_text="first line")
        expect(text).to_have_text(NASTY)  # as it was typed, line break and all
        expect(page.locator(".stMain img[onerror], .stMain b")).to_have_count(0)
        expect(page.get_by_role("tab", name="ranks")).to_have_attribute("aria-selected", "true")
        assert "direction=image+to+text" in page.url.replace("%20", "+")
        expect(page.get_by_label("Your name")).to_have_value(author)
        expect(page.get_by_role("textbox", name="Note")).to_have_value("")
    found = notes.read(results.parent / notes.FILE_NAME)
    assert [(note.author, note.text) for note in found] == [("Ann", NASTY), ("Ben", "second note"), ("Ann", "third note")]
    for note in found:
        path, _, query = note.address.partition("?")
        assert path == "/image_text_retrieval"
        assert set(query.split("&")) >= {"view=ranks", "direction=image+to+text", "data=Four+captioned+%C2%B7+mini"}
        assert "results=" in query


def test_a_note_is_on_what_is_seen_when_it_is_added(changing_dashboard, open_page):
    results, _ = publish_retrieval(changing_dashboard.images.parent)
    page = settled(open_page(f"{changing_dashboard.address}/image_text_retrieval"))
    page.get_by_test_id("stExpander").get_by_text("Notes").click()
    expect(page.get_by_label("Your name")).to_be_visible()
    page.get_by_role("tab", name="ranks").click()  # draws the tab anew, and not the notes
    settled(page)
    write(page, "Ann", "on the ranks")
    expect(page.get_by_text("Notes (1)")).to_be_visible()
    [note] = notes.read(results.parent / notes.FILE_NAME)
    assert "view=ranks" in note.address


def test_a_finding_has_its_notes_on_its_card(changing_dashboard, open_page):
    results, _ = publish_retrieval(changing_dashboard.images.parent)
    first, second = (settled(open_page(changing_dashboard.address)) for _ in range(2))
    first.get_by_role("button", name="Add a note").click()
    write(first, "Ann", "is this so?")
    expect(first.get_by_test_id("stText")).to_have_text("is this so?")
    first.keyboard.press("Escape")
    expect(first.get_by_role("button", name="1 note")).to_be_visible()
    second.reload()
    settled(second).get_by_role("button", name="1 note").click()
    expect(second.get_by_test_id("stText")).to_have_text("is this so?")
    [note] = notes.read(results.parent / notes.FILE_NAME)
    assert note.subject == FINDING
    assert re.match(r"/image_text_retrieval\?results=[0-9a-f]{12}&data=Four\+captioned", note.address)
    second.keyboard.press("Escape")
    with second.context.expect_page() as beside:
        second.get_by_role("link", name="Look closer").click(modifiers=["Control"])
    expect(beside.value.get_by_role("tab", name="scores")).to_have_attribute("aria-selected", "true")
    second.get_by_role("link", name="Look closer").click()
    expect(second.get_by_role("tab", name="scores")).to_have_attribute("aria-selected", "true")
