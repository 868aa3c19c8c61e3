"""The page of decoder heads in a real browser: its tabs, two heads chosen, a picture opened by its row and by its address."""

import re

from heads_rows import DATASET, publish_heads
from playwright.sync_api import expect
from test_dashboard import ALL_DECODED, CHARTS, ROWS, option, settled


def test_tabs_draw_what_they_promise_and_a_picture_opens_by_click_and_by_address(changing_dashboard, open_page):
    publish_heads(changing_dashboard.images.parent)
    address = f"{changing_dashboard.address}/segmentation_decoder_heads"
    page = settled(open_page(address))
    charts = page.locator(CHARTS)
    expect(charts).to_have_count(1)
    for tab, drawn in (("cost", 1), ("hidden objects", 1), ("class by class", 0)):
        page.get_by_role("tab", name=tab).click()
        expect(charts).to_have_count(drawn)
    expect(page.locator("figure polyline")).to_have_count(3 * 4)  # classes and heads
    page.get_by_role("tab", name="attention").click()
    expect(page.locator("section.row")).to_have_count(3)
    assert len(page.locator("section.row img").evaluate_all(ALL_DECODED)) == 3 * (4 + 3)  # photos, and masks over three

    page.get_by_role("tab", name="pictures").click()
    expect(page.locator(ROWS)).to_have_count(2)
    page.get_by_role("radiogroup", name="B").get_by_role("radio", name="convolutional", exact=True).click()
    expect(page.locator(ROWS).first).to_contain_text("B: convolutional 0.143")
    option(page, "number").click()
    page.locator(ROWS).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("B: convolutional, epoch by epoch")
    expect(dialog.locator("figcaption", has_text="epoch 1:")).to_have_text(["epoch 1: 0.750", "epoch 1: 0.143"])
    expect(page).to_have_url(re.compile(f"b=convolutional.*picture={DATASET}"))
    opened = settled(open_page("?".join([address, page.url.partition("?")[2]])))
    expect(opened.get_by_role("dialog")).to_contain_text("B: convolutional, epoch by epoch")
