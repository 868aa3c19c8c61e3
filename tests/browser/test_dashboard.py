"""What a person does in the dashboard, in a real browser: opens, sorts, shares, looks closer, reloads, and meets damage."""

import re
import shutil

from playwright.sync_api import Locator, Page, expect

from benchmarks.street_results import publish_street_results
from dashboard import arrival

EXCEPTION = '[data-testid="stException"]'
ROWS = "button.row"
CHARTS = ".chart svg.marks"
ALL_DECODED = "(images) => Promise.all(images.map((image) => image.decode()))"  # fails on a picture that is broken


def settled(page: Page) -> Page:
    """Wait until nothing runs any more, and check that nothing failed."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
    expect(page.locator(EXCEPTION)).to_have_count(0)
    return page


def skip_connections(open_page, dashboard, query: str = "") -> Page:
    page = settled(open_page(f"{dashboard.address}/unet_skip_connections{query}"))
    expect(page.locator(ROWS).first).to_be_visible()
    return page


def row_titles(page: Page) -> list[str]:
    return page.locator(f"{ROWS} .title").all_text_contents()  # of rows out of sight, too


def picture_numbers(titles: list[str]) -> list[int]:
    return [int(re.findall(r"\d+", title)[0]) for title in titles]


def differences(titles: list[str]) -> list[float]:
    return [float(re.findall(r"[+-]\d\.\d{3}", title)[0]) for title in titles]


def option(page: Page, name: str) -> Locator:
    return page.get_by_role("radio", name=name, exact=True)


def test_each_view_draws_its_pictures_or_its_chart(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    pictures = page.locator(f"{ROWS} img")
    assert len(pictures.evaluate_all(ALL_DECODED)) == 3 * (5 + 4)  # three rows of a photo, and of four masks over it
    assert all(page.locator(f"{ROWS} img.photo").evaluate_all("(photos) => photos.map((photo) => photo.alt)"))
    for view in ("class by class", "near boundaries", "training"):
        page.get_by_role("tab", name=view).click()
        expect(page.locator(f"{CHARTS}:visible")).to_have_count(1)
        expect(page).to_have_url(re.compile(f"view={view.split()[0]}"))


def test_what_a_person_chose_is_in_the_address_and_opens_again_elsewhere(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    first_rows = row_titles(page)
    option(page, "skips hurt most").click()
    expect(page).to_have_url(re.compile("sort=skips"))
    page.get_by_role("button", name="Page 2").click()
    expect(page).to_have_url(re.compile("page=2"))
    option(page, "1").click()
    expect(page).to_have_url(re.compile("seed=1"))
    option(page, "75 %").click()
    expect(page).to_have_url(re.compile("opacity=75"))

    again = skip_connections(open_page, dashboard, "?" + page.url.partition("?")[2])
    chosen_rows = row_titles(again)
    assert chosen_rows != first_rows
    assert differences(chosen_rows) == sorted(differences(chosen_rows))
    for each in (page, again):
        expect(each.locator(f"{ROWS} .title")).to_have_text(chosen_rows)
        expect(option(each, "skips hurt most")).to_be_checked()
        expect(option(each, "1")).to_be_checked()
        expect(each.get_by_test_id("stPaginationPageActive")).to_have_text("2")
        expect(option(each, "75 %")).to_be_checked()
        expect(each.locator(".gallery").first).to_have_css("--mask-opacity", "0.75")
        settled(each)


def test_pages_of_the_gallery_show_every_picture_once(dashboard, open_page):
    page = skip_connections(open_page, dashboard, "?sort=number")
    shown = picture_numbers(row_titles(page))
    for first in (4, 7, 10):
        page.get_by_role("button", name="Next page").click()
        expect(page.locator(f"{ROWS} .title").first).to_contain_text(f"Picture {first}:")
        shown += picture_numbers(row_titles(page))
    assert shown == list(range(1, 13))


def test_a_picture_opens_large_has_an_address_and_closes(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    title = row_titles(page)[1]
    small_px = page.locator(f"{ROWS} img").first.bounding_box()["width"]
    page.locator(ROWS).nth(1).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".title")).to_have_text(title)
    expect(dialog.locator(".table table")).to_be_visible()
    expect(page).to_have_url(re.compile("picture="))
    assert dialog.locator("img").first.bounding_box()["width"] > 1.3 * small_px

    again = skip_connections(open_page, dashboard, "?" + page.url.partition("?")[2])
    expect(again.get_by_role("dialog").locator(".title")).to_have_text(title)
    expect(again.get_by_role("dialog").locator(".table table")).to_be_visible()
    again.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(again.get_by_role("dialog")).to_have_count(0)
    expect(again).not_to_have_url(re.compile("picture="))
    settled(again)


def test_newer_results_show_after_a_reload(changing_dashboard, open_page, street_folder):
    folder = changing_dashboard.images.parent
    shutil.copytree(street_folder, folder)
    page = skip_connections(open_page, changing_dashboard)
    expect(page.get_by_text("2 seeds averaged")).to_be_visible()
    publish_street_results(folder, image_count=12, seed_count=3, epochs=2)
    option(page, "number").click()  # what is open goes on working
    expect(page.locator(f"{ROWS} .title").first).to_contain_text("Picture 1")
    page.reload()
    expect(page.get_by_text("3 seeds averaged")).to_be_visible()
    settled(page)


def test_a_missing_picture_file_is_said_to_be_missing(changing_dashboard, open_page, street_folder):
    shutil.copytree(street_folder, changing_dashboard.images.parent)
    shutil.rmtree(next(changing_dashboard.images.rglob("photo")))
    page = skip_connections(open_page, changing_dashboard, "?sort=number")
    expect(page.locator(ROWS)).to_have_count(3)
    expect(page.locator(ROWS).first.locator(".frame").first).to_have_text(re.compile(r"\w"))
    settled(page)


def test_a_garbage_results_file_gets_a_message(changing_dashboard, open_page):
    changing_dashboard.results.parent.mkdir(parents=True)
    changing_dashboard.results.write_bytes(b"no database at all " * 1000)
    for path in ("", "unet_skip_connections", "runs"):
        page = open_page(f"{changing_dashboard.address}/{path}")
        expect(page.get_by_text("These results cannot be shown")).to_be_visible()
        expect(page.get_by_test_id("stAlert")).to_contain_text("results.duckdb")
        expect(page.locator(EXCEPTION)).to_have_count(0)


def test_without_results_the_page_says_which_command_makes_them(changing_dashboard, open_page):
    page = settled(open_page(changing_dashboard.address))
    expect(page.get_by_text("python -m compute run --profile mini")).to_be_visible()


def test_code_of_widgets_that_a_page_may_yet_show_comes_once_it_is_at_rest(dashboard, open_page):
    page = skip_connections(open_page, dashboard)
    loaded = "(name) => performance.getEntriesByType('resource').filter(({ name: file }) => file.includes(`/${name}.`)).length"
    assert all(page.evaluate(loaded, name) == 1 for name in arrival.AT_ONCE)
    assert page.get_by_role("textbox").count() == 0
    for name in arrival.LATER:  # a field to type in among them
        page.wait_for_function(f"(name) => ({loaded})(name) === 1", arg=name)
