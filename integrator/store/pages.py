"""Pages of rows: what a list shows of many, found, sorted and cut by the database, with as many queries for one as for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, Select, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

ROWS: Final = 50
FARTHEST_PAGE: Final = 100_000

T = TypeVar("T")

Reading = Connection
"""What lists are read from: one transaction that sees the database as it is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows are asked for. `sort` is a column's key, with `-` in front: downwards."""

    search: str = ""
    sort: str = ""
    page: int = 1
    filters: Mapping[str, str] = field(default_factory=dict)
    rows: int = ROWS

    @property
    def offset(self) -> int:
        """How many rows come before."""
        return (self.page - 1) * self.rows


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The rows of one page, and how many there are in all."""

    rows: Sequence[T]
    total: int
    asked: Asked
    is_more: bool = False
    """Whether there are more than `total`: nobody counts a million rows to show fifty."""

    @property
    def first(self) -> int:
        """The number of the first row, from 1; 0 where there is none."""
        return self.asked.offset + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.asked.offset + len(self.rows)

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // self.asked.rows))


def paged(
    connection: Connection,
    query: Select[Any],
    asked: Asked,
    sorts: Mapping[str, ColumnElement[Any]],
    make: Callable[[Any], T],
    *,
    first: str,
    most: int = 0,
) -> Page[T]:
    """The page of this query. What cannot be sorted by is not; `first` is what is sorted by then. With `most` no more
    than that are counted. Two queries, or one for a search that finds little."""
    key = asked.sort if asked.sort.removeprefix("-") in sorts else first
    column = sorts[key.removeprefix("-")]
    order = column.desc() if key.startswith("-") else column.asc()
    found = connection.execute(query.order_by(order).limit(asked.rows).offset(asked.offset)).all()
    is_all = (
        bool(asked.search) and asked.page == 1 and len(found) < asked.rows
    )  # a search is dear: it is not made twice
    total = len(found) if is_all else _counted(connection, query, most)
    is_more = bool(most) and total > most
    return Page([make(row) for row in found], most if is_more else total, asked, is_more)


def _counted(connection: Connection, query: Select[Any], most: int) -> int:
    counted = query.order_by(None).limit(most + 1) if most else query.order_by(None)
    rows = counted.with_only_columns(literal(1).label("one"), maintain_column_froms=True).subquery()
    return connection.execute(select(func.count()).select_from(rows)).scalar_one()
