"""Values of a table as people read them; `web/show.js` does the same in the browser."""

from typing import Any

from search.page.blocks import Kind
from search.readable import brief, epochs, percent


def shown(value: Any, kind: Kind) -> str:
    """A value in words; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    match kind:
        case "percent":
            return percent(value)
        case "count":
            return f"{value:,.0f}"
        case "seconds":
            return brief(value)
        case "epoch":
            return epochs(value)
        case "number":
            return f"{value:.3g}"
    return str(value).replace(" ×", "\u00a0×")  # no line break between a network and its width
