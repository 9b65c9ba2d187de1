"""Going through a page with the Tab key, as whoever has no mouse does: the focus has to show wherever it comes."""

from __future__ import annotations

from playwright.sync_api import Page

MOST_STEPS = 80
RING = """() => {
    const focused = document.activeElement, ring = (one, part) => {
        const style = getComputedStyle(one, part);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
    };
    if (!focused || focused === document.body) return true;
    return ring(focused) || ring(focused, "::after") || [...(focused.labels ?? [])].some(label => ring(label));
}"""
"""Whether what has the focus shows it: itself, or the label around it."""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what is called so has the focus. Raises AssertionError where that never is, or shows no focus."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        told = page.evaluate("""() => {
            const one = document.activeElement, by = one.getAttribute("aria-labelledby");
            return one.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent)
                || one.labels?.[0]?.textContent || one.textContent;
        }""")
        assert page.evaluate(RING), f"the focus does not show on {told}"
        if str(told).strip().startswith(name):
            return
    raise AssertionError(f"Tab never came to {name}")
