// How much of a reward is meaning, against how often the prefix agrees with the label.

const SHOWN = [...Object.keys(PARTS), "low", "high", "accuracy"];
const close = (a, b) => Math.abs(a - b) < 1e-9;

/** The numbers of a reward at an agreement: measured, or on the straight line between two. */
function at(points, agreement) {
  const known = points.find((p) => close(p.agreement, agreement));
  const [below, above] = known ? [known, known] : neighbours(points, agreement);
  const part = below && above ? (agreement - below.agreement) / (above.agreement - below.agreement || 1) : NaN;
  return Object.fromEntries(SHOWN.map((name) => {
    const [low, high] = [below?.[name] ?? NaN, above?.[name] ?? NaN];
    return [name, low + part * (high - low)];
  }));
}

function neighbours(points, agreement) {
  const inOrder = [...points].sort((a, b) => a.agreement - b.agreement);
  const next = inOrder.findIndex((p) => p.agreement > agreement);
  return next > 0 ? [inOrder[next - 1], inOrder[next]] : [];
}

/** Colour, dashes and mark of a reward by its name, as minirm.figures.shares.look. */
function look(reward) {
  const words = reward.toLowerCase();
  const kinds = [[/^(generative|ex-grm)/, "gr", "up"], [/^ex/, "ex", "round"], [/^im/, "im", "square"]];
  const [, kind, mark] = kinds.find(([begins]) => begins.test(words)) ?? [null, "quiet", "diamond"];
  const colour = `var(--minirm-${kind})`;
  const lighter = "var(--minirm-ex-light)";
  if (words.includes("zero"))
    return words.includes("mean") ? { colour: lighter, dashes: "2 4", mark: "down" } : { colour, dashes: "2 4", mark: "plus" };
  if (words.includes("mean")) return { colour: lighter, dashes: "8 5", mark: "diamond" };
  return words.includes("no ref") ? { colour, dashes: "8 5", mark: "cross" } : { colour, mark };
}

const OUTLINES = {
  round: "M-5,0a5,5 0 1 0 10,0a5,5 0 1 0 -10,0", square: "M-4.5,-4.5h9v9h-9z", up: "M0,-5.5l5.5,10h-11z",
  diamond: "M0,-6l6,6l-6,6l-6,-6z", down: "M0,5.5l5.5,-10h-11z",
  plus: "M-2,-5.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5v-4h3.5z",
  cross: "M-5,-3l2,-2l3,3l3,-3l2,2l-3,3l3,3l-2,2l-3,-3l-3,3l-2,-2l3,-3z",
};

function marked(reward, x, y, size = 1) {
  const { colour, mark } = look(reward);
  const transform = `translate(${x} ${y}) scale(${size})`;
  return svg("path", { d: OUTLINES[mark], transform, fill: colour, stroke: "var(--minirm-ground)" });
}

function render({ model, el }) {
  const worlds = Object.keys(model.get("data").worlds);
  const verdict = spoken();
  let dragging = false;
  return live({ model, el }, {
    controls: [
      {
        name: "agreement", label: "answers whose prefix agrees with the label", type: "range",
        min: 0.5, max: 1, step: 0.01, value: 1, format: percent,
      },
      { name: "world", label: "world", type: "select", options: worlds.map((w) => [w, w]), value: worlds[0] },
    ].slice(0, worlds.length > 1 ? 2 : 1),
    presets: [
      { label: "no cue: 50 %", state: { agreement: 0.5 } },
      { label: "right three times in four", state: { agreement: 0.75 } },
      { label: "always, as in the paper", state: { agreement: 1 } },
    ],
    values: [],
    draw(stage, { agreement, world = worlds[0] }, data, { width, update }) {
      const lines = data.worlds[world];
      const rewards = data.rewards.filter((reward) => reward in lines);
      const now = rewards.map((reward) => ({ reward, ...at(lines[reward], agreement) }));
      const x = scale(0.5, 1, 44, width - 30);
      const chart = picture(model, width, 262, ...curves(rewards, lines, now, agreement, x, width));
      board(stage, verdict).replaceChildren(chart, shareLegend(), ...now.map((row) => entry(row, width)));
      const words = inWords(rewards, lines, now, agreement);
      if (verdict.textContent !== words) verdict.textContent = words;
      // The handle follows the pointer too; the slider does the same by keyboard.
      stage.onpointerdown = (event) => { dragging = event.target.dataset?.key === "handle"; };
      stage.onpointerup = stage.onpointerleave = () => { dragging = false; };
      stage.onpointermove = (event) => {
        if (!dragging) return;
        const inverse = stage.querySelector("svg").getScreenCTM().inverse();
        const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(inverse).x;
        const to = scale(x(0.5), x(1), 0.5, 1)(place);
        update({ agreement: Math.round(100 * Math.min(1, Math.max(0.5, to))) / 100 });
      };
      return {};
    },
  });
}

/** One reward at the chosen agreement: its name, its bar, its accuracy. */
function entry(row, width) {
  const { reward, meaning, low, high, accuracy } = row;
  const { colour, dashes } = look(reward);
  const line = { x1: 0, x2: 34, y1: 7, y2: 7, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dashes };
  const key = svg("svg", { viewBox: "0 0 34 14", "aria-hidden": "true" }, svg("line", line), marked(reward, 17, 7));
  const ends = [["low", low], ["high", high]].map(([name, value]) =>
    number(`${reward}: ${name}`, value, Number.isFinite(value) ? String(Math.round(100 * value)) : "–"));
  return html("div", {},
    html("div", { class: "minirm-row" }, key, html("strong", {}, reward),
      html("span", {}, `meaning ${percent(meaning)} [`, ends[0], ", ", ends[1], "]"),
      html("span", {}, "accuracy ", number(`${reward}: accuracy`, accuracy, Number.isFinite(accuracy) ? accuracy.toFixed(2) : "–"))),
    shareBar(reward, row, width));
}

function curves(rewards, lines, now, agreement, x, width) {
  const [top, bottom] = [30, 214];
  const y = scale(0, 1, bottom, top);
  const sorted = (reward) => lines[reward].filter((p) => p.meaning != null).sort((a, b) => a.agreement - b.agreement);
  const point = (p, name) => `${x(p.agreement).toFixed(2)},${y(p[name]).toFixed(2)}`;
  const bands = rewards.map((reward) => {
    const inside = sorted(reward).filter((p) => p.low != null && p.high != null);
    const points = [...inside.map((p) => point(p, "low")), ...inside.reverse().map((p) => point(p, "high"))];
    return svg("polygon", { points: points.join(" "), fill: look(reward).colour, opacity: 0.15 });
  });
  const strokes = rewards.map((reward) => svg("polyline", {
    points: sorted(reward).map((p) => point(p, "meaning")).join(" "), fill: "none",
    stroke: look(reward).colour, "stroke-width": 2.5, "stroke-dasharray": look(reward).dashes,
  }));
  const marks = rewards.flatMap((reward) =>
    sorted(reward).map((p) => marked(reward, x(p.agreement), y(p.meaning), 0.8)));
  const doses = allDoses(rewards, lines);
  const ticks = doses.map((dose, i) => {
    const [before, after] = [dose - doses[i - 1] < 0.04, doses[i + 1] - dose < 0.04];
    const anchor = before ? "start" : after ? "end" : "middle";
    return text(x(dose), bottom + 26, Math.round(100 * dose), { "text-anchor": anchor });
  });
  const here = x(agreement);
  return [
    text(0, 12, "share of the reward that is meaning", { "font-weight": 600 }),
    ...[0, 0.5, 1].flatMap((share) => [
      svg("line", { x1: x(0.5), x2: x(1), y1: y(share), y2: y(share), stroke: "var(--minirm-faint)" }),
      text(x(0.5) - 8, y(share) + 4, Math.round(100 * share), { "text-anchor": "end" }),
    ]),
    ...ticks,
    text(x(0.75), bottom + 44, "prefix agrees with the label, % of answers", { "text-anchor": "middle" }),
    ...bands, ...strokes, ...marks,
    svg("line", { x1: here, x2: here, y1: top - 8, y2: bottom, stroke: "currentColor", "stroke-width": 1.5 }),
    ...now.filter((row) => Number.isFinite(row.meaning)).map((row) => marked(row.reward, here, y(row.meaning), 1.3)),
    svg("path", { d: `M${here},${bottom - 2}l8,10h-16z`, fill: "currentColor" }),
    svg("rect", { // room for a finger
      x: here - 18, y: top - 8, width: 36, height: bottom - top + 24, fill: "transparent", "data-key": "handle",
      style: "cursor: ew-resize; touch-action: none",
    }),
  ];
}

const allDoses = (rewards, lines) =>
  [...new Set(rewards.flatMap((reward) => lines[reward].map((p) => p.agreement)))].sort((a, b) => a - b);

function inWords(rewards, lines, now, agreement) {
  const doses = allDoses(rewards, lines).map((dose) => ({ agreement: dose }));
  const measured = doses.some((p) => close(p.agreement, agreement));
  const [below, above] = neighbours(doses, agreement).map((p) => percent(p.agreement));
  const between = below ? `between two measured doses, ${below} and ${above}` : "not measured";
  const means = close(agreement, 0.5) ? ", so it says next to nothing" : close(agreement, 1) ? ", so it gives the answer away" : "";
  const start = `The prefix agrees with the label in ${percent(agreement)} of the training answers${means} (${measured ? "measured" : between}).`;
  const ranked = now.filter((row) => Number.isFinite(row.meaning)).sort((a, b) => b.meaning - a.meaning);
  if (!ranked.length) return start;
  const [most, least] = [ranked[0], ranked.at(-1)].map((row) => `${row.reward}, ${percent(row.meaning)}`);
  return `${start} Most meaning: ${most}; least: ${least}.`;
}

export default { render };
