"""Sessions of a Streamlit server without a browser: each asks for pages as a browser does, and waits until they are there."""

import os
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

TIMEOUT_S = 120
MEBIBYTE = 2**20


class Session:
    """One person's connection to the server at `address`, such as http://localhost:8501."""

    def __init__(self, address: str) -> None:
        socket = address.replace("http", "ws", 1) + "/_stcore/stream"
        self._opened = ExitStack()
        opened = connect(socket, max_size=None, compression=None, subprotocols=["streamlit"])  # type: ignore[list-item]
        self._socket = self._opened.enter_context(opened)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self._opened.close()

    def open(self, page: str, query: str = "") -> tuple[float, int]:
        """Ask for a page, by its stem, and what follows `?` in its address; gives the time in ms and the bytes sent.

        Raises RuntimeError where the script fails, and TimeoutError where nothing comes.
        """
        asked = BackMsg()
        asked.rerun_script.page_name = page
        asked.rerun_script.query_string = query
        clock, count = time.perf_counter(), 0
        self._socket.send(asked.SerializeToString())
        while True:
            content = self._socket.recv(TIMEOUT_S)
            count += len(content)
            message = ForwardMsg()
            message.ParseFromString(bytes(content))  # type: ignore[arg-type]
            kind = message.WhichOneof("type")
            if kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
                raise RuntimeError(f"{page}?{query}: {message.delta.new_element.exception.message}")
            if kind == "script_finished":
                if message.script_finished not in (
                    ForwardMsg.FINISHED_SUCCESSFULLY,
                    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
                ):
                    raise RuntimeError(f"{page}?{query}: the script ended with {message.script_finished}")
                return (time.perf_counter() - clock) * 1000, count


def resident_mebibytes(process: int) -> float:
    """How much memory a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE
