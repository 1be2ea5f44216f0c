// Charts as SVG, small and plain: bars of people, ratings with their intervals, and the curve of a judge. Each is a
// picture with a name for who cannot see it; the figures themselves stand in a table beside it.

import { svg } from "./dom.js";
import { number, percent } from "./i18n.js";

const picture = (wide, high, says, ...children) =>
  svg("svg", { class: "chart", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": says }, ...children);

const text = (x, y, content, attributes = {}) => svg("text", { x, y, ...attributes }, content);

const short = (name, most = 16) => ([...name].length > most ? `${[...name].slice(0, most - 1).join("")}…` : name);

/** Horizontal bars: [name, value, shown]. */
export function bars(rows, says) {
  const [wide, left, each] = [560, 130, 30];
  const most = Math.max(...rows.map(([, value]) => value), 1e-9);
  return picture(wide, rows.length * each + 4, says, rows.map(([name, value, shown], at) => {
    const y = at * each + 6;
    return [
      text(left - 10, y + 14, short(name), { "text-anchor": "end", class: "ink" }),
      svg("rect", { class: "bar1", x: left, y, width: Math.max(2, (value / most) * (wide - left - 80)), height: 18, rx: 4 }),
      text(left + Math.max(2, (value / most) * (wide - left - 80)) + 8, y + 14, shown),
    ];
  }));
}

/** Estimates with intervals, one a row: [name, low, middle, high]; `at` draws a line where nothing differs. */
export function intervals(rows, says, { zero = null, digits = 0, range } = {}) {
  const [wide, left, each, foot] = [560, 130, 34, 26];
  const low = range?.[0] ?? Math.min(...rows.map((row) => row[1]), zero ?? Infinity);
  const high = range?.[1] ?? Math.max(...rows.map((row) => row[3]), zero ?? -Infinity);
  const x = (value) => left + ((value - low) / (high - low || 1)) * (wide - left - 60);
  const bottom = rows.length * each;
  return picture(wide, bottom + foot, says,
    svg("line", { class: "axis", x1: left, x2: wide - 60, y1: bottom, y2: bottom }),
    [low, high].map((value) => text(x(value), bottom + 18, number(value, digits), { "text-anchor": "middle" })),
    zero !== null && zero > low && zero < high && svg("line", { class: "axis", x1: x(zero), x2: x(zero), y1: 0, y2: bottom }),
    rows.map(([name, from, middle, to], at) => {
      const y = at * each + each / 2;
      return [
        text(left - 14, y + 4, short(name), { "text-anchor": "end", class: "ink" }),
        svg("line", { class: "whisker", x1: x(from), x2: x(to), y1: y, y2: y }),
        [from, to].map((end) => svg("line", { class: "whisker", x1: x(end), x2: x(end), y1: y - 5, y2: y + 5 })),
        svg("circle", { class: "dot", cx: x(middle), cy: y, r: 5.5 }),
        text(wide - 48, y + 4, number(middle, digits), { class: "ink" }),
      ];
    }));
}

/** A judge's agreement with people over its threshold, with the interval, people's own, and where the slider is. */
export function curve(notches, { people, here, equal }, says) {
  const [wide, high, left, top, foot] = [640, 260, 46, 12, 40];
  const x = (value) => left + value * (wide - left - 16);
  const y = (value) => top + (1 - value) * (high - top - foot);
  const measured = notches.filter((notch) => notch.agreement !== null);
  const band = [...measured.map((notch) => [x(notch.threshold), y(notch.high)]), ...measured.map((notch) => [x(notch.threshold), y(notch.low)]).reverse()];
  const points = (pairs) => pairs.map((pair) => pair.map((value) => value.toFixed(1)).join(",")).join(" ");
  const cursor = svg("line", { class: "here", y1: top, y2: high - foot });
  const drawn = picture(wide, high, says,
    [0, 0.25, 0.5, 0.75, 1].map((value) => [
      svg("line", { class: "axis", x1: left, x2: wide - 16, y1: y(value), y2: y(value) }),
      text(left - 8, y(value) + 4, percent(value), { "text-anchor": "end" }),
      text(x(value), high - foot + 18, number(value, 2), { "text-anchor": "middle" }),
    ]),
    measured.length > 1 && svg("polygon", { class: "band", points: points(band) }),
    svg("polyline", { class: "line", points: points(measured.map((notch) => [x(notch.threshold), y(notch.agreement)])) }),
    people !== null && svg("line", { class: "other", x1: left, x2: wide - 16, y1: y(people), y2: y(people) }),
    equal !== null && svg("line", { class: "equal", x1: x(equal), x2: x(equal), y1: top, y2: high - foot }),
    cursor);
  const move = (value) => { cursor.setAttribute("x1", x(value)); cursor.setAttribute("x2", x(value)); };
  move(here);
  return { drawn, move };
}
