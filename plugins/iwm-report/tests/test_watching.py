"""``iwm watch``: the report of runs that are written, die, resume and go, over HTTP on this machine; it changes nothing of them."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from iwm_report import watching
from iwm_report.run_record import read_run
from iwm_report.standing import signature, standing
from iwm_report.watching import read_runs, serve
from kept_runs import listing
from report_runs import config, make_run

from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import UserError
from iwm_core.run.lock import writer


@pytest.fixture
def eager(monkeypatch):
    """Looks that follow each other at once."""
    monkeypatch.setattr(watching, "LEAST", 0.0)
    monkeypatch.setattr(watching, "SHARE", float("inf"))


@contextmanager
def served(*paths):
    server = serve(list(paths), 0)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def get(server, path="/", **headers):
    """Status, headers and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


def begin(path, *steps, **train):
    """A run in training that has logged some steps."""
    make_run(path, measured=False, logs=False, settings=config(train={"steps": 800, "batch_size": 64, **train}))
    shutil.rmtree(path / "checkpoints")
    log(path, *steps)
    return path


def log(path, *steps, **more):
    with (path / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps({"step": step, "epoch": step / 64, "loss": 1 / step, **more}) + "\n" for step in steps)


def test_a_page_follows_its_run_and_changes_nothing_of_it(here, eager):
    path = begin(here / "r", 50)
    before = listing(path)
    with served(path) as server:
        status, headers, page = get(server)
        assert (status, server.server_address[0]) == (200, "127.0.0.1")
        assert "step 50 of 800" in page
        assert page.count("<script>") == 2
        assert "connect-src 'self'" in page
        assert "has not been measured" not in page, "that comes after training"
        assert get(server, **{"If-None-Match": headers["ETag"]})[::2] == (304, "")
        assert f"data-tag='{headers['ETag'].replace(chr(34), '&#34;')}'" in page, "so that the browser knows what it shows"
        assert listing(path) == before
        log(path, 100)
        status, newer, page = get(server, **{"If-None-Match": headers["ETag"]})
        assert status == 200
        assert newer["ETag"] != headers["ETag"]
        assert "step 100 of 800" in page
        with (path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 150, "lo')  # cut off within a line
        assert "cannot be read" not in get(server)[2]


def test_a_run_may_go_and_come_back(here, eager):
    paths = [begin(here / "a", 50), begin(here / "b", 70)]
    with served(*paths) as server:
        get(server)
        shutil.move("b", "away")
        page = get(server)[2]
        assert "step 50" in page
        assert "b cannot be read now" in page
        shutil.move("a", "gone")
        page = get(server)[2]
        assert "Nothing to watch" in page
        assert "a cannot be read now" in page
        assert page.count("<script>") == 2, "it still looks for news"
        shutil.move("away", "b")
        assert "step 70" in get(server)[2]
        (paths[1] / "config.yaml").write_text("{")
        assert "is damaged" in get(server)[2]


def test_only_browsers_of_this_machine_are_answered(here, eager, monkeypatch):
    monkeypatch.setattr(watching.Watched, "draw", lambda self, tag: "the page")
    with served(begin(here / "r", 50)) as server:
        for name in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1.evil.example:80", "[::1", ""):
            assert get(server, Host=name)[0] == 403, name
        assert get(server, Host="localhost:9999")[0] == 200, "the end of an SSH tunnel"
        assert get(server, "/eval/mrr.json")[0] == 404
        headers = get(server)[1]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not headers["Access-Control-Allow-Origin"]


def test_looks_are_bounded(here, monkeypatch):
    path, now = begin(here / "r", 50), [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], thread_time=iter((0.0, 2.0, 2.0, 2.0)).__next__)
    monkeypatch.setattr(watching, "time", clock)
    watched, drawn = watching.Watched([path]), []
    monkeypatch.setattr(watched, "draw", lambda tag: drawn.append(tag) or "")
    for now[0] in (0, 1, 19.9, 20.1, 20.5):
        log(path, 100)
        watched.page()
    assert len(drawn) == 2, "what took two seconds waits for eighteen, as a tenth of the time is spent at most"


def test_how_a_run_stands_is_told(here):
    path = begin(here / "r", 50)

    def told():
        return re.sub(r"\d\d:\d\d:\d\d", "TIME", standing(read_run(path, "r")))

    first = signature(path)
    assert told() == "step 50 of 800", "who writes is not known: there was no lock"
    log(path, 50, images_per_s=320.0)
    with writer(path, "train", print):
        assert told() == "in training: step 50 of 800, 320 images/s, 2:30 left, logged at TIME"
        assert signature(path) != first
        log(path, 800)
        assert told() == "step 800 of 800: trained, and being measured"
        (path / "metrics.jsonl").unlink()
        assert told() == "in training: nothing is logged yet"
    log(path, 70)
    assert told() == f"stopped at step 70 of 800: iwm resume {path}"
    log(path, 800)
    assert told() == "step 800 of 800: trained"


@pytest.mark.parametrize(
    ("train", "told"),
    [({"steps": None, "epochs": 10}, "step 128 of 640"), ({"steps": None, "epochs": None}, "step 128"), ({"steps": "soon"}, "step 128")],
)
def test_the_length_of_a_training_is_told_as_far_as_it_is_known(here, train, told):
    assert standing(read_run(begin(here / "r", 128, **train), "r")) == told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say which runs: iwm watch RUN"),
        (["nowhere"], "nowhere is not a run"),
        (["r", "--prot", "1"], "iwm watch has no --prot; did you mean --port"),
        (["r", "--port"], "--port needs a value: write --port 8642"),
        (["r", "--port", "99999"], "--port must be at most 65535, got 99999; write --port 8642"),
        (["r", "--port", "9" * 5000], "--port is a whole number, got '9+'; write --port 8642"),
        (["r", "--port=²"], "--port is a whole number, got '²'"),
        (["r", "./r"], "given twice"),
    ],
)
def test_mistakes_get_a_line(here, words, said, capsys):
    begin(here / "r", 50)
    assert guarded(lambda: dispatch(["watch", *words])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(said, line)
    assert len(line) <= 400


def test_a_port_that_is_taken_gets_a_line(here):
    path = begin(here / "r", 50)
    with served(path) as server, pytest.raises(UserError, match=f"port {server.server_port} is in use; name another, or --port 0"):
        serve([path], server.server_port)
    assert read_runs(["r"]) == [path.relative_to(here)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_it_quietly(here, number, status):
    path = begin(here / "r", 50)
    code = (
        "import signal, sys; from iwm_core.cli.main import main; sys.argv = ['iwm', 'watch', 'r', '--port', '0']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler); main()"  # which a shell's background jobs ignore
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline().strip())[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/")
        assert f"iwm report {path.name}" in connection.getresponse().read().decode()
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert process.returncode == status
    assert (error == "") == (number == signal.SIGINT)
