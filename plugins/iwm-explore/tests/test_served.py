"""Who is let in, and the page as Gradio serves it, without a browser: it names no other host, and takes no large file."""

import asyncio
import os
import re
import subprocess
import sys

import pytest
from iwm_explore.serving import Guard, bound, private

from iwm_core.interfaces.errors import UserError


def asked(path="/", host="127.0.0.1:7860", **headers):
    """Status and headers of a request."""
    told = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        told.append(message)

    names = {"host": host, **headers}
    scope = {"type": "http", "path": path, "headers": [(name.encode(), value.encode()) for name, value in names.items()]}
    asyncio.run(Guard(app, {"127.0.0.1:7860", "localhost:7860"})(scope, None, send))
    return told[0]["status"], dict(told[0]["headers"])


def test_only_the_page_itself_is_let_in():
    status, headers = asked(origin="http://localhost:7860")
    assert status == 200
    policy = headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self';")
    assert not re.search(r"https?:|\*", policy)
    assert asked()[0] == asked(host="localhost:7860")[0] == 200
    for wrong in ({"host": "evil.example"}, {"host": "127.0.0.1:80"}, {"origin": "http://evil.example"}, {"origin": "null"}):
        assert asked(**wrong)[0] == 403
    for path in ("/gradio_api/vibe-editor", "/monitoring", "/llms.txt", "/gradio_api/mcp/sse"):
        assert asked(path)[0] == 403


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
import re
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
    app = app_of(page, 7860, {"theme": theme(), "css_paths": CSS}, 1000)
    with TestClient(app, base_url="http://127.0.0.1:7860") as client:
        found = client.get("/")
        assert found.status_code == 200
        assert "default-src 'self'" in found.headers["content-security-policy"]
        text = found.text + client.get("/theme.css").text
        assert re.findall("(?:src|href)=.?https?://|url[(].?https?://|@import", text) == []
        config = client.get("/config").json()
        assert config["analytics_enabled"] is False
        kinds = {one["props"].get("label"): one["type"] for one in config["components"]}
        assert [kinds[label] for label in ("slide columns", "negative", "stepped rows")] == ["slider", "checkbox", "radio"]
        large, small = ({"files": ("a.png", b"x" * size)} for size in (2000, 500))
        assert client.post("/gradio_api/upload", files=large).status_code == 413
        assert client.post("/gradio_api/upload", files=small).status_code == 200
        assert [path.name for path in folder.rglob("a.png")] == ["a.png"], "uploads lie in the page's own folder"
        outside = Path("own.png").resolve()
        outside.write_bytes(b"own")
        rest = {one["id"]: one["props"].get("value") for one in config["components"]}
        drop = next(one for one in config["dependencies"] if one["targets"][0][1] == "upload")
        data = [rest[place] for place in drop["inputs"]]
        for stream in (True, False):
            data[0] = {"path": str(outside), "is_stream": stream, "meta": {"_type": "gradio.FileData"}}
            client.post("/gradio_api/run/predict", json={"fn_index": drop["id"], "session_hash": "s", "data": data})
        assert outside.read_bytes() == b"own"
        assert len(list(folder.rglob("own.png"))) == 0, "it is not copied"
        assert client.get("/", headers={"host": "evil.example"}).status_code == 403
assert not folder.exists()
"""
"""A page asked in a process of its own: Gradio leaves open what pytest would find."""


@pytest.mark.slow
def test_the_page_names_no_other_host_and_takes_no_large_file(tmp_path):
    done = subprocess.run([sys.executable, "-c", SERVED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
