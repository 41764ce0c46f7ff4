"""A plot of played searches: the best accuracy so far after each epoch, a panel for each pool and number of slots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLUMNS = 3  # panels side by side, at most


def plot(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Write a plot of rows of `search_quality.py play`; the file's ending says the format, such as .svg or .png."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    panels = list(dict.fromkeys((row["pool"], row["slots"]) for row in rows))
    labels = list(dict.fromkeys(label(row) for row in rows))
    shades = max(10, len(labels))
    colours = plt.get_cmap("tab10" if shades == 10 else "turbo", shades)(range(shades))
    across = min(COLUMNS, len(panels))
    down = -(-len(panels) // across)
    figure, grid = plt.subplots(
        down, across, figsize=(4.2 * across, 3 * down + 0.6), squeeze=False, layout="constrained"
    )
    for axes, (pool, slots) in zip(grid.flat, panels, strict=False):
        for row in rows:
            if (row["pool"], row["slots"]) == (pool, slots):
                axes.plot(row["anytime"], color=colours[labels.index(label(row))], label=label(row), linewidth=1.2)
        best = max(row["anytime"][-1] for row in rows if (row["pool"], row["slots"]) == (pool, slots))
        axes.set(title=f"{pool}, slots: {slots}", xlabel="epochs of all trials", ylabel="best accuracy so far")
        axes.set_ylim(0.75 * best, 1.01 * best)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    handles = {line.get_label(): line for axes in grid.flat for line in axes.get_lines()}
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=across, frameon=False, fontsize="small"
    )
    figure.savefig(out)
    plt.close(figure)


def label(row: Mapping[str, Any]) -> str:
    """The way of a row in words: scheduler, sampler, samples, and costs that it compares by as well."""
    parts = [row["scheduler"], row["sampler"], row["hears"], f"{row['samples']} draws", *row["also"]]
    return ", ".join(part for part in parts if part)
