"""Draws a figure: two panels, bars for groups or lines over a scale, error bars, and group sizes under the axis."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cman.report.figures.data import FigureData, Series
from cman.report.frame import Summary, signed
from cman.report.published import PublishedPoint
from cman.report.results import COUNTED
from cman.style import BLACK, BLUE, GREEN, SKY, VERMILION, save, styled

SIZE = 7.0, 2.9  # inches: the width of a page of two columns
# By experiment: colour, hatch of the bars, mark and dashes of the lines. Without colour the others tell them apart.
LOOK = {
    "multihead-at": (BLUE, "////", "o", (4, 2)),
    "multihead-contextual": (SKY, "....", "^", (1, 1)),
    "multihead-matched": (GREEN, "xxxx", "v", (1, 1)),
    "cman": (VERMILION, "", "D", ()),
    "cman-separate": (SKY, "\\\\\\\\", "s", (4, 2)),
}
BAR, LINE = 0.8, 10  # width of all bars of a group; the axis of lines starts at a multiple of this


def draw(data: FigureData, corpus: str, sample: bool, stem: Path) -> list[Path]:
    """Write a figure as PDF, SVG and PNG; the paths.

    Args:
        corpus: what the corpus is called.
    """
    with styled() as pyplot:
        figure, panels = pyplot.subplots(1, 2, figsize=SIZE)
        for letter, task, panel in zip("ab", COUNTED, panels, strict=True):
            panel.set_title(f"({letter}) {task}")
            (_lines if data.lines else _bars)(panel, data, task)
            _axis(panel, data, task)
        where = f"{corpus}, a generated sample corpus" if sample else corpus
        figure.suptitle(f"{where}: {data.title}", fontsize=8, x=0.01, ha="left")
        entries = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
        legend = figure.legend(
            entries.values(), entries.keys(), loc="outside lower left", title=_remark(data), alignment="left"
        )
        legend.get_title().set_fontsize(7)
        paths = save(figure, stem)
        pyplot.close(figure)
    return paths


def _remark(data: FigureData) -> str:
    if not data.series:
        return "No run."
    fewest, most = data.seeds
    bars = f"Means and, as error bars, sample standard deviations over {most} seeds."
    if most == 1:
        bars = "One seed, so there are no error bars."
    elif fewest < most:
        bars = f"Means over {fewest} to {most} seeds; error bars are sample standard deviations, none for one seed."
    trained = f" Not trained alike: {', '.join(data.epochs)} epochs." if data.epochs else ""
    return f"Strict micro F1 in percent on the test documents. {bars}{trained}"


def _label(series: Series) -> str:
    return f"{series.title} (inputs: {series.inputs})"


def _bars(panel: Any, data: FigureData, task: str) -> None:
    width = BAR / max(len(data.series), 1)
    for number, series in enumerate(data.series):
        colour, hatch, _, _ = LOOK[series.experiment]
        places = [place for kind, place in sorted(series.points) if kind == task]
        points = [series.points[task, place].summary for place in places]
        panel.bar(
            [place - BAR / 2 + width * (number + 0.5) for place in places],
            [point.mean for point in points],
            width * 0.92,
            yerr=_deviations(points) if any(point.sd for point in points) else None,
            color=colour,
            edgecolor="white" if hatch else colour,
            hatch=hatch,
            linewidth=0.0 if hatch else 0.5,
            ecolor=BLACK,
            error_kw={"elinewidth": 0.8},
            label=_label(series),
        )
    panel.set_ylim(0, 100)
    for point in data.published:
        if point.task == task:
            _difference(panel, data, point)
    margin = 0.6 if len(data.groups) > 1 else 1.2
    panel.set_xlim(-margin, len(data.groups) - 1 + margin)


def _difference(panel: Any, data: FigureData, point: PublishedPoint) -> None:
    """Write above the panel what the paper's text gives as a difference, and what was measured."""
    titles = {series.experiment: series.title for series in data.series}
    here = data.measured(point)
    if here is not None:
        published, measured = (signed(value).replace("-", "−") for value in (point.value, here))
        where = f"{point.group}: " if point.group else ""
        text = f"{where}{titles[point.experiment]} − {titles[point.reference]}\npublished {published}, here {measured}"
        panel.set_title(text, loc="right", fontsize=6, fontweight="normal")


def _deviations(points: Sequence[Summary]) -> list[float]:
    return [math.nan if point.sd is None else point.sd for point in points]  # nothing is drawn for no number


def _lines(panel: Any, data: FigureData, task: str) -> None:
    lowest = 100.0
    for series in data.series:
        colour, _, mark, dashes = LOOK[series.experiment]
        places = [place for kind, place in sorted(series.points) if kind == task]
        points = [series.points[task, place].summary for place in places]
        panel.errorbar(
            places,
            [point.mean for point in points],
            yerr=_deviations(points),
            color=colour,
            marker=mark,
            linestyle=(0, dashes) if dashes else "-",
            elinewidth=0.8,
            label=_label(series),
        )
        lowest = min([lowest, *((point.mean or 0.0) - (point.sd or 0.0) for point in points)])
    for point in data.published:
        if point.task == task:
            label = f"CMAN, {point.source}"
            place = data.groups.index(point.group)
            panel.plot([place], [point.value], "*", color=BLACK, markersize=8, fillstyle="none", zorder=5, label=label)
            lowest = min(lowest, point.value)
    bottom = min(LINE * (lowest // LINE), 100 - LINE) if data.series else 0
    panel.set_ylim(max(bottom, 0), 100)
    panel.set_xlim(-0.3, len(data.groups) - 0.7)


def _axis(panel: Any, data: FigureData, task: str) -> None:
    labels = [
        group + (f"\nn = {data.sizes[task, place]}" if (task, place) in data.sizes else "")
        for place, group in enumerate(data.groups)
    ]
    panel.set_xticks(range(len(data.groups)), labels if data.series else data.groups)
    items = f"n: {data.items[task]}" if data.sizes else ""
    panel.set_xlabel("\n".join(textwrap.wrap("; ".join(filter(None, (data.axis, items))), 52)))
    bottom = panel.get_ylim()[0]
    panel.set_ylabel("F1" if bottom == 0 else f"F1 (axis from {bottom:.0f})")
    if not data.series:
        panel.text(0.5, 0.5, "no run", transform=panel.transAxes, ha="center", va="center", fontsize=10)
