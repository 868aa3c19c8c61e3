"""The report in a real browser without a network, the buttons that save, and what is printed."""

import re

import pytest
from playwright.sync_api import expect
from test_dashboard import CHARTS, settled

from benchmarks.browsing import VIEWPORT_PX
from dashboard import report

ALL_DECODED = "(images) => Promise.all(images.map((image) => image.decode()))"  # fails on a picture that is broken
PRINTED_PAGE = re.compile(rb"/Type\s*/Page\b")


@pytest.fixture(scope="module")
def report_file(street_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("report") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTRAST_RESULTS", "")  # what a report sets for its pages is taken back
        patch.setenv("CONTRAST_IMAGES", "")
        report.write(street_folder / "results.duckdb", street_folder / "images", output)
    return output


@pytest.fixture
def open_file(browser):
    """Call with a file, and options of a context, for a page without a network; whatever it asks for or complains of fails."""
    complaints, contexts = [], []

    def open_new(path, **options):
        width, height = VIEWPORT_PX
        context = browser.new_context(**{"viewport": {"width": width, "height": height}, **options})
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if asked.url.startswith(("http", "ws")) else None)
        page.goto(path.as_uri())
        return page

    yield open_new
    for context in contexts:
        context.close()
    assert complaints == []


def test_without_a_network_charts_and_pictures_are_there(report_file, open_file):
    page = open_file(report_file)
    assert page.locator(CHARTS).count() >= 6  # three of the skip connections, three of the metric
    assert page.locator(f"{CHARTS} path").count() > 100
    pictures = page.locator("#unet_skip_connections img")
    assert len(pictures.evaluate_all(ALL_DECODED)) == 3 * (5 + 4)
    assert all(page.locator("#unet_skip_connections img.photo").evaluate_all("(photos) => photos.map((photo) => photo.alt)"))


def test_contents_lead_to_views_and_charts_answer_the_pointer(report_file, open_file):
    page = open_file(report_file)
    page.get_by_role("navigation").get_by_role("link", name="Class by class").click()
    expect(page.get_by_role("heading", name="Class by class")).to_be_in_viewport()
    section = page.locator("#unet_skip_connections-2")
    section.locator(".mark-rect path").first.hover()
    expect(section.locator(".told")).to_contain_text("IoU")


def test_a_finding_leads_to_its_page_and_takes_no_notes(report_file, open_file):
    page = open_file(report_file)
    card = page.locator("#overview article").filter(has_text="skip connections")
    expect(card.get_by_text("Add a note")).to_be_hidden()
    card.get_by_role("link", name="Look closer").click()
    expect(page.get_by_role("heading", name="How important are U-Net’s skip connections?")).to_be_in_viewport()


@pytest.mark.parametrize("kind, start", [("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("CSV", b"class,")])
def test_a_chart_in_the_file_saves_itself(report_file, open_file, kind, start):
    page = open_file(report_file, color_scheme="dark")
    with page.expect_download() as saved:
        page.locator("#unet_skip_connections-2 .save").get_by_text(kind, exact=True).click()
    content = saved.value.path().read_bytes()
    assert content.startswith(start)
    assert b"var(--" not in content
    assert saved.value.suggested_filename.endswith(kind.lower())


def test_it_fits_a_phone_and_follows_the_color_scheme(report_file, open_file):
    page = open_file(report_file, viewport={"width": 400, "height": 800}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)" != dark


def test_it_prints_each_page_of_the_dashboard_on_paper_of_its_own(report_file, open_file):
    printed = open_file(report_file, color_scheme="dark").pdf(format="A4")
    assert 11 <= len(PRINTED_PAGE.findall(printed)) <= 40


def test_each_page_of_the_dashboard_saves_itself_with_its_choices(dashboard, open_page, open_file, tmp_path):
    page = open_page(f"{dashboard.address}/unet_skip_connections?view=near+boundaries&score=per+image")
    page.get_by_role("button", name="Save this page").wait_for()
    page.get_by_role("radio", name="first ten", exact=True).click()
    expect(page).to_have_url(re.compile("images=first"))
    expect(page.get_by_text("10 images, 2 seeds")).to_be_visible()
    settled(page)  # a button that is drawn anew as it is clicked saves nothing
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save this page").click()
    assert saved.value.suggested_filename == "contrast_unet_skip_connections.html"
    saved.value.save_as(tmp_path / "saved.html")
    page = open_file(tmp_path / "saved.html")
    expect(page.get_by_text("Validation images first ten")).to_be_visible()
    expect(page.get_by_text("Mean IoU per image")).to_be_visible()
    assert page.locator(CHARTS).count() == 3


@pytest.mark.parametrize("kind, start", [("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("CSV", b"class,")])
def test_each_chart_of_the_dashboard_saves_itself(dashboard, open_page, kind, start):
    page = open_page(f"{dashboard.address}/unet_skip_connections?view=class+by+class")
    with page.expect_download() as saved:
        page.get_by_role("button", name=f"Save as {kind}").click()
    assert saved.value.suggested_filename == f"iou_by_class.{kind.lower()}"
    assert saved.value.path().read_bytes().startswith(start)


def test_the_overview_makes_the_report_and_tells_how_far_it_is(dashboard, open_page, open_file, tmp_path):
    page = open_page(dashboard.address)
    page.get_by_role("button", name="Make a report to share").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    button = page.get_by_role("button", name=re.compile(r"Download the report \(\d+\.\d MB\)"))
    button.wait_for(timeout=120_000)
    with page.expect_download() as saved:
        button.click()
    saved.value.save_as(tmp_path / "report.html")
    assert open_file(tmp_path / "report.html").locator(CHARTS).count() >= 6
