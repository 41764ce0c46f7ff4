"""Make the screenshots in `results/page`: a real search of handwritten digits with retrained winners, in a browser.

    python -m tests.search.page.screenshots                     # searches first, which takes a minute or two
    python -m tests.search.page.screenshots --report PAGE.html  # of a report that is there

The search and its report are thrown away; `--keep FOLDER` keeps them.
"""

import argparse
import base64
import io
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver

import search
from search.cli.reporting import report
from tests.search.page.browser import draw_all, errors, open_browser, show

OUT = Path(__file__).parents[3] / "results" / "page"
#: Of each picture: width of the screen in pixels, whether it is dark, and the first and last block that it shows.
PICTURES = {
    "desktop-light": (1100, False, "best-so-far", "curves"),
    "desktop-dark": (1100, True, "verdict", "winners-table"),
    "phone-light": (390, False, "confusion-{first}", "examples-{first}"),
    "phone-dark": (390, True, "verdict", "winners"),
}
SEARCH = {"dataset": "digits", "limit_train": 500, "samples": 16, "epochs": 8, "augment": "none", "seed": 1}
COLOURS = 128


def search_in(results: Path) -> Path:
    """Search, retrain and report; the report's path."""
    search.launch(**SEARCH, data_dir=results / "data", name="digits", engine="inline", results=results)
    search.retrain("digits", top=3, epochs=10, engine="inline", results=results)
    report.main(["digits", "--examples", "--results", str(results)], standalone_mode=False)
    return results / "digits" / "report.html"


def take(browser: webdriver.Chrome, first: str, last: str) -> Image.Image:
    """The page from the top of one block to the bottom of another; from its own top where the first is the verdict."""
    top, bottom, width = browser.execute_script(
        "const [a, b] = [...arguments].map((key) => document.getElementById(key).getBoundingClientRect());"
        "return [a.top + scrollY, b.bottom + scrollY, document.documentElement.clientWidth]",
        first,
        last,
    )
    top = 0 if first == "verdict" else top - 12
    scale = 2 if width < 600 else 1  # as sharp as a phone's screen
    clip = {"x": 0, "y": top, "width": width, "height": bottom - top + 12, "scale": scale}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")


def main() -> None:
    """Make them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, help="a report with tested winners and examples")
    parser.add_argument("--keep", type=Path, help="where to keep the search")
    parser.add_argument("--out", type=Path, default=OUT, help="where the pictures go")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.keep or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        page = given.report or search_in(folder)
        given.out.mkdir(parents=True, exist_ok=True)
        with open_browser(Path(place)) as browser:
            for name, (width, dark, first, last) in PICTURES.items():
                show(browser, page.absolute().as_uri(), width=width, dark=dark)
                browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})  # a picture has none
                draw_all(browser)
                time.sleep(1)  # Plotly fades in
                winner = browser.find_element("css selector", ".figure[id^='winner-']").get_attribute("id")
                own = winner.removeprefix("winner-")
                picture = take(browser, first.format(first=own), last.format(first=own))
                small = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
                small.save(given.out / f"{name}.png", optimize=True)
                print(f"{given.out / f'{name}.png'}: {picture.width}×{picture.height}")
            assert errors(browser) == []


if __name__ == "__main__":
    main()
