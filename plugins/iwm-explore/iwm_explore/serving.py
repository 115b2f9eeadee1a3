"""Serving the page to this machine, and to nobody else.

Decisions:
- The socket is bound to the loopback address before anything is loaded that takes long: a port that is busy is told at once.
- Who is let in is the guard's to say (`guard`). Gradio's analytics are off, as are those of the libraries under it.
- What is uploaded lies in a folder of its own, which goes with the process.
- Ctrl-C is how the page ends: it says nothing, and the status is 0. An answer that takes longer than `PATIENCE` is not waited for.
"""

import contextlib
import errno
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iwm_core.interfaces.errors import UserError

if TYPE_CHECKING:
    from iwm_explore.guard import Guard

HOST = "127.0.0.1"
PATIENCE = 5.0
"""Seconds that Ctrl-C waits for answers that are being worked out."""
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}


def bound(port: int) -> socket.socket:
    """A socket on this machine's own address.

    Raises:
        UserError: the port is taken, or may not be used.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        found.listen(128)
    except OSError as error:
        found.close()
        busy = error.errno == errno.EADDRINUSE
        why, other = ("is busy", port + 1 if port < 65535 else 7861) if busy else (f"cannot be used: {error.strerror}", 7861)
        raise UserError(f"port {port} {why}; write --port {other}, or --port 0 for any that is free") from error
    return found


@contextlib.contextmanager
def private() -> Iterator[Path]:
    """While entered, Gradio keeps its files in a folder that is removed at the end, and tells nobody anything."""
    with tempfile.TemporaryDirectory(prefix="iwm-explore-", ignore_cleanup_errors=True) as folder:
        wanted = {**QUIET, "GRADIO_TEMP_DIR": folder}
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def app_of(page: Any, port: int, token: str, folder: Path, style: dict[str, Any], most: int) -> "Guard":
    """The guarded app of a page of Gradio.

    Args:
        token: what a visitor must know.
        folder: where uploaded files lie.
        style: how the page looks.
        most: bytes of the largest file that is taken.
    """
    import gradio as gr
    from fastapi import FastAPI

    from iwm_explore.calls import Calls  # imports gradio, which reads its settings from the environment
    from iwm_explore.guard import Guard

    page.has_launched = True  # only then does Gradio refuse paths of files that nobody uploaded
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="/",
        server_name=HOST,
        server_port=port,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        show_error=False,
        max_file_size=most,
        **style,
    )
    return Guard(app, Calls(page, folder), port, token)


def end(told: int, folder: Path) -> None:
    """End the process, whatever its threads do, `PATIENCE` after a byte is written to the pipe ``told``."""
    os.read(told, 1)
    time.sleep(PATIENCE)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def serve(app: Any, taken: socket.socket, ready: Callable[[], None], folder: Path) -> None:
    """Serve an app until Ctrl-C; ``ready`` is called once it answers, ``folder`` goes in any case."""
    import uvicorn

    told, tell = os.pipe()
    threading.Thread(target=end, args=[told, folder], daemon=True).start()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready()

        def handle_exit(self, sig: int, frame: Any) -> None:
            super().handle_exit(sig, frame)
            os.write(tell, b"x")  # a thread cannot be started here: what is interrupted may hold the lock that this takes

    config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1, lifespan="on")
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[taken])
