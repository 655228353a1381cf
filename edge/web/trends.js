/** The last 24 h of one cell: fetched once, then only what is new. */

const DAY_US = 24 * 3600 * 1e6;
const GAP_US = 150e6;
const ARRAYS = ["anode_current_A", "shell_temp_C"];
export const SCALARS = ["cell_voltage_V", "voltage_expected_V", "bath_temp_C", "bath_temp_sd_C", "ac_kwh_per_t"];

async function fetchTrends(cell, sinceUs) {
  const answer = await fetch(`/api/cell/${encodeURIComponent(cell)}/trends?since_us=${sinceUs}`);
  if (!answer.ok) throw new Error(`${answer.status} for the trends of ${cell}`);
  return answer.json();
}

/** Put new rows behind old ones; the first new row replaces an old row of the same minute. */
function joined(old, fresh) {
  if (!fresh.time_us.length) return old;
  const until = old.time_us.findIndex((time) => time >= fresh.time_us[0]);
  const keep = until < 0 ? old.time_us.length : until;
  const oldest = fresh.time_us.at(-1) - DAY_US;
  const from = Math.max(0, old.time_us.findIndex((time) => time > oldest));
  const join = (a, b) => a.slice(from, keep).concat(b);
  const result = { ...fresh, time_us: join(old.time_us, fresh.time_us) };
  for (const name of SCALARS) result[name] = join(old[name], fresh[name]);
  for (const name of ARRAYS) {
    const none = new Array(old.time_us.length).fill(null);
    result[name] = fresh[name].map((column, i) => join(old[name][i] ?? none, column));
  }
  return result;
}

/** Keeps the trends of the selected cell up to date; one request at a time. */
export class TrendSource {
  constructor(onData) {
    this.onData = onData;
    this.cell = null;
    this.data = null;
    this.busy = null;
    this.newestUs = 0;
  }

  select(cell) {
    if (cell === this.cell) return;
    this.cell = cell;
    this.data = null;
    this.refresh();
  }

  /** Fetch what the minute of ``nowUs`` brought, unless that was done. */
  follow(nowUs) {
    if (this.cell !== null && nowUs - this.newestUs >= 60e6) this.refresh();
  }

  async refresh() {
    const cell = this.cell;
    if (this.busy === cell) return;
    this.busy = cell;
    try {
      const old = this.data;
      const fresh = await fetchTrends(cell, old?.time_us.at(-1) ?? 0);
      if (cell !== this.cell) return;
      this.data = old ? joined(old, fresh) : fresh;
      this.newestUs = this.data.time_us.at(-1) ?? 0;
      this.onData(this.data);
    } catch (error) {
      // A lost connection shows in the banner; the next update asks again.
      if (!(error instanceof TypeError)) throw error;
    } finally {
      if (this.busy === cell) this.busy = null;
    }
  }
}

/** Columns for a chart, time in seconds first, with an empty row where minutes are missing: a gap stays a gap. */
export function withGaps(timeUs, columns) {
  const out = [[], ...columns.map(() => [])];
  timeUs.forEach((time, i) => {
    if (i && time - timeUs[i - 1] > GAP_US) {
      out[0].push(timeUs[i - 1] / 1e6 + 60);
      for (let k = 1; k < out.length; k += 1) out[k].push(null);
    }
    out[0].push(time / 1e6);
    columns.forEach((column, k) => out[k + 1].push(column[i]));
  });
  return out;
}
