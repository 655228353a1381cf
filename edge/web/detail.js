/** The selected cell in figures, and why its alarms were raised. */

import { said } from "./alarms.js";
import { badge } from "./badge.js";
import { clock, day, duration, evidence, number, signed } from "./format.js";
import { named, text } from "./texts.js";

function part(tag, className, words = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = words;
  return made;
}

function figures(plant, index) {
  const at = (name) => plant.figures[name][index];
  const energy = plant.reason[index] ? null : at("ac_kwh_per_t");
  const gap = energy === null ? null : energy - plant.benchmark_kwh_per_t;
  const sd = at("bath_temp_sd_C");
  const level = number(plant.benchmark_kwh_per_t);
  const spread = sd === null ? "" : ` ±${number(sd, 1)}`;
  return [
    [text("figureVoltage"), "V", number(at("cell_voltage_V"), 3)],
    [text("figureResidual"), "mV", signed(scaled(at("voltage_residual_V"), 1000))],
    [text("figureCurrent"), "kA", number(scaled(at("line_current_A"), 0.001), 1)],
    [text("figureBath"), "°C", number(at("bath_temp_C"), 1) + spread],
    [text("figureSuperheat"), "°C", number(at("superheat_C"), 1)],
    [text("figureLedge"), "mm", number(at("ledge_bath_mm"))],
    [text("figureDc"), "kWh/t", number(plant.reason[index] ? null : at("dc_kwh_per_t"))],
    [text("figureAc"), "kWh/t", number(energy)],
    [text("figureBenchmark", { level }), "kWh/t", signed(gap)],
    [text("figureLevel"), "", energy === null ? number(null) : levelOf(plant, energy)],
    [text("figureCoverage"), "%", number(scaled(at("coverage"), 100))],
  ];
}

/** Which level a figure meets, compared unrounded. */
function levelOf(plant, energy) {
  if (plant.level_1_kwh_per_t !== null && energy <= plant.level_1_kwh_per_t) return text("level1");
  if (energy <= plant.benchmark_kwh_per_t) return text("level2");
  return text(energy <= plant.baseline_kwh_per_t ? "level3" : "level4");
}

/** Missing stays missing in another unit. */
function scaled(value, factor) {
  return value === null ? null : value * factor;
}

function explanation(alarm, signals) {
  const box = part("section", "why-alarm");
  const head = part("h3", "");
  head.append(badge(alarm.priority, alarm.state), part("span", "", said(alarm, "title")));
  // What to do stands first: it must not be below the edge of a small screen.
  box.append(head, part("p", "action", said(alarm, "action")));
  if (alarm.causes.length) {
    const list = part("ul", "causes");
    for (const cause of alarm.causes) {
      const item = part("li", "");
      const share = part("i", "");
      share.style.width = `${(100 * cause.weight).toFixed(0)}%`;
      item.append(part("span", "", said(cause, "text")), part("b", "", `${(100 * cause.weight).toFixed(0)} %`), share);
      list.append(item);
    }
    box.append(part("h4", "", text("causes")), list);
  }
  const facts = Object.entries(alarm.evidence);
  if (facts.length) {
    const list = part("dl", "facts");
    for (const [name, value] of facts) {
      if (name === "sensor_number" && !value) continue;
      const [label, shown] = evidence(name, value, signals);
      list.append(part("dt", "", label), part("dd", "", shown));
    }
    box.append(part("h4", "", text("evidence")), list);
  }
  return box;
}

/** Panel beside the charts. */
export class Detail {
  constructor() {
    this.name = document.getElementById("cell-name");
    this.reason = document.getElementById("cell-reason");
    this.status = document.getElementById("cell-status");
    this.list = document.getElementById("cell-figures");
    this.alarms = document.getElementById("cell-alarms");
    this.changeList = document.getElementById("cell-changes");
    this.shown = "";
  }

  update(plant, index, alarms, language) {
    this.name.textContent = text("cell", { cell: plant.cells[index] });
    const reason = plant.reason[index];
    this.reason.hidden = !reason;
    this.reason.textContent = reason && `${text("notAssessed")}: ${named("reason", reason)}`;
    const rows = figures(plant, index).map(([label, unit, value]) => {
      const box = part("div", "");
      const head = part("dt", "", `${label} `);
      head.append(part("small", "", unit));
      box.append(head, part("dd", "", value));
      return box;
    });
    this.list.replaceChildren(...rows);
    const status = plant.status[index];
    this.status.hidden = status === "good";
    this.status.textContent = `${text("figureStatus")}: ${named("status", status)}`;
    const face = JSON.stringify([language, alarms]);
    if (face === this.shown) return;
    this.shown = face;
    this.alarms.replaceChildren(...alarms.map((alarm) => explanation(alarm, plant.signals)));
  }

  /** What became of the cell's newest anode changes. */
  changes(rows) {
    const items = rows.map((row) => {
      const item = part("li", ["open", "on_time", "unseen"].includes(row.verdict) ? "" : "odd");
      const words = [];
      if (row.level_ratio !== null) words.push(`${number(100 * row.level_ratio)} %`);
      if (row.half_load_h !== null && row.half_low_h !== null) {
        const [h, low, high] = [row.half_load_h, row.half_low_h, row.half_high_h].map((hours) => number(hours, 1));
        words.push(text("halfLoad", { h, low, high }));
      }
      if (row.known_us) words.push(text("knownAfter", { age: duration((row.known_us - row.time_us) / 1e6) }));
      if (!row.logged) words.push(text("notLogged"));
      const when = `${day(row.time_us).slice(5)} ${clock(row.time_us)}`;
      item.append(part("b", "", text("anode", { n: row.anode })), part("time", "", when));
      item.append(part("span", "", named("verdict", row.verdict)));
      if (words.length) item.append(part("small", "", words.join(" · ")));
      return item;
    });
    this.changeList.hidden = !items.length;
    this.changeList.querySelector("ul").replaceChildren(...items);
  }
}
