"""Lists in the address: what is searched for, how it is sorted, which page, so that a list can be shared and gone back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from flask import request

from integrator.store.pages import FARTHEST_PAGE, Asked

SEARCH: Final = "q"
SORT: Final = "sort"
PAGE: Final = "page"
LONGEST_SEARCH: Final = 200


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. With a `key` it can be sorted by; `kind` is empty, number, time or menu; `from_width` is the
    least width at which it is shown: empty, medium (641 px) or wide (1,025 px)."""

    label: str
    key: str = ""
    kind: str = ""
    from_width: str = ""

    @property
    def css(self) -> str:
        """The classes of its cells."""
        return " ".join(
            name for name in (self.kind and f"is-{self.kind}", self.from_width and f"from-{self.from_width}") if name
        )


def asked(*filters: str) -> Asked:
    """What the address of this request asks for. What cannot be is left out."""
    told = request.args.get(PAGE, "1")
    number = int(told) if told.isascii() and told.isdecimal() and len(told) < 9 else 1
    return Asked(
        search=request.args.get(SEARCH, "").strip()[:LONGEST_SEARCH],
        sort=request.args.get(SORT, "")[:40],
        page=min(max(1, number), FARTHEST_PAGE),
        filters={name: value[:LONGEST_SEARCH] for name in filters if (value := request.args.get(name, ""))},
    )


def list_url(asked_for: Asked, **changes: str | int) -> str:
    """The same list, asked for a little differently; what is changed begins on page 1."""
    now: dict[str, str | int] = {**asked_for.filters, SEARCH: asked_for.search, SORT: asked_for.sort, PAGE: 1}
    told = {name: value for name, value in (now | changes).items() if value not in ("", 1)}
    return f"?{urlencode(told)}" if told else f"{request.script_root}{request.path}"


def sort_url(asked_for: Asked, column: Column) -> str:
    """The same list by this column; where it is by it already, the other way round."""
    return list_url(asked_for, sort=f"-{column.key}" if asked_for.sort == column.key else column.key)


def shown_filters(asked_for: Asked) -> Sequence[tuple[str, str]]:
    """What is filtered by, as hidden fields of the search form."""
    return [*asked_for.filters.items(), *([(SORT, asked_for.sort)] if asked_for.sort else [])]
