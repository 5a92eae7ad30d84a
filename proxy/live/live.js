// Follows the model calls of the server. All texts are set as text, never as HTML.
"use strict";

// Rows of calls that have ended are removed from this many rows on.
const MAX_ROWS = 100;
// Milliseconds between two announcements of a screen reader, and before a lost connection is tried again.
const ANNOUNCE_MS = 2000;
const RETRY_MS = 3000;

const STATES = {
  queued: "Queued",
  reading: "Reading",
  thinking: "Thinking",
  answering: "Answering",
  calling: "Calling a tool",
  done: "Done",
  failed: "Failed",
  stopped: "Stopped",
};
const ENDED = new Set(["done", "failed", "stopped"]);

const byId = (id) => document.getElementById(id);
const list = byId("runs");
const runs = new Map(); // the rows by id
const items = new Map(); // their elements
let transcripts = false;
let connected = false;
let paused = false;
let announcements = [];

// Numbers and times as people read them.

const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function duration(ms) {
  if (ms === null) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, "0")} min`;
}

function age(run) {
  return run.seconds === null ? Math.max(0, Date.now() - run.started * 1000) : run.seconds * 1000;
}

// A key's name stands before its number.
const keyName = (run) => (run.actor ? run.actor.split(":")[0] : "");
const isRunning = (run) => !ENDED.has(run.state);

// One row.

function set(element, selector, text) {
  const target = element.querySelector(selector);
  if (target.textContent !== text) target.textContent = text;
  return target;
}

function createItem(run) {
  const item = byId("run").content.firstElementChild.cloneNode(true);
  item.querySelector(".stop").addEventListener("click", () => stop(run.id));
  const started = new Date(run.started * 1000);
  set(item, ".started", clock.format(started)).dateTime = started.toISOString();
  set(item, ".model", run.model);
  set(item, ".effort", run.effort ? `effort ${run.effort}` : "");
  set(item, ".app", run.app);
  set(item, ".key", keyName(run) && `key ${keyName(run)}`);
  set(item, ".endpoint", run.endpoint);
  item.querySelector(".stop").setAttribute("aria-label", `Stop ${run.model} for ${run.app}`);
  const link = item.querySelector(".transcript");
  link.href = `/logs/-/turn/${encodeURIComponent(run.id)}`;
  link.setAttribute("aria-label", `Transcript of ${run.model} for ${run.app}, ${clock.format(started)}`);
  return item;
}

function showTimes(item, run) {
  set(item, ".queue", run.state === "queued" ? duration(age(run)) : duration(run.queue_ms));
  set(item, ".time", duration(age(run)));
}

function show(run) {
  const item = items.get(run.id);
  item.dataset.state = run.state;
  set(item, ".state", run.state === "calling" && run.tool ? `Calling ${run.tool}` : STATES[run.state]);
  set(item, ".tokens", number.format(run.tokens));
  set(item, ".speed", run.tokens_per_second ? `${run.tokens_per_second.toFixed(1)} tokens/s` : "–");
  set(item, ".first", duration(run.first_token_ms));
  set(item, ".text", run.error || run.text).classList.toggle("problem", Boolean(run.error));
  showTimes(item, run);
  item.querySelector(".transcript").hidden = !(transcripts && run.logged && !isRunning(run));
  if (!isRunning(run)) disable(item, (button) => (button.hidden = true));
}

// A button that is disabled or hidden would lose the focus to nothing.
function disable(item, change) {
  const button = item.querySelector(".stop");
  if (document.activeElement === button) item.focus();
  change(button);
}

function add(run) {
  const item = createItem(run);
  items.set(run.id, item);
  const later = [...list.children].find((each) => runs.get(each.dataset.id)?.started <= run.started);
  item.dataset.id = run.id;
  list.insertBefore(item, later ?? null);
}

function remove(id) {
  items.get(id)?.remove();
  items.delete(id);
  runs.delete(id);
}

// All rows.

function receive(update) {
  const ids = new Set(update.rows.map((run) => run.id));
  if (update.all) {
    transcripts = update.transcripts;
    byId("logs").hidden = !transcripts;
    for (const run of [...runs.values()]) if (isRunning(run) && !ids.has(run.id)) update.gone.push(run.id);
  }
  for (const run of update.rows) {
    const before = runs.get(run.id);
    runs.set(run.id, run);
    if (!update.all) announce(before, run);
  }
  for (const id of update.gone) {
    const run = runs.get(id);
    if (run) runs.set(id, { ...run, state: "failed", seconds: age(run) / 1000, error: "Its process ended." });
  }
  render();
}

function render() {
  if (paused) return summarise();
  const latest = [...runs.values()].sort((a, b) => a.started - b.started);
  for (const run of latest) {
    if (!items.has(run.id)) add(run);
    show(run);
  }
  const focused = document.activeElement?.closest?.(".run");
  const removable = latest.filter((run) => !isRunning(run) && items.get(run.id) !== focused);
  for (const run of removable.slice(0, Math.max(0, latest.length - MAX_ROWS))) remove(run.id);
  byId("empty").hidden = runs.size > 0;
  summarise();
}

function summarise() {
  const running = [...runs.values()].filter(isRunning);
  const queued = running.filter((run) => run.state === "queued").length;
  const parts = [`${running.length - queued} running`];
  if (queued) parts.push(`${queued} queued`);
  if (paused) parts.push("updates are paused");
  const text = connected ? parts.join(", ") : "Connection lost, trying again…";
  if (byId("summary").textContent !== text) byId("summary").textContent = text;
  document.title = running.length ? `(${running.length}) Live · llm-gpt-oss` : "Live · llm-gpt-oss";
}

// A screen reader hears of starts and ends, a few together, and not of tokens.

function announce(before, run) {
  if (!before) announcements.push(`Started: ${run.model} for ${run.app}.`);
  if (before && isRunning(before) && !isRunning(run)) {
    announcements.push(`${STATES[run.state]}: ${run.model} for ${run.app}, ${run.tokens} tokens.`);
  }
}

setInterval(() => {
  if (!announcements.length) return;
  const text = announcements.length > 3 ? `${announcements.length} changes.` : announcements.join(" ");
  byId("announcer").textContent = text;
  announcements = [];
}, ANNOUNCE_MS);

setInterval(() => {
  if (paused) return;
  for (const run of runs.values()) if (isRunning(run) && items.has(run.id)) showTimes(items.get(run.id), run);
}, 1000);

// What a person does.

async function stop(id) {
  const item = items.get(id);
  const button = item.querySelector(".stop");
  disable(item, () => (button.disabled = true));
  button.textContent = "Stopping…";
  const answer = await fetch(`/live/runs/${encodeURIComponent(id)}/stop`, { method: "POST" }).catch(() => null);
  if (answer?.ok || answer?.status === 404) return; // the run has ended, or will
  if (answer?.status === 401) return location.reload();
  button.disabled = false;
  button.textContent = "Try again to stop";
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  render();
});

list.addEventListener("keydown", (event) => {
  const item = event.target.closest(".run");
  const next = { ArrowDown: item?.nextElementSibling, ArrowUp: item?.previousElementSibling }[event.key];
  if (!next || event.target !== item) return;
  event.preventDefault();
  next.focus();
});

// The connection. A browser connects again by itself, except after an answer that is an error.

function connect() {
  const source = new EventSource("/live/events");
  source.addEventListener("open", () => {
    connected = true;
    summarise();
  });
  source.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  source.addEventListener("error", async () => {
    connected = false;
    summarise();
    if (source.readyState !== EventSource.CLOSED) return;
    const answer = await fetch("/live/runs").catch(() => null);
    if (answer?.status === 401) return location.reload(); // to the page that asks for a key
    setTimeout(connect, RETRY_MS);
  });
}

connect();
