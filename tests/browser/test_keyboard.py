"""A gallery without a mouse: arrow keys move, PageDown and PageUp turn the page, Enter opens, Escape closes."""

from playwright.sync_api import Page, expect

FOCUSED = "() => { let at = document.activeElement; while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement; "
TITLE = FOCUSED + "return at?.querySelector?.('.title')?.textContent ?? null; }"


def _focused_title(page: Page) -> str | None:
    return page.evaluate(TITLE)


def test_a_gallery_can_be_used_with_the_keys_alone(dashboard, open_page):
    page = open_page(f"{dashboard.address}/unet_skip_connections")
    rows = page.locator("button.row")
    expect(rows).to_have_count(3)
    titles = [rows.nth(place).locator(".title").inner_text() for place in range(3)]

    rows.first.focus()
    for key, place in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowDown", 2), ("ArrowUp", 1), ("End", 2), ("Home", 0)):
        page.keyboard.press(key)
        assert _focused_title(page) == titles[place]
    outline = page.evaluate(FOCUSED + "return getComputedStyle(at).outlineStyle; }")
    assert outline == "solid"

    page.keyboard.press("PageUp")  # there is no page before the first
    assert _focused_title(page) == titles[0]
    page.keyboard.press("PageDown")
    expect(rows.first.locator(".title")).not_to_have_text(titles[0])
    page.wait_for_function(f"({TITLE})() !== null")
    assert _focused_title(page) == rows.first.locator(".title").inner_text()
    page.keyboard.press("PageUp")
    expect(rows.first.locator(".title")).to_have_text(titles[0])

    page.wait_for_function(f"({TITLE})() !== null")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
