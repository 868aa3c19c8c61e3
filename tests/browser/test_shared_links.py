"""Links and history in a real browser: a copied link shows the same elsewhere, and back and forward go step by step."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect
from synset_rows import DATASET, DOG, publish_classifiers
from test_dashboard import ROWS, option, row_titles, settled, skip_connections

TAB = '[role="tab"][aria-selected="true"]'


def copied(page: Page) -> str:
    """What the button below the page writes to the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="Copy link")
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()")


def query_of(address: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    expect(page.locator(TAB)).to_have_text(name)
    settled(page)


def test_a_copied_link_shows_the_same_in_a_new_session(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    option(page, "hardest").click()
    option(page, "75 %").click()
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_test_id("stPaginationPageActive")).to_have_text("2")
    settled(page)
    link = copied(page)
    assert query_of(link).items() >= {"sort": "hardest", "opacity": "75 %", "page": "2", "score": "pooled"}.items()
    assert re.fullmatch("[0-9a-f]{12}", query_of(link)["results"])
    again = settled(open_page(link))
    shown = row_titles(page)  # by now the gallery has been drawn anew
    expect(again.locator(f"{ROWS} .title").first).to_have_text(shown[0])
    assert row_titles(again) == shown
    expect(again.locator(".gallery").first).to_have_css("--mask-opacity", "0.75")
    expect(again.get_by_test_id("stAlert")).to_have_count(0)
    option(again, "number").click()  # a choice within a part of the page is in the next link, too
    settled(again)
    assert query_of(copied(again))["sort"] == "number"


def test_where_the_clipboard_is_refused_the_link_can_be_selected(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    page.evaluate("() => { document.execCommand = () => false; navigator.clipboard.writeText = () => Promise.reject() }")
    page.get_by_role("button", name="Copy link").click()
    field = page.get_by_label("Link to this view")
    expect(field).to_be_focused()
    assert field.evaluate("(field) => field.value.slice(field.selectionStart, field.selectionEnd)") == field.input_value()
    assert urlsplit(field.input_value()).path == "/unet_skip_connections"


def test_back_and_forward_go_from_view_to_view_and_from_page_to_page(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    for control in (page.get_by_role("button", name="Next page"), option(page, "hardest")):  # the second is no step
        first = row_titles(page)[0]
        control.click()
        expect(page.locator(f"{ROWS} .title").first).not_to_have_text(first)  # the control itself changes before the gallery
    hardest = row_titles(settled(page))
    tab(page, "training")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Runs").click()
    expect(page.locator("h1")).to_have_text("Where does every figure come from?")
    settled(page)

    page.go_back()
    expect(page.locator(TAB)).to_have_text("training")
    settled(page)
    page.go_back()
    expect(page.locator(TAB)).to_have_text("picture by picture")
    expect(page.get_by_test_id("stPaginationPageActive")).to_have_text("2")
    assert query_of(page.url) == {"page": "2", "sort": "hardest"}
    expect(option(page, "hardest")).to_be_checked()
    assert row_titles(settled(page)) == hardest
    page.go_back()
    expect(page.get_by_test_id("stPaginationPageActive")).to_have_text("1")
    for _ in range(3):
        settled(page)
        page.go_forward()
    expect(page.locator("h1")).to_have_text("Where does every figure come from?")


def test_what_is_shown_is_what_the_address_says_however_quickly_one_goes_back(dashboard, open_page):
    orders = ("hardest", "number", "skips help most")
    shown = {order: row_titles(skip_connections(open_page, dashboard, f"?sort={order}")) for order in orders}
    page = skip_connections(open_page, dashboard)
    for attempt in range(8):
        order = orders[attempt % 3]
        option(page, order).click()  # and at once, before its pictures are there:
        away = ("Runs", "The wrong and the right IoU")[attempt % 2]
        page.get_by_test_id("stSidebarNavLink").filter(has_text=away).click()
        expect(page).not_to_have_url(re.compile("unet_skip_connections"))
        if attempt % 4 > 1:
            expect(page.locator("h1")).not_to_contain_text("How important")
        page.evaluate("history.back()")
        expect(page).to_have_url(re.compile("unet_skip_connections"))
        expect(page.locator("h1")).to_contain_text("How important")
        expect(page.locator(f"{ROWS} .title")).to_have_text(shown[order])
        expect(option(page, order)).to_be_checked()
        assert query_of(settled(page).url).get("sort", orders[2]) == order
        assert row_titles(page) == shown[order]


def test_one_can_go_back_from_a_picture_and_forward_to_it(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    page.locator(ROWS).nth(1).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".title")).to_be_visible()
    expect(page).to_have_url(re.compile("picture="))
    settled(page)
    page.go_back()
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("picture="))
    settled(page)
    page.go_forward()
    expect(dialog.locator(".title")).to_be_visible()


def test_what_is_not_there_is_said_at_the_top(dashboard, open_page):
    page = settled(open_page(f"{dashboard.address}/unet_skip_connections?score=none&results=0123456789ab"))
    alerts = page.get_by_test_id("stAlert")
    expect(alerts.first).to_contain_text("This link was made with other results (then 0123456789ab, now ")
    expect(alerts.last).to_contain_text("score “none”, which is not there; shown instead: “pooled”.")
    assert alerts.last.bounding_box()["y"] < page.locator("h1").bounding_box()["y"]


def test_a_class_can_be_opened_and_gone_back_from(dashboard, open_page):
    page = settled(open_page(f"{dashboard.address}/unet_skip_connections?view=class+by+class&class=road"))
    expect(page.get_by_text("of all true pixels")).to_be_visible()
    choice = page.get_by_role("combobox", name="One class")
    choice.scroll_into_view_if_needed()
    expect(choice).to_be_in_viewport()
    page.wait_for_timeout(300)  # a list closes when the page scrolls
    choice.click()
    page.get_by_role("option", name="sky").click()
    expect(page).to_have_url(re.compile("class=sky"))
    settled(page)
    page.go_back()
    expect(page.get_by_text("road has")).to_be_visible()


def test_a_run_can_be_opened_and_gone_back_from(dashboard, open_page):
    page = settled(open_page(f"{dashboard.address}/runs"))
    row = page.locator("tr.way").nth(1)
    row.click()
    expect(page).to_have_url(re.compile("run="))
    expect(page.get_by_role("heading", name=re.compile("^Run "))).to_be_visible()
    expect(row.get_by_role("button")).to_have_attribute("aria-pressed", "true")
    settled(page)
    again = settled(open_page(page.url))
    expect(again.get_by_role("heading", name=re.compile("^Run "))).to_be_visible()
    expect(again.locator('tr.way [aria-pressed="true"]')).to_have_count(1)
    page.go_back()
    expect(page.get_by_role("heading", name=re.compile("^Run "))).to_have_count(0)
    expect(page.locator('tr.way [aria-pressed="true"]')).to_have_count(0)


def test_a_link_to_another_page_opens_the_view_it_names_and_back_the_one_before(changing_dashboard, open_page):
    publish_classifiers(changing_dashboard.images.parent)
    page = settled(open_page(f"{changing_dashboard.address}/wordnet_synsets?synset={DOG}&right=first+answer"))
    page.get_by_role("link", name="All these pictures").click()
    expect(page.locator("h1")).to_contain_text("Where does each pre-training win")
    expect(page.locator(TAB)).to_have_text("all pictures")
    expect(page).to_have_url(re.compile(f"view=all.pictures.*node={DOG}"))
    expect(option(page, "in the top five")).to_be_checked()  # not that of the page before
    expect(settled(page).get_by_test_id("stAlert")).to_have_count(0)
    page.go_back()
    expect(page.locator(TAB)).to_have_text("explorer")
    expect(option(page, "first answer")).to_be_checked()
    assert query_of(settled(page).url)["synset"] == DOG


def test_a_link_of_a_page_to_itself_is_in_the_address(changing_dashboard, open_page):
    publish_classifiers(changing_dashboard.images.parent)
    page = settled(open_page(f"{changing_dashboard.address}/imagenet_rn50_vs_clip?image={DATASET}/3"))
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name=re.compile("^All pictures of")).click()
    expect(page.locator(TAB)).to_have_text("all pictures")
    expect(page).to_have_url(re.compile("node=n[0-9]{8}"))
    expect(page).not_to_have_url(re.compile("image="))
    settled(page)
    page.go_back()
    expect(dialog).to_be_visible()
    expect(page.locator(TAB)).to_have_text("who wins where")


def test_a_click_in_a_page_that_is_being_left_does_not_keep_the_next_one_away(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    page.evaluate(
        """() => {
          const hosts = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')];
          const copy = hosts.map((host) => host.shadowRoot.querySelector(".copy button")).find(Boolean);
          const links = [...document.querySelectorAll('[data-testid="stSidebarNavLink"]')];
          links.find((link) => link.textContent.includes("Runs")).click();
          copy.click();
        }"""
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Where does every figure come from?")
    settled(page)
    link = copied(page)
    assert urlsplit(link).path == "/runs"
    assert query_of(link)["experiment"] == "all"
