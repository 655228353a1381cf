/** Trends of the selected cell, each with its unit; grey lines, colour only for what an alarm points at. */

import { clock, day, number, plantZone } from "./format.js";
import { named, text } from "./texts.js";
import { withGaps } from "./trends.js";

const INK = "#20262c";
const SOFT = "#5d6771";
const GRID = "#d3d7da";
const MIDDLE = "#848e97";
const FAINT = "#9aa3ab";
const BAND = "rgba(70, 80, 90, 0.2)";
/** Darker than the badges, so that a thin line stays readable on grey. */
const ALARM_INK = { 1: "#d00000", 2: "#c25700", 3: "#8f6d00", 4: "#00719c" };
const FONT = '12px system-ui, "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';

/** Range that holds the data and is never so narrow that noise fills the chart. */
function roomy(least) {
  return (_, low, high) => {
    if (low === null || high === null) return [0, least];
    const spare = Math.max(0, least - (high - low)) / 2 + (high - low) * 0.06;
    return [low - spare, high + spare];
  };
}

function fromZero(least) {
  return (_, low, high) => [Math.min(0, low ?? 0), Math.max(least, high ?? 0) * 1.08];
}

/** Write a label inside the plot, at the right end of a line. */
function label(plot, words, x, y, colour) {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `bold ${FONT.replace("12px", `${12 * ratio}px`)}`;
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.lineWidth = 4 * ratio;
  ctx.strokeStyle = "#f4f5f6";
  ctx.fillStyle = colour;
  const lowest = plot.bbox.top + 16 * ratio;
  ctx.strokeText(words, x, Math.max(lowest, y - 3 * ratio));
  ctx.fillText(words, x, Math.max(lowest, y - 3 * ratio));
  ctx.restore();
}

/** Name the marked lines once, above the end of the highest. */
function labelHighest(plot, marked, words, colour) {
  const ends = marked.map((i) => plot.data[i + 1].findLast((value) => value !== null)).filter((end) => end !== undefined);
  if (!ends.length) return;
  const right = plot.bbox.left + plot.bbox.width - 4;
  label(plot, words, right, plot.valToPos(Math.max(...ends), "y", true), colour);
}

/** A dashed level across the whole plot with its name. */
function level(plot, value, words) {
  const y = plot.valToPos(value, "y", true);
  const { left, width } = plot.bbox;
  plot.ctx.save();
  plot.ctx.strokeStyle = SOFT;
  plot.ctx.lineWidth = devicePixelRatio;
  plot.ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  plot.ctx.beginPath();
  plot.ctx.moveTo(left, y);
  plot.ctx.lineTo(left + width, y);
  plot.ctx.stroke();
  plot.ctx.restore();
  label(plot, words, left + width - 4, y, SOFT);
}

function line(stroke, width, more = {}) {
  return { stroke, width, points: { show: false }, spanGaps: false, ...more };
}

function voltage(data) {
  return {
    title: text("chartVoltage"),
    unit: "V",
    decimals: 3,
    keys: [["thin", text("measured")], ["solid", text("expected")]],
    columns: [data.cell_voltage_V, data.voltage_expected_V],
    series: [line(MIDDLE, 1), line(INK, 1.8)],
    range: roomy(0.15),
  };
}

function bath(data) {
  const edge = (sign) => data.bath_temp_C.map((mean, i) => {
    const sd = data.bath_temp_sd_C[i];
    return mean === null || sd === null ? null : mean + sign * sd;
  });
  return {
    title: text("chartBath"),
    unit: "°C",
    decimals: 1,
    keys: [["solid", text("estimate")], ["band", text("band")]],
    columns: [data.bath_temp_C, edge(1), edge(-1)],
    series: [line(INK, 1.3), line("transparent", 0), line("transparent", 0)],
    bands: [{ series: [2, 3], fill: BAND }],
    read: (values) => `${number(values[0], 1)} ± ${number(values[1] === null ? null : values[1] - values[0], 1)} °C`,
    range: roomy(12),
  };
}

function energy(data, plant) {
  const levels = [plant.benchmark_kwh_per_t, plant.baseline_kwh_per_t];
  const names = [text("benchmark"), text("baseline")];
  return {
    title: text("chartEnergy"),
    unit: "kWh/t",
    decimals: 0,
    keys: [],
    columns: [data.ac_kwh_per_t],
    series: [line(INK, 1.3)],
    range: (plot, low, high) => {
      const values = [...levels, ...(low === null ? [] : [low, high])];
      return roomy(600)(plot, Math.min(...values), Math.max(...values));
    },
    draw: (plot) => levels.forEach((value, i) => level(plot, value, `${names[i]} ${number(value)}`)),
  };
}

/** Many lines of one kind; those that the alarm points at stand out and carry their name. */
function bundle(columns, { marked, alarm, nameOf, label: words }) {
  const colour = alarm ? ALARM_INK[alarm.priority] : INK;
  return {
    columns,
    keys: [],
    series: columns.map((_, i) => (marked.includes(i) ? line(colour, marked.length > 1 ? 1.6 : 2.6) : line(FAINT, 0.9))),
    many: true,
    nameOf,
    draw: (plot) => marked.length && labelHighest(plot, marked, words, colour),
  };
}

function anodes(data, plant, alarm) {
  const count = data.anode_current_A.length;
  const marked = alarm?.anode && alarm.anode <= count ? [alarm.anode - 1] : [];
  const columns = data.anode_current_A.map((column) => column.map((amps) => (amps === null ? null : amps / 1000)));
  const nameOf = (i) => text("anode", { n: i + 1 });
  return {
    ...bundle(columns, { marked, alarm, nameOf, label: marked.map(nameOf).join() }),
    title: text("chartAnodes"),
    unit: "kA",
    decimals: 2,
    range: fromZero(1),
  };
}

function shell(data, plant, alarm) {
  const sides = data.shell_sides;
  const marked = data.shell_temp_C.map((_, i) => i).filter((i) => alarm?.side && sides[i] === alarm.side);
  const nameOf = (i) => `${text("sensor", { n: i + 1 })}${sides[i] ? ` · ${named("side", sides[i])}` : ""}`;
  const numbers = marked.map((i) => i + 1).join(text("listed"));
  const words = marked.length ? `${named("side", alarm.side)} · ${text("sensors", { n: numbers })}` : "";
  return {
    ...bundle(data.shell_temp_C, { marked, alarm, nameOf, label: words }),
    title: text("chartShell"),
    unit: "°C",
    decimals: 0,
    range: roomy(40),
  };
}

const KINDS = { voltage, anodes, shell, bath, energy };

function time(plot, splits) {
  return splits.map((second, i) => {
    const hour = clock(second * 1e6);
    return hour === "00:00" || i === 0 ? `${hour}\n${day(second * 1e6).slice(5)}` : hour;
  });
}

function part(tag, className, words = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = words;
  return made;
}

/** All charts of one cell; their cursors move together. */
export class Charts {
  constructor(root) {
    this.root = root;
    this.panels = new Map();
    this.array = "anodes";
    new ResizeObserver(() => this.resize()).observe(root);
  }

  /** Draw anew: another cell, alarm or language. */
  show(data, plant, alarm) {
    if (alarm?.side) this.array = "shell";
    else if (alarm?.anode) this.array = "anodes";
    this.plant = plant;
    this.alarm = alarm;
    this.data = data;
    this.draw();
  }

  /** Same cell, newer data. */
  update(data) {
    const changed = ["anode_current_A", "shell_temp_C"].some((name) => data[name].length !== this.data[name].length);
    this.data = data;
    if (changed || !this.panels.size) this.draw();
    else for (const panel of this.panels.values()) this.fill(panel);
  }

  draw() {
    for (const { plot } of this.panels.values()) plot.destroy();
    this.panels.clear();
    this.root.replaceChildren();
    for (const kind of ["voltage", this.array, "bath", "energy"]) this.add(kind);
  }

  add(kind) {
    const chart = KINDS[kind](this.data, this.plant, this.alarm);
    const figure = part("figure", "chart");
    figure.dataset.chart = kind;
    const head = part("figcaption", "");
    head.append(kind === this.array ? this.choice() : part("b", "", chart.title), part("span", "unit", chart.unit));
    for (const [style, words] of chart.keys) head.append(part("span", `key ${style}`, words));
    const reading = part("output", "");
    head.append(reading);
    const body = part("div", "plot");
    const empty = part("p", "empty", text("noTrend"));
    figure.append(head, body, empty);
    this.root.append(figure);
    const panel = { kind, reading, empty, body, plot: new uPlot(this.options(chart, body, reading), [[]], body) };
    this.panels.set(kind, panel);
    this.fill(panel);
  }

  /** The second chart shows anode currents or shell temperatures. */
  choice() {
    const group = part("span", "choice");
    for (const [kind, key] of [["anodes", "chartAnodes"], ["shell", "chartShell"]]) {
      const button = part("button", "", text(key));
      button.type = "button";
      button.setAttribute("aria-pressed", String(kind === this.array));
      button.addEventListener("click", () => {
        this.array = kind;
        this.draw();
      });
      group.append(button);
    }
    return group;
  }

  options(chart, body, reading) {
    const read = (plot) => {
      const i = plot.cursor.idx;
      reading.textContent = i === null || i === undefined ? "" : this.read(chart, plot, i);
    };
    const axis = { stroke: SOFT, font: FONT, ticks: { show: false }, grid: { stroke: GRID, width: 1 } };
    return {
      width: Math.max(120, body.clientWidth),
      height: Math.max(80, body.clientHeight),
      tzDate: (second) => uPlot.tzDate(new Date(second * 1e3), plantZone()),
      legend: { show: false },
      focus: { alpha: chart.many ? 0.35 : 1 },
      cursor: { sync: { key: "cell" }, focus: { prox: chart.many ? 12 : -1 }, points: { show: !chart.many }, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: chart.range } },
      axes: [
        { ...axis, values: time, size: 40, space: 60 },
        { ...axis, size: 54, values: (_, splits) => splits.map((value) => number(value, decimalsOf(splits))) },
      ],
      series: [{}, ...chart.series],
      bands: chart.bands,
      hooks: { draw: chart.draw ? [chart.draw] : [], setCursor: [read], setSeries: [read] },
      padding: [10, 12, 0, 0],
    };
  }

  read(chart, plot, i) {
    const when = clock(plot.data[0][i] * 1e6);
    const values = plot.data.slice(1).map((column) => column[i]);
    if (chart.read) return `${when}  ${chart.read(values)}`;
    if (!chart.many) return `${when}  ${values.map((value) => number(value, chart.decimals)).join(" / ")} ${chart.unit}`;
    const near = plot.series.findIndex((series, k) => k && series._focus);
    if (near < 1) return when;
    return `${when}  ${chart.nameOf(near - 1)}: ${number(values[near - 1], chart.decimals)} ${chart.unit}`;
  }

  fill(panel) {
    const chart = KINDS[panel.kind](this.data, this.plant, this.alarm);
    const filled = chart.columns.some((column) => column.some((value) => value !== null));
    panel.empty.hidden = filled;
    panel.body.classList.toggle("blank", !filled);
    panel.plot.setData(withGaps(this.data.time_us, chart.columns));
  }

  resize() {
    for (const { plot, body } of this.panels.values()) {
      plot.setSize({ width: Math.max(120, body.clientWidth), height: Math.max(80, body.clientHeight) });
    }
  }
}

/** Decimals that tell neighbouring ticks apart. */
function decimalsOf(splits) {
  const step = splits.length > 1 ? splits[1] - splits[0] : 1;
  const enough = [0, 1, 2].find((decimals) => Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) < 1e-6);
  return enough ?? 3;
}
