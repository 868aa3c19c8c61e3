"""How pages arrive in a browser: in Streamlit's own document, told where its server is, over a socket that does not wait."""

import contextlib
import functools
import gc
import socket
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

PAGES = Path(__file__).resolve().parent / "app_pages"
DOCUMENT = Path(streamlit.__file__).parent / "static" / "index.html"
OVERVIEW = "overview"  # the page that stands at the address of the server itself
FIRST_SCRIPT = '<script type="module"'
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
    """Streamlit's document, which says where the server is before its first script runs."""
    return DOCUMENT.read_text(encoding="utf-8").replace(FIRST_SCRIPT, f"{WHERE_THE_SERVER_IS}{FIRST_SCRIPT}", 1)


def answer_at_once() -> None:
    """Let the server's small answers leave before the one sent last has arrived; to be called once it listens.

    asyncio sees to that where a socket names its protocol, TCP, and Streamlit's does not: each of a page's sixty small files
    waits for 40 ms. What is set on a listening socket holds for its connections.
    """
    for each in gc.get_objects():
        if type(each) is socket.socket and each.family in (socket.AF_INET, socket.AF_INET6) and each.type == socket.SOCK_STREAM:
            with contextlib.suppress(OSError):  # closed already
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
