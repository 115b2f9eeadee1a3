"""A report in a real browser: what a reader sees first, that it runs nothing else and asks nobody, and that everybody can read it.

    pip install playwright axe-playwright-python      # and a Chromium, which `which chromium` finds
    python tests/slow/browser.py RUN [RUN …]

Checked at 1280 and 390 pixels, in light and in dark: no message on the console, no request, no sideways scroll; of one run, verdict,
pictures and curves within the first 1,500 pixels and at most 8,000 in all; no serious finding of axe-core, folded and unfolded; pictures
enlarge and curves hide by the keyboard alone; without scripts, all can be read. Screenshots are written beside the report.
"""

import shutil
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from iwm_report.report import write_report
from playwright.sync_api import Page, sync_playwright

FIRST, MOST = 1500, 8000  # pixels
SERIOUS = ("serious", "critical")


def main(runs: list[Path]) -> int:
    """Check the report of some runs; returns how many faults there were."""
    path = write_report(runs)
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        sys.exit("there is no chromium on the PATH; install one, such as Debian's chromium")
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        for width in (1280, 390):
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                heard: list[str] = []
                page.on("console", lambda message, heard=heard: heard.append(f"console: {message.text}"))
                page.on("pageerror", lambda error, heard=heard: heard.append(f"error: {error}"))
                page.on(
                    "request",
                    lambda request, heard=heard: (
                        heard.append(f"request: {request.url[:80]}") if not request.url.startswith(("file:", "data:")) else None
                    ),
                )
                page.goto(path.resolve().as_uri())
                found = [*look(page, width, len(runs) == 1), *readable(page, "folded"), *heard]
                page.screenshot(path=path.with_name(f"report-{width}-{scheme}.png"))
                page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
                found += readable(page, "unfolded") + sideways(page)
                if width == 1280:
                    found += by_keyboard(page)
                faults += [f"{width} px, {scheme}: {fault}" for fault in found]
                page.close()
        page = browser.new_page(java_script_enabled=False)
        page.goto(path.resolve().as_uri())
        if page.locator("summary").count() and not page.locator("summary").first.is_visible():
            faults.append("without scripts, what is folded cannot be unfolded")
        browser.close()
    print("\n".join(faults) if faults else f"{path}: no fault")
    return len(faults)


def look(page: Page, width: int, one: bool) -> list[str]:
    """Whether what matters comes first."""
    found = sideways(page)
    if width == 1280:
        height = page.evaluate("document.documentElement.scrollHeight")
        places = {name: bottom(page, css) for name, css in PLACES.items() if page.locator(css).count()}
        print(f"{width} px: {height} px tall; ends of {', '.join(f'{name} {end:.0f}' for name, end in places.items())}")
        found += [f"{height} px tall"] if one and height > MOST else []
        found += [f"{name} ends at {end:.0f} px" for name, end in places.items() if one and end > FIRST]
    return found


PLACES = {"verdict": "#verdict", "the first picture": "#seen .case", "the first curve": "#training .chart"}


def bottom(page: Page, css: str) -> float:
    """Where an element ends, from the top of the page."""
    box = page.locator(css).first.bounding_box()
    assert box is not None
    return box["y"] + box["height"] + page.evaluate("scrollY")


def sideways(page: Page) -> list[str]:
    """Whether the page scrolls sideways."""
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"it scrolls sideways by {over} px"] if over > 0 else []


def readable(page: Page, state: str) -> list[str]:
    """Serious findings of axe-core."""
    results = Axe().run(page).response["violations"]
    return [f"{state}: {one['id']}: {one['help']} ({one['nodes'][0]['html'][:120]})" for one in results if one["impact"] in SERIOUS]


def by_keyboard(page: Page) -> list[str]:
    """Pictures enlarge, and curves hide, without a mouse."""
    found = []
    image = page.locator("main img").first
    if image.count():
        image.focus()
        page.keyboard.press("Enter")
        if not page.locator("dialog").evaluate("one => one.open"):
            found.append("a picture does not enlarge by the Enter key")
        page.keyboard.press("Escape")
    key = page.locator(".legend button").first
    if key.count():
        key.focus()
        page.keyboard.press("Enter")
        if key.get_attribute("aria-pressed") != "false":
            found.append("a curve does not hide by the Enter key")
    return found


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(bool(main([Path(word) for word in sys.argv[1:]])))
