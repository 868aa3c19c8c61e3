"""People who click through the dashboard: sessions of a browser, each with a seed, and what each of their clicks showed."""

import asyncio
import contextlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, TimeoutError, async_playwright

from benchmarks.browsing import CHROMIUM_OPTIONS, VIEWPORT_PX, chromium_path
from benchmarks.page_load import CHANGES

# What is clicked, and how often beside the others. Streamlit's elements, and those of our components, whose shadow roots open.
TARGETS = (
    ('[data-testid="stSidebarNavLink"]', 4),
    ('[role="tab"]', 5),
    ('[role="radio"]', 6),
    ('[data-testid="stPagination"] button', 3),
    ("button.row", 3),  # of a gallery: opens the picture
    ('[role="treeitem"] .row', 2),
    ("th button", 2),  # sorts a table
    ("td button", 1),  # picks a row
    ('[data-testid="stSelectbox"] [role="combobox"], [data-testid="stSelectbox"] input', 3),
    ('[data-testid="stExpander"] summary', 1),
    ('[data-testid="stPageLink"] a', 2),
    ('[data-testid="stPopover"] button', 1),
)
BACK, COPY = "back", '[data-testid="stMain"] .copy button >> nth=-1'
LEADS_ON = (BACK, '[data-testid="stSidebarNavLink"]', '[data-testid="stPageLink"] a')
BACK_SHARE, LEAVE_SHARE, CLOSE_SHARE = 0.06, 0.04, 0.5
CLICK_MS, BEGIN_S, LEAD_S, REST_S, QUIET_MS = 5_000, 2, 30, 90, 400
KNOWN_PROBE = re.compile(r"/_stcore/(host-config|health)$")  # Streamlit looks for its server below a page's path, too
COUNT, PROVENANCE = re.compile(r"(\d+) runs\. Select one"), re.compile(r"From (\d+) runs on .* (\d{4}-\d\d-\d\d \d\d:\d\d) UTC")

# `atRest` gives "" once nothing has run for a while; `seen` what the page shows that it should not, and what it says of runs.
SCRIPT = """
(() => {
  window.copied = [];
  const clipboard = { writeText: async (text) => void window.copied.push(text) };
  Object.defineProperty(navigator, "clipboard", { value: clipboard });
  const roots = () => [
    document, ...[...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].map((host) => host.shadowRoot),
  ];
  const all = (selector) => roots().flatMap((root) => [...(root?.querySelectorAll(selector) ?? [])]);
  const busy = () => {
    if (!document.querySelector('[data-test-script-state="notRunning"]')) return "the page still runs";
    const stale = document.querySelector('[data-testid="stMain"] :is([data-stale="true"], [data-testid="stSkeleton"])');
    return stale ? "parts of the page are of before" : "";
  };
  window.begun = 0;
  const state = { subtree: true, attributes: true, attributeFilter: ["data-test-script-state"] };
  new MutationObserver(() => (window.begun += 1)).observe(document, state);
  window.atRest = async (longest_ms, quiet_ms) => {
    const start = performance.now();
    let runs = 0;
    for (let last = start, was = ""; performance.now() - last < quiet_ms; ) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      const now = busy();
      if (now) last = performance.now();
      if (now && !was) runs += 1;
      was = now;
      if (performance.now() - start > longest_ms) return `${now || "nothing runs for long"}, after ${runs} times`;
    }
    return "";
  };
  window.seen = () => {
    const main = document.querySelector('[data-testid="stMain"]')?.innerText ?? "";
    const texts = (selector) => all(selector).map((element) => element.innerText.slice(0, 300));
    const faults = [
      ...texts('[data-testid="stException"]').map((text) => `exception: ${text}`),
      ...texts('[data-testid="stAlertContentError"]').map((text) => `message: ${text}`),
      ...[...new Set(all(".gallery, .answers").flatMap((each) => each.innerText.match(/picture missing/g) ?? []))],
      ...(main.match(/has not run yet|cannot be shown|Nothing has been computed/g) ?? []),
    ];
    return { faults, main };
  };
})();
"""


@dataclass
class Told:
    """What all sessions saw: clicks, faults, and of each page what it said of its runs beside its results' fingerprint."""

    clicks: int = 0
    left: int = 0  # pages closed while they ran
    pages: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    faulty_clicks: int = 0
    states: list[tuple[str, str, str]] = field(default_factory=list)  # page, fingerprint, text


def mixed(states: Sequence[tuple[str, str, str]], published: dict[str, list[list[str]]]) -> list[str]:
    """Pages whose words about runs are not of the state of the file that their link names.

    `published` holds of each fingerprint its runs: experiment, and the minute in which it began, which no other state's has.
    """
    wrong = []
    for page, fingerprint, text in states:
        runs = published.get(fingerprint)
        if runs is None:
            wrong.append(f"{page}: no state of the file has the fingerprint {fingerprint}")
            continue
        if (count := COUNT.search(text)) and not _is_count_of(int(count[1]), runs):
            wrong.append(f"{page}: {count[1]} runs, where the file has {len(runs)}")
        if (told := PROVENANCE.search(text)) and told[2] not in {minute for _, minute in runs}:
            wrong.append(f"{page}: a run of {told[2]}, which the state {fingerprint} does not have")
    return wrong


def _of_runs(text: str) -> list[tuple[str, ...]]:
    """What a page says of its runs."""
    return [found.groups() for pattern in (COUNT, PROVENANCE) if (found := pattern.search(text))]


def _is_count_of(count: int, runs: list[list[str]]) -> bool:
    experiments = [experiment for experiment, _ in runs]
    return count == len(runs) or count in {experiments.count(each) for each in experiments}


def click_through(address: str, sessions: int, seconds: float, seed: int, told: Told, least_clicks: int = 0) -> None:
    """Open as many sessions of one browser and click in all of them at once for so long; what they saw is added to `told`.

    A session goes on until it has clicked at least so often. To be called in a thread of its own where another one drives a
    browser.
    """
    asyncio.run(_click_through(address, sessions, seconds, seed, told, least_clicks))


async def _click_through(address: str, sessions: int, seconds: float, seed: int, told: Told, least_clicks: int) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=CHROMIUM_OPTIONS)
        end = asyncio.get_running_loop().time() + seconds
        people = [_Person(browser, address, told, random.Random(f"{seed} {number}")) for number in range(sessions)]
        await asyncio.gather(*(person.stay(end, least_clicks) for person in people))
        await browser.close()


class _Person:
    """One session after another of one person, who at times closes the browser's window while a page is drawn."""

    def __init__(self, browser: Browser, address: str, told: Told, chance: random.Random) -> None:
        self.browser, self.address, self.told, self.chance = browser, address, told, chance
        self.clicks = 0
        self.errors: list[str] = []

    async def stay(self, end: float, least_clicks: int) -> None:
        """Open pages and click until `end`, by the loop's clock, or until there were so many clicks."""

        def is_over() -> bool:
            return asyncio.get_running_loop().time() >= end and self.clicks >= least_clicks

        while not is_over():
            page, step = await self._opened(), 0
            while await self._step(page, step) and not is_over():
                step += 1
            await page.context.close()

    async def _opened(self) -> Page:
        width, height = VIEWPORT_PX
        context: BrowserContext = await self.browser.new_context(viewport={"width": width, "height": height})
        page = await context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        await page.add_init_script(SCRIPT)
        stem = self.chance.choice(list(CHANGES))
        path = "" if stem == "overview" else stem  # the default page has no other address
        await page.goto(f"{self.address}/{path}", wait_until="commit", timeout=1000 * REST_S)
        await page.wait_for_selector("h1", timeout=1000 * REST_S)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        source = message.location.get("url", "")
        if message.type == "error" and not (KNOWN_PROBE.search(source) and "404" in message.text):
            self.errors.append(f"console: {message.text[:300]} ({source})")

    async def _step(self, page: Page, step: int) -> bool:
        """One click and what it showed; False where the person has left."""
        begun = await page.evaluate("window.begun")
        what = await self._click(page) if step else "opened"
        if not what:
            return True
        if step and self.chance.random() < LEAVE_SHARE:
            self.told.left += 1
            return False
        self.told.clicks += 1
        self.clicks += 1
        faults = []
        try:
            if step:
                await self._wait_until_begun(page, begun, LEAD_S if what in LEADS_ON else BEGIN_S)
            if waits_for := await page.evaluate(f"window.atRest({1000 * REST_S}, {QUIET_MS})"):
                faults.append(f"after {REST_S} s {waits_for}")
            seen: dict[str, Any] = await page.evaluate("window.seen()")
            faults += seen["faults"]
            await self._compare(page, seen["main"])
        except Error as error:
            faults.append(f"the page does not answer: {error.message.splitlines()[0]}")
        faults += self.errors
        self.errors.clear()
        place = urlsplit(page.url).path.strip("/") or "overview"
        self.told.pages.add(place)
        self.told.faulty_clicks += bool(faults)
        self.told.faults += [f"{place}?{urlsplit(page.url).query[:160]}, {what}: {fault}" for fault in faults]
        return True

    async def _wait_until_begun(self, page: Page, begun: int, longest_s: float) -> None:
        """Wait until the server draws what was clicked on: until then the page of before is there, and seems to be at rest.

        Not every click asks for something, such as the sorting of a table. A link does, and until it is followed the page of
        before takes no click.
        """
        with contextlib.suppress(TimeoutError):
            await page.wait_for_function(f"window.begun > {begun}", timeout=1000 * longest_s)

    async def _compare(self, page: Page, text: str) -> None:
        """Ask the page for its link, and keep the fingerprint in it beside what the page says of its runs."""
        if not (COUNT.search(text) or PROVENANCE.search(text)) or await page.locator('[role="dialog"]').count():
            return
        before = await page.evaluate("window.copied.length")
        for wait_s in (15, REST_S):  # a click is lost where the page is drawn anew at that moment
            await page.locator(COPY).click(timeout=1000 * REST_S)
            with contextlib.suppress(TimeoutError):
                await page.wait_for_function(f"window.copied.length > {before}", timeout=1000 * wait_s)
                break
        link = urlsplit(await page.evaluate("window.copied.at(-1)"))
        await page.evaluate(f"window.atRest({1000 * REST_S}, {QUIET_MS})")
        after: dict[str, Any] = await page.evaluate("window.seen()")
        if _of_runs(text) == _of_runs(after["main"]):  # else the page was drawn anew after it had answered
            self.told.states.append((link.path.strip("/"), dict(parse_qsl(link.query))["results"], text))

    async def _click(self, page: Page) -> str:
        """Click on something; says what, or nothing where there was nothing to click on."""
        try:
            if await page.locator('[role="dialog"]').count() and self.chance.random() < CLOSE_SHARE:
                await page.keyboard.press("Escape")
                return "close"
            if self.chance.random() < BACK_SHARE:
                if not await page.evaluate("navigation.currentEntry.index > 0"):
                    return ""
                await page.evaluate("history.back()")
                return BACK
            [(selector, _)] = self.chance.choices(TARGETS, [often for _, often in TARGETS])
            scope = '[role="dialog"] ' if await page.locator('[role="dialog"]').count() else ""
            found = page.locator(", ".join(f"{scope}{each}:visible" for each in selector.split(", ")))
            if not (count := await found.count()):
                return ""
            target = found.nth(self.chance.randrange(count))
            await target.click(timeout=CLICK_MS)
            if "stSelectbox" in selector:
                await self._pick(page)
            return selector
        except Error:  # what was to be clicked on is gone, or something lies above it
            return ""

    async def _pick(self, page: Page) -> None:
        options = page.locator('[role="option"]:visible')
        await options.first.wait_for(timeout=CLICK_MS)
        await options.nth(self.chance.randrange(await options.count())).click(timeout=CLICK_MS)
