"use strict";
// Draws the charts, and loads what a control changes, so that the page keeps its place and its focus. Without this file
// the page has all numbers in its tables, and its buttons load it anew.

const form = document.getElementById("view");
const query = document.getElementById("query");
const results = document.getElementById("results");
const told = document.getElementById("told");
const ENDED = "The explorer does not answer: start it again with engagement explore.";

const vega = new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = document.body.dataset.vega;
  script.onload = () => resolve(window.vegaEmbed);
  script.onerror = () => reject(new Error("no script"));
  document.head.append(script);
});

async function draw(box) {
  const spec = JSON.parse(box.parentElement.querySelector(".spec").textContent);
  const embed = await vega;
  if (!box.isConnected || !box.clientWidth) return;
  spec.width = box.clientWidth;
  // `ast`: expressions are interpreted, so the page needs no leave to run code that it makes.
  const options = { actions: false, renderer: "svg", ast: true, defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  const made = await embed(box, spec, options);
  if (box.made) box.made.finalize();
  box.made = made;
  box.drawn = spec.width;
}

async function drawAll() {
  const boxes = [...document.querySelectorAll(".chart")].filter((box) => box.drawn !== box.clientWidth);
  try {
    for (const box of boxes) await draw(box);
    document.body.dataset.drawn = String(document.querySelectorAll(".chart svg").length);
  } catch (error) {
    told.textContent = "The charts cannot be drawn. The tables have all numbers.";
  }
}

let latest = 0;

function chosen() {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) fields.append(name, value.trim());
  return fields;
}

function withQuery(fields) {
  const sql = new URLSearchParams(location.search).get("sql");
  const whole = new URLSearchParams(fields);
  if (sql) whole.set("sql", sql);
  return "/?" + whole;
}

async function asked(address) {
  const response = await fetch(address, { headers: { accept: "text/html" } });
  if (!response.ok) throw new Error(response.statusText);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function put(page) {
  const open = [...results.querySelectorAll("details[open][id]")].map((each) => each.id);
  const focused = results.contains(document.activeElement) ? document.activeElement.id : "";
  for (const box of results.querySelectorAll(".chart")) if (box.made) box.made.finalize();
  results.replaceChildren(...page.getElementById("results").childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) (document.getElementById(focused) || results).focus({ preventScroll: true });
  for (const id of ["handles-told", "metrics-told"]) {
    document.getElementById(id).textContent = page.getElementById(id).textContent;
  }
  form.elements.tweets.value = page.querySelector("#view [name=tweets]").getAttribute("value");
  document.title = page.title;
  told.textContent = page.getElementById("results").dataset.told;
  query.querySelectorAll("input").forEach((field) => field.remove());
  query.prepend(...page.querySelectorAll("#query input"));
}

async function load(fields) {
  const mine = ++latest;
  results.setAttribute("aria-busy", "true");
  try {
    const page = await asked("/?" + fields);
    if (mine !== latest) return;
    put(page);
    history.pushState(null, "", withQuery(fields));
    await drawAll();
  } catch (error) {
    if (mine === latest) told.textContent = ENDED;
    if (mine === latest) told.classList.replace("unseen", "banner");
    return;
  } finally {
    if (mine === latest) results.removeAttribute("aria-busy");
  }
  told.classList.replace("banner", "unseen");
}

form.addEventListener("change", () => load(chosen()));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  load(chosen());
});
results.addEventListener("click", (event) => {
  const link = event.target.closest("a.other");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  load(new URL(link.href).searchParams);
});
query.addEventListener("submit", async (event) => {
  event.preventDefault();
  const sql = query.elements.sql.value.trim();
  const answer = document.getElementById("answer");
  answer.setAttribute("aria-busy", "true");
  try {
    const page = await asked("/sql?" + new URLSearchParams({ sql }));
    answer.replaceChildren(...page.body.childNodes);
    const whole = new URLSearchParams(location.search);
    if (sql) whole.set("sql", sql);
    else whole.delete("sql");
    history.pushState(null, "", "/?" + whole);
  } catch (error) {
    answer.textContent = ENDED;
  }
  answer.removeAttribute("aria-busy");
});
query.elements.sql.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) query.requestSubmit();
});
// A list that is open closes by Escape, and by a click beside it.
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.activeElement.closest(".choice[open]");
  if (!open) return;
  open.removeAttribute("open");
  open.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  for (const each of document.querySelectorAll(".choice[open]")) {
    if (!each.contains(event.target)) each.removeAttribute("open");
  }
});
window.addEventListener("popstate", () => location.reload());
let resized;
new ResizeObserver(() => {
  clearTimeout(resized);
  resized = setTimeout(drawAll, 150);
}).observe(results);
drawAll();
