/** Alarm priority three ways: colour, shape and number. */

const SVG = "http://www.w3.org/2000/svg";

/** Outlines in a 24 x 24 box: octagon, triangle, diamond, circle. */
const SHAPES = {
  1: "M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9z",
  2: "M12 1.5L23 22H1z",
  3: "M12 .8L23.2 12 12 23.2.8 12z",
  4: "M12 1.5a10.5 10.5 0 1 0 .01 0z",
};

/** States that wait for a person: the badge blinks. */
export function waits(state) {
  return state === "UNACK" || state === "RTNUN";
}

/** States that the page announces; the others were put aside by a person or by design. */
export function announced(state) {
  return waits(state) || state === "ACKED";
}

/** A badge for one priority and state. */
export function badge(priority, state) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("badge", announced(state) ? `priority-${priority}` : "aside");
  svg.classList.toggle("waits", waits(state));
  svg.classList.toggle("returned", state === "RTNUN");
  const outline = document.createElementNS(SVG, "path");
  outline.setAttribute("d", SHAPES[priority]);
  const digit = document.createElementNS(SVG, "text");
  digit.setAttribute("x", "12");
  digit.setAttribute("y", priority === 2 ? "19.4" : "16.6");
  digit.textContent = priority;
  svg.append(outline, digit);
  return svg;
}
