"""Charts as SVG in the page, drawn by leather: columns a day, moved and failed on top of each other.

It writes plain shapes with attributes, neither style nor script, so a strict Content-Security-Policy lets them be, and the
colours come from our own style sheet, in light and dark. The one home of leather. Source: leather.readthedocs.io.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final
from xml.etree import ElementTree

import leather
import leather.theme

from integrator.store.moved import MovedHour

DAYS: Final = 14
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FILLED: Final = 0.66
"""So much of its place a column fills."""
_WIDE: Final = (960, 210, 1)
_NARROW: Final = (340, 190, 4)
"""Width, height, and every how many days one is named."""

leather.theme.margin = 0.0
leather.theme.background_color = "none"
leather.theme.tick_font_family = "inherit"
leather.theme.tick_font_size = leather.theme.tick_font_char_height = 12
leather.theme.tick_font_char_width = 7


@dataclass(frozen=True, slots=True)
class MovedDay:
    """What was moved on one day, as the viewer counts days."""

    day: date
    moved: int
    unchanged: int
    failed: int

    @property
    def label(self) -> str:
        """Such as `12 Nov`."""
        return f"{self.day.day} {_MONTHS[self.day.month - 1]}"

    @property
    def words(self) -> str:
        """What a pointer that rests on it is told."""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.label}: {self.moved:,} moved{failed}"


def first_hour(now: float, zone: tzinfo) -> float:
    """When the first of the days begins that are shown."""
    today = datetime.fromtimestamp(now, zone).date()
    return datetime.combine(today - timedelta(days=DAYS - 1), datetime.min.time(), zone).timestamp()


def by_day(hours: Sequence[MovedHour], now: float, zone: tzinfo) -> list[MovedDay]:
    """The days that are shown, the first one first. An hour counts to the day in which it begins."""
    today = datetime.fromtimestamp(now, zone).date()
    sums = {today - timedelta(days=ago): [0, 0, 0] for ago in range(DAYS - 1, -1, -1)}
    for hour in hours:
        parts = sums.get(datetime.fromtimestamp(hour.at, zone).date())
        if parts is not None:
            for place, many in enumerate((hour.moved, hour.unchanged, hour.failed)):
                parts[place] += many
    return [MovedDay(day, *(max(0, many) for many in parts)) for day, parts in sums.items()]


def moved_chart(days: Sequence[MovedDay]) -> list[str]:
    """The chart twice, for wide and for narrow pages; which one is seen, the style sheet says. Safe as HTML."""
    return [_drawn(days, "is-wide", *_WIDE), _drawn(days, "is-narrow", *_NARROW)]


def in_words(days: Sequence[MovedDay]) -> str:
    """What the chart says, for whoever does not see it."""
    moved, failed = sum(day.moved for day in days), sum(day.failed for day in days)
    most = max(days, key=lambda day: day.moved)
    return (
        f"From {days[0].label} to {days[-1].label}: {moved:,} records moved, {failed:,} failed; "
        f"most on {most.label}, {most.moved:,}."
    )


class _Columns(leather.Columns):  # type: ignore[misc]
    """Columns with room between them, a class instead of a colour, and words for a pointer; no legend."""

    def __init__(self, css: str, days: Sequence[MovedDay]) -> None:
        super().__init__("currentColor")
        self._css, self._days = css, days

    def to_svg(self, *measures: Any) -> ElementTree.Element:
        """The columns, each as narrow as we like them."""
        group: ElementTree.Element = super().to_svg(*measures)
        group.set("class", f"columns {self._css}")
        for rect, day in zip(group, self._days, strict=True):
            width = float(rect.get("width", 0))
            rect.set("x", f"{float(rect.get('x', 0)) + width * (1 - _FILLED) / 2:.1f}")
            rect.set("width", f"{width * _FILLED:.1f}")
            rect.set("rx", "2")
            ElementTree.SubElement(rect, "title").text = day.words
        return group

    def legend_to_svg(self, *parts: Any) -> list[Any]:
        """Nothing: the page has one."""
        return []


def _drawn(days: Sequence[MovedDay], css: str, width: int, height: int, every: int) -> str:
    top = _round_above(max(day.moved + day.failed for day in days))
    chart = leather.Chart()
    for part, tops in (
        ("is-failed", [day.moved + day.failed for day in days]),
        ("is-moved", [day.moved for day in days]),
    ):
        data = [(str(place), many) for place, many in enumerate(tops)]
        chart.add_series(leather.Series(data), _Columns(part, days))
    chart.add_y_scale(0, top)
    chart.add_y_axis(ticks=[0, top // 2, top], tick_formatter=lambda value, *rest: f"{value:,}")
    chart.add_x_axis(tick_formatter=lambda value, *rest: _named(days, int(value), every))
    label = {"role": "img", "aria-labelledby": f"chart-title-{css} chart-words-{css}"}
    svg = ElementTree.Element("svg", {"class": f"chart {css}", "viewBox": f"0 0 {width} {height}", **label})
    ElementTree.SubElement(svg, "title", {"id": f"chart-title-{css}"}).text = "Records moved per day"
    ElementTree.SubElement(svg, "desc", {"id": f"chart-words-{css}"}).text = in_words(days)
    svg.append(chart.to_svg_group(width, height))
    return ElementTree.tostring(svg, encoding="unicode")


def _named(days: Sequence[MovedDay], place: int, every: int) -> str:
    """Every so many days one has its name, counted from today."""
    return days[place].label if (len(days) - 1 - place) % every == 0 else ""


def _round_above(most: int) -> int:
    """The next round number: 2, 4, 10, 20, 40, 100 and so on."""
    unit = 1
    while True:
        for step in (2, 4, 10):
            if most <= step * unit:
                return step * unit
        unit *= 10
