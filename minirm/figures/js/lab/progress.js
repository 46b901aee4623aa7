// What is seen of the judges while they are trained: a curve, a table, a bar of shares.

const MEASURES = {
  paraphrase: "accuracy on paraphrases", swapped: "accuracy with the prefixes swapped",
  bare: "accuracy on bare phrases", meaning: "share of the reward that is meaning",
};
const SHAPES = {
  circle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", square: "M-4 -4H4V4H-4Z",
  diamond: "M0 -5L5 0L0 5L-5 0Z", cross: "M-4 -2L-2 -4L0 -2L2 -4L4 -2L2 0L4 2L2 4L0 2L-2 4L-4 2L-2 0Z",
};

/** What is known of a run: for each judge its steps and its measurements. */
const newRecord = (rewards) => Object.fromEntries(rewards.map((reward) => [reward, { steps: [], measured: [] }]));

const lastOf = (list) => list[list.length - 1];

/** Training accuracy over the last epoch's batches, or those there are. */
function trained({ steps }, perEpoch) {
  const recent = steps.slice(-perEpoch);
  return recent.length ? recent.reduce((sum, { accuracy }) => sum + accuracy, 0) / recent.length : NaN;
}

/** One measure of every judge against the steps: an SVG `width` pixels wide. */
function curve(record, measure, total, width) {
  const height = 190, left = 46, right = width - 12, top = 12, bottom = height - 34;
  const [x, y] = [scale(0, total, left, right), scale(0, 1, bottom, top)];
  const grid = [0, 0.5, 1].flatMap((share) => [
    svg("line", { x1: left, x2: right, y1: y(share), y2: y(share), stroke: "var(--minirm-faint)" }),
    text(left - 6, y(share) + 4, percent(share), { "text-anchor": "end" }),
  ]);
  const lines = Object.entries(record).flatMap(([reward, { measured }]) => {
    const [stroke, dashes, mark] = STYLES[reward];
    const points = measured.filter((m) => Number.isFinite(m[measure])).map((m) => [x(m.step), y(m[measure])]);
    return [
      svg("polyline", { points: points.join(" "), fill: "none", stroke, "stroke-width": 2, "stroke-dasharray": dashes }),
      ...points.map(([px, py]) => svg("path", { d: SHAPES[mark], fill: stroke, transform: `translate(${px} ${py})` })),
    ];
  });
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": inWords(record, measure) },
    ...grid, ...lines,
    ...[0, total].map((step) => text(x(step), bottom + 18, step, { "text-anchor": step ? "end" : "start" })),
    text((left + right) / 2, bottom + 18, "steps", { "text-anchor": "middle" }));
}

/** The latest of a measure, judge by judge. */
function inWords(record, measure) {
  const said = Object.entries(record).filter(([, { measured }]) => measured.length).map(([reward, { measured }]) =>
    `${LABELS[reward]} ${percent(lastOf(measured)[measure])}`);
  return said.length ? `${MEASURES[measure]}: ${said.join(", ")}` : `${MEASURES[measure]}: a plot in which nothing is measured yet, press Train`;
}

/** A row a number, a column a judge. */
function table(record, perEpoch) {
  const judges = Object.keys(record);
  const row = (label, show, value) => html("tr", {}, html("th", { scope: "row" }, label),
    ...judges.map((reward) => html("td", { "data-number": `${reward}: ${label}`, "data-exact": String(value(record[reward])) },
      Number.isNaN(value(record[reward])) ? "–" : show(value(record[reward])))));
  const latest = (list, name) => (list.length ? lastOf(list)[name] : NaN);
  const head = judges.map((reward) => html("th", { scope: "col" },
    svg("svg", { viewBox: "-6 -6 12 12", "aria-hidden": "true" },
      svg("path", { d: SHAPES[STYLES[reward][2]], fill: STYLES[reward][0] })), ` ${LABELS[reward]}`));
  return html("table", { class: "minirm-lab-table" },
    html("caption", {}, "The judges now"),
    html("thead", {}, html("tr", {}, html("td"), ...head)),
    html("tbody", {},
      row("steps", String, ({ steps }) => steps.length),
      row("loss", pretty, ({ steps }) => latest(steps, "loss")),
      row("right in training (last epoch)", percent, (judge) => trained(judge, perEpoch)),
      ...Object.entries(MEASURES).map(([name, label]) => row(label, percent, ({ measured }) => latest(measured, name)))));
}

/** Puts the numbers of a new table into the old one, so that whoever reads it keeps the place. */
function renew(old, fresh) {
  const [before, after] = [old, fresh].map((one) => [...one.querySelectorAll("[data-number]")]);
  const names = (cells) => cells.map((cell) => cell.dataset.number).join();
  if (!before.length || names(before) !== names(after)) return old.replaceChildren(...fresh.childNodes);
  before.forEach((cell, i) => {
    if (cell.textContent !== after[i].textContent) cell.textContent = after[i].textContent;
    cell.dataset.exact = after[i].dataset.exact;
  });
}

/** What each reward follows: the four parts of its variance. */
function shareBars(record, width) {
  const bars = Object.entries(record).filter(([, { measured }]) => measured.length && Number.isFinite(lastOf(measured).meaning))
    .flatMap(([reward, { measured }]) => [html("div", {}, LABELS[reward]), shareBar(reward, lastOf(measured), width)]);
  return bars.length ? html("div", {}, shareLegend(), ...bars) : html("div");
}
