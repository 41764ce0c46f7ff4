"use strict";
// The page: figures with their choices, tables and downloads, and one selection of trials for all of them.

const PAPER = { width: 930, height: 1240 }; // pixels on a portrait page, which browsers lay out a third smaller, below a heading
const state = { drawn: {}, looks: {}, selected: null, sorted: {} };

function showTrouble(error) {
  const place = document.getElementById("trouble");
  place.textContent = "The figures cannot be drawn in this browser (" + error + "); their data are below each.";
  place.hidden = false;
}

// The page holds Plotly compressed; the browser unpacks it.
async function unpackPlotly(nonce) {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
  const script = document.createElement("script");
  script.nonce = nonce;
  script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
}

function startPage() {
  state.drawn = JSON.parse(document.getElementById("data").textContent).drawn;
  for (const block of document.querySelectorAll("[data-key].block")) setUp(block);
  document.querySelector("#selection button").addEventListener("click", () => select(null));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  window.addEventListener("beforeprint", () => inPrint(true));
  window.addEventListener("afterprint", () => inPrint(false));
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (Math.abs(window.innerWidth - width) > 40) { width = window.innerWidth; drawAll(); }
  });
  document.documentElement.dataset.ready = "yes";
}

function inPrint(yes) {
  document.documentElement.classList.toggle("print", yes);
  for (const block of document.querySelectorAll(".figure")) block.dataset.near = "yes";
  drawAll();
}

function setUp(block) {
  const key = block.dataset.key;
  if (block.classList.contains("listing")) {
    block.querySelector(".tools").replaceChildren(csvButton(key));
    drawListing(key);
    return;
  }
  const figure = state.drawn[key];
  state.looks[key] ||= { choice: 0, top: 3 };
  block.querySelector(".controls").replaceChildren(...controls(key, figure));
  block.querySelector(".tools").replaceChildren(csvButton(key), imageButton(block, "svg"), imageButton(block, "png"));
  const details = block.querySelector("details.data");
  details.addEventListener("toggle", () => details.open && drawRows(key));
  // A figure is drawn when it comes near the screen, so that a long page opens at once.
  new IntersectionObserver((seen, observer) => {
    if (seen.some((each) => each.isIntersecting)) { observer.disconnect(); block.dataset.near = "yes"; draw(key); }
  }, { rootMargin: "600px" }).observe(block);
}

function controls(key, figure) {
  const made = [];
  const looks = state.looks[key];
  if (figure.choices.length > 1) {
    const options = figure.choices.map((choice, place) => element("option", { value: place, selected: place === looks.choice }, choice.label));
    made.push(element("label", {}, "show ", element("select", { onchange: (event) => { looks.choice = +event.target.value; draw(key); } }, ...options)));
  }
  if (figure.top.length) {
    const told = element("output", {}, looks.top);
    made.push(element("label", {}, "best trials above the others ", element("input", { type: "range", min: 0, max: figure.top.length, value: looks.top,
      oninput: (event) => { looks.top = +event.target.value; told.textContent = looks.top; draw(key); } }), told));
  }
  return made;
}

const csvButton = (key) => element("button", { type: "button", class: "csv", onclick: () => downloadCsv(key, state.drawn[key].table) }, "CSV");
const imageButton = (block, format) => element("button", { type: "button", class: format,
  onclick: () => Plotly.downloadImage(plotOf(block), { format, filename: block.dataset.key, width: 900, height: state.drawn[block.dataset.key].height }) }, format.toUpperCase());

const blockOf = (key) => document.querySelector(`.block[data-key="${CSS.escape(key)}"]`);
const plotOf = (block) => block.querySelector(".plot");

function draw(key) {
  const block = blockOf(key);
  if (!block || !block.dataset.near) return;
  const plot = plotOf(block);
  const { traces, layout } = drawing(state.drawn[key], { ...state.looks[key], selected: state.selected });
  if (document.documentElement.classList.contains("print")) Object.assign(layout, { autosize: false, width: PAPER.width, height: Math.min(layout.height, PAPER.height) });
  plot.style.height = layout.height + "px";
  layout.uirevision = "choice " + state.drawn[key].choices[state.looks[key].choice]?.label; // zoom and selections stay until another choice is made
  const config = { responsive: true, displaylogo: false, scrollZoom: false, doubleClickDelay: 400, 
    modeBarButtons: [["zoom2d", "pan2d", ...(isForSelecting(state.drawn[key]) ? ["select2d"] : []), "resetScale2d"]] };
  Plotly.react(plot, traces, layout, config);
  if (plot.dataset.heard) return;
  plot.dataset.heard = "yes";
  plot.on("plotly_selected", (event) => event && select(trialsIn(key, event.points)));
  plot.on("plotly_deselect", () => select(null));
}

function drawAll() {
  for (const block of document.querySelectorAll(".figure[data-near]")) draw(block.dataset.key);
}

// The trials of selected points. Where they lie on several axes, a trial has to be selected on each.
function trialsIn(key, points) {
  const { trial, axis } = state.drawn[key].table.values;
  if (!trial) return null;
  const rows = points.map((point) => point.customdata).filter((row) => row !== null && row !== undefined);
  if (!axis) return new Set(rows.map((row) => trial[row]));
  const onAxis = new Map();
  for (const row of rows) {
    if (!onAxis.has(axis[row])) onAxis.set(axis[row], new Set());
    onAxis.get(axis[row]).add(trial[row]);
  }
  const sets = [...onAxis.values()];
  return new Set([...(sets[0] || [])].filter((each) => sets.every((set) => set.has(each))));
}

function select(trials) {
  state.selected = trials && trials.size ? trials : null;
  const bar = document.getElementById("selection");
  bar.hidden = !state.selected;
  bar.querySelector("span").textContent = state.selected ? `${state.selected.size} trial${state.selected.size > 1 ? "s" : ""} selected` : "";
  if (!state.selected) {
    for (const plot of document.querySelectorAll(".figure[data-near] .plot")) if ((plot.layout.selections || []).length) Plotly.relayout(plot, { selections: [] });
  }
  drawAll();
  for (const key of Object.keys(state.drawn)) if (!state.drawn[key].marks) drawListing(key);
}

function drawRows(key, most = 200) {
  const { table, title } = state.drawn[key];
  const rows = [...Array(numberOfRows(table)).keys()];
  const parts = [drawTable(table, rows, most, title)];
  if (rows.length > most) parts.push(moreButton(rows.length, () => drawRows(key, Infinity)));
  blockOf(key).querySelector("details .rows").replaceChildren(...parts);
}

const moreButton = (all, onclick) => element("button", { type: "button", onclick }, `show all ${all.toLocaleString("en-US")} rows`);

function drawListing(key, most = 60) {
  const { table, title } = state.drawn[key];
  const sorted = (state.sorted[key] ||= { name: null, up: false });
  let rows = [...Array(numberOfRows(table)).keys()];
  if (state.selected) rows = rows.filter((row) => state.selected.has(table.values.trial[row]));
  if (sorted.name) {
    const values = table.values[sorted.name];
    const compare = (a, b) => (values[a] === null) - (values[b] === null) || (values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : 0) * (sorted.up ? 1 : -1);
    rows.sort(compare);
  }
  const sort = (name) => { state.sorted[key] = { name, up: sorted.name === name ? !sorted.up : true }; drawListing(key, most); };
  const parts = [drawTable(table, rows, most, title, sort, sorted)];
  if (rows.length > most) parts.push(moreButton(rows.length, () => drawListing(key, Infinity)));
  blockOf(key).querySelector(".rows").replaceChildren(...parts);
}
