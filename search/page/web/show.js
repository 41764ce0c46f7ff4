"use strict";
// Values, tables and downloads: the browser's half of show.py.

function show(value, kind) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  switch (kind) {
    case "percent": return (100 * value).toFixed(1) + "%";
    case "count": return Math.round(value).toLocaleString("en-US");
    case "epoch": return String(+value.toFixed(2));
    case "seconds": return showSeconds(value);
    default: return value && Math.abs(value) < 1e-4 ? value.toExponential(2) : String(+value.toPrecision(3));
  }
}

function showSeconds(value) {
  if (value < 9.5) return +value.toPrecision(2) + " s";
  const whole = Math.round(value);
  if (whole < 60) return whole + " s";
  const two = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return Math.floor(whole / 60) + " min " + two(whole % 60) + " s";
  return Math.floor(whole / 3600) + " h " + two(Math.floor((whole % 3600) / 60)) + " min";
}

// An element with attributes and children; text is never read as HTML.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const numberOfRows = (table) => (table.columns.length ? table.values[table.columns[0].name].length : 0);

// The rows of a table in the order of `rows`, at most `most` of them; `sort` is called with a column's name.
function drawTable(table, rows, most, caption, sort, sorted) {
  const head = table.columns.map((column) => {
    const cell = element("th", { scope: "col", class: column.kind });
    if (!sort) cell.append(column.label);
    else {
      if (sorted.name === column.name) cell.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      cell.append(element("button", { type: "button", onclick: () => sort(column.name) }, column.label));
    }
    return cell;
  });
  const body = rows.slice(0, most).map((row) =>
    element("tr", {}, ...table.columns.map((column) =>
      element("td", { class: column.kind }, show(table.values[column.name][row], column.kind)))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

function csvOf(table) {
  const quoted = (value) => {
    if (value === null || value === undefined) return "";
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text; // no formula in a spreadsheet
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  const lines = [table.columns.map((column) => quoted(column.name)).join(",")];
  for (let row = 0; row < numberOfRows(table); row++) {
    lines.push(table.columns.map((column) => quoted(table.values[column.name][row])).join(","));
  }
  return lines.join("\n") + "\n";
}

function downloadCsv(key, table) {
  const address = URL.createObjectURL(new Blob([csvOf(table)], { type: "text/csv" }));
  element("a", { href: address, download: key + ".csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
