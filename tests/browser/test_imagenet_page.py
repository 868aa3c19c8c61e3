"""Two classifiers side by side in a real browser: picks, reasons, filters, an opened picture, a matrix that leads to some."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from synset_rows import BEAGLE, DATASET, DOG, SOFA, classifier_tables, publish_classifiers
from test_dashboard import ALL_DECODED, CHARTS, option, settled

from compute.results import publish


@pytest.fixture
def open_contest(changing_dashboard, open_page):
    """Call with a query for the page on hand-written results."""
    file, images = publish_classifiers(changing_dashboard.images.parent)
    for variant in ("clip_one_template", "clip_80_templates_cosine"):
        publish(file, images, classifier_tables(images, variant, 1))
    (images / "picks.csv").write_text(f"image_id,reason\n{DATASET}/3,Outline only\nbroken\n", encoding="utf-8")

    def opened(query: str = "") -> Page:
        return settled(open_page(f"{changing_dashboard.address}/imagenet_rn50_vs_clip{query}"))

    return opened


def titles(page: Page) -> Locator:
    return page.locator(".compact .title")


def test_each_class_shows_its_clearest_pictures_with_bars_evidence_and_reason(open_contest):
    page = open_contest("?classes=beagle")
    section = page.locator(".answers section")
    expect(section.locator("h4")).to_have_text(["beagle"])
    cards = section.locator("article")
    expect(cards).to_have_count(2)  # picture 3, only B; picture 4, only A
    expect(section.locator(".absent")).to_contain_text("No other picture of beagle that only CLIP RN50, 80 prompts")
    assert len(section.locator("img").evaluate_all(ALL_DECODED)) == 2
    assert cards.first.locator("img").bounding_box()["width"] >= 180
    expect(cards.first.locator(".model")).to_have_count(2)
    expect(cards.first.locator(".bar")).to_have_count(10)
    expect(cards.first.locator(".side-1 .bar.label")).to_contain_text("beagle")
    expect(cards.first.locator("blockquote")).to_have_text("Outline only")
    expect(cards.first).to_contain_text("“sofa”; in common (depth 0): entity")
    expect(cards.first).to_contain_text("drawn by a test · license: CC0")
    expect(page.get_by_text("1 line of picks.csv could not be read")).to_be_visible()


def test_classes_can_be_swapped_and_typed_and_are_in_the_address(open_contest):
    page = open_contest(f"?classes={BEAGLE}, {SOFA}")
    names = page.locator(".answers h4")
    expect(names).to_have_text(["beagle", "sofa"])
    page.locator(".swap").nth(1).click()
    expect(names).to_have_text(["beagle", "pug"])
    expect(page).to_have_url(re.compile("classes="))
    again = open_contest("?" + page.url.partition("?")[2])
    expect(again.locator(".answers h4")).to_have_text(["beagle", "pug"])
    again.get_by_label("Classes", exact=True).fill("sofa")
    again.keyboard.press("Enter")
    expect(again.locator(".answers h4")).to_have_text(["sofa"])
    settled(again)


def test_pictures_are_filtered_by_outcome_branch_and_style(open_contest):
    page = open_contest("?view=all pictures&sort=number")
    expect(titles(page)).to_have_count(10)
    page.get_by_role("button", name="only CLIP RN50, 80 prompts 3").click()
    expect(titles(page)).to_have_text(["beagle", "pug", "sofa"])
    expect(page).to_have_url(re.compile("outcome=only"))
    page.get_by_label("Class or branch").fill("dog")
    page.keyboard.press("Enter")
    page.locator(".match", has_text="dog").first.click()
    expect(titles(page)).to_have_text(["beagle", "pug"])
    expect(page).to_have_url(re.compile(f"node={DOG}"))
    expect(page.locator(".step.here")).to_have_text("dog")
    option(page, "rotated").click()
    expect(titles(page)).to_have_text(["pug"])
    page.get_by_role("button", name="all classes").click()
    expect(page).not_to_have_url(re.compile("node="))
    settled(page)


def test_a_picture_opens_with_both_whole_answers_and_leads_to_its_synset(open_contest):
    page = open_contest("?view=all pictures&sort=number")
    page.get_by_role("button", name="Open picture 3, beagle").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".model")).to_have_count(2)
    expect(dialog.locator(".bar")).to_have_count(14)  # all seven classes of both
    expect(page).to_have_url(re.compile("image="))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("image="))
    page.get_by_role("button", name="Open picture 3, beagle").click()
    dialog.get_by_role("link", name="beagle in WordNet").click()
    expect(page).to_have_url(re.compile(f"wordnet_synsets.*synset={BEAGLE}"))
    settled(page)


def test_a_cell_of_the_matrix_opens_its_pictures_and_a_branch_its_inside(open_contest):
    page = open_contest("?view=confusions")
    page.get_by_role("button", name=re.compile("1 of 2 pictures of pug answered as beagle")).click()
    expect(titles(page)).to_have_text(["pug"])
    expect(page.get_by_role("heading", name="pug, answered as beagle")).to_be_visible()
    again = open_contest("?" + page.url.partition("?")[2])
    expect(titles(again)).to_have_text(["pug"])
    again.locator(".pairs .link", has_text="sofa").click()
    expect(again.get_by_role("heading", name="sofa, answered as lamp")).to_be_visible()
    below = open_contest(f"?view=confusions&node={DOG}")
    expect(below.locator(".frame tbody th")).to_have_text([re.compile("beagle"), re.compile("pug")])
    settled(below)


@pytest.mark.parametrize("view", ["by style and class", "zero-shot"])
def test_views_with_charts_draw_them(open_contest, view):
    page = open_contest(f"?view={view}")
    expect(page.locator(f"{CHARTS}:visible").first).to_be_visible()
    settled(page)
