/** The page: takes the update stream, keeps what is selected, and tells the parts what to show. */

import { AlarmList } from "./alarms.js";
import { announced, badge, waits } from "./badge.js";
import { Charts } from "./charts.js";
import { Detail } from "./detail.js";
import { clock, day, duration, number, setTimeZone, signed } from "./format.js";
import { Grid, byCell } from "./grid.js";
import { currentLanguage, fillTexts, named, setLanguage, text } from "./texts.js";
import { TrendSource } from "./trends.js";

/** Data older than this are marked as old [s]. */
const STALE_S = 10;
const LOST_S = 4;
const GATEWAY = [
  "messages", "frames", "late", "duplicates", "dead_letters",
  "points_accepted", "points_written", "points_quarantined", "points_waiting",
];
const KNOWN = new Set([...GATEWAY, "broker", "database", "lag_s", "data_age_s", "stream_time_us"]);

const id = (name) => document.getElementById(name);

const state = {
  plant: null,
  alarms: { total: 0, alarms: [] },
  figures: null,
  cell: null,
  alarm: null,
  /** True once a person has selected something; until then the page may move to the first alarm. */
  chosen: false,
  heardMs: Date.now(),
};

const grid = new Grid(id("grid"), (cell) => choose(cell, topAlarm(cell)));
const list = new AlarmList(id("alarm-list"), id("alarm-more"), (alarmId) => {
  const alarm = state.alarms.alarms.find((one) => one.id === alarmId);
  if (state.plant.cells.includes(alarm.cell)) choose(alarm.cell, alarm);
});
const detail = new Detail();
const charts = new Charts(id("charts"));
const source = new TrendSource((data) => {
  if (charts.data?.cell === data.cell) charts.update(data);
  else charts.show(data, state.plant, state.alarm);
  detail.changes(data.changes);
});

function alarmsOf(cell) {
  return state.alarms.alarms.filter((alarm) => alarm.cell === cell && announced(alarm.state));
}

function topAlarm(cell) {
  return alarmsOf(cell)[0] ?? null;
}

/** Show one cell; the alarm decides what its charts point at. */
function select(cell, alarm) {
  state.cell = cell;
  state.alarm = alarm;
  grid.select(cell);
  list.select(alarm?.id);
  if (cell === source.cell) charts.show(source.data ?? charts.data, state.plant, alarm);
  if (cell !== source.cell) detail.changes([]);
  source.select(cell);
  showDetail();
}

function choose(cell, alarm) {
  state.chosen = true;
  select(cell, alarm);
}

function showDetail() {
  if (!state.cell) return;
  const first = state.alarm ? [state.alarm] : [];
  const others = alarmsOf(state.cell).filter((alarm) => alarm.id !== state.alarm?.id);
  detail.update(state.plant, state.plant.cells.indexOf(state.cell), [...first, ...others], currentLanguage());
}

/** Before anyone chose: the cell of the most urgent alarm, else the first. */
function selectFirst() {
  const top = state.alarms.alarms.find((alarm) => announced(alarm.state) && state.plant.cells.includes(alarm.cell));
  if (top || !state.cell) select(top?.cell ?? state.plant.cells[0], top ?? null);
}

function showPlant() {
  const { plant } = state;
  setTimeZone(plant.time_zone);
  id("site").textContent = [plant.site, ...new Set(plant.lines)].join(" · ");
  id("simulated").hidden = !plant.simulated;
  id("simulated").textContent = text("simulated", { speed: number(plant.speed, Number.isInteger(plant.speed) ? 0 : 1) });
  const [benchmark, baseline] = [plant.benchmark_kwh_per_t, plant.baseline_kwh_per_t].map((level) => number(level));
  id("key-energy").textContent = text("keyEnergy", { benchmark, baseline });
  showLines(plant);
  const unassessed = plant.reason.filter(Boolean).length;
  id("cell-count").textContent = text(unassessed ? "cellCount" : "cellCountAll", { n: plant.cells.length, unassessed });
  grid.update(plant, byCell(state.alarms.alarms));
}

/** Every line: sums over sums, with its distance from both levels. */
function showLines(plant) {
  const items = plant.line_figures.map((row) => {
    const item = document.createElement("li");
    const energy = row.ac_kwh_per_t;
    const to = (level) => `${text("figureBenchmark", { level: number(level) })} ${signed(energy - level)}`;
    const parts = [`${text("line", { line: row.line })}  ${text("figureAc")} ${number(energy)} kWh/t`];
    if (energy !== null) parts.push(to(plant.benchmark_kwh_per_t), to(plant.baseline_kwh_per_t));
    parts.push(`${text("figureCoverage")} ${number(100 * row.coverage)} %`);
    item.textContent = parts.join(" · ");
    return item;
  });
  id("line-energy").replaceChildren(...items);
}

function showAlarms() {
  const shown = state.alarms.alarms.filter((alarm) => announced(alarm.state));
  const aside = state.alarms.alarms.length - shown.length;
  const counts = [1, 2, 3, 4].flatMap((priority) => {
    const of = shown.filter((alarm) => alarm.priority === priority);
    if (!of.length) return [];
    const item = document.createElement("span");
    item.title = named("priority", priority);
    const unacked = of.find((alarm) => waits(alarm.state));
    const words = document.createElement("b");
    words.textContent = of.length;
    item.append(badge(priority, unacked ? "UNACK" : "ACKED"), words);
    return [item];
  });
  id("counts").replaceChildren(...counts);
  const parts = [];
  if (shown.length) parts.push(text("alarmCount", { n: shown.length, unacked: shown.filter((one) => waits(one.state)).length }));
  if (aside) parts.push(text("alarmAside", { n: aside }));
  id("alarm-count").textContent = parts.join(" · ");
  id("no-alarms").hidden = shown.length > 0;
  list.update(state.alarms, state.plant?.time_us ?? null);
}

/** Take the newest copy of the chosen alarm; when it is gone, the next one of the cell, or none. */
function followAlarm() {
  const old = state.alarm;
  const now = alarmsOf(state.cell).find((alarm) => alarm.id === old?.id) ?? topAlarm(state.cell);
  const changed = now?.id !== old?.id || now?.priority !== old?.priority;
  state.alarm = now;
  if (changed && charts.data) charts.show(charts.data, state.plant, now);
}

function showGateway() {
  const { figures } = state;
  const items = [];
  const add = (words, className = "") => {
    const item = document.createElement("span");
    item.textContent = words;
    item.className = className;
    items.push(item);
  };
  for (const [name, good] of [["broker", ["connected"]], ["database", ["ok", "local"]]]) {
    const link = figures[name];
    if (link) add(`${named("gateway", name)} ${named("link", link)}`, good.includes(link) ? "" : "bad");
  }
  if (Number.isFinite(figures.lag_s)) add(`${named("gateway", "lag_s")} ${number(figures.lag_s, 1)} s`);
  for (const name of GATEWAY) {
    if (figures[name] !== undefined) add(`${named("gateway", name)} ${number(figures[name])}`);
  }
  for (const name of Object.keys(figures).filter((one) => !KNOWN.has(one))) add(`${name} ${figures[name]}`);
  id("gateway").replaceChildren(...items);
}

/** One line over the page while something is not live; old figures are dimmed so that none passes for new. */
function showBanner() {
  const silent = (Date.now() - state.heardMs) / 1000;
  const age = state.figures?.data_age_s;
  let words = "";
  if (silent > LOST_S) words = text("lost", { age: duration(silent) });
  else if (state.figures && age === null) words = text("noData");
  else if (age > STALE_S) words = text("stale", { age: duration(age) });
  else if (state.figures?.broker && state.figures.broker !== "connected") {
    words = text("brokerDown", { state: named("link", state.figures.broker) });
  }
  id("banner").hidden = !words;
  if (id("banner").textContent !== words) id("banner").textContent = words;
  document.body.classList.toggle("old", silent > LOST_S || age > STALE_S);
}

function showClock() {
  const time = state.plant?.time_us;
  if (time === null || time === undefined) return;
  id("clock").textContent = `${day(time)} ${clock(time, true)}`;
  id("clock").title = `${text("clock")}: ${state.plant.time_zone}`;
}

function showAll() {
  fillTexts();
  for (const button of document.querySelectorAll("#language button")) {
    button.setAttribute("aria-pressed", String(button.dataset.lang === currentLanguage()));
  }
  if (!state.plant) return;
  showPlant();
  showAlarms();
  showClock();
  showDetail();
  if (charts.data) charts.show(charts.data, state.plant, state.alarm);
  if (source.data) detail.changes(source.data.changes);
  if (state.figures) showGateway();
  showBanner();
}

function listen(stream, name, take) {
  stream.addEventListener(name, (event) => {
    state.heardMs = Date.now();
    take(JSON.parse(event.data));
  });
}

function connect() {
  const stream = new EventSource("/events");
  stream.addEventListener("error", () => {
    // A refusal ends an event source for good; only a broken line is retried by the browser.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  });
  listen(stream, "line", (plant) => {
    const known = state.plant && String(state.plant.cells) === String(plant.cells);
    state.plant = plant;
    if (!known) grid.build(plant);
    showPlant();
    showClock();
    source.follow(plant.time_us ?? 0);
  });
  listen(stream, "alarms", (alarms) => {
    state.alarms = alarms;
    followAlarm();
    showPlant();
    showAlarms();
    if (!state.alarm && !state.chosen) selectFirst();
    showDetail();
    list.select(state.alarm?.id);
  });
  listen(stream, "figures", (figures) => {
    state.figures = figures;
    showGateway();
    showBanner();
  });
}

for (const button of document.querySelectorAll("#language button")) {
  button.addEventListener("click", () => {
    setLanguage(button.dataset.lang);
    if (state.plant) grid.build(state.plant);
    showAll();
    if (state.cell) grid.select(state.cell);
  });
}
showAll();
connect();
setInterval(showBanner, 1000);
