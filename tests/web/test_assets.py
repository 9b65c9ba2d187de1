"""What is served as files: of the versions that are written down, kept by browsers, and readable in light and dark."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_house import WebHouse

from integrator.web.assets import ASK_AGAIN, FOREVER

WEB = Path(__file__).parents[2] / "integrator" / "web"
VENDORED = WEB / "static" / "vendor"
LISTED = tomllib.loads((WEB / "vendor.toml").read_text("utf-8"))["packages"]
TEMPLATES = "".join(path.read_text("utf-8") for path in sorted((WEB / "templates").rglob("*.html")))
SOURCES = TEMPLATES + "".join(path.read_text("utf-8") for path in sorted(WEB.rglob("*.py")))
TOKENS = (WEB / "static" / "tokens.css").read_text("utf-8")
OURS = (WEB / "static" / "integrator.css").read_text("utf-8")

GROUNDS = ("page", "panel", "lifted", "sunk")
PAIRS = [
    *(("text", ground) for ground in (*GROUNDS, "accent-soft", "good-soft", "busy-soft", "waits-soft", "bad-soft")),
    *(("quiet", ground) for ground in GROUNDS),
    *(("accent", ground) for ground in (*GROUNDS, "accent-soft")),
    *(
        (state, ground)
        for state in ("good", "busy", "waits", "bad")
        for ground in ("page", "panel", "lifted", f"{state}-soft")
    ),
    ("bad", "sunk"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-bad", "bad"),
    ("panel", "waits"),
]
EDGES = [("edge", "panel"), ("edge", "page"), ("accent", "panel"), ("accent", "page")]


def kept_files() -> Iterator[tuple[str, str]]:
    for package in LISTED:
        for kept in (*package.get("files", ()), *([package["sprite"]] if "sprite" in package else [])):
            yield kept["to"], kept["sha256"]


def test_every_vendored_file_is_the_one_that_is_written_down() -> None:
    kept = dict(kept_files())
    licences = {f"{package['name']}.LICENSE.txt" for package in LISTED}
    assert {path.name for path in VENDORED.iterdir()} == {*kept, *licences}
    assert {name: hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() for name in kept} == kept


def test_every_icon_that_is_drawn_is_in_the_sprite_and_no_other() -> None:
    there = set(re.findall(r'<symbol id="([^"]+)"', (VENDORED / "icons.svg").read_text("utf-8")))
    quoted = set(re.findall(r"[\"']([a-z0-9-]+)[\"']", SOURCES))
    drawn = set(re.findall(r'icon\("([a-z0-9-]+)"', TEMPLATES))
    assert drawn <= there
    assert there <= quoted | {
        "arrow-clockwise",
        "eye",
        "pencil",
        "plus-lg",
        "question-circle",
        "x-lg",
        "chevron-down",
        "hourglass-split",
    }


def test_nothing_comes_from_elsewhere() -> None:
    for path in (WEB / "static").glob("*.*"):
        told = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"https?://|@import|data:", told) == [], path
    assert "eval" not in (WEB / "static" / "integrator.js").read_text("utf-8")
    assert '"allowEval": false' in TEMPLATES


def test_a_file_is_kept_by_browsers_under_the_address_of_its_content_only(web: WebHouse) -> None:
    browser = web.browser()
    address = re.search(r'href="(/static/integrator\.css\?v=[0-9a-f]+)"', browser.get("/sign-in").text)
    assert address
    assert browser.get(address[1], buffered=True).headers["Cache-Control"] == FOREVER
    for other in ("/static/integrator.css", "/static/integrator.css?v=0", "/static/tokens.css?v=" + address[1][-12:]):
        assert browser.get(other, buffered=True).headers["Cache-Control"] == ASK_AGAIN
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/nothing.css?v=1"):
        assert browser.get(path).status_code == 404


def blocks() -> dict[str, dict[str, str]]:
    """The colours of light, of dark as the system says, and of dark as somebody has chosen."""
    found = re.findall(r"^\s*(:root[^{]*?)\s*\{([^}]*)\}", TOKENS, re.MULTILINE)
    by_name = {name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body)) for name, body in found if "#" in body}
    assert len(by_name) == 3, by_name.keys()
    light, system, chosen = by_name.values()
    return {"light": light, "system dark": system, "chosen dark": chosen}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "system dark"])
def test_every_pair_of_colours_can_be_read(theme: str) -> None:
    colours = blocks()[theme]
    poor = {pair: round(found, 2) for pair in PAIRS if (found := contrast(colours[pair[0]], colours[pair[1]])) < 4.5}
    poor |= {pair: round(found, 2) for pair in EDGES if (found := contrast(colours[pair[0]], colours[pair[1]])) < 3}
    assert poor == {}


def test_dark_is_the_same_whoever_has_chosen_it_and_names_every_colour() -> None:
    found = blocks()
    assert found["system dark"] == found["chosen dark"]
    assert found["light"].keys() == found["system dark"].keys()


def test_colours_are_named_in_one_file_only() -> None:
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl", OURS) == []


def test_every_variable_that_is_used_exists() -> None:
    known = set(re.findall(r"^\s*(--[\w-]+):", TOKENS, re.MULTILINE))
    assert set(re.findall(r"var\((--[\w-]+)\)", OURS + TOKENS)) <= known
