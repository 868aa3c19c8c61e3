"""The field of a search: what is typed comes first, whatever is answered meanwhile; a pick, or the way back, changes it."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from synset_rows import DOG, publish_classifiers
from test_dashboard import settled

from dashboard.components import search_field

SCRIPT = (search_field.HERE / "search_field.js").read_text().replace("export default function", "window.draw = function")
PLACE = '<div id="place"><label><span class="name"></span><span class="hint" hidden>Enter applies</span><input></label></div>'
DRAW = """data => draw({
  data, parentElement: document.getElementById("place"), setTriggerValue: (_, told) => (window.told ??= []).push(told),
})"""


class Field:
    """The field alone, as if a page drew it."""

    def __init__(self, page: Page, is_live: bool):
        page.set_content(PLACE)
        page.add_script_tag(content=SCRIPT, type="module")
        page.wait_for_function("() => window.draw !== undefined")
        self.page, self.input, self.is_live = page, page.locator("input"), is_live

    def draw(self, text: str, taken_over: int) -> None:
        """What the server says, and up to which of the numbers that it was told it has come."""
        data = {"label": "Words", "placeholder": "dog", "most": 20, "live": self.is_live, "text": text, "takenOver": taken_over}
        self.page.evaluate(DRAW, data)

    def told(self) -> list[list[Any]]:
        return [[each["text"], each["number"]] for each in self.page.evaluate("window.told ?? []")]


@pytest.fixture
def field(open_page):
    """Call for a field that takes over what is typed when a person pauses, or else when they press Enter."""
    return lambda is_live: Field(open_page("about:blank"), is_live)


def test_an_answer_that_comes_late_leaves_what_is_typed_since(field):
    live = field(True)
    live.draw("", 0)
    live.input.press_sequentially("do")
    live.page.wait_for_function("window.told?.length == 1")
    live.input.press_sequentially("g")
    live.draw("do", 1)
    expect(live.input).to_have_value("dog")
    live.page.wait_for_function("window.told?.length == 2")
    live.draw("do", 1)  # of something else that was asked before
    expect(live.input).to_have_value("dog")
    live.draw("dog", 2)
    expect(live.input).to_have_value("dog")
    assert live.told() == [["do", 1], ["dog", 2]]
    live.draw("", 2)  # a pick empties it
    expect(live.input).to_have_value("")
    live.input.fill("ox")
    live.input.press("Enter")  # at once, and once
    live.page.wait_for_timeout(400)
    assert live.told()[2:] == [["ox", 3]]


def test_where_enter_applies_nothing_is_told_before(field):
    waiting = field(False)
    waiting.draw("cat", 4)  # one that was drawn before, on another tab
    expect(waiting.input).to_have_value("cat")
    waiting.input.fill("cat, dog")
    expect(waiting.page.locator(".hint")).to_be_visible()
    waiting.page.wait_for_timeout(400)
    assert waiting.told() == []
    waiting.draw("cat", 4)  # the page is drawn anew for another reason
    expect(waiting.input).to_have_value("cat, dog")
    waiting.input.press("Enter")
    expect(waiting.page.locator(".hint")).to_be_hidden()
    assert waiting.told() == [["cat, dog", 5]]


def test_a_pick_empties_the_field_and_the_way_back_fills_it(changing_dashboard, open_page):
    publish_classifiers(changing_dashboard.images.parent)
    address = f"{changing_dashboard.address}/imagenet_rn50_vs_clip"
    page = settled(open_page(f"{address}?view=all pictures"))
    field = page.get_by_role("searchbox", name="Class or branch")
    field.fill("dog")
    field.press("Enter")
    expect(page).to_have_url(re.compile("class=dog"))
    page.locator(".match", has_text="dog").first.click()
    expect(page).to_have_url(re.compile(f"node={DOG}"))
    expect(page).not_to_have_url(re.compile("class="))
    expect(field).to_have_value("")
    page.go_back()
    expect(field).to_have_value("dog")
    expect(page.locator(".match").first).to_be_visible()
    again = settled(open_page("?".join([address, page.url.partition("?")[2]])))
    expect(again.get_by_role("searchbox", name="Class or branch")).to_have_value("dog")


def test_the_field_keeps_the_focus_while_its_page_answers(changing_dashboard, open_page):
    publish_classifiers(changing_dashboard.images.parent)
    page = settled(open_page(f"{changing_dashboard.address}/wordnet_synsets"))
    field = page.get_by_role("searchbox", name="Search by word or wnid")
    field.press_sequentially("cra", delay=30)
    expect(page).to_have_url(re.compile("search=cra$"))
    field.press_sequentially("ne", delay=30)
    expect(page.locator(".results")).to_contain_text("“crane” has 3 senses")
    expect(field).to_be_focused()
    field.fill("")
    expect(page.locator(".results")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("search="))
    settled(page)
