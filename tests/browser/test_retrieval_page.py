"""The page of image-text retrieval in a real browser: its tabs, a search, answers followed both ways, a shift."""

import re

from caption_rows import publish_retrieval
from playwright.sync_api import expect
from test_dashboard import ALL_DECODED, CHARTS, option, settled


def test_tabs_draw_what_they_promise_and_answers_lead_both_ways(changing_dashboard, open_page):
    publish_retrieval(changing_dashboard.images.parent)
    address = f"{changing_dashboard.address}/image_text_retrieval"
    page = settled(open_page(address))
    charts = page.locator(CHARTS)
    for tab, drawn in (("scores", 2), ("ranks", 3), ("sweep", 2), ("browser", 0)):
        page.get_by_role("tab", name=tab).click()
        expect(charts).to_have_count(drawn)

    queries, answers, question = page.locator(".query"), page.locator(".answer"), page.locator(".question strong")
    expect(queries).to_have_count(8)
    expect(queries.first).to_contain_text("rank 1.5")
    expect(question).to_have_text("“a cat”")
    expect(answers).to_have_count(4)
    assert len(answers.locator("img").evaluate_all(ALL_DECODED)) == 4
    page.get_by_placeholder("red bus").fill("road bus")
    expect(queries).to_have_count(1)
    expect(question).to_have_text("“a red bus on a road”")
    answers.nth(0).click()  # picture 2, asked the other way round
    expect(option(page, "image to text")).to_be_checked()
    expect(question).to_have_text("Image 2")
    expect(page.locator(".answer.right")).to_have_count(3)
    expect(page).to_have_url(re.compile("image=2"))

    page.get_by_role("tab", name="shifts").click()
    expect(charts).to_have_count(1)
    page.get_by_role("radiogroup", name="B").get_by_role("radio", name="fine-tuned", exact=True).click()
    page.locator(".shift").first.click()
    expect(page.get_by_role("tab", name="browser")).to_have_attribute("aria-selected", "true")
    expect(question).to_have_text("Image 3")
    expect(page).to_have_url(re.compile("image=3"))
    opened = settled(open_page("?".join([address, page.url.partition("?")[2]])))
    expect(opened.locator(".question strong")).to_have_text("Image 3")
    expect(opened.locator(".verdict")).to_have_text("Its best caption comes first of 9")
