"""A headless Chromium, if there is one, and what tests do in it."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def open_browser(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own; the test is skipped where Chromium or its driver is missing.

    Chromium is started here and not by its driver, which waits for a minute at most.
    """
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    profile = folder / "profile"
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        options = Options()
        options.debugger_address = f"127.0.0.1:{_port(profile / 'DevToolsActivePort')}"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(driver))
        yield browser
        browser.quit()
    finally:
        process.terminate()
        process.wait()


def _port(file: Path, seconds: float = 240) -> int:
    """The port that Chromium has written down."""
    deadline = time.monotonic() + seconds
    while not (file.exists() and file.read_text().count("\n")):
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.1)
    return int(file.read_text().splitlines()[0])


def show(browser: webdriver.Chrome, address: str, *, width: int = 1280, dark: bool = False) -> None:
    """Open a page on a screen of that width and wait until it has started."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(address)
    wait_for(browser, "return document.documentElement.dataset.ready")


def wait_for(browser: webdriver.Chrome, script: str, seconds: float = 120) -> object:
    """What a script returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := browser.execute_script(script)):
        assert time.monotonic() < deadline, f"it did not happen in time: {script}"
        time.sleep(0.1)
    return found


def draw_all(browser: webdriver.Chrome) -> None:
    """Bring every figure near the screen, so that all are drawn."""
    wait_for(
        browser,
        """
        const left = [...document.querySelectorAll('.figure')].filter((f) => !f.querySelector('.plot .main-svg'));
        if (left.length) left[0].scrollIntoView();
        return !left.length;
        """,
    )


def drag(browser: webdriver.Chrome, key: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over a figure, from one point to another, in shares of its drawing's width and height."""
    area = browser.find_element("css selector", f"[data-key='{key}'] .nsewdrag")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", area)
    time.sleep(0.3)
    box = area.rect
    first, last = (((x - 0.5) * box["width"], (y - 0.5) * box["height"]) for x, y in (begin, end))
    chain = ActionChains(browser).move_to_element_with_offset(area, int(first[0]), int(first[1])).click_and_hold()
    half = int((last[0] - first[0]) / 2), int((last[1] - first[1]) / 2)
    chain.move_by_offset(*half).move_by_offset(*half).release().perform()


def errors(browser: webdriver.Chrome) -> list[str]:
    """What the console has complained of since it was asked last."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
