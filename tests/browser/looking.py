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
COLORS, EXACT, HIGHEST = 64, 32, 1300
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
    _with_few_colors(Image.open(io.BytesIO(taken)).convert("RGB")).save(PICTURES / f"{name}.png", optimize=True)


def _with_few_colors(image: Image.Image) -> Image.Image:
    """The picture with so many colours as a small file has: the frequent ones, which are areas, stay exactly as they are."""
    frequent = sorted(image.getcolors(image.width * image.height), reverse=True)[:EXACT]
    rest = image.quantize(COLORS - EXACT, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, color in frequent for part in color] + (rest or [])[: 3 * (COLORS - EXACT)])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)
