"use strict";
// A figure's marks and the rows of its table as Plotly's traces and layout. No number comes from anywhere else.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const isNarrow = () => window.innerWidth < 640 && !document.documentElement.classList.contains("print");

// looks: {choice, top, selected (a Set of trials, or null)}
function drawing(figure, looks) {
  const choice = figure.choices[looks.choice] || { bind: {} };
  const x = choice.axis || figure.x;
  const look = { figure, x, y: figure.y, selected: looks.selected, at: (name) => choice.bind[name] || name };
  const traces = figure.marks.flatMap((mark) => tracesOf(mark, look));
  const emphasised = looks.selected ? [...looks.selected] : figure.top.slice(0, looks.top);
  if (figure.marks[0].group) traces.push(...emphasisedLines(look, emphasised.slice(0, 60), !looks.selected));
  return { traces, layout: layoutOf(look, traces) };
}

const isSmooth = (figure) => figure.marks[0].value && figure.marks[0].kind === "line"; // parallel coordinates

const isForSelecting = (figure) => figure.table.values.trial && (isSmooth(figure) || figure.marks.some((mark) => mark.kind === "points"));

function rowsOf(mark, look) {
  const values = look.figure.table.values;
  const rows = [...Array(numberOfRows(look.figure.table)).keys()];
  if (!mark.where) return rows;
  const [column, wanted] = mark.where;
  return rows.filter((row) => values[look.at(column)][row] === wanted);
}

function tracesOf(mark, look) {
  const { values } = look.figure.table;
  const [x, y] = [values[look.at(mark.x)], values[look.at(mark.y)]];
  const rows = rowsOf(mark, look).filter((row) => x[row] !== null && y[row] !== null);
  const colour = css(mark.role);
  const common = { name: mark.name || "", showlegend: Boolean(mark.name), meta: { x: look.at(mark.x), y: look.at(mark.y) } };
  const pick = (column) => rows.map((row) => column[row]);
  const about = { customdata: rows, hovertext: rows.map((row) => hover(look.figure, row)), hoverinfo: "text" };
  const trials = values.trial;
  switch (mark.kind) {
    case "line":
    case "steps": {
      if (mark.group) return [{ ...common, type: "scatter", ...chained(rows, values[mark.group], x, y, look.figure), ...lines(mark, look, colour) }];
      if (look.x.kind !== "text" && mark.kind === "line") rows.sort((a, b) => x[a] - x[b]);
      return [{ ...common, type: "scatter", mode: "lines", x: pick(x), y: pick(y), ...about,
        line: { color: colour, width: 2, shape: mark.kind === "steps" ? "hv" : "linear" } }];
    }
    case "points":
      return [{ ...common, type: "scatter", mode: "markers", x: pick(x), y: pick(y), ...about,
        marker: { color: colour, size: 9, opacity: 0.75, line: { width: 1, color: css("paper") } },
        selectedpoints: look.selected && trials ? rows.flatMap((row, place) => (look.selected.has(trials[row]) ? [place] : [])) : null,
        selected: { marker: { color: css("accent"), opacity: 1 } }, unselected: { marker: { opacity: 0.15 } } }];
    case "bars":
      return [{ ...common, type: "bar", x: pick(x), y: pick(y), ...about, marker: { color: colour } }];
    case "spans": {
      const [low, high] = [values[look.at(mark.low)], values[look.at(mark.high)]];
      return [{ ...common, type: "bar", orientation: "h", base: pick(low), x: rows.map((row) => high[row] - low[row]), y: pick(y), ...about,
        marker: { color: colour, line: { width: 1, color: css("paper") },
          opacity: rows.map((row) => (look.selected && !look.selected.has(trials[row]) ? 0.15 : 1)) } }];
    }
    case "intervals": {
      const [low, high] = [values[look.at(mark.low)], values[look.at(mark.high)]]; // null where a value has no interval
      return [{ ...common, type: "scatter", mode: "markers", x: pick(x), y: pick(y), ...about, marker: { color: colour, size: 10 },
        error_x: { type: "data", symmetric: false, color: colour, thickness: 2, width: 5,
          array: rows.map((row) => (high[row] ?? x[row]) - x[row]), arrayminus: rows.map((row) => x[row] - (low[row] ?? x[row])) } }];
    }
    default:
      return [{ ...common, type: "heatmap", x: pick(x), y: pick(y), z: pick(values[look.at(mark.value)]), ...about,
        colorscale: [[0, css("cell0")], [0.5, css("cell1")], [1, css("cell2")]], zmin: 0, xgap: 1, ygap: 1,
        colorbar: { thickness: 10, tickformat: isPercent(look, mark.value) ? ".0%" : "d" }, showscale: !isNarrow() }];
  }
}

const isPercent = (look, name) => look.figure.table.columns.some((column) => column.name === look.at(name) && column.kind === "percent");

// Lines of many groups as one trace, with gaps between them: thousands of traces would be slow.
function chained(rows, group, x, y, figure) {
  const made = { x: [], y: [], customdata: [], hovertext: [] };
  rows = [...rows].sort((a, b) => group[a] - group[b] || a - b);
  rows.forEach((row, place) => {
    if (place && group[row] !== group[rows[place - 1]]) for (const list of Object.values(made)) list.push(null);
    made.x.push(x[row]); made.y.push(y[row]); made.customdata.push(row); made.hovertext.push(hover(figure, row));
  });
  return made;
}

function lines(mark, look, colour) {
  const dimmed = look.selected ? 0.12 : isSmooth(look.figure) ? 0.7 : 0.45;
  return { mode: "lines+markers", line: { color: colour, width: 1.2 }, marker: { color: colour, size: isSmooth(look.figure) ? 4 : 3 }, opacity: dimmed,
    hoverinfo: "text", connectgaps: false, selected: { marker: { opacity: 1 } }, unselected: { marker: { opacity: 1 } } };
}

// The lines of some trials above the others: each of the best in a colour of its own, selected ones in one colour.
function emphasisedLines(look, trials, isEach) {
  const { values } = look.figure.table;
  const mark = look.figure.marks[0];
  return trials.map((trial, place) => {
    const rows = rowsOf({}, look).filter((row) => values.trial[row] === trial);
    const colour = isEach ? css("line" + (place % 7)) : css("accent");
    return { type: "scatter", mode: "lines", name: isEach ? "trial " + trial : "", showlegend: isEach, meta: { x: mark.x, y: mark.y },
      x: rows.map((row) => values[mark.x][row]), y: rows.map((row) => values[mark.y][row]), customdata: rows,
      hovertext: rows.map((row) => hover(look.figure, row)), hoverinfo: "text",
      line: { color: colour, width: 3, dash: place < 7 || !isEach ? "solid" : "dot" }, legendrank: 1 + place };
  });
}

function hover(figure, row) {
  const { columns, values } = figure.table;
  return columns.slice(0, 7).filter((column) => values[column.name][row] !== null).map((column) => escapeText(column.label) + ": " + escapeText(show(values[column.name][row], column.kind))).join("<br>");
}

// Plotly interprets some HTML in texts, so texts of users are escaped.
const escapeText = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function layoutOf(look, traces) {
  const { figure } = look;
  const isMatrix = figure.marks.some((mark) => mark.kind === "cells");
  const layout = {
    autosize: true, height: figure.height, barmode: figure.marks.some((mark) => mark.kind === "spans") ? "overlay" : "stack",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", font: { color: css("ink"), size: 13, family: "system-ui, sans-serif" },
    hoverlabel: { bgcolor: css("paper"), bordercolor: css("rule"), font: { color: css("ink") }, align: "left" },
    margin: { l: 10, r: 10, t: 34, b: 10 }, legend: { orientation: "h", x: 0, ...(isNarrow() ? { y: -62 / Math.max(62, figure.height - 140), yanchor: "top" } : { y: 1.02, yanchor: "bottom" }) },
    dragmode: window.matchMedia("(pointer: coarse)").matches ? false : isForSelecting(figure) ? "select" : "zoom",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: css("faint"), activecolor: css("ink") },
    newselection: { line: { color: css("ink") } }, activeselection: { fillcolor: css("accent"), opacity: 0.1 },
    xaxis: axisOf(look.x, figure, traces, "x"), yaxis: axisOf(look.y, figure, traces, "y"),
  };
  if (look.y.kind === "text") layout.yaxis.range = [look.y.order.length - 0.4, -0.6]; // from top to bottom, and no further
  if (isMatrix && figure.x.order.length > 40) for (const axis of [layout.xaxis, layout.yaxis]) Object.assign(axis, { nticks: 20, tickfont: { size: 9 } });
  if (isMatrix && isNarrow()) layout.height = Math.min(layout.height, 480);
  if (isMatrix && isNarrow() && figure.x.order.length > 12) { // there is no room for names twice
    layout.xaxis.showticklabels = false;
    layout.xaxis.title.text += " (same order)";
  }
  if (isSmooth(figure)) parallelAxes(figure, layout);
  return layout;
}

function axisOf(axis, figure, traces, way) {
  const made = { title: { text: escapeText(axis.label), standoff: 8 }, automargin: true, gridcolor: css("rule"), linecolor: css("rule"), zeroline: false };
  if (axis.kind === "text") {
    const order = axis.order.map(String), most = isNarrow() ? 18 : 24;
    return Object.assign(made, { type: "category", categoryorder: "array", categoryarray: order, showgrid: false,
      tickmode: "array", tickvals: order, ticktext: order.map((name) => escapeText(name.length > most ? name.slice(0, most - 1) + "…" : name)) },
    order.length <= 40 ? {} : way === "y" && figure.height / order.length > 12 ? { tickfont: { size: 9 } } : { tickmode: "auto" });
  }
  if (axis.kind === "percent") made.tickformat = ".3~p";
  if (axis.kind === "count") made.tickformat = "~s";
  if (axis.log) {
    const values = traces.flatMap((trace) => trace[way]).filter((value) => value > 0);
    const decades = Math.log10(Math.max(...values) / Math.min(...values));
    Object.assign(made, { type: "log", dtick: decades > (isNarrow() ? 1.2 : 3) ? 1 : "D2", tickformat: axis.kind === "number" ? "~g" : "~s" });
  }
  if (axis.kind === "seconds" && !axis.log) {
    const ends = traces.flatMap((trace) => (trace.base ? trace.x.map((length, n) => length + trace.base[n]) : trace[way]));
    Object.assign(made, secondTicks(0, ends.reduce((a, b) => Math.max(a, b || 0), 0)));
  }
  return made;
}

// Ticks at whole seconds, minutes and hours.
function secondTicks(low, high) {
  const steps = [0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
  const step = steps.find((each) => (high - low) / each <= (isNarrow() ? 4 : 8)) || Math.ceil((high - low) / 8 / 86400) * 86400;
  const tickvals = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 2; at += step) tickvals.push(at);
  const text = (at) => (at < 60 || step < 60 ? (at >= 60 ? Math.floor(at / 60) + ":" + String(Math.round(at % 60)).padStart(2, "0") : +at.toFixed(1) + " s")
    : at % 3600 && at < 3600 ? at / 60 + " min" : at % 3600 ? Math.floor(at / 3600) + " h " + (at % 3600) / 60 : at / 3600 + " h");
  return { tickmode: "array", tickvals, ticktext: tickvals.map(text) };
}

// Parallel coordinates: show the values at the ends, or at the choices, of each axis.
function parallelAxes(figure, layout) {
  const { axis, place, value } = figure.table.values;
  const seen = new Map();
  axis.forEach((name, row) => {
    if (!seen.has(name)) seen.set(name, new Map());
    seen.get(name).set(place[row], value[row]);
  });
  layout.annotations = [];
  layout.shapes = [];
  for (const [name, places] of seen) {
    const all = [...places.keys()].sort((a, b) => a - b);
    const shown = all.length <= 9 ? all : [all[0], all[all.length - 1]];
    for (const at of shown) {
      layout.annotations.push({ x: name, y: at, text: escapeText(places.get(at)), showarrow: false, xanchor: "left", xshift: 4,
        yshift: all.length > 9 ? (at ? 9 : -9) : 0, font: { size: 11, color: css("ink") }, bgcolor: css("veil") });
    }
    layout.shapes.push({ type: "line", x0: name, x1: name, y0: 0, y1: 1, line: { color: css("soft"), width: 1 }, layer: "below" });
  }
  Object.assign(layout.yaxis, { showticklabels: false, showgrid: false, range: [-0.06, 1.06], fixedrange: true });
  Object.assign(layout.xaxis, { side: "top", fixedrange: true, range: [-0.15, figure.x.order.length - 0.35], tickangle: 0 });
  layout.xaxis.ticktext = figure.x.order.map((name) => escapeText(name.replace("validation ", "")));
  layout.showlegend = true;
  layout.legend = { orientation: "h", y: -0.02, yanchor: "top", x: 0 };
}
