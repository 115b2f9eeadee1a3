"""A small stand-in of the Hugging Face Hub on the loopback interface, in the part of its protocol that pushing and fetching models use.

Repositories lie in memory: a commit is a mapping of paths to contents. Weights go by Git LFS, all else inside of the commit. It asks
for a token, keeps what it is asked, and fails where a test plans that.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_a_secret_token"


class Hub:
    """What the stand-in holds.

    Attributes:
        commits: of each repository, its commits from the first to the newest, each by its hash.
        private: by repository.
        stored: contents that came by LFS, by their SHA-256.
        asked: method and path of each request.
        failing: how many of the next LFS uploads fail.
    """

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: dict[str, bool] = {}
        self.stored: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.failing = 0
        self.url = ""

    def commit(self, name: str, files: dict[str, bytes]) -> str:
        """Add a commit to a repository; returns its hash."""
        told = json.dumps({path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())})
        oid = hashlib.sha1(f"{len(self.commits.setdefault(name, {}))}{told}".encode()).hexdigest()
        self.commits[name][oid] = files
        return oid

    def at(self, name: str, revision: str) -> str | None:
        """The commit that a revision stands for."""
        known = list(self.commits.get(name, ()))
        return known[-1] if revision == "main" and known else next((oid for oid in known if oid == revision), None)


class Handler(BaseHTTPRequestHandler):
    """Answers one request; ``hub`` is set on a subclass."""

    hub: Hub

    def log_message(self, *_) -> None:
        """Nothing: tests read what is printed."""

    def answer(self, status: int, content: bytes | dict | list = b"", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refused(self, code: str, status: int = 404) -> None:
        self.answer(status, {"error": code}, X_Error_Code=code, X_Error_Message=code)

    def do_GET(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.hub.asked.append(f"{self.command} {'/'.join(parts)}")
        if parts[:2] == ["api", "models"]:
            name, rest = "/".join(parts[2:4]), parts[4:]
        else:
            name, rest = "/".join(parts[:2]), parts[2:]
        authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if name not in self.hub.commits or (self.hub.private[name] and not authorised):
            return self.refused("RepoNotFound", 404 if authorised else 401)
        oid = self.hub.at(name, rest[1] if len(rest) > 1 else "main")
        if oid is None:
            return self.refused("RevisionNotFound")
        files = self.hub.commits[name][oid]
        if rest[:1] == ["tree"]:
            return self.answer(200, [{"type": "file", "path": p, "size": len(c), "oid": sha1(c)} for p, c in files.items()])
        if rest[:1] == ["resolve"]:
            path = "/".join(rest[2:])
            if path not in files:
                return self.refused("EntryNotFound")
            return self.answer(200, files[path], ETag=f'"{sha1(files[path])}"', X_Repo_Commit=oid)
        return self.answer(200, self.about(name, oid, files))

    do_HEAD = do_GET

    def about(self, name: str, oid: str, files: dict[str, bytes]) -> dict:
        return {"id": name, "sha": oid, "private": self.hub.private[name], "siblings": [{"rfilename": path} for path in files]}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path.strip("/")
        self.hub.asked.append(f"POST {path}")
        if path == "api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.refused("Unauthorized", 401)
        if path == "api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else f"me/{asked['name']}"
            if name.startswith("theirs/"):
                return self.refused("Forbidden", 403)
            if name in self.hub.commits:
                return self.answer(409, {"url": f"{self.hub.url}/{name}"})
            self.hub.private[name] = bool(asked.get("private") or asked.get("visibility") == "private")
            self.hub.commit(name, {".gitattributes": b""})
            return self.answer(200, {"url": f"{self.hub.url}/{name}"})
        if path.endswith("/info/lfs/objects/batch"):
            return self.answer(200, {"transfer": "basic", "objects": [self.upload(one) for one in json.loads(body)["objects"]]})
        name, verb = "/".join(path.split("/")[2:4]), path.split("/")[4]
        if verb == "preupload":
            modes = [{"path": one["path"], "uploadMode": mode(one["path"]), "shouldIgnore": False} for one in json.loads(body)["files"]]
            return self.answer(200, {"files": modes})
        assert verb == "commit", path
        files = dict(self.hub.commits[name][self.hub.at(name, "main")])
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif line["key"].startswith("deleted"):
                files = {path: content for path, content in files.items() if path != value["path"]}
        oid = self.hub.commit(name, files)
        return self.answer(200, {"commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "commitOid": oid, "success": True})

    def upload(self, asked: dict) -> dict:
        """Where an LFS object goes; nowhere, where it is already."""
        told = {"oid": asked["oid"], "size": asked["size"]}
        return told if asked["oid"] in self.hub.stored else {**told, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{asked['oid']}"}}}

    def do_PUT(self) -> None:
        content, oid = self.rfile.read(int(self.headers["Content-Length"])), self.path.rpartition("/")[2]
        self.hub.asked.append(f"PUT {self.path.strip('/')}")
        if self.hub.failing:
            self.hub.failing -= 1
            return self.answer(400, {"error": "planned"})
        assert hashlib.sha256(content).hexdigest() == oid
        self.hub.stored[oid] = content
        return self.answer(200)


def mode(path: str) -> str:
    return "lfs" if path.endswith(".safetensors") else "regular"


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def stand_in() -> Iterator[Hub]:
    """A hub of its own, on a free port of the loopback interface."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Mine", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
