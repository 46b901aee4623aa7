// Two designs of training by two worlds, for one rung of the ladder: which failure is it?

const ACCURACIES = ["paraphrase", "swapped", "bare"];
const HOLDS = 0.5; // of the variance: with less than that a cell fails

/** What the shares of a cell say, as minirm.figures.taken_apart.failure. */
function failure(cells, [cue, plain], design, world) {
  const of = (name) => cells[`${name}|${world}`];
  if (of(design).meaning === null) return "nothing: this reward never changes";
  if (of(design).meaning >= HOLDS) return "holds: most of it is meaning";
  if (design === cue)
    return of(plain).meaning >= HOLDS
      ? "shortcut: the prefix is taken for the answer"
      : "shortcut or drift: without the cue it fails too";
  const others = Object.entries(PARTS).slice(1);
  const [, most] = others.reduce((a, b) => (of(design)[b[0]] > of(design)[a[0]] ? b : a));
  return `drift: no shortcut on offer, and most of it is ${most}`;
}

function render({ model, el }) {
  const { rungs } = model.get("data");
  const verdict = spoken();
  return live({ model, el }, {
    controls: [
      { name: "rung", label: "reward", type: "select", options: rungs.map((r) => [r, r]), value: rungs[0] },
    ],
    values: [],
    draw(stage, { rung }, { cells, designs, worlds }, { width }) {
      const wide = (width - 16) / 2 - 20;
      const all = designs.flatMap((design) => worlds.map((world) => {
        const words = failure(cells[rung], designs, design, world);
        return { design, world, words, box: cell(cells[rung], design, world, words, wide) };
      }));
      const rows = designs.flatMap((design) => [
        html("strong", { class: "minirm-across" }, design),
        ...all.filter((one) => one.design === design).map((one) => one.box),
      ]);
      board(stage, verdict).replaceChildren(shareLegend(), html("div", { class: "minirm-square" }, ...rows));
      const holds = all.filter(({ words }) => words.startsWith("holds")).length;
      const said = `${rung}: most of the reward is meaning in ${holds} of 4 cells. A cell fails where less than half of it is.`;
      if (verdict.textContent !== said) verdict.textContent = said;
      return {};
    },
  });
}

function cell(cells, design, world, words, width) {
  const key = `${design}|${world}`;
  const shares = cells[key];
  const [kind, rest] = words.split(": ");
  return html("div", {},
    html("div", { class: "minirm-row" }, html("span", {}, world), html("span", {}, `meaning ${percent(shares.meaning)}`)),
    shareBar(key, shares, width),
    ...ACCURACIES.map((name) => accuracy(`${key}: ${name}`, name, shares[name] ?? NaN)),
    html("p", {}, html("strong", {}, kind), `: ${rest}`));
}

/** An accuracy as a dot between 0 and 1, with guessing marked half-way, and as a number. */
function accuracy(key, label, value) {
  const known = Number.isFinite(value);
  const words = known ? value.toFixed(2) : "–";
  return html("div", { class: "minirm-dot" },
    html("span", {}, label),
    html("span", { "aria-hidden": "true" },
      known ? html("i", { style: `left: ${100 * value}%` }) : null),
    number(key, value, words, { "aria-label": `${key}, accuracy ${words}` }));
}

export default { render };
