// Theorem 2 in the plane: the explicit head turns to the max-margin direction; the implicit gap of
// an unseen pair stays where it was. Gradient descent runs here, step by step.

const MOST = 4; // ten thousand steps
const RANGE = { x: [-0.6, 2], y: [0.4, 2] }; // of the pair that moves; always separable

/** One step on Bradley-Terry for a linear head, as minirm.theory.head_step. */
function headStep(head, rows, lr, normalised) {
  const logs = rows.map((row) => logSigmoid(-dot(row, head)));
  const top = normalised ? Math.max(...logs) : Math.log(rows.length);
  const pulls = logs.map((x) => Math.exp(x - top));
  const push = head.map((_, j) => rows.reduce((sum, row, i) => sum + pulls[i] * row[j], 0));
  const size = normalised ? Math.hypot(...push) : 1;
  return head.map((value, j) => value + (lr * push[j]) / size);
}

const logSigmoid = (x) => Math.min(0, x) - Math.log1p(Math.exp(-Math.abs(x)));

/** argmin |u|^2 with <u, d> >= 1 for all d: in the plane one or two of them hold it up. */
function maxMargin(points) {
  const candidates = points.map(([x, y]) => [x / (x * x + y * y), y / (x * x + y * y)]);
  points.forEach((a, i) => points.slice(i + 1).forEach((b) => {
    const area = a[0] * b[1] - a[1] * b[0];
    if (Math.abs(area) > 1e-12) candidates.push([(b[1] - a[1]) / area, (a[0] - b[0]) / area]);
  }));
  const holds = (u) => points.every((d) => dot(u, d) > 1 - 1e-9);
  return candidates.filter(holds).sort((a, b) => dot(a, a) - dot(b, b))[0];
}

/** Gaps on a logarithmic grid of steps, and head and gaps at the step `last`. */
function train(points, { unseen, words, ...rates }, { rule, start }, last) {
  const normalised = rule === "normalised";
  let head = [0, 0];
  let unembedding = words[0].map((_, j) => (j === words[0].length - 2 ? start : 0));
  const gaps = () => ({
    ex_seen: Math.min(...points.map((d) => dot(d, head))),
    ex_unseen: dot(unseen, head),
    im_seen: Math.min(...words.map((w) => dot(w, unembedding))),
    im_unseen: unembedding.at(-2) - unembedding.at(-1),
  });
  const curve = [];
  let now;
  for (let step = 1, next = 1; step <= 10 ** MOST; step++) {
    head = headStep(head, points, rates[rule], normalised);
    unembedding = headStep(unembedding, words, rates[rule], normalised);
    if (step === last) now = { head, ...gaps() };
    if (step >= next) {
      curve.push({ step, ...gaps() });
      next = Math.max(step + 1, step * 1.08);
    }
  }
  return { curve, now };
}

function render({ model, el }) {
  const [ax, ay] = model.get("data").points[0];
  const slider = (name, label, min, max, value, step = 0.05, format = pretty) => ({
    name, label, type: "range", min, max, step, value, format,
  });
  const steps = (state) => Math.floor(10 ** state.log_step + 0.5);
  let dragging = false;
  return live({ model, el }, {
    controls: [
      slider("log_step", "steps of training", 0, MOST, 1, 0.1, (s) => pretty(Math.floor(10 ** s + 0.5), 5)),
      {
        name: "rule", label: "gradient descent", type: "select", value: "plain",
        options: [["plain", "plain: the steps shrink"], ["normalised", "normalised: equal steps"]],
      },
      slider("x", "pair A, to the right", ...RANGE.x, ax),
      slider("y", "pair A, upwards", ...RANGE.y, ay),
      slider("start", "implicit gap of the unseen pair at the start", -2, 2, 0, 0.1),
    ],
    values: [
      { name: "angle", label: "angle of u and u*, degrees" },
      { name: "condition", label: "⟨u*, unseen difference⟩" },
      { name: "ex_seen", label: "explicit: least gap of seen pairs" },
      { name: "ex_unseen", label: "explicit: gap of the unseen pair" },
      { name: "im_seen", label: "implicit: least gap of seen pairs" },
      { name: "im_unseen", label: "implicit: gap of the unseen pair" },
    ],
    draw(stage, state, data, { width, update }) {
      const points = [[state.x, state.y], ...data.points.slice(1)];
      const best = maxMargin(points);
      const { curve, now } = train(points, data, state, steps(state));
      const { head, ...gaps } = now;
      const beside = width >= 560;
      const half = beside ? width / 2 - 16 : width;
      const map = { x: scale(-1.4, 2.9, 0, half), y: scale(-0.9, 2.2, 20 + half * 0.72, 20) };
      const second = beside ? [width / 2 + 16, 0] : [0, half * 0.72 + 48];
      const tall = beside ? half * 0.72 : 220;
      stage.replaceChildren(picture(model, width, second[1] + tall + 56,
        ...plane(points, data.unseen, head, best, map, half),
        ...lines(curve, steps(state), second, half, tall)));
      // Pair A follows the pointer too; the sliders do the same by keyboard.
      stage.onpointerdown = (event) => { dragging = event.target.dataset?.key === "A"; };
      stage.onpointerup = stage.onpointerleave = () => { dragging = false; };
      stage.onpointermove = (event) => {
        if (!dragging) return;
        const inverse = stage.firstChild.getScreenCTM().inverse();
        const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(inverse);
        const within = (z, [low, high]) => Math.round(20 * Math.min(high, Math.max(low, z))) / 20;
        update({
          x: within(scale(map.x(0), map.x(1), 0, 1)(at.x), RANGE.x),
          y: within(scale(map.y(0), map.y(1), 0, 1)(at.y), RANGE.y),
        });
      };
      const turn = best[0] * head[1] - best[1] * head[0];
      return {
        ...gaps,
        angle: Math.abs(Math.atan2(turn, dot(best, head))) * (180 / Math.PI),
        condition: dot(data.unseen, best),
      };
    },
  });
}

function plane(points, unseen, head, best, { x, y }, width) {
  const ray = (vector, length) => vector.map((z) => (z * length) / Math.hypot(...vector));
  const arrow = (vector, attributes) =>
    svg("line", { x1: x(0), y1: y(0), x2: x(vector[0]), y2: y(vector[1]), ...attributes });
  const across = ray([-head[1], head[0]], 1.15); // on this side of it a pair is ranked right
  const [u, star] = [ray(head, 1.75), ray(best, 1.75)];
  const tip = (v, name, attributes) =>
    text(x(v[0] * 1.1), y(v[1] * 1.1) + 5, name, { "text-anchor": "middle", "font-weight": 700, ...attributes });
  const near = Math.abs(u[0] * star[1] - u[1] * star[0]) < 0.45; // then one label is enough
  return [
    text(0, 12, "differences h⁺ − h⁻ of pairs", { "font-weight": 600 }),
    svg("line", {
      x1: x(-across[0]), y1: y(-across[1]), x2: x(across[0]), y2: y(across[1]),
      stroke: "var(--minirm-ex)", "stroke-width": 1, "stroke-dasharray": "3 4",
    }),
    arrow(star, { stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "7 5" }),
    arrow(u, { stroke: "var(--minirm-ex)", "stroke-width": 4, "stroke-linecap": "round" }),
    tip(star, near ? "u, u*" : "u*", {}),
    near ? null : tip(u, "u", { style: "fill: var(--minirm-ex-text)" }),
    ...points.flatMap(([a, b], i) => {
      const name = "ABCD"[i];
      return [
        svg("circle", {
          cx: x(a), cy: y(b), r: i ? 6 : 10, fill: "var(--minirm-ex)", "data-key": name,
          style: i ? null : "cursor: grab; touch-action: none",
        }),
        text(x(a) + (i ? 9 : 14), y(b) + 14, name),
      ];
    }),
    svg("rect", {
      x: x(unseen[0]) - 6, y: y(unseen[1]) - 6, width: 12, height: 12, fill: "var(--minirm-ground)",
      stroke: "var(--minirm-ex)", "stroke-width": 2.5,
    }),
    text(x(unseen[0]) - 4, y(unseen[1]) - 13, "unseen", { "text-anchor": "middle" }),
  ].filter(Boolean);
}

function lines(curve, step, [left, top], width, height) {
  const [low, high] = [-3, 10];
  const x = scale(0, MOST, left + 30, left + width - 6);
  const y = scale(low, high, top + 20 + height, top + 46);
  const kinds = [
    ["ex_seen", "var(--minirm-ex)", 1.5, null],
    ["ex_unseen", "var(--minirm-ex)", 3.5, "8 5"],
    ["im_seen", "var(--minirm-im)", 1.5, null],
    ["im_unseen", "var(--minirm-im)", 3.5, "8 5"],
  ];
  const path = (name) => {
    const inside = curve.filter((p, i) => (curve[i - 1] ?? p)[name] <= high);
    return inside.map((p) => `${x(Math.log10(p.step)).toFixed(2)},${y(Math.min(high, Math.max(low, p[name]))).toFixed(2)}`).join(" ");
  };
  const isDecade = (p, i) => i && Math.floor(Math.log10(p.step)) > Math.floor(Math.log10(curve[i - 1].step));
  const mark = (name, fill, p) => { // round and square, so that they differ in grey as well
    const [cx, cy] = [x(Math.log10(p.step)), y(p[name])];
    if (p[name] < low || p[name] > high) return null;
    return name.startsWith("ex")
      ? svg("circle", { cx, cy, r: 4.5, fill })
      : svg("rect", { x: cx - 4, y: cy - 4, width: 8, height: 8, fill });
  };
  return [
    text(left, top + 12, "gaps r⁺ − r⁻", { "font-weight": 600 }),
    text(left, top + 32, "● explicit", { style: "fill: var(--minirm-ex-text)" }),
    text(left + 76, top + 32, "■ implicit", { style: "fill: var(--minirm-im-text)" }),
    text(left + 152, top + 32, "— seen  - - unseen"),
    ...[0, 5, 10].flatMap((g) => [
      svg("line", { x1: x(0), x2: x(MOST), y1: y(g), y2: y(g), stroke: "var(--minirm-faint)" }),
      text(left + 22, y(g) + 4, g, { "text-anchor": "end" }),
    ]),
    ...[0, 1, 2, 3, 4].map((s) =>
      text(x(s), y(low) + 17, pretty(10 ** s, 5), { "text-anchor": s === MOST ? "end" : "middle" })),
    text(left + width / 2, y(low) + 34, "step", { "text-anchor": "middle" }),
    svg("line", { x1: x(Math.log10(step)), x2: x(Math.log10(step)), y1: y(low), y2: y(high), stroke: "currentColor" }),
    ...kinds.map(([name, stroke, thick, dashes]) =>
      svg("polyline", { points: path(name), fill: "none", stroke, "stroke-width": thick, "stroke-dasharray": dashes })),
    ...kinds.flatMap(([name, fill]) => curve.filter(isDecade).map((p) => mark(name, fill, p))),
  ];
}

export default { render };
