"""Measures what the page of a search costs: seconds to write it, its size, and seconds until Chromium shows it.

The searches are those of the page's tests: draws of `cnn_all` on two slots, curves that a formula gives, every second
trial stopped after the first of eight epochs, and three tested winners. `python benchmarks/page.py` prints a table.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from common import header, table

sys.path.append(str(Path(__file__).parents[1]))  # for the tests' searches and browser

from search.history.load import read_search
from search.page.page import as_file, page_of
from search.page.view import View
from tests.search.page.browser import draw_all, open_browser, show
from tests.search.page.searches import make_search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[60, 2000])
    parser.add_argument("--no-browser", action="store_true", help="measure the writing alone")
    options = parser.parse_args()
    print(header("plotly"), end="\n\n")
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for trials in options.trials:
            make_search(folder, f"made-{trials}", trials=trials, epochs=8, retrains=[(18, 1), (16, 1), (14, 1)])
            rows.append({"trials": f"{trials:,}", **written(folder, trials)})
            if not options.no_browser:
                rows[-1] |= opened(folder, trials)
    print(table(rows))


def written(folder: Path, trials: int) -> dict[str, str]:
    """What reading the search and writing its page takes; the second time, as imports are over then."""
    for _ in range(2):
        begin = time.perf_counter()
        view = View(read_search(folder, f"made-{trials}"))
        read = time.perf_counter()
        page = page_of([view])
        computed = time.perf_counter()
        text = as_file(page)
        end = time.perf_counter()
    (folder / f"{trials}.html").write_text(text, encoding="utf-8")
    return {
        "measurements": f"{len(view.found.epochs):,}",
        "read, s": f"{read - begin:.2f}",
        "computed, s": f"{computed - read:.2f}",
        "written, s": f"{end - computed:.2f}",
        "MB": f"{len(text.encode()) / 1e6:.1f}",
    }


def opened(folder: Path, trials: int) -> dict[str, str]:
    """Seconds from opening the file until it can be read, and until every figure is drawn."""
    with open_browser(folder / f"browser-{trials}") as browser:
        begin = time.perf_counter()
        show(browser, (folder / f"{trials}.html").as_uri())
        ready = time.perf_counter()
        draw_all(browser)
        return {"readable, s": f"{ready - begin:.1f}", "all drawn, s": f"{time.perf_counter() - begin:.1f}"}


if __name__ == "__main__":
    main()
