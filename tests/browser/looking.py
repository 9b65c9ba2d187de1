"""Looking at a page: what axe finds, whether it scrolls sideways, and a picture of it where pictures are asked for.

axe runs by the debugger's door, so that the page's own Content-Security-Policy holds all the while.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(__file__).parents[2] / "docs" / "screenshots"
IS_ASKED_FOR = os.environ.get("INTEGRATOR_SCREENSHOTS") == "1"
COLORS, HIGHEST = 64, 1300
GRAVE = ("serious", "critical")
_RUN = """async () => (await axe.run(document, {resultTypes: ["violations"], preload: false})).violations.map(found => ({
    impact: found.impact,
    told: `${found.id}: ${found.help}: ` + found.nodes.slice(0, 3).map(node => `${node.target} ${node.html.slice(0, 120)}: `
        + node.any.concat(node.all, node.none).map(check => check.message).join("; ")).join("\\n    ")}))"""


def check(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    return [found["told"] for found in page.evaluate(_RUN) if found["impact"] in GRAVE]


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"))


def picture(page: Page, name: str) -> None:
    """Keep what is seen under this name, small, where `INTEGRATOR_SCREENSHOTS=1` asks for it."""
    if not IS_ASKED_FOR:
        return
    size = page.viewport_size
    assert size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.mouse.move(0, 0)
    page.set_viewport_size({"width": size["width"], "height": min(max(height, size["height"]), HIGHEST)})
    taken = page.screenshot(
        caret="initial", animations="allow"
    )  # hiding them would add a style that the policy refuses
    page.set_viewport_size(size)
    PICTURES.mkdir(parents=True, exist_ok=True)
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    image.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        PICTURES / f"{name}.png", optimize=True
    )
