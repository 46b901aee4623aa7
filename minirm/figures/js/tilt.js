// Theorem 1: the tilt of a reference towards its correct answers, and a leak onto one garbage string.

const LOG_DELTA = [-4, 1];

const logAddExp = (a, b) => {
  const top = Math.max(a, b);
  return top === -Infinity ? top : top + Math.log(Math.exp(a - top) + Math.exp(b - top));
};

/** The same closed forms as minirm.theory.tilt_numbers. */
function tilted(c, beta, delta, leak, garbage) {
  const t = delta / beta;
  const logZ = t < 500
    ? Math.log1p(c * Math.expm1(t))
    : logAddExp(Math.log1p(-c), Math.log(c) + t);
  const logCorrect = Math.log(c) + t - logZ - leak;
  const logGarbage = logAddExp(Math.log(-Math.expm1(-leak)), Math.log(garbage) - logZ - leak);
  const onGarbage = Math.exp(logGarbage);
  const lead = beta * (logGarbage - Math.log(garbage) - (t - logZ - leak));
  return {
    compared: delta,
    margin: Math.min(delta, -lead),
    p_correct: Math.exp(logCorrect),
    log_correct: logCorrect,
    bound: Math.exp(Math.min(0, Math.log(c) + t)),
    kl: Math.exp(logCorrect) * t - (1 - onGarbage) * (leak + logZ)
      + onGarbage * (logGarbage - Math.log(garbage)),
    lead,
  };
}

function render({ model, el }) {
  const power = (x) => pretty(10 ** x);
  const slider = (name, label, min, max, value, format = power, step = 0.1) => ({
    name, label, type: "range", min, max, step, value, format,
  });
  return live({ model, el }, {
    controls: [
      slider("log_c", "π_ref(correct)", -8, -0.1, -4.2),
      slider("log_beta", "β", -3, 0, -2),
      slider("log_delta", "margin δ", ...LOG_DELTA, -1.3),
      slider("leak", "leak L, in nats", 0, 30, 0, pretty, 0.5),
    ],
    presets: [
      { label: "a margin that costs nothing", state: { log_c: -4.2, log_beta: -2, log_delta: -3, leak: 0 } },
      { label: "a margin of 1 at β = 0.01", state: { log_c: -4.2, log_beta: -2, log_delta: 0, leak: 0 } },
      { label: "a leak: judges, never plays", state: { log_c: -4.2, log_beta: -2, log_delta: -1, leak: 25 } },
    ],
    values: [
      { name: "p_correct", label: "P(correct)" },
      { name: "bound", label: "bound of Theorem 1" },
      { name: "log_correct", label: "ln π(C)" },
      { name: "kl", label: "KL from the reference, nats" },
      { name: "compared", label: "margin, garbage aside" },
      { name: "margin", label: "margin over all strings" },
      { name: "lead", label: "r(garbage) − r(correct)" },
    ],
    draw(stage, state, { garbage }, { width }) {
      const [c, beta, delta] = [state.log_c, state.log_beta, state.log_delta].map((x) => 10 ** x);
      const at = (d) => tilted(c, beta, d, state.leak, garbage);
      const now = at(delta);
      stage.replaceChildren(picture(model, width, 390,
        ...curves(at, c, beta, state.log_delta, width), ...rewards(now, 296, width)));
      return now;
    },
  });
}

function curves(at, c, beta, logDelta, width) {
  const [left, right, top, bottom] = [46, width - 8, 26, 226];
  const x = scale(...LOG_DELTA, left, right);
  const floor = -12;
  const y = scale(floor, 0, bottom, top);
  const height = (logP) => y(Math.max(floor, logP / Math.LN10)).toFixed(2);
  const grid = Array.from({ length: 201 }, (_, i) => LOG_DELTA[0] + 0.025 * i);
  const line = (of) => grid.map((d) => `${x(d).toFixed(2)},${height(of(at(10 ** d)))}`).join(" ");
  const vacuous = Math.log10(beta * Math.log(1 / c));
  const edge = Math.min(right, Math.max(left, x(vacuous)));
  const ticks = [-4, -3, -2, -1, 0, 1].map((d) =>
    text(x(d), bottom + 17, pretty(10 ** d), { "text-anchor": d === 1 ? "end" : "middle" }));
  const rows = [0, -3, -6, -9, -12].flatMap((p) => [
    svg("line", { x1: left, x2: right, y1: y(p), y2: y(p), stroke: "var(--minirm-faint)" }),
    text(left - 6, y(p) + 4, p ? `10${raised(String(p))}` : "1", { "text-anchor": "end" }),
  ]);
  const stroke = (points, colour, more) =>
    svg("polyline", { points, fill: "none", stroke: colour, ...more });
  const note = "bound says nothing";
  return [
    text(0, 12, "P(correct): — of the policy, - - bound, ··· of the reference", { "font-weight": 600 }),
    svg("rect", { x: edge, y: top, width: right - edge, height: bottom - top, fill: "var(--minirm-faint)", opacity: 0.6 }),
    right - edge > 125
      ? text((edge + right) / 2, bottom - 8, note, { "text-anchor": "middle" })
      : null,
    ...rows, ...ticks,
    text((left + right) / 2, bottom + 36, "margin δ", { "text-anchor": "middle" }),
    svg("line", { x1: left, x2: right, y1: height(Math.log(c)), y2: height(Math.log(c)), stroke: "currentColor", "stroke-dasharray": "2 4" }),
    stroke(line((n) => Math.log(n.bound)), "currentColor", { "stroke-width": 2, "stroke-dasharray": "7 5" }),
    stroke(line((n) => n.log_correct), "var(--minirm-im)", { "stroke-width": 3 }),
    svg("circle", { cx: x(logDelta), cy: height(at(10 ** logDelta).log_correct), r: 6, fill: "var(--minirm-im)", stroke: "currentColor" }),
  ].filter(Boolean);
}

function rewards(now, top, width) {
  const rows = [
    ["incorrect", 0, "var(--minirm-quiet)"],
    ["correct", now.compared, "var(--minirm-im)"],
    ["garbage", now.compared + now.lead, "var(--minirm-quiet)"],
  ];
  const most = Math.max(...rows.map((row) => row[1]), 1e-12);
  const long = scale(0, most, 0, width - 165);
  return [
    text(0, top - 12, "reward, from that of an incorrect answer", { "font-weight": 600 }),
    ...rows.flatMap(([name, value, fill], i) => [
      text(0, top + 15 + 28 * i, name),
      svg("rect", { x: 76, y: top + 28 * i, width: Math.max(2, long(Math.max(0, value))), height: 20, fill }),
      text(84 + Math.max(2, long(Math.max(0, value))), top + 15 + 28 * i, pretty(Math.abs(value) < 1e-12 ? 0 : value)),
    ]),
  ];
}

export default { render };
