/** The line at a glance: one tile a cell, as large as the space allows. */

import { announced, badge, waits } from "./badge.js";
import { MISSING, number, signed } from "./format.js";
import { named, text } from "./texts.js";

/** Ends of the energy bar [kWh/t]: what prebake cells of all ages run at. */
const BAR_LOW = 12000;
const BAR_HIGH = 14500;
const GAP_PX = 3;
/** Width over height that a tile should have. */
const ASPECT = 1.35;
/** Share of the width that the text may need. */
const SPARE = 0.9;
const SMALLEST_PX = 26;
const STATUS_LETTERS = { maintenance: "M", out_of_specification: "S", function_check: "C", failure: "F" };

function place(value) {
  const share = (value - BAR_LOW) / (BAR_HIGH - BAR_LOW);
  return `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
}

function element(tag, className, parent) {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
}

/** Write only what changed: 420 tiles are looked at every second. */
function write(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

class Tile {
  constructor(plant, index, parent) {
    this.cell = plant.cells[index];
    this.button = element("button", "tile", parent);
    this.button.type = "button";
    this.button.tabIndex = -1;
    const short = this.cell.startsWith(`${plant.lines[index]}-`)
      ? this.cell.slice(plant.lines[index].length + 1)
      : this.cell;
    element("b", "name", this.button).textContent = short;
    const corner = element("span", "corner", this.button);
    this.status = element("span", "status", corner);
    this.mark = element("span", "mark", corner);
    this.voltage = element("span", "voltage", this.button);
    this.energy = element("span", "energy", this.button);
    this.why = element("span", "why", this.button);
    this.bar = element("span", "bar", this.button);
    this.fill = element("i", "fill", this.bar);
    for (const level of [plant.benchmark_kwh_per_t, plant.baseline_kwh_per_t]) {
      element("i", "tick", this.bar).style.left = place(level);
    }
    this.shown = "";
  }

  update(plant, index, alarms) {
    const voltage = plant.figures.cell_voltage_V[index];
    const reason = plant.reason[index] && named("reason", plant.reason[index]);
    const energy = reason ? null : plant.figures.ac_kwh_per_t[index];
    write(this.voltage, voltage === null ? MISSING : `${number(voltage, 3)} V`);
    write(this.energy, energy === null ? "" : number(energy));
    write(this.why, reason);
    this.button.classList.toggle("unassessed", Boolean(reason));
    this.button.classList.toggle("above", energy !== null && energy > plant.baseline_kwh_per_t);
    this.button.classList.toggle("below", energy !== null && energy <= plant.benchmark_kwh_per_t);
    this.bar.classList.toggle("empty", energy === null);
    if (energy !== null) this.fill.style.width = place(energy);
    const status = plant.status[index];
    write(this.status, STATUS_LETTERS[status] ?? "");
    this.flag(alarms);
    this.describe(plant, energy, voltage, reason, status, alarms);
  }

  flag(alarms) {
    const top = alarms[0];
    const shown = top ? `${top.priority}${top.state}${alarms.length}` : "";
    if (shown === this.shown) return;
    this.shown = shown;
    this.mark.replaceChildren(...(top ? [badge(top.priority, top.state)] : []));
    if (alarms.length > 1) element("small", "", this.mark).textContent = `+${alarms.length - 1}`;
    if (top) this.button.dataset.priority = top.priority;
    else delete this.button.dataset.priority;
    this.button.classList.toggle("waits", Boolean(top && waits(top.state)));
  }

  describe(plant, energy, voltage, reason, status, alarms) {
    const parts = [
      text("cell", { cell: this.cell }),
      voltage === null ? `${text("figureVoltage")} ${text("missing")}` : `${number(voltage, 3)} V`,
    ];
    if (reason) parts.push(`${text("notAssessed")}: ${reason}`);
    else if (energy !== null) {
      const gap = signed(energy - plant.benchmark_kwh_per_t);
      const level = number(plant.benchmark_kwh_per_t);
      parts.push(`${text("figureAc")} ${number(energy)} kWh/t`);
      parts.push(`${text("figureBenchmark", { level })} ${gap} kWh/t`);
    }
    if (status !== "good") parts.push(named("status", status));
    if (alarms.length) parts.push(`${named("priority", alarms[0].priority)}, ${named("state", alarms[0].state)}`);
    const words = parts.join("\n");
    if (this.button.title !== words) {
      this.button.title = words;
      this.button.setAttribute("aria-label", parts.join(", "));
    }
  }
}

/** The grid of all cells; tells ``onSelect`` which cell was chosen by click or keyboard. */
export class Grid {
  constructor(root, onSelect) {
    this.root = root;
    this.onSelect = onSelect;
    this.tiles = [];
    this.rows = [];
    this.columns = 1;
    root.addEventListener("keydown", (event) => this.move(event));
    root.addEventListener("click", (event) => {
      const tile = this.tiles.find((one) => one.button === event.target.closest(".tile"));
      if (tile) onSelect(tile.cell);
    });
    new ResizeObserver(() => this.arrange()).observe(root.parentElement);
  }

  build(plant) {
    this.root.replaceChildren();
    this.tiles = [];
    this.rows = [];
    const lines = [...new Set(plant.lines)];
    for (const line of lines) {
      if (lines.length > 1) element("h3", "", this.root).textContent = text("line", { line });
      const row = element("div", "row", this.root);
      const members = plant.cells.map((_, i) => i).filter((i) => plant.lines[i] === line);
      this.rows.push(members.length);
      for (const index of members) this.tiles[index] = new Tile(plant, index, row);
    }
    this.order = [...this.root.querySelectorAll(".tile")];
    this.order[0].tabIndex = 0;
    this.arrange();
  }

  update(plant, alarmsByCell) {
    this.tiles.forEach((tile, i) => tile.update(plant, i, alarmsByCell.get(tile.cell) ?? []));
  }

  select(cell) {
    for (const tile of this.tiles) {
      const chosen = tile.cell === cell;
      tile.button.classList.toggle("selected", chosen);
      tile.button.setAttribute("aria-pressed", String(chosen));
      if (chosen) this.rove(tile.button);
    }
  }

  /** One tile is in the tab order; the arrow keys move it. */
  rove(button) {
    for (const other of this.order) other.tabIndex = other === button ? 0 : -1;
  }

  move(event) {
    const at = this.order.indexOf(document.activeElement);
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    const step = steps[event.key] ?? { Home: -at, End: this.order.length - 1 - at }[event.key];
    if (at < 0 || step === undefined) return;
    event.preventDefault();
    const next = this.order[Math.min(this.order.length - 1, Math.max(0, at + step))];
    this.rove(next);
    next.focus();
  }

  /** Choose the number of columns that makes the tiles largest; scroll only below the smallest size. */
  arrange() {
    if (!this.tiles.length) return;
    const width = this.root.clientWidth;
    const headings = this.rows.length > 1 ? this.rows.length * 24 : 0;
    const height = this.root.clientHeight - headings;
    const flowing = getComputedStyle(this.root).overflowY === "visible";
    let best = { columns: 1, size: 0 };
    for (let columns = 1; columns <= Math.max(...this.rows); columns += 1) {
      const wide = (width + GAP_PX) / columns - GAP_PX;
      if (columns > 1 && wide < (flowing ? 64 : SMALLEST_PX)) break;
      const rows = this.rows.reduce((sum, n) => sum + Math.ceil(n / columns), 0);
      const high = flowing ? wide / ASPECT : (height + GAP_PX) / rows - GAP_PX;
      const size = flowing ? 110 - Math.abs(wide - 110) : Math.min((wide * SPARE) / ASPECT, high);
      if (size > best.size) best = { columns, size, wide, high };
    }
    this.columns = best.columns;
    const tall = Math.min(Math.max(best.high, SMALLEST_PX * 0.7), best.wide / 0.8);
    this.root.style.setProperty("--columns", best.columns);
    this.root.style.setProperty("--tile-height", `${Math.floor(tall)}px`);
    const room = Math.min(best.wide * SPARE, tall * ASPECT);
    this.root.style.setProperty("--unit", `${(room / 100).toFixed(3)}px`);
    this.root.dataset.size = room >= 80 ? "large" : room >= 40 ? "medium" : "small";
  }
}

/** Alarms of each cell that the page announces, most urgent first. */
export function byCell(alarms) {
  const grouped = new Map();
  for (const alarm of alarms) {
    if (!announced(alarm.state)) continue;
    if (!grouped.has(alarm.cell)) grouped.set(alarm.cell, []);
    grouped.get(alarm.cell).push(alarm);
  }
  return grouped;
}
