"""Addresses of what is served as files: each names the file's content, so browsers keep it and still never show an old one."""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from flask import request, url_for

STATIC: Final = Path(__file__).with_name("static")
VERSION: Final = "v"
"""As `asset` writes it."""
FOREVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"


def asset(name: str) -> str:
    """The address of this file."""
    return _address(request.script_root, name)


def icon_address(name: str) -> str:
    """The address of this icon inside the sprite."""
    return f"{asset('vendor/icons.svg')}#{name}"


def keeping() -> str:
    """How long the browser may keep the file that is asked for."""
    told, name = request.args.get(VERSION), (request.view_args or {}).get("filename", "")
    return FOREVER if told and told == _known_version(name) else ASK_AGAIN


@lru_cache(maxsize=1000)
def _address(script_root: str, name: str) -> str:
    """Made once for each path that the application is served below: a page has hundreds of icons."""
    return url_for("static", filename=name, v=_version(name))


def _known_version(name: str) -> str:
    try:
        return _version(name)
    except (OSError, ValueError):
        return ""


@cache
def _version(name: str) -> str:
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC):
        raise ValueError(name)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
