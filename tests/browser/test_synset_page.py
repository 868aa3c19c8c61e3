"""The synset explorer in a real browser: its tree by mouse and keys, its search, its filters, and the links that lead to it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from synset_rows import ANIMAL, BEAGLE, CRANE, DOG, publish_classifiers
from test_dashboard import ALL_DECODED, option, settled


@pytest.fixture
def open_explorer(changing_dashboard, open_page):
    """Call with a query for the page on hand-written results."""
    publish_classifiers(changing_dashboard.images.parent)

    def opened(query: str = "") -> Page:
        page = settled(open_page(f"{changing_dashboard.address}/wordnet_synsets{query}"))
        expect(page.get_by_role("tree")).to_be_visible()
        return page

    return opened


def node(page: Page, name: str) -> Locator:
    return page.get_by_role("treeitem", name=re.compile(f"^{name},"))


def heading(page: Page, name: str) -> None:
    expect(page.locator(".card h3")).to_have_text(re.compile(f"^{name}n[0-9]+$"))


def test_a_click_shows_a_synset_and_its_address_and_the_caret_only_opens(open_explorer):
    page = open_explorer()
    heading(page, "entity")
    caret = node(page, "artifact").locator(".caret").first
    expect(node(page, "lamp")).to_be_visible()  # as a large branch is open at first
    caret.click()
    expect(node(page, "lamp")).to_be_hidden()
    caret.click()
    expect(node(page, "lamp")).to_be_visible()
    assert "synset=" not in page.url
    heading(page, "entity")
    node(page, "artifact").locator(".name").first.click()
    heading(page, "artifact")
    expect(page).to_have_url(re.compile("synset=n00000003"))
    expect(node(page, "artifact")).to_have_attribute("aria-selected", "true")
    expect(node(page, "lamp")).to_be_visible()  # what was open stays open
    settled(page)


def test_an_address_opens_the_way_to_its_synset_and_a_node_with_two_parents_is_below_both(open_explorer):
    page = open_explorer(f"?synset={BEAGLE}")
    expect(node(page, "beagle").first).to_be_visible()
    for parent in ("animal", "pet"):
        group = node(page, parent).first
        if group.get_attribute("aria-expanded") == "false":
            group.locator(".caret").first.click()
        expect(group.locator(f':scope > ul > [data-wnid="{DOG}"]')).to_be_visible()
    expect(page.locator(".crumbs")).to_have_count(2)
    expect(page.get_by_role("tree").locator('[aria-selected="true"]')).to_have_count(1)


def test_the_synset_of_an_address_is_in_sight_in_the_whole_tree(published_dashboard, open_page):
    page = settled(open_page(f"{published_dashboard}/wordnet_synsets?synset=n02084071"))  # a dog, below many branches
    row = page.get_by_role("tree").locator('[aria-selected="true"] > .row')
    expect(row).to_have_text(re.compile("^dog"))
    page.wait_for_timeout(1000)  # branches have their heights one after another
    box, tree = row.bounding_box(), page.get_by_role("tree").bounding_box()
    assert tree["y"] <= box["y"]
    assert box["y"] + box["height"] <= tree["y"] + tree["height"]


def test_the_tree_is_walked_by_keys(open_explorer):
    page = open_explorer()
    node(page, "entity").focus()
    for key in ("End", "Home", "ArrowDown", "a"):  # past artifact, the larger branch, to what begins so
        page.keyboard.press(key)
    expect(node(page, "animal")).to_be_focused()
    if node(page, "animal").get_attribute("aria-expanded") == "true":
        page.keyboard.press("ArrowLeft")
    expect(node(page, "animal")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(node(page, "animal")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    heading(page, "animal")
    expect(page).to_have_url(re.compile(f"synset={ANIMAL}"))


def test_a_search_shows_all_senses_and_opens_what_is_picked(open_explorer):
    page = open_explorer()
    page.get_by_role("searchbox").fill("crane")
    expect(page.locator(".results")).to_contain_text("“crane” has 3 senses as a noun, 2 of them in this tree")
    page.locator(".hit").first.click()
    heading(page, "construction crane")
    expect(node(page, "construction crane")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile("search=crane"))
    settled(page)


def test_pictures_are_filtered_by_who_is_right_and_lead_to_what_was_answered(open_explorer):
    page = open_explorer(f"?synset={DOG}")
    pictures = page.locator(".pictures img")
    expect(pictures).to_have_count(6)
    assert len(pictures.evaluate_all(ALL_DECODED)) == 6
    assert all(pictures.evaluate_all("(images) => images.map((image) => image.alt)"))
    option(page, "only ImageNet RN50").click()
    expect(pictures).to_have_count(1)
    page.locator("figcaption").get_by_role("button", name="lamp").click()
    heading(page, "lamp")


def test_an_example_opens_in_the_explorer(open_explorer):
    page = open_explorer()
    page.get_by_role("tab", name="four questions").click()
    option(page, "2 a synset").click()
    page.locator(".strip").get_by_role("button", name="construction crane").first.click()
    heading(page, "construction crane")
    expect(page).to_have_url(re.compile(f"synset={CRANE}"))
    page.get_by_role("tab", name="how far off").click()
    page.locator("table").get_by_role("button", name="dog").click()
    heading(page, "dog")
    settled(page)
