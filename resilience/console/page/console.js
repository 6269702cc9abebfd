// Shows the live data of a bot. Every text is set as text, never as HTML: servers choose some of it.
"use strict";

const $ = (id) => document.getElementById(id);
const SHOWN_ROWS = 40;
const SHOWN_CARDS = 6;
const POINTS = 120;
const HIDDEN = /(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu; // control, format and direction characters, and halves of pairs
let token = sessionStorage.getItem("resilience-token") || "";
let state = null;
let lastHeard = 0;
let isWide = false;
let showsAll = false;
const points = new Map();
let trend = [];
const feed = new Map();
const answers = new Map(); // of lookups that were made on this page, by the id of the entry
const busy = new Set();

const escapeHidden = (letter) => "\\u" + letter.codePointAt(0).toString(16).padStart(4, "0");
const clean = (text) => String(text).replace(HIDDEN, escapeHidden);

function setText(node, text) {
  const shown = clean(text);
  if (node.textContent !== shown) node.textContent = shown;
}

function setLevel(node, level) {
  if (node.dataset.level !== level) node.dataset.level = level;
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) setText(node, text);
  return node;
}

// Keeps the nodes of a list that are still needed: a button that has the focus must not be replaced each second.
// Two items may have one id, where a secret was removed from it: each keeps its own node.
function syncList(list, items, create, update) {
  const kept = new Map([...list.children].map((node) => [node.itemId, node]));
  const used = new Set();
  const times = new Map();
  let before = list.firstElementChild;
  for (const item of items) {
    times.set(item.id, (times.get(item.id) || 0) + 1);
    const id = times.get(item.id) + " " + item.id;
    let node = kept.get(id);
    if (node) kept.delete(id);
    else { node = create(item); node.itemId = id; }
    used.add(node);
    update(node, item);
    if (node === before) before = before.nextElementSibling;
    else list.insertBefore(node, before);
  }
  for (const node of [...list.children]) if (!used.has(node)) node.remove();
}

function duration(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (seconds >= 2 * size) return Math.round(seconds / size) + " " + unit;
  return Math.max(0, Math.round(seconds)) + " s";
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hourCycle: "h23" });
const number = (value) => (value >= 100 ? Math.round(value) : Math.round(value * 10) / 10).toLocaleString("en");
const percent = (share) => (share === null ? "–" : (share >= 0.9995 ? "100" : (share * 100).toFixed(1)) + " %");

// --- needs you ---------------------------------------------------------------------------------------------------------

function newCard() {
  const card = make("li", "card");
  card.title_ = card.appendChild(make("h3"));
  card.detail = card.appendChild(make("p"));
  card.meta = card.appendChild(make("p", "meta"));
  card.answer = card.appendChild(make("p", "answer"));
  card.answer.setAttribute("role", "status");
  card.raw = card.appendChild(make("pre"));
  card.raw.tabIndex = 0;
  card.buttons = card.appendChild(make("div", "buttons"));
  card.act = card.buttons.appendChild(make("button"));
  card.act.type = "button";
  card.why = card.buttons.appendChild(make("span", "meta"));
  return card;
}

function metaOf(item) {
  const parts = [];
  if (item.policy && item.action === "look_up") parts.push("policy " + item.policy);
  if (item.key && (item.action === "look_up" || item.kind === "settled")) parts.push("key " + item.key);
  if (item.since) parts.push((item.count > 1 ? "first " : "since ") + clock(item.since) + ", " + duration(state.at - item.since) + " ago");
  if (item.count > 1) parts.push(item.count.toLocaleString("en") + " times, last " + clock(item.last));
  return parts.join(" · ");
}

function updateCard(card, item) {
  const answer = answers.get(item.id);
  setLevel(card, item.level);
  setText(card.title_, item.title);
  setText(card.detail, item.detail);
  setText(card.meta, metaOf(item));
  setText(card.answer, answer ? answer.sentence : "");
  card.answer.hidden = !answer;
  setText(card.raw, answer && answer.answer ? answer.answer : "");
  card.raw.setAttribute("aria-label", "the answer of the API");
  card.raw.hidden = !(answer && answer.answer);
  const [label, run] = buttonOf(item, answer);
  card.act.hidden = !label;
  card.act.disabled = Boolean(item.no_lookup) || busy.has(item.id);
  card.detail.hidden = !item.detail;
  setText(card.act, busy.has(item.id) ? "Looking it up…" : label);
  card.act.setAttribute("aria-label", clean(label + ": " + (item.key || item.title)));
  card.act.onclick = run;
  setText(card.why, item.no_lookup ? "Not possible here: " + item.no_lookup : "");
}

function buttonOf(item, answer) {
  if (item.kind === "settled") return ["Dismiss", () => { answers.delete(item.id); render(); $("needs").focus(); }];
  if (item.action === "look_up") return [answer ? "Look up again" : "Look up now", () => lookUp(item)];
  if (item.action === "release") return ["Release…", () => ask("release", { policy: item.policy })];
  if (item.action === "close") return ["Close…", () => ask("close", { policy: item.policy, key: item.key })];
  return ["", null];
}

function entriesOf(cards) {
  return cards.reduce((sum, card) => sum + card.stands_for, 0);
}

function renderNeeds() {
  const needs = state.needs;
  const open = new Set(needs.map((item) => item.id));
  const settled = [...answers].filter(([id]) => !open.has(id)).map(([id, answer]) => (
    { id, kind: "settled", level: "calm", title: "Settled: " + answer.title, detail: "", count: 1, key: answer.key }));
  const items = [...settled, ...needs];
  syncList($("needs-list"), showsAll ? items : items.slice(0, SHOWN_CARDS), newCard, updateCard);
  $("more-needs").hidden = items.length <= SHOWN_CARDS;
  setText($("more-needs"), showsAll ? "Show the first " + SHOWN_CARDS : "Show all " + items.length);
  $("needs-empty").hidden = items.length > 0;
  setText($("needs-count"), needs.length ? entriesOf(needs).toLocaleString("en") : "");
}

async function lookUp(item) {
  if (!token) return askToken(() => lookUp(item));
  busy.add(item.id);
  render();
  try {
    const found = await post("look_up", { key: item.key });
    answers.set(item.id, { ...found, title: item.title, key: item.key });
  } catch (error) {
    if (error.status === 401) askToken(() => lookUp(item), error.message);
    else answers.set(item.id, { sentence: error.message, answer: "", title: item.title, key: item.key });
  } finally {
    busy.delete(item.id);
    render();
  }
}

// --- now ---------------------------------------------------------------------------------------------------------------

function newRow() {
  const row = make("li", "row");
  const words = row.appendChild(make("div"));
  row.name_ = words.appendChild(make("p", "name"));
  row.kind = row.name_.appendChild(make("span"));
  row.label = row.name_.appendChild(document.createTextNode(""));
  row.state = words.appendChild(make("p", "state"));
  row.chart = row.appendChild(make("canvas"));
  row.chart.setAttribute("role", "img");
  row.buttons = row.appendChild(make("div", "buttons"));
  return row;
}

function updateRow(row, item) {
  setLevel(row, item.level);
  setText(row.kind, item.kind);
  const label = clean([item.policy, item.name].filter(Boolean).join(" · ") || "all");
  if (row.label.data !== " " + label) row.label.data = " " + label;
  setText(row.state, item.state);
  syncList(row.buttons, item.actions.map((action) => ({ id: action })), () => {
    const button = make("button");
    button.type = "button";
    return button;
  }, (button, { id }) => {
    setText(button, id[0].toUpperCase() + id.slice(1) + "…");
    button.setAttribute("aria-label", clean(id + " " + item.kind + " " + label));
    button.onclick = () => ask(id, { policy: item.policy.split(", ")[0], key: item.key });
  });
  drawRow(row.chart, points.get(item.id) || [], item, label);
}

function renderNow() {
  const rows = isWide ? state.rows : state.rows.slice(0, SHOWN_ROWS);
  syncList($("now-list"), rows, newRow, updateRow);
  $("now-empty").hidden = state.rows.length > 0;
  $("more").hidden = state.rows.length <= SHOWN_ROWS;
  setText($("more"), isWide ? "Show the first " + SHOWN_ROWS : "Show " + (state.rows_left ? "the first " : "all ") + state.rows.length);
  $("rows-left").hidden = !state.rows_left;
  setText($("rows-left"), state.rows_left.toLocaleString("en") + " more are not shown, which are in less trouble: /snapshot has them.");
}

function fitted(canvas) {
  const scale = window.devicePixelRatio || 1;
  const style = getComputedStyle(canvas);
  const width = canvas.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const height = canvas.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return [pen, width, height];
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--chart-" + name).trim();

function drawRow(canvas, kept, item, label) {
  const levels = ["calm", "warn", "bad"];
  const latest = [Math.round((item.value || 0) * 100), levels.indexOf(item.level)];
  const shown = [...kept, latest].slice(-POINTS);
  const signature = JSON.stringify([kept.length, shown[0], latest, canvas.clientWidth, matchMedia("(prefers-color-scheme: dark)").matches, lastPoint]);
  if (canvas.drawn === signature) return;
  canvas.drawn = signature;
  const bad = shown.filter((point) => point && point[1] === 2).length;
  const troubled = bad ? ", in trouble for about " + duration(bad * 5) : "";
  canvas.setAttribute("aria-label", clean(item.kind + " " + label + " in the last ten minutes: now " + latest[0] + " %" + troubled));
  const [pen, width, height] = fitted(canvas);
  const step = width / POINTS;
  const colours = [colour("calm"), colour("warn"), colour("bad")];
  pen.fillStyle = colour("none");
  pen.fillRect(0, height - 2, width, 2);
  shown.forEach((point, index) => {
    if (!point) return;
    const tall = Math.max(2, (point[1] === 2 ? 1 : point[0] / 100) * height);
    pen.fillStyle = colours[point[1]];
    pen.fillRect(width - (shown.length - index) * step, height - tall, Math.max(1, step - 0.3), tall);
  });
}

// --- lately ------------------------------------------------------------------------------------------------------------

function renderLately() {
  const lately = state.lately;
  setText($("span"), lately.seconds ? "the last " + duration(lately.seconds) : "");
  setText($("rate"), number(lately.rate));
  setText($("success"), percent(lately.success));
  setLevel($("success"), lately.success === null || lately.success >= 0.98 ? "" : lately.success >= 0.8 ? "warn" : "bad");
  setText($("attempts"), lately.attempts === null ? "–" : lately.attempts.toFixed(2));
  setText($("refused"), number(lately.rejected));
  setLevel($("refused"), lately.rejected ? "warn" : "");
  syncList($("operations"), lately.operations.slice(0, 12).map((row) => ({ ...row, id: row.policy + " " + row.operation })), () => {
    const line = make("tr");
    for (let index = 0; index < 6; index += 1) line.appendChild(make("td"));
    return line;
  }, (line, row) => {
    const cells = [row.operation, number(row.rate), percent(row.success), number(row.failed), number(row.rejected), number(row.unknown)];
    cells.forEach((cell, index) => setText(line.children[index], cell));
    setLevel(line.children[3], row.failed ? "bad" : "");
    setLevel(line.children[5], row.unknown ? "bad" : "");
  });
  drawTrend();
}

function drawTrend() {
  const canvas = $("trend");
  const [pen, width, height] = fitted(canvas);
  const shown = [...trend, [state.lately.rate, state.lately.success]].slice(-POINTS);
  const most = Math.max(1, ...shown.map((point) => point[0]));
  const step = width / POINTS;
  pen.fillStyle = colour("none");
  pen.fillRect(0, height - 2, width, 2);
  shown.forEach(([rate, success], index) => {
    if (!rate) return;
    const left = width - (shown.length - index) * step;
    const tall = (rate / most) * height;
    const good = tall * (success === null ? 1 : success);
    pen.fillStyle = colour("calm");
    pen.fillRect(left, height - good, step - 0.3, good);
    pen.fillStyle = colour("bad");
    pen.fillRect(left, height - tall, step - 0.3, tall - good);
  });
  canvas.setAttribute("aria-label", "calls a second in the last ten minutes, at most " + number(most) + "; now " + number(state.lately.rate) + ", success " + percent(state.lately.success));
}

function renderFeed() {
  const entries = [...feed.values()].reverse();
  syncList($("feed"), entries, () => {
    const line = make("li");
    line.at = line.appendChild(make("time"));
    line.text = line.appendChild(make("span", "text"));
    line.times = line.appendChild(make("span", "times"));
    return line;
  }, (line, entry) => {
    setLevel(line, entry.level);
    setText(line.at, clock(entry.at));
    setText(line.text, entry.text);
    setText(line.times, entry.count > 1 ? "×" + entry.count.toLocaleString("en") : "");
  });
  $("feed-empty").hidden = entries.length > 0;
}

// --- the whole ---------------------------------------------------------------------------------------------------------

let lastPoint = 0;

function take(kind, message) {
  if (kind === "whole") {
    points.clear();
    feed.clear();
    for (const [id, kept] of message.history.points) points.set(id, kept);
    trend = message.history.trend;
  }
  if (message.point) takePoint(message);
  for (const entry of message.feed) {
    feed.delete(entry.id); // and added again: the latest one is last, whatever the clock was set to meanwhile
    feed.set(entry.id, entry);
  }
  while (feed.size > 100) feed.delete(feed.keys().next().value);
  state = message;
  lastHeard = Date.now();
  lastPoint += message.point ? 1 : 0;
  render();
}

function takePoint(message) {
  const levels = ["calm", "warn", "bad"];
  const now = new Map(message.rows.map((row) => [row.id, [Math.round((row.value || 0) * 100), levels.indexOf(row.level)]]));
  for (const id of now.keys()) if (!points.has(id)) points.set(id, []);
  for (const [id, kept] of points) {
    kept.push(now.get(id) || null);
    if (kept.length > POINTS) kept.shift();
    if (!kept.some(Boolean)) points.delete(id);
  }
  trend.push([message.lately.rate, message.lately.success]);
  if (trend.length > POINTS) trend.shift();
}

function render() {
  if (!state) return;
  renderHealth();
  renderNeeds();
  renderNow();
  renderLately();
  renderFeed();
  setText($("unlock"), token ? "Forget token" : "Enter token");
}

function renderHealth() {
  const needed = entriesOf(state.needs);
  const isBad = !state.healthy || state.needs.some((item) => item.level === "bad");
  const level = isBad ? "bad" : needed || state.rows.some((row) => row.level !== "calm") ? "warn" : "calm";
  const open = state.rejecting;
  const parts = [];
  if (needed) parts.push(needed === 1 ? "1 thing needs you" : needed.toLocaleString("en") + " things need you");
  if (open) parts.push(open === 1 ? "1 breaker rejects calls" : open + " breakers reject calls");
  setText($("health"), parts.join(", ") || (level === "calm" ? "All is well" : "Working around trouble"));
  setLevel($("health"), level);
  document.title = (needed ? "(" + needed + ") " : "") + "resilience console";
}

function renderFresh() {
  const age = lastHeard ? (Date.now() - lastHeard) / 1000 : 0;
  const isOld = !lastHeard || age > 5;
  $("fresh").classList.toggle("old", Boolean(lastHeard) && isOld);
  setText($("fresh"), !lastHeard ? "" : isOld ? "Out of date: nothing heard for " + duration(age) : "live");
}

// --- actions -----------------------------------------------------------------------------------------------------------

const WORDS = {
  isolate: ["Isolate a policy", "Nothing more is sent under it until somebody releases it. Lookups of writes in doubt go on.", "Isolate"],
  release: ["Release", "Ends isolations and waits, and calls are sent again. A wait that the API asked for may end in a longer ban.", "Release"],
  close: ["Close the breaker", "Calls are sent again at once, and what it has counted is forgotten.", "Close"],
  token: ["Enter the token", "It is kept in this tab alone, until the tab is closed.", "Keep"],
};
let pending = null;

function openDialog(action, fields, then, problem) {
  pending = { action, fields, then };
  const [title, text, label] = WORDS[action];
  setText($("dialog-title"), title);
  setText($("dialog-text"), text);
  setText($("confirm"), label);
  setText($("problem"), problem || "");
  $("policy-field").hidden = action !== "isolate" && action !== "release";
  $("reason-field").hidden = action === "token";
  $("cancels-field").hidden = action !== "isolate";
  $("token-field").hidden = Boolean(token) && action !== "token";
  $("confirm").className = action === "isolate" ? "danger" : "primary";
  $("reason").value = "";
  $("token").value = "";
  $("cancels").checked = false;
  const names = state ? state.policies.map((policy) => policy.name) : [];
  $("policy").replaceChildren(...[null, ...names].map((name) => {
    const option = make("option", "", name === null ? "all policies" : name);
    option.value = name === null ? "" : name;
    return option;
  }));
  $("policy").value = fields.policy || "";
  if (!$("dialog").open) $("dialog").showModal();
  $(action === "token" ? "token" : "reason").focus();
}

const ask = (action, fields) => openDialog(action, fields, null, "");
const askToken = (then, problem) => { token = ""; openDialog("token", {}, then, problem); };

async function submit(event) {
  event.preventDefault();
  const { action, fields, then } = pending;
  if (!$("token-field").hidden) {
    const entered = $("token").value.trim();
    // Nothing else can be sent in a header: the page could not even read any more.
    if (/[^\x21-\x7e]/.test(entered)) return setText($("problem"), "A token has letters, digits and signs of ASCII alone.");
    token = entered;
    sessionStorage.setItem("resilience-token", token);
  }
  if (!token) return setText($("problem"), "Enter the token first.");
  if (action === "token") {
    $("dialog").close();
    reconnect();
    render();
    return then && then();
  }
  const body = { reason: $("reason").value };
  body.policy = action === "close" ? fields.policy : $("policy").value || null;
  if (action === "isolate") body.cancels = $("cancels").checked;
  if (action === "close") body.key = fields.key;
  $("confirm").disabled = true;
  try {
    await post(action, body);
    $("dialog").close();
  } catch (error) {
    if (error.status === 401) { forgetToken(); $("token-field").hidden = false; $("token").focus(); }
    setText($("problem"), error.message);
  } finally {
    $("confirm").disabled = false;
    render();
  }
}

function forgetToken() {
  token = "";
  sessionStorage.removeItem("resilience-token");
  render();
}

async function post(action, body) {
  let answer;
  try {
    answer = await fetch("/actions/" + action, { method: "POST", headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error("The bot does not answer.");
  }
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  const error = new Error(clean(content.error || "The bot answered with status " + answer.status));
  error.status = answer.status;
  throw error;
}

// --- connection --------------------------------------------------------------------------------------------------------

let connection = null;

function reconnect() {
  if (connection) connection.abort();
}

async function listen() {
  connection = new AbortController();
  const answer = await fetch("/live", { signal: connection.signal, headers: token ? { Authorization: "Bearer " + token } : {} });
  if (answer.status === 401) {
    setText($("health"), "Enter the token to read");
    if (!$("dialog").open) askToken(null, token ? "The token is wrong." : "");
    throw new Error("token");
  }
  if (!answer.ok) throw new Error("status " + answer.status);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const [kind, data] = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      take(kind.slice("event: ".length), JSON.parse(data.slice("data: ".length)));
    }
  }
}

async function keepListening() {
  for (;;) {
    try { await listen(); } catch { /* the bot is gone, or wants the token: asked again below */ }
    await new Promise((resume) => setTimeout(resume, 1000));
  }
}

function begin() {
  $("form").addEventListener("submit", submit);
  $("cancel").addEventListener("click", () => $("dialog").close());
  $("stop").addEventListener("click", () => ask("isolate", { policy: null }));
  $("unlock").addEventListener("click", () => (token ? forgetToken() : askToken(null, "")));
  $("more-needs").addEventListener("click", () => { showsAll = !showsAll; render(); });
  $("more").addEventListener("click", () => { isWide = !isWide; render(); });
  window.addEventListener("resize", render);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
  setInterval(renderFresh, 1000);
  setText($("unlock"), token ? "Forget token" : "Enter token");
  keepListening();
}

begin();
