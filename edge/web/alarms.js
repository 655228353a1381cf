/** The alarm list: most urgent first, and what does not fit is counted, never hidden by scrolling. */

import { announced, badge } from "./badge.js";
import { clock, day, duration } from "./format.js";
import { currentLanguage, named, text } from "./texts.js";

/** A sentence of an alarm in the language of the page. */
export function said(alarm, what) {
  return alarm[`${what}_${currentLanguage()}`];
}

/** "L1-007 · anode 12": what the title does not say itself. */
function whereOf(alarm) {
  const title = said(alarm, "title");
  const place = [alarm.cell || text("line", { line: alarm.line })].filter((name) => !title.includes(name));
  if (alarm.anode !== null && !title.includes(alarm.anode)) place.push(text("anode", { n: alarm.anode }));
  if (alarm.side && !title.includes(named("side", alarm.side))) place.push(named("side", alarm.side));
  return place.join(" · ");
}

function part(tag, className, words) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = words;
  return made;
}

/** The list on the right; tells ``onSelect`` which alarm was chosen. */
export class AlarmList {
  constructor(list, more, onSelect) {
    this.list = list;
    this.more = more;
    this.onSelect = onSelect;
    this.expanded = false;
    this.rows = new Map();
    more.addEventListener("click", () => {
      this.expanded = !this.expanded;
      this.fit();
    });
    new ResizeObserver(() => this.fit()).observe(list.parentElement);
  }

  update(snapshot, nowUs) {
    const shown = snapshot.alarms.filter((alarm) => announced(alarm.state));
    this.uncarried = snapshot.total - snapshot.alarms.length;
    const today = nowUs === null ? "" : day(nowUs);
    const kept = new Map();
    for (const alarm of shown) {
      const face = [alarm.priority, alarm.state, currentLanguage(), today].join();
      const old = this.rows.get(alarm.id);
      kept.set(alarm.id, old && old.face === face ? old : this.row(alarm, face, today));
      const age = nowUs === null ? "" : duration((nowUs - alarm.time_us) / 1e6);
      const row = kept.get(alarm.id);
      if (row.age.textContent !== age) row.age.textContent = age;
    }
    const items = [...kept.values()].map((row) => row.item);
    const same = items.length === this.list.children.length && items.every((one, i) => one === this.list.children[i]);
    this.rows = kept;
    if (same) return;
    const focused = document.activeElement;
    this.list.replaceChildren(...items);
    if (this.list.contains(focused)) focused.focus();
    this.fit();
  }

  row(alarm, face, today) {
    const item = document.createElement("li");
    const button = part("button", "alarm", "");
    button.type = "button";
    button.dataset.id = alarm.id;
    button.classList.toggle("returned", alarm.state === "RTNUN");
    const body = part("span", "body", "");
    const head = part("span", "head", "");
    const age = part("span", "age", "");
    const where = whereOf(alarm);
    if (where) head.append(part("b", "where", where));
    head.append(part("span", "title", said(alarm, "title")));
    const facts = part("span", "facts", "");
    const date = day(alarm.time_us);
    const time = part("time", "", (date === today ? "" : `${date.slice(5)} `) + clock(alarm.time_us));
    time.title = `${date} ${clock(alarm.time_us, true)}`;
    const state = `${named("priority", alarm.priority)}, ${named("state", alarm.state)}`;
    facts.append(time, age, part("span", "state", state));
    body.append(head, part("span", "action", said(alarm, "action")), facts);
    button.append(badge(alarm.priority, alarm.state), body);
    button.addEventListener("click", () => this.onSelect(alarm.id));
    item.append(button);
    return { item, age, face };
  }

  select(id) {
    for (const button of this.list.querySelectorAll(".alarm")) {
      button.setAttribute("aria-pressed", String(button.dataset.id === id));
    }
    this.fit();
  }

  /** Hide whole rows that do not fit and say how many they are. */
  fit() {
    const items = [...this.list.children];
    for (const item of items) item.hidden = false;
    this.list.classList.toggle("expanded", this.expanded);
    this.more.hidden = true;
    let hidden = 0;
    if (!this.expanded && this.list.scrollHeight > this.list.clientHeight + 1) {
      this.more.hidden = false;
      const floor = this.list.getBoundingClientRect().top + this.list.clientHeight;
      const late = items.filter((item, i) => i > 0 && item.getBoundingClientRect().bottom > floor);
      for (const item of late) item.hidden = true;
      hidden = late.length;
    }
    this.more.hidden = !hidden && !this.expanded && !this.uncarried;
    this.more.textContent = this.expanded ? text("less") : text("more", { n: hidden + (this.uncarried ?? 0) });
  }
}
