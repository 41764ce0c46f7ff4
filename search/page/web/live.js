"use strict";
// A live page: the server says that the search has changed, and the page updates the blocks that differ.

function followSearch(address, events) {
  const told = document.getElementById("live");
  let busy = false, again = false;
  async function update() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(address, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      take(await answer.json());
      told.textContent = "as of " + new Date().toLocaleTimeString();
    } catch (error) {
      told.textContent = "no news from the server (" + error.message + ")";
    }
    busy = false;
    if (again) { again = false; update(); }
  }
  const source = new EventSource(events);
  source.addEventListener("open", () => { told.textContent = "live"; });
  source.addEventListener("changed", update);
  source.addEventListener("error", () => { told.textContent = "no news from the server; trying again"; });
}

// The HTML that the server rendered for each block, to see which have changed.
const rendered = new Map();

function take(update) {
  const before = state.drawn;
  state.drawn = update.drawn;
  for (const [key, looks] of Object.entries(state.looks)) {
    const label = before[key]?.choices[looks.choice]?.label; // other choices may come before it
    looks.choice = Math.max(0, (state.drawn[key]?.choices || []).findIndex((choice) => choice.label === label));
  }
  document.getElementById("state").textContent = update.state;
  for (const section of update.sections) {
    const body = document.querySelector(`#section-${CSS.escape(section.key)} .body`);
    const old = [...body.children].map((block) => block.id);
    for (const [place, { key, html }] of section.blocks.entries()) {
      if (rendered.get(key) === html && old.includes(key)) { redraw(key); continue; }
      rendered.set(key, html);
      const fresh = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
      const block = document.getElementById(key);
      if (!block) body.insertBefore(fresh, body.children[place] || null);
      else if (block.classList.contains("figure")) keep(block, fresh);
      else if (!block.classList.contains("listing")) block.replaceWith(fresh);
      if (!block && fresh.dataset.key) setUp(fresh); else redraw(key);
    }
    const wanted = new Set(section.blocks.map((block) => block.key));
    for (const id of old) if (!wanted.has(id)) document.getElementById(id).remove();
  }
}

// A drawn figure is kept, with its zoom and its choices; only its texts are replaced.
function keep(block, fresh) {
  block.querySelector(".sentence").textContent = fresh.querySelector(".sentence").textContent;
  const plot = plotOf(block);
  plot.setAttribute("aria-label", plotOf(fresh).getAttribute("aria-label"));
  plot.style.height = plotOf(fresh).style.height;
}

function redraw(key) {
  const drawn = state.drawn[key];
  if (!drawn) return;
  if (!drawn.marks) { drawListing(key); return; }
  const block = blockOf(key);
  block.querySelector(".controls").replaceChildren(...controls(key, drawn));
  draw(key);
  if (block.querySelector("details.data").open) drawRows(key);
}
