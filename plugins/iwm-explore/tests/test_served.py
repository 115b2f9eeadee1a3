"""Who is let in, and the page as Gradio serves it, without a browser: it names no other host, and takes no wrong call and no large file."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from iwm_explore.guard import Guard
from iwm_explore.serving import bound, private

from iwm_core.interfaces.errors import UserError

COOKIE = "other=1; iwm-explore-7860=key"


def asked(path="/", host="127.0.0.1:7860", cookie=COOKIE, method="GET", query="", folder=Path("nowhere"), **headers):
    """Status and headers of a request."""
    told = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        told.append(message)

    names = {"host": host, "cookie": cookie, **headers}
    pairs = [(name.encode(), value.encode()) for name, value in names.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": pairs}
    asyncio.run(Guard(app, SimpleNamespace(folder=folder), 7860, "key")(scope, None, send))
    return told[0]["status"], dict(told[0]["headers"])


def test_only_the_page_itself_is_let_in():
    status, headers = asked(origin="http://127.0.0.1:7860")
    assert status == 200
    policy = headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self';")
    assert not re.search(r"https?:|\*", policy)
    assert asked()[0] == asked(host="localhost:7860")[0] == 200
    for wrong in ({"host": "evil.example"}, {"host": "127.0.0.1:80"}, {"origin": "http://evil.example"}, {"origin": "null"}):
        assert asked(**wrong)[0] == 403
    for path in (
        "/gradio_api/vibe-editor",
        "/monitoring",
        "/llms.txt",
        "/openapi.json",
        "/gradio_api/openapi.json",
        "/gradio_api/queue/join",
    ):
        assert asked(path)[0] == asked(path, method="POST")[0] == 403
    assert asked("/gradio_api/upload")[0] == asked("/", method="POST")[0] == 403


def test_other_accounts_of_the_machine_do_not_know_the_token():
    for cookie in ("", "iwm-explore-7860=", "iwm-explore-7861=key", "iwm-explore-7860=kez"):
        for path in ("/", "/assets/a.js", "/gradio_api/file=/etc/passwd"):
            assert asked(path, cookie=cookie)[0] == 403
        assert asked("/gradio_api/run/predict", cookie=cookie, method="POST")[0] == 403
        assert asked(cookie=cookie, query="token=")[0] == asked(cookie=cookie, query="token=kez&token=key")[0] == 403
    status, headers = asked(cookie="", query="token=key")
    assert (status, headers[b"location"]) == (303, b"/")
    assert headers[b"set-cookie"] == b"iwm-explore-7860=key; Path=/; HttpOnly; SameSite=Lax"


def test_of_files_the_pages_own_are_shown(tmp_path):
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"x")
    folder = tmp_path / "inside"
    assert asked(f"/gradio_api/file={folder / 'a.png'}", folder=folder)[0] == 200
    for path in (tmp_path / "outside/a.png", folder / "../outside/a.png", folder, "https://evil.example/a.png"):
        assert asked(f"/gradio_api/file={path}", folder=folder)[0] == 403


def test_a_busy_port_gets_a_line_and_nobody_else_reaches_it():
    with bound(0) as taken:
        host, port = taken.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(UserError, match=f"port {port} is busy; write --port {port + 1}, or --port 0"):
            bound(port)


def test_what_gradio_keeps_goes_with_the_page(monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    with private() as folder:
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        (folder / "upload.png").write_bytes(b"x")
    assert not folder.exists()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "True"
    assert "GRADIO_TEMP_DIR" not in os.environ


SERVED = """
import json, os, re
from pathlib import Path
from fastapi.testclient import TestClient
from iwm_devkit.known_model import PIXELS, KnownModel, Negative, Slide
from iwm_core.interfaces import ActionParams
from iwm_explore.explorer import Explorer
from iwm_explore.handlers import Handlers
from iwm_explore.serving import app_of, private

class Stepped(Slide):
    name = "stepped"
    def sample(self, draws):
        return ActionParams(*(draws.integers(3, 4).float() - 1).chunk(2, 1))

model = KnownModel(parts={"slide": Slide(), "negative": Negative(), "stepped": Stepped()})
with private() as folder:
    from iwm_explore.page import CSS, build, theme
    page = build(Handlers(Explorer(model), None, PIXELS), "<h1>known</h1>", "known", folder)
    app = app_of(page, 7860, "key", folder, {"theme": theme(), "css_paths": CSS}, 1000)
    with TestClient(app, base_url="http://127.0.0.1:7860") as client:
        assert client.get("/").status_code == 403
        found = client.get("/?token=key")
        assert (found.status_code, found.url.query) == (200, b"")
        assert "default-src 'self'" in found.headers["content-security-policy"]
        text = found.text + client.get("/theme.css").text
        assert re.findall("(?:src|href)=.?https?://|url[(].?https?://|@import", text) == []
        config = client.get("/config").json()
        assert config["analytics_enabled"] is False
        parts = {one["id"]: one for one in config["components"]}
        kinds = {one["props"].get("label"): one["type"] for one in parts.values()}
        assert [kinds[label] for label in ("slide columns", "negative", "stepped rows")] == ["slider", "checkbox", "radio"]
        assert client.get("/", headers={"host": "evil.example"}).status_code == 403

        large, small = ({"files": ("a.png", b"x" * size)} for size in (2000, 500))
        assert client.post("/gradio_api/upload", files=large).status_code == 413
        [uploaded] = client.post("/gradio_api/upload", files=small).json()
        assert [str(path) for path in folder.rglob("a.png")] == [uploaded], "uploads lie in the page's own folder"

        def handler(event, kind):
            targets = {place for place, part in parts.items() if part["type"] == kind}
            return next(one for one in config["dependencies"] if one["targets"][0][1] == event and one["targets"][0][0] in targets)

        def call(which, change=(), **more):
            data = [parts[place]["props"].get("value") for place in which["inputs"]]
            for place, value in dict(change).items():
                data[place] = value
            body = json.dumps({"fn_index": which["id"], "session_hash": "s", "data": data, **more})
            found = client.post("/gradio_api/run/predict", content=body, headers={"content-type": "application/json"})
            assert len(found.content) < 100_000 and (found.status_code == 200 or len(found.text.splitlines()) == 1)
            return found

        drop, slide, pick = handler("upload", "file"), handler("input", "slider"), handler("select", "gallery")
        own = Path("own.png").resolve()
        own.write_bytes(b"own")
        os.mkfifo("pipe")
        before = sorted(folder.rglob("*"))
        for path in (str(own), str(Path("pipe").resolve()), "/dev/zero", "http://evil.example/a.png", f"{folder}/../{own.name}", 7, None):
            for stream in (True, False):
                file = {"path": path, "is_stream": stream, "meta": {"_type": "gradio.FileData"}}
                for change in ({0: file}, {0: [file]}, {0: None}, {1: file, 0: file}, {2: file}):
                    assert call(drop, change).status_code == 422, (path, change)
                call(slide, {0: file})  # what is kept of a session is not a call's to say
        assert own.read_bytes() == b"own"
        assert sorted(folder.rglob("*")) == before, "nothing is copied"

        for place, kind in enumerate(parts[one]["type"] for one in slide["inputs"]):
            wrong = {"slider": ("x", True, 1e9, 10**400, float("nan"), [1], {}), "checkbox": (1, None, "x"), "radio": (None, 9, True, "x")}
            for value in wrong.get(kind, ()):
                assert call(slide, {place: value}).status_code == 422, (kind, value)
            if kind == "slider":
                assert call(slide, {place: None}).json()["data"] == call(slide).json()["data"], "a cleared number is at rest"
        for event in ({"index": 99999, "value": None}, {"index": -1}, {"index": "x"}, {"index": True}, [], None):
            assert call(pick, event_data=event).status_code == 422, event
        wrong = {"data": ([], {}, None), "fn_index": (999, "x", None), "session_hash": (7, None, "x" * 999)}
        for more in ({key: value} for key, values in wrong.items() for value in values):
            assert call(slide, **more).status_code == 422, more
        for body in (b"", b"{", b"[]", b"[" * 50_000, bytes([255])):
            assert client.post("/gradio_api/run/predict", content=body).status_code == 422
        assert client.post("/gradio_api/run/predict", content=b"x" * 200_000).status_code == 413

        found = call(drop, {0: {"path": uploaded, "meta": {"_type": "gradio.FileData"}}})
        assert found.status_code == 200 and "not an image" in found.text
        assert not Path(uploaded).exists()
assert not folder.exists()
"""
"""A page asked in a process of its own: Gradio leaves open what pytest would find."""


@pytest.mark.slow
def test_the_page_names_no_other_host_and_takes_what_it_asks_for_alone(tmp_path):
    done = subprocess.run([sys.executable, "-c", SERVED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == done.stdout == "", "a wrong call leaves no traceback"


STUCK = """
import os, signal, socket, threading, time
import urllib.request
from pathlib import Path
from iwm_explore import serving

serving.PATIENCE = 0.2
folder = Path("private")
folder.mkdir()

async def app(scope, receive, send):
    if scope["type"] == "http":
        os.kill(os.getpid(), signal.SIGINT)
        open("pipe").read()  # as one that waits in the loop itself
    else:
        while True:
            await send({"type": (await receive())["type"] + ".complete"})

def ready():
    asked = threading.Thread(target=urllib.request.urlopen, args=[f"http://127.0.0.1:{taken.getsockname()[1]}/"])
    asked.start()

os.mkfifo("pipe")
with serving.bound(0) as taken:
    serving.serve(app, taken, ready, folder)
"""


@pytest.mark.slow
def test_ctrl_c_ends_it_whatever_it_waits_for(tmp_path):
    done = subprocess.run([sys.executable, "-c", STUCK], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert not (tmp_path / "private").exists()
