"""The figure of `kernels.csv`: one panel an operation, one line a shape, one mark a contender, time to the right.

The horizontal axis is logarithmic; a mark is the median and its bar the range over the rounds. The number beside a
shape is how many times faster our operation is than the plain-PyTorch one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cman.speed.operations import OPERATIONS
from cman.speed.rows import TIMED, SpeedRow
from cman.style import save, styled

# The marks differ as well as the colours.
MARKS = {
    "cman": ("#D55E00", "D"),
    "eager": ("#000000", "o"),
    "pytorch-crf": ("#0072B2", "s"),
    "torch-struct": ("#009E73", "^"),
    "hmmlearn": ("#CC79A7", "v"),
    "torch.nn.LSTM": ("#0072B2", "s"),
    "torch.compile": ("#E69F00", "P"),
    "pair_scores + BCE": ("#56B4E9", "X"),
    "pair_scores + nonzero": ("#56B4E9", "X"),
}
WIDTH, PANEL, LINE = 7.0, 0.6, 0.24  # inches


def plot_rows(rows: Sequence[SpeedRow], stem: Path) -> list[Path]:
    """Write the figure as PDF, SVG and PNG, of the first number of threads in the rows; the paths written."""
    with styled() as pyplot:
        return _plot(pyplot, rows, stem)


def _plot(pyplot: Any, rows: Sequence[SpeedRow], stem: Path) -> list[Path]:
    timed = [row for row in rows if row.status == TIMED and row.threads == rows[0].threads]
    operations = [name for name in OPERATIONS if any(row.operation == name for row in timed)]
    shapes = {name: list(dict.fromkeys(r.shape for r in timed if r.operation == name)) for name in operations}
    heights = [PANEL + LINE * len(shapes[name]) for name in operations] or [1.0]
    figure, panels = pyplot.subplots(
        len(heights), 1, figsize=(WIDTH, sum(heights) + 1), height_ratios=heights, squeeze=False,
        sharex=True, layout="constrained",
    )  # fmt: skip
    for name, panel in zip(operations, panels[:, 0], strict=False):
        _panel(panel, name, shapes[name], [row for row in timed if row.operation == name])
    entries = {
        label: handle
        for panel in panels[:, 0]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    if timed:
        panels[0, 0].set_title("eager / cman", loc="right", fontsize=8)
        threads = f"{timed[0].threads} thread{'s' * (timed[0].threads > 1)}"
        where = timed[0].processor if timed[0].device == "cpu" else timed[0].device
        figure.suptitle(f"{where}, {threads}, kernels: {timed[0].backend}", fontsize=8)
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4, frameon=False)
        panels[-1, 0].set_xlabel("milliseconds a call")
    paths = save(figure, stem)
    pyplot.close(figure)
    return paths


def _panel(panel: Any, operation: str, shapes: Sequence[str], rows: Sequence[SpeedRow]) -> None:
    for row in rows:
        assert row.median_ms is not None and row.min_ms is not None and row.max_ms is not None
        colour, mark = MARKS[row.contender]
        spread = [[row.median_ms - row.min_ms], [row.max_ms - row.median_ms]]
        panel.errorbar(
            [row.median_ms], [shapes.index(row.shape)], xerr=spread, color=colour, marker=mark,
            markersize=4, linestyle="none", elinewidth=0.8, label=row.contender,
        )  # fmt: skip
    for n, shape in enumerate(shapes):
        ratio = next((row.ratio for row in rows if row.shape == shape and row.contender == "eager"), None)
        if ratio is not None:
            panel.text(1.01, n, f"{ratio:.3g}x", transform=panel.get_yaxis_transform(), va="center")
    panel.set_xscale("log")
    panel.set_yticks(range(len(shapes)), [f"({shape.replace('x', ', ')})" for shape in shapes])
    panel.set_ylim(len(shapes) - 0.5, -0.5)
    panel.set_title(OPERATIONS[operation].title, loc="left", fontsize=8, fontweight="bold")
    panel.grid(axis="x", linewidth=0.4, alpha=0.5)
    panel.spines[["top", "right"]].set_visible(False)
