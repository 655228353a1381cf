/** Numbers, times and names as people read them. Missing is a dash, never 0. */

import { currentLanguage, isNamed, named } from "./texts.js";

export const MISSING = "–";

let timeZone = "UTC";
let clockFormat = null;
let dayFormat = null;

/** Show all times in the plant's zone. */
export function setTimeZone(zone) {
  if (zone === timeZone && clockFormat) return;
  timeZone = zone;
  const base = { timeZone: zone, hourCycle: "h23" };
  clockFormat = new Intl.DateTimeFormat("en-GB", { ...base, hour: "2-digit", minute: "2-digit", second: "2-digit" });
  dayFormat = new Intl.DateTimeFormat("sv-SE", { ...base, year: "numeric", month: "2-digit", day: "2-digit" });
}

/** The zone that times are shown in. */
export function plantZone() {
  return timeZone;
}

/** "14:03" or, with seconds, "14:03:27". */
export function clock(timeUs, seconds = false) {
  return clockFormat.format(timeUs / 1000).slice(0, seconds ? 8 : 5);
}

/** "2025-06-01". */
export function day(timeUs) {
  return dayFormat.format(timeUs / 1000);
}

/** A number with fixed decimals and thin spaces between thousands. */
export function number(value, decimals = 0) {
  if (value === null || value === undefined) return MISSING;
  const [whole, fraction] = Math.abs(value).toFixed(decimals).split(".");
  const sign = value < 0 && Number(value.toFixed(decimals)) !== 0 ? "−" : "";
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u2009");
  return sign + grouped + (fraction ? `.${fraction}` : "");
}

/** A number with its sign, for differences. */
export function signed(value, decimals = 0) {
  const shown = number(value, decimals);
  return value > 0 && Number(value.toFixed(decimals)) !== 0 ? `+${shown}` : shown;
}

/** A duration in the two units that matter: "12 s", "7 min", "3 h 05 min", "2 d 4 h". */
export function duration(seconds) {
  const zh = currentLanguage() === "zh";
  const [d, h, min, s] = zh ? ["天", "小时", "分", "秒"] : [" d", " h", " min", " s"];
  const gap = zh ? "" : " ";
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}${s}`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${min}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}${h}${gap}${String(minutes % 60).padStart(2, "0")}${min}`;
  return `${Math.floor(hours / 24)}${d}${gap}${hours % 24}${h}`;
}

const UNITS = {
  frac: "%",
  C_h: "°C/h",
  C: "°C",
  pct: "%",
  kWh: "kWh",
  Nm3_h: "Nm³/h",
  kwh_per_t: "kWh/t",
  kW: "kW",
  kA: "kA",
  mm: "mm",
  kg: "kg",
  mV: "mV",
  min: "min",
  A: "A",
  V: "V",
  h: "h",
  s: "s",
};

/** What a figure is called: a text where there is one, else its name without the unit. */
function spoken(name, suffix) {
  if (isNamed("figure", name)) return named("figure", name);
  return (suffix ? name.slice(0, -suffix.length - 1) : name).replaceAll("_", " ");
}

/** "shell_rise_C", 34.21 -> ["shell rise", "34.2 °C"]: the unit is the end of the name. */
export function evidence(name, value, signals) {
  const suffix = Object.keys(UNITS).find((unit) => name.endsWith(`_${unit}`));
  const label = spoken(name, suffix);
  if (value === null) return [label, MISSING];
  if (name === "signal_code") return [label, signals[value] ?? number(value)];
  if (suffix === "frac") return [label, `${number(100 * value, 1)} %`];
  if (suffix === "s" && value >= 60) return [label, duration(value)];
  const size = Math.abs(value);
  const decimals = Number.isInteger(value) || size >= 1000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return [label, suffix ? `${number(value, decimals)} ${UNITS[suffix]}` : number(value, decimals)];
}
