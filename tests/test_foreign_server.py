"""What a running dashboard answers to, and to whom: this machine alone, under its own names, and no file of a folder."""

import http.client
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
SECRET = "the secret of another folder"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a dashboard that runs as the README says, on no results, beside files that nobody should get."""
    folder = tmp_path_factory.mktemp("server")
    for name in ("results.duckdb", "secret.txt", "images/secret.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(SECRET, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        number = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "dashboard/app.py",
        "--server.port",
        str(number),
        "--server.headless",
        "true",
    ]
    environment = os.environ | {"CONTRAST_RESULTS": str(folder / "results.duckdb"), "CONTRAST_IMAGES": str(folder / "images")}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                if server.poll() is None and answer(number, "/_stcore/health").startswith("HTTP/1.1 200"):
                    break
                time.sleep(0.2)
            yield number
        finally:
            server.kill()


def answer(port: int, path: str, **headers: str) -> str:
    """What the server sends back, as bytes come: no client changes the path before it is sent."""
    lines = {"Host": f"localhost:{port}", "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    request = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    try:
        with socket.create_connection(("localhost", port), timeout=5) as connection:
            connection.sendall(request.encode())
            received = b""
            while part := connection.recv(65536):
                received += part
                if "Upgrade" in headers:
                    break
            return received.decode(errors="replace")
    except OSError:
        return ""


def socket_of(port: int, **headers: str) -> str:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGVzdHRlc3R0ZXN0dGVzdA==",
    }
    return answer(port, "/_stcore/stream", **upgrade, **headers).partition("\r\n")[0]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/../../../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/../../../../../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/app/static/../../../results.duckdb",
        "/app/static/secret.txt",
        "/app/static/%2e%2e/%2e%2e/dashboard/app.py",
        "/media/../../../../../../etc/passwd",
        "/media/results.duckdb",
        "/component/../../../../etc/passwd",
        "/component/contrast_gallery/../../../../../etc/passwd",
        "/_stcore/bidi-components/contrast_gallery/../../../../../etc/passwd",
        "/_stcore/component/..%2f..%2f..%2fetc%2fpasswd",
        "/images/secret.txt",
        "/images/../secret.txt",
        "/results.duckdb",
        "/dashboard/app.py",
        "/.streamlit/config.toml",
        "/.git/config",
        "//etc/passwd",
        "/..\\..\\secret.txt",
        "/secret.txt%00.png",
    ],
)
def test_no_path_leads_to_a_file(port: int, path: str) -> None:
    told = answer(port, path)
    assert told.startswith("HTTP/1.1 ")
    for content in (SECRET, "root:x:0", "fileWatcherType", "from dashboard import", "[core]"):
        assert content not in told


def test_the_server_listens_on_this_machine_alone(port: int) -> None:
    assert CONFIG["server"]["address"] == "localhost"
    own = [
        address[4][0]
        for address in socket.getaddrinfo(socket.gethostname(), None)
        if not address[4][0].startswith(("127.", "::1"))
    ]
    for address in own:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=2)


def test_small_files_come_one_after_the_other_without_a_wait(port: int) -> None:
    connection = http.client.HTTPConnection("localhost", port, timeout=5)

    def seconds() -> float:
        started = time.perf_counter()
        for _ in range(20):
            connection.request("GET", "/favicon.png")
            assert connection.getresponse().read()
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.4, "each waits until the one before has arrived: 40 ms"
    connection.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST"])
def test_a_page_of_this_machine_is_let_in(port: int, host: str) -> None:
    assert "101" in socket_of(port, Host=f"{host}:{port}", Origin=f"http://{host}:{port}")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:80", "user@localhost", "[::2]", ""])
def test_another_name_is_refused_though_it_leads_here(port: int, host: str) -> None:
    """A page elsewhere whose name suddenly leads to this machine (DNS rebinding) gets no results."""
    assert "403" in socket_of(port, Host=host, Origin=f"http://{host}")


@pytest.mark.parametrize("origin", ["http://evil.example", "https://evil.example:8501", "null", "file://"])
def test_a_page_from_elsewhere_is_refused(port: int, origin: str) -> None:
    assert "403" in socket_of(port, Origin=origin)


def test_nothing_is_told_served_or_switched_on_that_need_not_be() -> None:
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"
    server = CONFIG["server"]
    assert (server["enableStaticServing"], server["enableXsrfProtection"], server["enableCORS"]) == (False, True, True)
    assert "localhost" in server["allowedHosts"]
    assert "*" not in server["allowedHosts"]
    assert server["maxUploadSize"] == 1
