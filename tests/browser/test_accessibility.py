"""Every page, tab by tab: without an error, and under axe-core's rules for people who do not see as others do."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

AXE_SCRIPT = pytest.importorskip("axe_playwright_python.base").AXE_SCRIPT

GRAVE = {"serious", "critical"}
# What Streamlit's own frame does, by rule and what its elements have in common, and why it stays.
NOT_OURS = {
    ("list", 'data-testid="stSidebarNavItems"'): "Streamlit lays a section's links in a div between ul and li",
    ("listitem", 'class="st-emotion-cache-'): "the links of those sections; no list of ours has Streamlit's classes",
}
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3, for text of a normal size; axe does not look into charts

# Until nothing runs, nothing is stale, every chart is drawn, and the number of elements has been still for a while.
SETTLED = """() => new Promise((resolve, reject) => {
  let still = 0, before = 0, looks = 0;
  const look = () => {
    const main = document.querySelector('[data-testid="stMain"]'), count = document.querySelectorAll("*").length;
    const drawn = main.querySelector("h1") && !main.querySelector('[data-stale="true"], [data-testid="stSkeleton"]') &&
      [...main.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].every(({ shadowRoot }) => shadowRoot);
    const finished = document.querySelector('[data-test-script-state="notRunning"]');
    still = drawn && finished && count === before ? still + 1 : 0;
    before = count;
    if (still > 3) resolve();
    else if (looks++ > 400) reject(new Error("the page does not come to rest"));
    else setTimeout(look, 60);
  };
  look();
})"""
# Every text of a chart whose contrast with the page is too low, as "text: contrast".
FAINT_IN_CHARTS = """(least) => {
  const share = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = (color) => {
    const [red, green, blue] = color.match(/[\\d.]+/g).map((value) => share(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const page = light(getComputedStyle(document.querySelector('[data-testid="stApp"]')).backgroundColor);
  const roots = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].map(({ shadowRoot }) => shadowRoot);
  const texts = roots.flatMap((root) => [...root.querySelectorAll(".chart svg text")]);
  return texts.flatMap((text) => {
    const { fill, opacity } = getComputedStyle(text);
    if (!text.textContent || opacity === "0" || !fill.startsWith("rgb")) return [];
    const ink = light(fill), contrast = Math.max(ink, page) / Math.min(ink, page);
    return contrast < least ? [`${text.textContent}: ${contrast.toFixed(2)}`] : [];
  });
}"""


FAILED = '[data-testid="stException"]'
NOTHING_SHOWN = ("cannot be shown", "has not run yet")


def test_every_page_opens_without_an_error_or_a_serious_violation_in_light_and_dark(
    published_dashboard: str, open_page: Callable[[str], Page]
) -> None:
    page = open_page(published_dashboard)
    page.wait_for_selector('[data-testid="stSidebarNavLink"]')
    addresses = page.eval_on_selector_all('[data-testid="stSidebarNavLink"]', "links => links.map((link) => link.href)")
    found = [violation for address in addresses for violation in _violations_of_page(page, address)]
    assert len(addresses) == 11
    assert found == []


def _violations_of_page(page: Page, address: str) -> list[str]:
    """What is wrong on a page and in each of its tabs."""
    page.goto(address)
    page.wait_for_selector("h1")
    page.evaluate(SETTLED)
    page.evaluate(AXE_SCRIPT)
    name, tabs = address.rpartition("/")[2] or "overview", page.locator('[data-testid="stTab"]')
    found = []
    for number in range(max(1, tabs.count())):
        if number:
            tabs.nth(number).click()
            page.evaluate(SETTLED)
        expect(page.locator(FAILED)).to_have_count(0)
        for words in NOTHING_SHOWN:
            expect(page.get_by_text(words)).to_have_count(0)
        place = f"{name}, {tabs.nth(number).inner_text()}" if tabs.count() else name
        found += _violations(page, f"{place}, light")
        page.emulate_media(color_scheme="dark")
        page.evaluate(SETTLED)
        found += _violations(page, f"{place}, dark", only_colors=True)
        page.emulate_media(color_scheme="light")
    return found


def _violations(page: Page, place: str, only_colors: bool = False) -> list[str]:
    """Rule, element and what is wrong with it, for all that is grave; in the second theme only colours can differ."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only_colors:
        options["runOnly"] = ["color-contrast", "link-in-text-block"]
    told = [
        f"{place}: {violation['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for violation in page.evaluate("(options) => axe.run(options)", options)["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
        if not any(violation["id"] == rule and mark in node["html"] for rule, mark in NOT_OURS)
    ]
    return told + [f"{place}: faint in a chart: {text}" for text in page.evaluate(FAINT_IN_CHARTS, LEAST_CONTRAST)]
