"""The page of caption sampling in a real browser: its tabs, two settings chosen, a word searched, a picture opened."""

import re

from caption_rows import DATASET, publish_sampling
from playwright.sync_api import expect
from test_dashboard import ALL_DECODED, CHARTS, option, settled

CARDS = "article.card"


def test_tabs_draw_what_they_promise_and_a_picture_opens_by_click_and_by_address(changing_dashboard, open_page):
    publish_sampling(changing_dashboard.images.parent)
    address = f"{changing_dashboard.address}/caption_sampling"
    page = settled(open_page(address))
    charts = page.locator(CHARTS)
    expect(charts).to_have_count(1)
    page.get_by_role("tab", name="diversity").click()
    expect(charts).to_have_count(4)
    page.get_by_role("tab", name="word by word").click()
    expect(page.locator("section.tokenrow")).to_have_count(4)
    expect(page.locator("section.tokenrow").first.locator("li.token .word")).to_have_text(
        ["a", "brown", "cow", "on", "grass", "end"]
    )

    page.get_by_role("tab", name="captions").click()
    expect(page.locator(CARDS)).to_have_count(4)
    assert len(page.locator(f"{CARDS} img").evaluate_all(ALL_DECODED)) == 4
    option(page, "number").click()
    marks = page.locator(CARDS).first.locator("mark")
    expect(marks.first).to_have_text("a brown cow on grass4")
    page.get_by_placeholder("dog, red bus").fill("dog")
    expect(page.locator(CARDS)).to_have_count(1)
    page.locator(f"{CARDS} button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("section.tokenrow")).to_have_count(4)
    expect(page).to_have_url(re.compile(f"word=dog.*picture={DATASET}"))
    opened = settled(open_page("?".join([address, page.url.partition("?")[2]])))
    expect(opened.get_by_role("dialog")).to_contain_text("B: k = 50, t = 1")
