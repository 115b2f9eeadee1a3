"""`iwm explore` in a real browser: what it answers, how fast, whom it asks, and who can read it.

    pip install 'iwm-explore[page]' playwright axe-playwright-python      # and a Chromium, which `which chromium` finds
    python plugins/iwm-explore/tests/slow/explored.py [RUN]               # a trained run with a decoder; about two minutes on one core

Of RUN, at 1280 and 390 pixels, in light and in dark: no message on the console, no request to another host, no sideways scroll, no
serious finding of axe-core on either tab, an imagined picture that follows its slider within a second, and a plan. Then, of runs of a few
steps that are made here: a third party's action with its labels, a page without a decoder, a model that is not told the action, files
that are no images, and none that stays, and a number that is cleared. The server's own connections are listened to as well; Ctrl-C ends
it with status 0, without a word.
Screenshots are written into the working directory.
"""

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4] / "tests/furniture"))

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from plugin_packages import package

SERIOUS = ("serious", "critical")
MOST = 1.0  # seconds
ENDS = "Method not implemented."
"""What Gradio's client warns of where the stream that tells of an upload ends."""
SMALL = (
    *("recipe=quickstart", "train.steps=2", "train.lr.warmup=1", "train.batch_size=8", "data.train=64", "data.validation=16"),
    *("evaluators=[]", "launch.device=cpu", "launch.workers=0"),
)
DECODER = (
    *("evaluators=[imagination]", "evaluators.imagination.steps=20", "evaluators.imagination.train_images=32"),
    *("evaluators.imagination.images=4", "launch.device=cpu", "launch.workers=0"),
)
LISTENING = """
import socket, sys
def hear(event, found):
    address = found[1] if event == "socket.connect" else found[0] if event == "socket.getaddrinfo" else None
    host = address[0] if isinstance(address, tuple) else address
    if host is not None and event == "socket.connect" and found[0].family not in (socket.AF_INET, socket.AF_INET6):
        return
    if host is not None and str(host) not in ("127.0.0.1", "::1", "localhost", ""):
        print(f"asks {host}", file=sys.stderr, flush=True)
sys.addaudithook(hear)
from iwm_core.cli.main import main
main()
"""
"""``iwm``, saying of each other host that it asks."""


@contextlib.contextmanager
def serving(run: Path, faults: list[str], *said: str, env: dict[str, str] | None = None) -> Iterator[str]:
    """The address of a run's page; what it says besides ``said``, and what it leaves, are faults."""
    folder = Path(tempfile.mkdtemp())
    settings = {**os.environ, **(env or {}), "TMPDIR": str(folder)}
    command = [sys.executable, "-c", LISTENING, "explore", str(run), "--port", "0", "launch.device=cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        if not address.startswith("http://127.0.0.1:"):
            server.kill()
            sys.exit(f"it was not served: {server.communicate()}")
        try:
            yield address
        finally:
            left = [path.name for path in folder.rglob("*.txt")] + [path.name for path in folder.rglob("dropped*")]
            faults += [f"{run.name}: uploads stay: {left}"] if left else []
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=20)
            lines = [line for line in errors.splitlines() if not any(words in line for words in said)]
            faults += [f"{run.name}: it says {line}" for line in lines]
            faults += [f"{run.name}: Ctrl-C ends it with status {server.returncode}"] if server.returncode else []
            faults += [f"{run.name}: it leaves {path.name}" for path in folder.glob("iwm-explore-*")]
            shutil.rmtree(folder)


@contextlib.contextmanager
def opened(browser: Any, address: str, faults: list[str], width: int = 1280, scheme: str = "light") -> Iterator[Page]:
    """A page that has answered once; what it says on the console, and whom else it asks, are faults."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    where = f"{width} px, {scheme}"
    page.on("console", lambda message: faults.append(f"{where}: console: {message.text[:200]}") if message.text != ENDS else None)
    page.on("pageerror", lambda error: faults.append(f"{where}: error: {error}"))
    own = (address.partition("?")[0], "data:", "blob:")
    page.on("request", lambda asked: None if asked.url.startswith(own) else faults.append(f"{where}: request: {asked.url[:120]}"))
    page.goto(address)
    page.wait_for_selector("#seen .pictures img", timeout=60_000)
    yield page
    page.close()


def source_of(page: Page, title: str) -> str:
    """What the picture of a title shows."""
    found = page.locator(f'#seen img[alt="{title}"]').get_attribute("src")
    assert found
    return found


def moved(page: Page, value: str, title: str = "Imagined", slider: int = 0) -> float:
    """Seconds until a picture follows its slider."""
    before = source_of(page, title)
    begun = time.perf_counter()
    page.locator("#controls input[type=range]").nth(slider).fill(value)
    changed = f"before => document.querySelector('#seen img[alt=\"{title}\"]').src !== before"
    page.wait_for_function(changed, arg=before, timeout=20_000, polling=5)
    return time.perf_counter() - begun


def readable(page: Page, where: str) -> list[str]:
    """Serious findings of axe-core, and sideways scroll."""
    found = Axe().run(page).response["violations"]
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    serious = [f"{where}: {one['id']}: {one['help']} ({one['nodes'][0]['html'][:120]})" for one in found if one["impact"] in SERIOUS]
    return serious + ([f"{where}: it scrolls sideways by {over} px"] if over > 0 else [])


def look(browser: Any, run: Path, faults: list[str]) -> None:
    """A trained run: speed, console, requests, accessibility, both tabs."""
    with serving(run, faults) as address:
        for width in (1280, 390):
            for scheme in ("light", "dark"):
                with opened(browser, address, faults, width, scheme) as page:
                    took = [moved(page, value) for value in ("1.45", "0.7", "1.2", "0.5", "1.4")]
                    usual, most = statistics.median(took), max(took)
                    print(f"{width} px, {scheme}: the imagined picture follows within {usual:.2f} s (at most {most:.2f})", flush=True)
                    faults += [f"{width} px: a slider takes {most:.2f} s"] if most > MOST else []
                    page.wait_for_timeout(300)
                    page.screenshot(path=f"explore-{width}-{scheme}.png")
                    faults += readable(page, f"{width} px, {scheme}, imagine")
                    page.get_by_role("tab", name="Plan").click()
                    page.get_by_role("button", name="Let the model plan").click()
                    page.wait_for_selector("#planned figure", timeout=60_000)
                    page.wait_for_timeout(500)  # what is new fades in
                    faults += readable(page, f"{width} px, {scheme}, plan")
                    page.screenshot(path=f"explore-plan-{width}-{scheme}.png")
                    page.get_by_label("another image").check()
                    goals = page.locator("#answer .thumbnails button")
                    goals.nth(2).click()
                    page.wait_for_timeout(500)
                    before = page.locator("#planned img").last.get_attribute("src")
                    page.get_by_role("button", name="Let the model plan").click()
                    changed = "before => [...document.querySelectorAll('#planned img')].at(-1).src !== before"
                    page.wait_for_function(changed, arg=before, timeout=60_000)
                    page.wait_for_timeout(500)
                    faults += readable(page, f"{width} px, {scheme}, plan to another image")


def third_party(browser: Any, folder: Path, faults: list[str]) -> None:
    """An action that the page has never heard of, without a decoder; and files that are dropped."""
    package(folder / "site", "iwm-gain")
    env = {"PYTHONPATH": str(folder / "site")}
    run = made(folder / "gain", env, "actions=[jitter,gain]")
    with serving(run, faults, "no imagined pictures", env=env) as address, opened(browser, address, faults) as page:
        labels = ("gain: log2", "Brightness times a factor", "−1 to 1", "holds no decoder")
        faults += [f"a third party's action: {label} is not on the page" for label in labels if not page.get_by_text(label).count()]
        print(f"a third party's action: the real picture follows within {moved(page, '0.6', 'Real', 4):.2f} s")
        if page.locator('#seen img[alt="Imagined"]').count():
            faults.append("without a decoder, something is shown as imagined")
        page.locator("#controls input[type=number]").first.fill("")
        page.keyboard.press("Tab")
        page.wait_for_timeout(1000)  # what is wrong is told on the console
        drop = page.locator("#images input[type=file]")
        for name, content, says in (("notes.txt", b"no image", "notes.txt cannot be used"), ("dropped.png", b"\x89PNG", "cannot be used")):
            drop.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
            page.get_by_role("alert").filter(has_text=says).wait_for(timeout=20_000)
        before = source_of(page, "Source")
        path = folder / "dropped.jpg"
        Image.new("RGB", (300, 200), (200, 30, 30)).save(path)
        drop.set_input_files(path)
        page.wait_for_function("before => document.querySelector('#seen img').src !== before", arg=before, timeout=20_000)
        page.locator("#images .thumbnails button").nth(3).click()
        page.wait_for_function(
            "before => document.querySelector('#seen img').src !== before", arg=source_of(page, "Source"), timeout=20_000
        )


def not_told(browser: Any, folder: Path, faults: list[str]) -> None:
    """A model that is not told the action imagines the same for every action, and the page says so."""
    run = made(folder / "none", {}, "predictor=none")
    measured = subprocess.run(
        [sys.executable, "-m", "iwm_core.cli", "eval", str(run), *DECODER], capture_output=True, text=True, check=False
    )
    assert measured.returncode == 0, measured.stderr
    with serving(run, faults, "is not told the action") as address, opened(browser, address, faults) as page:
        if not page.get_by_text("imagines the same for every action").count():
            faults.append("predictor=none: the page does not say that it imagines the same for every action")
        first = source_of(page, "Imagined")
        for value in ("1.5", "0.5"):
            moved(page, value, "Real")
            if source_of(page, "Imagined") != first:
                faults.append("predictor=none: what it imagines changes with the action")


def made(run: Path, env: dict[str, str], *words: str) -> Path:
    """A run of two steps."""
    command = [sys.executable, "-m", "iwm_core.cli", "train", *SMALL, *words, f"run={run}"]
    trained = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    assert trained.returncode == 0, trained.stderr
    return run


def main(words: list[str]) -> int:
    """Check all that is told above; returns how many faults there were."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no chromium on the PATH; install one, such as Debian's chromium")
    faults: list[str] = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        for run in words:
            look(browser, Path(run), faults)
        third_party(browser, Path(folder), faults)
        not_told(browser, Path(folder), faults)
        browser.close()
    print("\n".join(faults) if faults else "no fault")
    return len(faults)


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
