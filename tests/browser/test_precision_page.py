"""The page of precisions in a real browser: its tabs, a flip opened by its card, and the address that opens it again."""

import re

from playwright.sync_api import expect
from precision_rows import DATASET, publish_precisions
from test_dashboard import ALL_DECODED, CHARTS, option, settled


def test_tabs_draw_their_charts_and_a_flip_opens_by_click_and_by_address(changing_dashboard, open_page):
    publish_precisions(changing_dashboard.images.parent)
    address = f"{changing_dashboard.address}/fp32_vs_fp16"
    page = settled(open_page(address))
    charts = page.locator(CHARTS)
    expect(charts).to_have_count(3)  # repetitions, cost by batch, limits
    page.get_by_role("tab", name="memory").click()
    expect(page.get_by_role("heading", name="At the peak")).to_be_visible()
    expect(charts).to_have_count(3)  # a pass in each precision
    page.get_by_role("tab", name="where it arises").click()
    expect(charts).to_have_count(1)
    page.get_by_role("tab", name="drift").click()
    expect(charts).to_have_count(2)
    page.get_by_role("tab", name="picture by picture").click()
    cards = page.locator("article.card")
    expect(cards).to_have_count(9)
    assert len(cards.locator("img").evaluate_all(ALL_DECODED)) == 9
    option(page, "flips only").click()
    expect(cards).to_have_count(1)
    cards.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("another first answer")
    expect(page).to_have_url(re.compile(f"image={DATASET}(/|%2F)4"))
    expect(dialog.locator(".bar")).to_have_count(14)  # seven classes in each precision
    opened = settled(open_page(f"{address}?image={DATASET}/4"))
    expect(opened.get_by_role("dialog")).to_contain_text("picture 4")
