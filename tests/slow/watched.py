"""`iwm watch` in a real browser: news of a run comes in by itself, and what a reader has unfolded, hidden or begun to read stays so.

    pip install playwright axe-playwright-python      # and a Chromium, which `which chromium` finds
    python tests/slow/watched.py RUN

A copy of a finished run is trained once more before the browser's eyes, line by line, measured, deleted and brought back, while the server
answers nobody else; at the end, the server ends. Checked: no message on the console, no request to another host, no serious finding of
axe-core, no sideways scroll, and the run's files untouched by the server.
"""

import json
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from browser import readable, sideways
from iwm_report.watching import serve
from playwright.sync_api import Page, sync_playwright

SOON = 60_000  # milliseconds that news may take on a busy machine


def main(run: Path) -> int:
    """Watch a copy of a run; returns how many faults there were."""
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "run"
        shutil.copytree(run, path, ignore=shutil.ignore_patterns("report*", "eval", "checkpoints", ".*"))
        (path / "metrics.jsonl").write_text("".join(lines[:3]))
        (path / "evaluations.jsonl").unlink(missing_ok=True)
        server = serve([path], 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = f"http://127.0.0.1:{server.server_port}/"
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: faults.append(f"console: {message.text}") if "404" not in message.text else None)
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: faults.append(f"request: {request.url[:80]}") if not known(request.url, own) else None)
        page.goto(own, timeout=SOON)
        faults += follow(page, path, run, lines)
        server.shutdown()
        server.server_close()
        page.wait_for_selector("text=iwm watch has ended", timeout=SOON)
        faults = [fault for fault in faults if "ERR_CONNECTION_REFUSED" not in fault]  # of the end alone
        browser.close()
    print("\n".join(faults) if faults else f"{run}: no fault")
    return len(faults)


def known(address: str, own: str) -> bool:
    """Whether a request is one that the page may make."""
    return address.startswith((own, "data:"))


def follow(page: Page, path: Path, run: Path, lines: list[str]) -> list[str]:
    """What is wrong while the run goes on."""
    found = []
    page.locator("#training details > summary").first.click()
    page.evaluate("scrollTo(0, 300)")
    for count in range(4, len(lines) + 1, 4):
        (path / "metrics.jsonl").write_text("".join(lines[:count]))
        step = json.loads(lines[count - 1])["step"]
        page.wait_for_selector(f".standing:has-text('step {step:,}')", timeout=SOON)
        if not page.locator("#training details").first.evaluate("one => one.open"):
            found.append(f"step {step}: what was unfolded has closed")
    if page.evaluate("scrollY") != 300:
        found.append(f"the page has moved to {page.evaluate('scrollY')}")
    shutil.copytree(run / "checkpoints", path / "checkpoints")
    shutil.copytree(run / "eval", path / "eval")
    page.wait_for_selector("#verdict, #seen", timeout=SOON)
    found += [*readable(page, "measured"), *sideways(page)]
    page.locator("main img").first.click()
    (path / "metrics.jsonl").write_text("".join(lines[:-1]))
    page.wait_for_timeout(5000)
    if not page.locator("dialog").evaluate("one => one.open"):
        found.append("an enlarged picture was taken away")
    page.keyboard.press("Escape")
    shutil.move(path, path.with_name("away"))
    page.wait_for_selector("text=run cannot be read now", timeout=SOON)
    shutil.move(path.with_name("away"), path)
    page.wait_for_selector("#training .chart", timeout=SOON)
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(bool(main(Path(sys.argv[1]))))
