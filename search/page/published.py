"""Test accuracies that others have published, to show beside a search's own; facts from the cited reports."""

from search.page.blocks import Column, Sheet, Table

_SEARCH, _WIDTH = "report 1 (Lopez 2024)", "report 2"
#: By dataset: network, parameters (None if not stated), most epochs, test accuracy, source.
_FIGURES: dict[str, tuple[tuple[str, int | None, int, float, str], ...]] = {
    "cifar100": (
        ("cnn7", 3_004_917, 100, 0.611, _SEARCH),
        ("cnn6", 2_494_022, 100, 0.601, _SEARCH),
        ("cnn2", 10_393_946, 100, 0.587, _SEARCH),
        ("last", 2_762_660, 40, 0.59, _WIDTH),
        ("coursework", 2_214_532, 40, 0.44, _WIDTH),
    ),
    "cifar10": (
        ("last", 2_762_660, 40, 0.85, _WIDTH),
        ("coursework", 2_214_532, 40, 0.71, _WIDTH),
    ),
}
_COLUMNS = (
    Column("network", "network"),
    Column("parameters", "parameters, as published", "count"),
    Column("epochs", "epochs", "epoch"),
    Column("test_accuracy", "test accuracy", "percent"),
    Column("source", "source"),
)


def sheet(dataset: str) -> Sheet | None:
    """What was published for a dataset; None if nothing is known."""
    if dataset not in _FIGURES:
        return None
    rows = [dict(zip((c.name for c in _COLUMNS), figure, strict=True)) for figure in _FIGURES[dataset]]
    return Sheet(
        "published",
        "Published results",
        Table(_COLUMNS, rows),
        f"Test accuracies on {dataset} from the reports that the families come from. Numbers of images and epochs may "
        "differ from yours.",
    )
