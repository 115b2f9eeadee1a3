"""Serving the page to this machine, and to nobody else.

Decisions:
- The socket is bound to the loopback address before anything is loaded that takes long: a port that is busy is told at once.
- A browser that visits another site can be made to call this one. Requests are refused whose ``Host`` is another name (DNS rebinding),
  or whose ``Origin`` is another page. Of Gradio's addresses, those that ask other hosts or watch others are closed.
- The page may load from this host alone (its Content-Security-Policy), and Gradio's analytics are off, as are
  those of the libraries under it.
- What is uploaded lies in a folder of its own, which goes with the process.
- Ctrl-C is how the page ends: it says nothing, and the status is 0.
"""

import contextlib
import errno
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError

HOST = "127.0.0.1"
CLOSED = ("/gradio_api/vibe", "/gradio_api/mcp", "/gradio_api/monitoring", "/monitoring", "/gradio_api/deep_link", "/gradio_api/runs")
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
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


class Guard:
    """An ASGI app that lets through what comes from the page itself.

    Args:
        app: what is guarded.
        hosts: names and port by which this machine calls it.
    """

    def __init__(self, app: Any, hosts: set[str]) -> None:
        self.app, self.hosts = app, hosts
        self.origins = {f"http://{host}" for host in hosts}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        foreign = headers.get("host") not in self.hosts or headers.get("origin", f"http://{headers.get('host')}") not in self.origins
        if scope["type"] != "http" or foreign or scope["path"].startswith(CLOSED) or scope["path"] == "/llms.txt":
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"this page is for this machine alone"})
            return

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                more = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self.app(scope, receive, sent)


def app_of(page: Any, port: int, style: dict[str, Any], most: int) -> Guard:
    """The guarded app of a page of Gradio; ``style`` is how it looks, ``most`` the bytes of the largest file that is taken."""
    import gradio as gr
    from fastapi import FastAPI

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
    return Guard(app, {f"{name}:{port}" for name in (HOST, "localhost")})


def serve(app: Guard, taken: socket.socket, ready: Callable[[], None]) -> None:
    """Serve an app until Ctrl-C; ``ready`` is called once it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1, lifespan="on")
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[taken])
