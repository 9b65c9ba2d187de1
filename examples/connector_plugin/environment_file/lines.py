"""One line of a `.env` file: `KEY=value`, `export KEY=value`, `'as it is'`, `"with \\n, \\" and \\$"`.

Shells, Docker Compose and the dotenv libraries agree on this much. A value stands on one line.
"""

from __future__ import annotations

import re
from typing import Final

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_LINE: Final = re.compile(rf"\s*(?:export\s+)?({NAME.pattern})\s*=\s*(.*?)\s*")
_QUOTED: Final = re.compile(r"""'([^']*)'(?:\s+#.*)?|"((?:[^"\\]|\\.)*)"(?:\s+#.*)?""")
_BARE: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_ESCAPE: Final = re.compile(r"\\(.)")
_MEANT: Final = {"n": "\n", "r": "\r"}
_WRITTEN: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"})


def parse(line: str) -> tuple[str, str] | None:
    """Name and value; None for a comment or an empty line. Raises ValueError, without the line's text, for others."""
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("it is neither KEY=value nor a comment")
    name, text = match.groups()
    if not text.startswith(("'", '"')):
        return name, re.sub(r"(^|\s)#.*", "", text).rstrip()
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        raise ValueError("its quotes do not end on the line")
    plain, escaped = quoted.groups()
    return name, plain if escaped is None else _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1]), escaped)


def render(name: str, value: str) -> str:
    """The line that reads back as this name and value."""
    if _BARE.fullmatch(value):
        return f"{name}={value}"
    if not re.search(r"['\\\n\r]", value):
        return f"{name}='{value}'"
    return f'{name}="{value.translate(_WRITTEN)}"'
