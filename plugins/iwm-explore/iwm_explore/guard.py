"""Who is let in to the page, and what is let through.

Decisions:
- Other accounts of a machine reach its ports, too. So the address holds a token that nobody can guess. The first visit swaps it for a
  cookie, and without either there is no answer.
- A browser that visits another site can be made to call this one. Requests are refused whose ``Host`` is another name (DNS rebinding),
  or whose ``Origin`` is another page.
- Of Gradio's addresses those are open that the page uses; a list of closed ones would miss what its next version adds.
- The page may load from this host alone (its Content-Security-Policy).
"""

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from iwm_explore.own_files import own_file

if TYPE_CHECKING:
    from iwm_explore.calls import Calls

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
CALL, FILE, UPLOAD = "/gradio_api/run/predict", "/gradio_api/file=", "/gradio_api/upload"
MOST = 100_000
"""Bytes of the longest call; those of the page have a few hundred."""

PAGES = ("/", "/config")
READ = (*PAGES, "/theme.css", "/favicon.ico", "/manifest.json", "/gradio_api/upload_progress", "/gradio_api/startup-events")
READ_UNDER = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/")


class Guard:
    """An ASGI app that lets through what the page asks, and its user alone.

    Args:
        app: what is guarded.
        calls: reads the calls of the page's handlers.
        port: at which this machine calls it.
        token: what the first request must know.
    """

    def __init__(self, app: Any, calls: "Calls", port: int, token: str) -> None:
        self.app, self.calls, self.token = app, calls, token
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self.cookie = f"iwm-explore-{port}"  # cookies are a host's, whatever the port

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, path, method = headers.get("host", ""), scope["path"], scope.get("method")
        if scope["type"] != "http" or host not in self.hosts or headers.get("origin", f"http://{host}") != f"http://{host}":
            await answer(send, 403, "this page is for this machine alone")
        elif path == "/" and self.knows(parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]):
            kept = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Lax"
            await answer(send, 303, "", (b"location", b"/"), (b"set-cookie", kept.encode()))
        elif not self.knows(cookies(headers).get(self.cookie, "")):
            await answer(send, 403, "open this page at the address that iwm explore printed, with its token")
        elif path == CALL and method == "POST":
            await self.called(scope, receive, send)
        elif (path == UPLOAD and method == "POST") or (method in ("GET", "HEAD") and self.may_read(path)):
            await self.app({**scope, "query_string": b""} if path in PAGES else scope, receive, closed(send))
        else:
            await answer(send, 403, "the page does not use this address")

    def knows(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self.token.encode())

    def may_read(self, path: str) -> bool:
        """Whether an address is one that the page reads; of files, those in its own folder."""
        if path.startswith(FILE):
            return own_file(path.removeprefix(FILE), self.calls.folder) is not None
        return path in READ or path.startswith(READ_UNDER)

    async def called(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on a call of the page's handlers, as it was read."""
        body, more = b"", True
        while more and len(body) <= MOST:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > MOST:
            await answer(send, 413, "the call is too long")
            return
        try:
            call = self.calls.read(body)
        except ValueError as error:
            await answer(send, 422, str(error))
            return
        left = [{"type": "http.request", "body": call, "more_body": False}]

        async def received() -> Any:
            return left.pop() if left else await receive()

        kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"content-type")]
        kept += [(b"content-length", str(len(call)).encode()), (b"content-type", b"application/json")]
        await self.app({**scope, "headers": kept, "query_string": b""}, received, closed(send))


def cookies(headers: dict[str, str]) -> dict[str, str]:
    """The cookies of a request."""
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs}


def closed(send: Any) -> Any:
    """``send``, with the headers that keep the page to this host."""

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            more = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sent


async def answer(send: Any, status: int, line: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer with one line of text."""
    about = [(b"content-type", b"text/plain; charset=utf-8"), (b"referrer-policy", b"no-referrer"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": about})
    await send({"type": "http.response.body", "body": line.encode()})
