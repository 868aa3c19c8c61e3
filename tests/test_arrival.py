"""How pages arrive: in Streamlit's document with the server's address in it, and over sockets that do not wait."""

import re
import socket
from pathlib import Path

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from dashboard import arrival

ROOT = Path(__file__).resolve().parents[1]
WIDGETS = re.compile(r'<script type="module">\n(import .*?)</script>\n', re.DOTALL)
FILE = re.compile(r'"\./static/js/([^"]+)"')
STREAMLITS = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def client() -> TestClient:
    """What answers at the pages' addresses, and below them Streamlit's files as they are."""
    files = Mount("/", StaticFiles(directory=Path(streamlit.__file__).parent / "static"))
    return TestClient(Starlette(routes=[*arrival.routes(), files]), follow_redirects=False)


def test_the_document_is_streamlits_with_the_servers_address_and_what_it_needs_besides(client):
    before, script, after = STREAMLITS.partition(arrival.FIRST_SCRIPT)
    assert script, "Streamlit's document has another form now"
    document = arrival.document()
    [widgets] = WIDGETS.findall(document)
    assert WIDGETS.sub("", document) == before + arrival.WHERE_THE_SERVER_IS + script + after
    at_once, _, later = widgets.partition("const atRest")
    for named, part in ((arrival.AT_ONCE, at_once), (arrival.LATER, later)):
        files = FILE.findall(part)
        assert [name.partition(".")[0] for name in files] == list(named)
        assert all(client.get(f"/static/js/{name}").status_code == 200 for name in files)


def test_every_page_arrives_in_it_and_is_asked_for_anew_each_time(client):
    stems = {path.stem for path in (ROOT / "dashboard" / "app_pages").glob("*.py")} - {"__init__", "overview"}
    assert len(stems) >= 10
    for path in ("/", *(f"/{stem}?data=mini" for stem in stems)):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (200, arrival.document()), path
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/index.html", "/favicon.png", "/nowhere", "/__init__", "/runs/more"])
def test_any_other_address_is_streamlits_to_answer(client, path):
    answer = client.get(path)
    assert b"__streamlit =" not in answer.content
    assert answer.status_code == (404 if path in ("/nowhere", "/__init__", "/runs/more") else 200)


@pytest.mark.parametrize(("asked", "sent_to"), [("", "./"), ("?results=abc&note=1", "./?results=abc&note=1")])
def test_the_overview_stands_at_the_servers_own_address(client, asked, sent_to):
    answer = client.get(f"/overview{asked}")
    assert (answer.status_code, answer.headers["location"]) == (307, sent_to)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_connections_of_a_listening_socket_answer_at_once(family):
    with socket.socket(family) as listening, socket.socket(family) as client:  # of no named protocol, as Streamlit's is
        try:
            listening.bind(("localhost", 0))
        except OSError:
            pytest.skip("this machine has no such addresses")
        listening.listen()
        arrival.answer_at_once()
        client.connect(listening.getsockname())
        with listening.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_sockets_of_another_kind_and_closed_ones_do_no_harm():
    closed = socket.socket()
    closed.close()
    with socket.socket(type=socket.SOCK_DGRAM):
        arrival.answer_at_once()
    assert closed.fileno() == -1
