"""Fetches what others made and our pages serve, as `integrator/web/vendor.toml` says; run by `make vendor`.

Packages come through npm's own client, so that whatever it is configured with serves them. What does not have the hash
that is written down is refused; with `--trust`, after a version was changed, the hashes are written down instead.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

WEB = Path(__file__).parents[1] / "integrator" / "web"
LIST = WEB / "vendor.toml"
FOLDER = WEB / "static" / "vendor"
_DRAWN = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_DATA_IMAGE = re.compile(rb'url\("data:image[^"]*"\)')
_SOURCE_MAP = re.compile(rb"\n?(/\*|//)# sourceMappingURL=.*$")


class Checked:
    """Compares hashes with those that are written down, or, where they are to be trusted, collects them."""

    def __init__(self, *, trusts: bool) -> None:
        self.trusts = trusts
        self.text = LIST.read_text("utf-8")

    def check(self, what: str, data: bytes, expected: str) -> None:
        found = hashlib.sha256(data).hexdigest()
        if found == expected:
            return
        if not self.trusts:
            sys.exit(f"{what} has the hash {found}, not {expected}: nothing was changed.")
        self.text = self.text.replace(f'"{expected}"', f'"{found}"', 1)


def main() -> None:
    checked = Checked(trusts="--trust" in sys.argv)
    made: dict[str, bytes] = {}
    for package in tomllib.loads(checked.text)["packages"]:
        made |= _made(package, checked)
    FOLDER.mkdir(exist_ok=True)
    for name, data in made.items():
        (FOLDER / name).write_bytes(data)
    LIST.write_text(checked.text, "utf-8")
    print(f"{len(made)} files in {FOLDER}.")


def _made(package: dict[str, Any], checked: Checked) -> dict[str, bytes]:
    name = package["name"]
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{name}@{package['version']}", "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(folder).iterdir())
        checked.check(f"{name} {package['version']}", archive.read_bytes(), package["sha256"])
        with tarfile.open(archive) as opened:
            inside = {member.name.removeprefix("package/"): member for member in opened if member.isfile()}

            def read(path: str) -> bytes:
                held = opened.extractfile(inside[path])
                assert held is not None
                return held.read()

            made = {f"{name}.LICENSE.txt": read("LICENSE")}
            for kept in package.get("files", ()):
                plain = _SOURCE_MAP.sub(b"", read(kept["from"]).rstrip()) + b"\n"
                made[kept["to"]] = _DATA_IMAGE.sub(
                    b"none", plain
                )  # our policy lets no such image in, and we draw our own
                checked.check(kept["to"], made[kept["to"]], kept["sha256"])
            if sprite := package.get("sprite"):
                made[sprite["to"]] = _sprite({icon: read(f"icons/{icon}.svg").decode() for icon in sprite["icons"]})
                checked.check(sprite["to"], made[sprite["to"]], sprite["sha256"])
    return made


def _sprite(icons: dict[str, str]) -> bytes:
    """One file with every icon as a symbol of its name."""
    symbols = []
    for name, text in icons.items():
        drawn = _DRAWN.search(text)
        assert drawn is not None, name
        inner = re.sub(r"\s*\n\s*", "", drawn[1])
        symbols.append(f'<symbol id="{name}" viewBox="0 0 16 16" fill="currentColor">{inner}</symbol>')
    return "\n".join(('<svg xmlns="http://www.w3.org/2000/svg">', *symbols, "</svg>", "")).encode()


if __name__ == "__main__":
    main()
