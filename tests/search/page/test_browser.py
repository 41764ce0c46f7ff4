"""The page in a headless Chromium: from a file, and live beside a real search that runs."""

import csv
import io
import signal
import subprocess
import time

import pytest

from search.history.load import read_search
from search.page.page import WEB, as_file, page_of
from search.page.view import View
from tests.end_to_end.commands import COMMAND
from tests.search.page.browser import drag, draw_all, errors, open_browser, show, wait_for
from tests.search.page.searches import make_search

#: Of each trace that is drawn: its figure, and whether each point is the row of the table that it says it is.
PLOTTED = """
const drawn = [...document.querySelectorAll('.figure .plot')].filter((plot) => plot.data);
return drawn.flatMap((plot) => {
  const key = plot.closest('.figure').dataset.key, values = state.drawn[key].table.values;
  return plot.data.map((trace) => {
    const rows = [...trace.customdata], spans = trace.orientation === 'h';
    const same = rows.every((row, n) => row === null ||
      (spans ? trace.base[n] === values[trace.meta.x][row] : trace.x[n] === values[trace.meta.x][row]) &&
      trace.y[n] === values[trace.meta.y][row]);
    return [key, rows.filter((row) => row !== null).length, same];
  });
});
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    make_search(folder, retrains=[(18, 1), (16, 1)], trials=20)
    found = page_of([View(read_search(folder, "made"))])
    (folder / "report.html").write_text(as_file(found), encoding="utf-8")
    return folder / "report.html", found


@pytest.fixture(scope="module")
def opened(browser, page):
    """The report, with every figure drawn."""
    show(browser, page[0].as_uri())
    draw_all(browser)
    return browser


@pytest.mark.slow
def test_every_plotted_point_is_a_row_of_its_figures_table(opened, page):
    plotted = opened.execute_script(PLOTTED)
    assert {key for key, *_ in plotted} == {figure.key for figure in page[1].figures}
    assert [each for each in plotted if not each[2]] == []
    rows = {figure.key: len(figure.table.rows) for figure in page[1].figures}
    assert sum(number for key, number, _ in plotted if key == "timeline") == rows["timeline"]
    assert sum(number for key, number, _ in plotted if key == "confusion-18-1") == rows["confusion-18-1"]
    assert errors(opened) == []


@pytest.mark.slow
def test_a_drag_over_an_axis_selects_trials_in_every_figure_and_in_the_table(opened):
    drag(opened, "parallel", (0.85, 0.01), (0.97, 0.45))
    selected = set(wait_for(opened, "return state.selected && [...state.selected]"))
    assert 0 < len(selected) < 20
    shown = opened.execute_script(
        "return [...document.querySelectorAll('#trials tbody tr')].map((row) => +row.cells[0].textContent)"
    )
    assert set(shown) == selected
    points = opened.execute_script(
        "const plot = document.querySelector('#cost .plot'), trace = plot.data[1];"
        "return trace.selectedpoints.map((n) => state.drawn.cost.table.values.trial[trace.customdata[n]])"
    )
    assert set(points) == selected
    opened.find_element("css selector", "#selection button").click()
    assert opened.execute_script("return document.querySelectorAll('#trials tbody tr').length") == 20
    assert errors(opened) == []


@pytest.mark.slow
def test_a_state_is_hidden_at_a_click_and_the_best_are_chosen_with_a_slider(opened):
    opened.execute_script("document.querySelector('#curves').scrollIntoView({block: 'center', behavior: 'instant'})")
    count = "return document.querySelector('#curves .plot').data.length"
    before = opened.execute_script(count)
    opened.execute_script(
        "const slider = document.querySelector('#curves input');"
        "slider.value = 7; slider.dispatchEvent(new Event('input'))"
    )
    assert opened.execute_script(count) == before + 4
    toggle = "return [...document.querySelectorAll('#curves .legendtoggle')].pop()"
    opened.execute_script(toggle + ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))")
    opened.execute_script(toggle + ".dispatchEvent(new MouseEvent('mouseup', {bubbles: true}))")
    wait_for(opened, "return document.querySelector('#curves .plot')._fullData.some((t) => t.visible === 'legendonly')")
    assert errors(opened) == []


@pytest.mark.slow
def test_a_drag_zooms_and_a_choice_changes_what_is_drawn(opened):
    drag(opened, "best-so-far", (0.2, 0.2), (0.6, 0.8))
    first, last = opened.execute_script("return document.querySelector('#best-so-far .plot').layout.xaxis.range")
    assert 5 < first < last < 45
    opened.execute_script(
        "const choice = document.querySelector('#best-so-far select');"
        "choice.value = 2; choice.dispatchEvent(new Event('change'))"
    )
    drawn = opened.execute_script("return document.querySelector('#best-so-far .plot').data[0].x")
    assert drawn == opened.execute_script("return state.drawn['best-so-far'].table.values.seconds")
    assert errors(opened) == []


@pytest.mark.slow
def test_a_choice_stays_when_a_live_page_gets_others_before_it(opened):
    labels = opened.execute_script(
        (WEB / "live.js").read_text()
        + """
        const kept = { drawn: state.drawn, looks: state.looks }, key = 'slices';
        const labels = [], told = () => labels.push(state.drawn[key].choices[state.looks[key].choice].label);
        const figure = structuredClone(state.drawn[key]);
        state.looks = { [key]: { choice: 2, top: 3 }, curves: { choice: 0, top: 3 } };
        told();
        figure.choices.unshift({ label: 'new', bind: {}, axis: null });
        for (const choices of [figure.choices, figure.choices.slice(1), figure.choices.slice(0, 2)]) {
          take({ drawn: { [key]: { ...figure, choices } }, state: '', sections: [] });
          told();
        }
        Object.assign(state, kept);
        return labels;
        """
    )
    assert labels[:3] == [labels[0]] * 3 and labels[3] == "new"


@pytest.mark.slow
def test_the_data_of_a_figure_are_shown_and_downloaded(opened, page, tmp_path):
    figure = next(each for each in page[1].figures if each.key == "curves")
    opened.execute_script("document.querySelector('#curves details').open = true")
    wait_for(opened, "return document.querySelectorAll('#curves details tbody tr').length")
    opened.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    opened.execute_script("document.querySelector('#curves .csv').click()")
    path, deadline = tmp_path / "curves.csv", time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [(int(row["trial"]), float(row["value"])) for row in rows] == [
        (row["trial"], pytest.approx(row["value"])) for row in figure.table.rows
    ]


@pytest.mark.slow
def test_figures_are_as_wide_as_a_sheet_while_it_is_printed(opened):
    plots = "[...document.querySelectorAll('.plot .main-svg:first-child')]"
    sizes = f"return {plots}.map((drawing) => [drawing.clientWidth, drawing.clientHeight])"
    before = opened.execute_script(sizes)
    opened.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    printed = opened.execute_script(sizes)
    assert {width for width, _ in printed} == {opened.execute_script("return PAPER.width")}
    assert max(height for _, height in printed) <= opened.execute_script("return PAPER.height")
    opened.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert opened.execute_script(sizes) == before
    assert errors(opened) == []


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_screen_has_to_be_scrolled_sideways(browser, page, width, dark):
    show(browser, page[0].as_uri(), width=width, dark=dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 22, 26)") == dark


@pytest.mark.slow
def test_a_live_page_beside_a_real_search_shows_its_epochs_as_they_come(browser, tmp_path):
    words = ("launch", "--serve", "--engine", "inline", "--dataset", "digits", "--data-dir", "data", "--space", "cnn5")
    more = ("--samples", "40", "--epochs", "20", "--augment", "none", "--limit-train", "300", "--name", "live")
    with subprocess.Popen(
        [COMMAND, *words, *more], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as search:
        try:
            address = next(line for line in search.stdout if "?token=" in line).split()[-1]
            path = tmp_path / "results" / "live" / "search.json"
            deadline = time.monotonic() + 240
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.2)
            browser.get(address)
            wait_for(browser, "return document.querySelector('table.searches')")
            assert "token" not in browser.current_url
            show(browser, browser.find_element("link text", "live").get_attribute("href"))
            epochs = "return (state.drawn.curves || {table: {values: {epoch: []}}}).table.values.epoch.length"
            first = wait_for(browser, epochs)
            draw_all(browser)
            wait_for(browser, epochs.replace(".length", f".length >= {first + 3}"))
            assert browser.execute_script("return document.querySelector('#state').textContent") == "running"
            wait_for(browser, "return document.querySelector('#curves .plot').data.length")
            assert [each for each in browser.execute_script(PLOTTED) if not each[2]] == []
            assert errors(browser) == []
        finally:
            search.send_signal(signal.SIGINT)
            search.stdout.read()
            browser.get("about:blank")
