"""The one-file report: it says what the pages say, holds each picture once, and foreign texts in it stay texts."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pandas
import pytest
from synset_rows import publish_classifiers

from dashboard import markdown, notes, report, report_document
from dashboard.connection import NoResultsError
from dashboard.notes import Note

ROOT = Path(__file__).parent.parent
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) 'quoted\" picture-0"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    """A report sets these for the pages that it draws; notes lie beside the results."""
    monkeypatch.setenv("CONTRAST_RESULTS", str(tmp_path))
    monkeypatch.setenv("CONTRAST_IMAGES", str(tmp_path))
    monkeypatch.delenv("CONTRAST_NOTES", raising=False)


class Document(HTMLParser):
    """What a browser would make of a report: tags with their attributes, the text outside scripts, and the scripts."""

    def __init__(self, path: Path):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.scripts, self.data = [], [], [], {}
        self._inside = ""
        self._text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside, self._text = dict(attributes).get("id", tag), ""

    def handle_endtag(self, tag):
        if tag == "script":
            if self._inside == "report-data":
                self.data = json.loads(self._text)
            else:
                self.scripts.append(self._text)
        self._inside = ""

    def handle_data(self, text):
        if self._inside:
            self._text += text
        else:
            self.texts.append(text)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def with_id(self, name: str) -> list[str]:
        return [attributes["id"] for tag, attributes in self.tags if tag == name and "id" in attributes]


def written(results: Path, images: Path, **options: str) -> Document:
    output = results.parent / "report.html"
    report.write(results, images, output, **options)
    return Document(output)


def test_a_report_has_every_page_with_its_views_and_figures(full_results):
    document = written(*full_results)
    sections = document.with_id("section")
    assert [name for name in sections if "-" not in name] == [name.stem for name in report.page_names()]
    assert [name for name in sections if name.startswith("unet_skip_connections-")] == [
        f"unet_skip_connections-{number}" for number in (1, 2, 3, 4)
    ]
    # Pooled over both pictures: road 17 right, 22 predicted, 18 true; car 7 right, 8 predicted, 12 true.
    assert f"{(17 / 23 + 7 / 13) / 2:.3f}" in document.text
    assert "No difference was shown" in document.text
    assert "python -m compute run caption_sampling --profile mini" in document.text  # what has not run
    assert "Order skips help most" in document.text  # the choices in force
    links = {attributes["href"] for tag, attributes in document.tags if tag == "a" and "href" in attributes}
    assert links >= {"#unet_skip_connections", "#unet_skip_connections-2", "#runs"}
    assert {link[1:] for link in links if link.startswith("#")} <= {*sections, "main"}


def charts(document: Document) -> dict[str, dict]:
    """The report's charts by their names."""
    found = [each["data"] for each in document.data["components"] if each["kind"] == "contrast_chart"]
    return {chart["name"]: chart for chart in found}


def test_a_chart_has_the_rows_of_its_page(full_results):
    chart = charts(written(*full_results, only="unet_skip_connections"))["iou_by_class"]
    found = pandas.read_csv(io.StringIO(chart["csv"])).set_index(["class", "variant"]).iou
    assert found["road", "with skips"] == pytest.approx(17 / 23)
    assert found["car", "without skips"] == pytest.approx(7 / 13)
    assert f"IoU: {17 / 23:.3f}; " in chart["svg"]


def test_pictures_are_in_the_file_once_and_named_where_they_are_shown(full_results):
    results, images = full_results
    document = written(results, images)
    text = (results.parent / "report.html").read_text("utf-8")
    pictures = document.data["pictures"]
    assert pictures
    assert all(text.count(url) == 1 for url in pictures.values())
    galleries = [each["data"] for each in document.data["components"] if each["kind"] == "contrast_gallery"]
    used = {name for gallery in galleries for name in gallery["pictures"]}
    assert used
    assert used <= set(pictures)
    assert all(cell["alt"] for gallery in galleries for row in gallery["rows"] for cell in row["cells"])


def test_a_file_loads_nothing_and_runs_only_its_own_scripts(full_results):
    document = written(*full_results, only="unet_skip_connections")
    [policy] = [each["content"] for tag, each in document.tags if tag == "meta" and each.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    assert policy.count("'sha256-") == len(document.scripts) == 2
    assert "unsafe-eval" not in policy
    assert not [
        each for tag, each in document.tags if tag in ("link", "iframe", "object") or (tag == "script" and "src" in each)
    ]


def test_foreign_texts_stay_texts(full_results):
    results, images = full_results
    clean = written(shutil.copy(results, results.with_name("clean.duckdb")), images)
    with duckdb.connect(str(results)) as connection:
        connection.execute("UPDATE dataset SET name = ?", [NASTY])
        connection.execute("UPDATE segmentation_class SET name = ? WHERE class_id = 0", [NASTY])
        connection.execute("UPDATE segmentation_class SET color = 'red;background:url(x)' WHERE class_id = 1")
        connection.execute("UPDATE run SET device = ?, torch = ?, git_commit = ?", [NASTY] * 3)
    notes.append(notes.beside(results), Note(NASTY, "2026-01-02T03:04:05Z", NASTY, "/runs", NASTY))
    document = written(results, images)
    assert len(document.scripts) == len(clean.scripts)
    assert not [attributes for _, attributes in document.tags if any(name.startswith("on") for name in attributes)]
    assert {tag for tag, _ in document.tags} <= {tag for tag, _ in clean.tags} | {"li", "ul", "b"}
    assert "alert(1)" in document.text
    assert not [each for tag, each in document.tags if "javascript:" in each.get("href", "")]


def test_notes_stand_with_the_page_they_were_written_on(full_results):
    results, images = full_results
    file = notes.beside(results)
    notes.append(
        file, Note("Ada", "2026-01-02T03:04:05Z", "picture/1", "/unet_skip_connections?picture=1", "Look at\nthe car.")
    )
    notes.append(file, Note("Bo", "2026-01-02T03:04:05Z", "page/gone", "/gone", "Of a page that is no more."))
    document = written(results, images)
    before, _, after = document.text.partition("Look at the car.")
    assert "How important are U-Net" in before
    assert "What is wrong with IoU by" in after
    assert document.with_id("section")[-1] == "notes"
    alone = written(results, images, only="unet_skip_connections")
    assert "Look at the car." in alone.text
    assert "no more" not in alone.text


def test_a_page_alone_shows_the_choices_of_its_address(full_results):
    address = "score=per+image&view=near+boundaries&page_notes=open&sort=number&results=other"
    document = written(*full_results, only="unet_skip_connections", address=address)
    assert document.with_id("section")[0] == "unet_skip_connections"
    assert "Mean IoU per image" in document.text
    assert "Order number" in document.text
    assert len(charts(document)) == 3


def test_a_page_alone_shows_what_was_searched(tmp_path):
    files = publish_classifiers(tmp_path)
    document = written(*files, only="wordnet_synsets", address="search=crane")
    assert "Search by word or wnid crane" in document.text
    assert "Search by word" not in written(*files, only="wordnet_synsets").text


def test_a_page_that_fails_is_a_message_and_the_others_are_there(full_results, monkeypatch):
    results, images = full_results
    with duckdb.connect(str(results)) as connection:
        connection.execute("DROP TABLE boundary_score")
    document = written(results, images)
    assert "boundary_score" in document.text  # the page's own message
    assert "What is wrong with IoU by" in document.text

    def fail(*_, **__):
        raise RuntimeError("no <b>time</b>")

    monkeypatch.setattr(report.AppTest, "run", fail)
    document = written(results, images, only="runs")
    assert "This page could not be drawn: no <b>time</b>" in document.text


def test_without_results_or_with_an_unknown_page_nothing_is_written(tmp_path, full_results):
    output = tmp_path / "none.html"
    with pytest.raises(NoResultsError):
        report.write(tmp_path / "none.duckdb", tmp_path, output)
    with pytest.raises(ValueError, match="no page 'nothing'; there are overview, unet_skip_connections"):
        report.write(*full_results, output, only="nothing")
    assert not output.exists()


def test_the_command_writes_a_file_and_says_how_large_it_is(full_results):
    results, images = full_results
    output = results.parent / "mine.html"
    command = [sys.executable, "-m", "dashboard.report", "--page", "runs", "--results", str(results), "--images", str(images)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [*command, "--output", str(output)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert re.search(r"mine\.html: \d\.\d MB in [\d.]+ s", told.stdout)
    assert told.stderr == ""
    assert "Where does every figure come from?" in Document(output).text
    failed = subprocess.run(
        [*command[:-4], "--results", "none.duckdb"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("No report was written. There are no results at none.duckdb")


@pytest.mark.parametrize(
    "text, html",
    [
        ("**0.5** of *it* and `a*b`", "<p><strong>0.5</strong> of <em>it</em> and <code>a*b</code></p>"),
        (r"\*\*not\*\* \<b\> 1\.5", "<p>**not** &lt;b&gt; 1.5</p>"),
        ("## 0.71\n:gray[\\[0\\.6, 0\\.8\\]]", '<p class="statement">0.71</p>\n<p><span class="faint">[0.6, 0.8]</span></p>'),
        ("- one\n  and on\n- two", "<ul><li>one\nand on</li><li>two</li></ul>"),
        (
            "[a](https://x.org/b) [c](javascript:alert) [d](runs)",
            '<p><a href="https://x.org/b" rel="noopener noreferrer">a</a> c d</p>',
        ),
        ("<script>", "<p>&lt;script&gt;</p>"),
        ("snake_case_name :material/star: end", "<p>snake_case_name  end</p>"),
    ],
)
def test_markdown_becomes_html(text, html):
    assert markdown.as_html(text) == html


def test_json_cannot_end_its_script():
    text = report_document.as_inert_json({"a": "</script><!--&\u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--&\u2028"}
