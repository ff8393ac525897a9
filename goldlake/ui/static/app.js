// Live parts of the pages: fragments that are fetched again, news of jobs that ended, and charts.
// Every page works without it; a reload then shows what is new.
"use strict";

const SEEN = "goldlake-seen-job", NEWS = "/live/status", QUICK = 1500, SLOW = 6000;

async function get(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" }, cache: "no-store" });
  if (answer.status === 401) location.assign("/sign-in");
  return answer.ok ? answer : null;
}

// Takes new content in, and leaves focus and opened details where they were.
function put(element, html) {
  if (element.dataset.html === html) return;
  const open = [...element.querySelectorAll("details[open][id]")].map((each) => each.id);
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.dataset.html = html;
  element.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus();
}

function follow(element) {
  let timer = 0;
  const again = async () => {
    clearTimeout(timer);
    if (!element.isConnected) return;
    try {
      const answer = await get(element.dataset.live);
      if (answer) put(element, await answer.text());
    } catch { /* the app is away for a moment; the next round tells */ }
    const busy = element.querySelector("[data-busy]");
    timer = setTimeout(again, document.hidden ? SLOW * 2 : busy ? QUICK : SLOW);
  };
  again();
}

const told = new Set();

function toast(job) {
  told.add(job.id);
  const box = document.createElement("div");
  box.className = `toast ${job.state}`;
  const text = document.createElement("div"), link = document.createElement("a"), close = document.createElement("button");
  link.href = `/jobs/${job.id}`;
  link.textContent = `${job.title}: ${job.state}`;
  const more = document.createElement("div");
  more.textContent = job.result;
  text.append(link, more);
  close.className = "quiet small";
  close.type = "button";
  close.textContent = "Close";
  const end = () => {
    box.remove();
    if (job.ended_at > localStorage.getItem(SEEN)) localStorage.setItem(SEEN, job.ended_at);
  };
  close.addEventListener("click", end);
  box.append(text, close);
  document.getElementById("toasts").append(box);
  // Who goes to another page before sees it there again.
  setTimeout(end, 30000);
  if ("Notification" in window && Notification.permission === "granted" && document.hidden) {
    const note = new Notification(`goldlake: ${job.title}: ${job.state}`, { body: job.result, tag: job.id });
    note.addEventListener("click", () => { window.focus(); location.assign(link.href); });
  }
}

// Somebody who fills in a form keeps the page as it is.
async function refresh() {
  const main = document.getElementById("main");
  const changed = [...main.querySelectorAll("input:not([type=hidden]), select, textarea")].some(
    (each) => each === document.activeElement || each.dataset.touched);
  if (changed || main.dataset.still) return;
  const answer = await get(location.href);
  if (!answer) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  main.innerHTML = page.getElementById("main").innerHTML;
  wake(main);
}

async function news() {
  try {
    const answer = await get(NEWS);
    if (answer) {
      const status = await answer.json();
      put(document.getElementById("pulse"), status.pulse);
      const seen = localStorage.getItem(SEEN);
      const fresh = status.ended.filter((job) => job.ended_at > seen && !told.has(job.id)).slice(0, 5);
      fresh.reverse().forEach(toast);
      if (fresh.length) await refresh();
    }
  } catch { /* the app is away for a moment; the next round tells */ }
  setTimeout(news, document.hidden ? SLOW : 2500);
}

function color(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function draw(element) {
  if (!window.Plotly) return;
  const figure = JSON.parse(document.getElementById(element.dataset.plot).textContent);
  const ink = color("--ink"), soft = color("--soft"), rule = color("--rule");
  const axis = { gridcolor: rule, linecolor: rule, zerolinecolor: rule, tickfont: { color: soft }, automargin: true };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, family: "system-ui, sans-serif", size: 12.5 },
    margin: { l: 50, r: 14, t: 12, b: 40 }, colorway: ["--c1", "--c2", "--c3", "--c4", "--c0", "--bad"].map(color),
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, hoverlabel: { bgcolor: color("--sheet"), font: { color: ink }, bordercolor: rule },
    ...figure.layout,
    xaxis: { ...axis, ...figure.layout.xaxis }, yaxis: { ...axis, ...figure.layout.yaxis },
  };
  for (const shape of layout.shapes ?? []) shape.line = { ...shape.line, color: color("--c2") };
  Plotly.react(element, figure.data, layout, { displayModeBar: false, responsive: true });
}

function wake(root) {
  root.querySelectorAll("[data-live]").forEach(follow);
  root.querySelectorAll("[data-plot]").forEach(draw);
  root.querySelectorAll("[data-slider]").forEach((range) => {
    const target = document.getElementById(range.dataset.slider), words = document.getElementById(`${range.id}-words`);
    const steps = JSON.parse(range.dataset.steps);
    let asked = 0;
    range.addEventListener("input", async () => {
      const step = steps[range.value], mine = ++asked;
      words.textContent = step.words;
      range.setAttribute("aria-valuetext", step.words);
      const answer = await get(step.address);
      if (answer && mine === asked) target.innerHTML = await answer.text();
    });
  });
  const ask = root.querySelector("#notify");
  if (ask && "Notification" in window && Notification.permission === "default") {
    ask.hidden = false;
    ask.addEventListener("click", async () => { await Notification.requestPermission(); ask.hidden = true; });
  }
}

document.addEventListener("submit", (event) => {
  // Once is enough: a second click does nothing, and the server knows the form's key anyway.
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  event.target.dataset.sent = "1";
  setTimeout(() => { for (const each of event.target.querySelectorAll("button")) each.disabled = true; });
  setTimeout(() => { delete event.target.dataset.sent; for (const each of event.target.querySelectorAll("button")) each.disabled = false; }, 8000);
});
document.addEventListener("input", (event) => { if (!event.target.dataset.slider) event.target.dataset.touched = "1"; });
document.addEventListener("change", (event) => { if (event.target.dataset.go) event.target.form.requestSubmit(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.querySelectorAll("[data-plot]").forEach(draw));
// A browser that comes for the first time hears of what ends from now on.
if (localStorage.getItem(SEEN) === null) localStorage.setItem(SEEN, document.body.dataset.now);
wake(document);
const here = document.querySelector(".side nav a[aria-current]"), row = here?.closest("ul");
if (row && row.scrollWidth > row.clientWidth) row.scrollLeft = here.offsetLeft - 40;
if (document.getElementById("pulse")) news();
