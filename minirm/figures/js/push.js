// Which token of a trained pair moves which token of another answer: rho * <h, h'>, cell by cell.

function render({ model, el }) {
  const { pairs, probes } = model.get("data");
  const select = (name, label, names) => ({
    name, label, type: "select", options: names.map((text, i) => [String(i), text]), value: "0",
  });
  return live({ model, el }, {
    controls: [
      select("pair", "trained pair", pairs),
      select("probe", "answer that we watch", probes),
      {
        name: "gate", label: "from ρ = 1 to ρ", type: "range", min: 0, max: 1, step: 0.05, value: 1,
        format: (s) => (s === 0 ? "ρ = 1: states alone" : s === 1 ? "the full ρ" : pretty(s)),
      },
    ],
    presets: [
      { label: "ρ = 1: states alone", state: { gate: 0 } },
      { label: "the full ρ", state: { gate: 1 } },
    ],
    values: [
      { name: "chosen", label: "from the chosen answer" },
      { name: "rejected", label: "from the rejected answer" },
      { name: "total", label: "chosen minus rejected" },
    ],
    draw(stage, state, data, { width }) {
      const example = data.tables[Number(state.pair)][Number(state.probe)];
      const sides = ["chosen", "rejected"].map((side) => {
        const { rho, kernel, tokens } = example[side];
        const push = rho.map((row, k) =>
          row.map((value, l) => (1 - state.gate + state.gate * value) * kernel[k][l]));
        return { side, tokens, push, total: push.flat().reduce((a, b) => a + b, 0) };
      });
      const most = Math.max(...sides.flatMap((s) => s.push.flat().map(Math.abs)));
      const blocks = [];
      let top = 0;
      for (const { side, tokens, push } of sides) {
        blocks.push(...table(side, example.tokens, tokens, push, most, top, width));
        top += 92 + 26 * push.length;
      }
      stage.replaceChildren(picture(model, width, top, ...blocks));
      const [chosen, rejected] = sides.map((s) => s.total);
      return { chosen, rejected, total: chosen - rejected };
    },
  });
}

/** A number of a cell: none where it would round to nothing. */
const entry = (value) => (Math.abs(value) < 0.05 ? "" : pretty(value, 2));

/** One table: a row for each token that is watched, a column for each token that was trained. */
function table(side, rows, columns, push, most, top, width) {
  const [left, right] = [74, 50];
  const wide = (width - left - right) / columns.length;
  const drawn = [
    text(0, top + 14, side === "chosen" ? "chosen, made likelier:" : "rejected, made less likely (taken away):", { "font-weight": 600 }),
    text(width, top + 78, "sum", { "text-anchor": "end" }),
    ...columns.map((word, l) => {
      const [cx, cy] = [left + (l + 0.5) * wide, top + 78];
      return text(cx, cy, word, { transform: `rotate(-35 ${cx} ${cy})` });
    }),
  ];
  rows.forEach((word, k) => {
    const y = top + 84 + 26 * k;
    drawn.push(text(left - 6, y + 18, word, { "text-anchor": "end" }));
    push[k].forEach((value, l) => {
      const x = left + l * wide;
      drawn.push(svg("rect", {
        x: x + 1, y: y + 1, width: wide - 2, height: 24,
        fill: value > 0 ? "var(--minirm-im)" : "currentColor",
        "fill-opacity": 0.04 + 0.8 * Math.sqrt(Math.abs(value) / most) * (value > 0 ? 1 : 0.6),
      }));
      if (wide > 44)
        drawn.push(text(x + wide / 2, y + 18, entry(value), { "text-anchor": "middle", style: "font-size: 11px" }));
    });
    const sum = push[k].reduce((a, b) => a + b, 0);
    drawn.push(text(width, y + 18, entry(sum) || "0", { "text-anchor": "end", "font-weight": 600 }));
  });
  return drawn;
}

export default { render };
