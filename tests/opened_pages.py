"""Opening a page of the dashboard without a browser, and reading what it says."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

SCRIPT = str(Path(__file__).parent.parent / "dashboard" / "pages.py")


def open_page(
    monkeypatch: pytest.MonkeyPatch, results_file: Path, images_folder: Path, page_stem: str = "", **query: str
) -> AppTest:
    """A page, drawn once on some results; `query` is what stands in its address."""
    monkeypatch.setenv("CONTRAST_RESULTS", str(results_file))
    monkeypatch.setenv("CONTRAST_IMAGES", str(images_folder))
    app = AppTest.from_file(SCRIPT, default_timeout=60)
    app.query_params.update(query)
    app._page_hash = calc_hash(page_stem)  # AppTest.switch_page knows only pages that are files of their own
    return app.run()


def drawn(app: AppTest, component: str) -> list[dict[str, Any]]:
    """What each of a page's components of one kind was given, in the order of the page."""
    found = [element.proto for element in app.get("bidi_component")]
    return [json.loads(proto.json) for proto in found if proto.component_name == component]


def charts(app: AppTest) -> list[dict[str, Any]]:
    """The page's charts: name, svg, csv and more."""
    return drawn(app, "contrast_chart")


def tables(app: AppTest) -> list[pandas.DataFrame]:
    """The page's tables, as the texts that stand in them."""
    return [
        pandas.DataFrame({column["title"]: column["texts"] for column in data["columns"]})
        for data in drawn(app, "contrast_table")
    ]


def figures(app: AppTest) -> list[tuple[str, ...]]:
    """The page's large figures: label, value, and what stands below it."""
    roots = [ElementTree.fromstring(data["html"]) for data in drawn(app, "contrast_figures")]
    return [tuple(part.text or "" for part in figure) for root in roots for figure in root]


def panels(app: AppTest) -> str:
    """All that stands in the page's panels, as markup."""
    return "\n".join(data["html"] for data in drawn(app, "contrast_panel"))


def cards(app: AppTest) -> str:
    """The text of the cards of what was found."""
    roots = [ElementTree.fromstring(data["html"]) for data in drawn(app, "contrast_cards")]
    return "\n".join("".join(part.itertext()) for root in roots for card in root for part in card)


def rankings(app: AppTest) -> str:
    """The text of the queries and their answers."""
    return "\n".join("\n".join(ElementTree.fromstring(data["html"]).itertext()) for data in drawn(app, "contrast_ranking"))


def words(app: AppTest) -> str:
    """All text of a page."""
    shown = [*app.title, *app.subheader, *app.markdown, *app.caption, *app.info, *app.error, *app.warning, *app.code]
    return "\n".join(str(element.value) for element in shown)
