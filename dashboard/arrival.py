"""How pages arrive in a browser: in Streamlit's document, told where its server is and what it needs, over quick sockets."""

import contextlib
import functools
import gc
import json
import socket
from collections.abc import Sequence
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

PAGES = Path(__file__).resolve().parent / "app_pages"
DOCUMENT = Path(streamlit.__file__).parent / "static" / "index.html"
OVERVIEW = "overview"  # the page that stands at the address of the server itself
FIRST_SCRIPT = '<script type="module"'
END_OF_HEAD = "</head>"
SCRIPTS = DOCUMENT.parent / "static" / "js"
# Streamlit asks for the code of each when the first of its kind is to be shown. Almost every page shows those of AT_ONCE:
# theirs comes, and has run, while the server draws the page. That of the others follows when the page has rest.
AT_ONCE = ("BidiComponent", "ButtonGroup", "DownloadButton", "PageLink")
LATER = ("Button", "Pagination", "Selectbox", "TextArea", "TextInput")
REST_MS = 1000
# Else the document takes the page’s address for its server’s, is refused, waits a tenth of a second, and asks a folder above.
WHERE_THE_SERVER_IS = '<script>window.__streamlit = { BACKEND_BASE_URL: new URL(".", location).href }</script>\n    '


def routes() -> list[Route]:
    """The addresses of the pages; at any other Streamlit answers as ever."""
    pages = sorted(path.stem for path in PAGES.glob("[!_]*.py") if path.stem != OVERVIEW)
    return [Route(path, _document) for path in ("/", *(f"/{page}" for page in pages))] + [Route(f"/{OVERVIEW}", _overview)]


async def _document(_: Request) -> Response:
    return HTMLResponse(document(), headers={"Cache-Control": "no-cache"})


async def _overview(request: Request) -> Response:
    return RedirectResponse(f"./?{request.url.query}" if request.url.query else "./")


@functools.cache
def document() -> str:
    """Streamlit's document, which says where the server is before its first script runs, and what it will need besides."""
    told = DOCUMENT.read_text(encoding="utf-8").replace(FIRST_SCRIPT, f"{WHERE_THE_SERVER_IS}{FIRST_SCRIPT}", 1)
    return told.replace(END_OF_HEAD, f"{_script_of_widgets()}{END_OF_HEAD}", 1)


def _script_of_widgets() -> str:
    now = "\n".join(f"import {json.dumps(file)}" for file in files_of(AT_ONCE))
    later = f"for (const file of {json.dumps(files_of(LATER))}) import(file)"
    return f"""<script type="module">
{now}
const atRest = window.requestIdleCallback ?? setTimeout // which Safari lacks
addEventListener("load", () => setTimeout(() => atRest(() => {{ {later} }}), {REST_MS}))
</script>
"""


def files_of(widgets: Sequence[str]) -> list[str]:
    """Where the code of Streamlit's widgets is, from its document; the files' names hold a digest."""
    return [f"./static/js/{path.name}" for widget in widgets for path in SCRIPTS.glob(f"{widget}.*.js")]


def answer_at_once() -> None:
    """Let the server's small answers leave before the one sent last has arrived; to be called once it listens.

    asyncio sees to that where a socket names its protocol, TCP, and Streamlit's does not: each of a page's sixty small files
    waits for 40 ms. What is set on a listening socket holds for its connections.
    """
    for each in gc.get_objects():
        if type(each) is socket.socket and each.family in (socket.AF_INET, socket.AF_INET6) and each.type == socket.SOCK_STREAM:
            with contextlib.suppress(OSError):  # closed already
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
