// The coefficient rho of two positions: two next-token distributions, two tokens, four terms.

function render({ model, el }) {
  const { words } = model.get("data"); // the last one stands for everything else and has logit 0
  const free = words.slice(0, -1);
  const logits = (side, state) => [...free.map((_, i) => state[`${side}${i}`]), 0];
  const sliders = (side, group) =>
    free.map((word, i) => ({
      name: `${side}${i}`, label: `logit of “${word}”`, group,
      type: "range", min: -6, max: 6, step: 0.1, value: 1,
    }));
  const choice = (name, label, group, value) => ({
    name, label, group, type: "select", options: free.map((w, i) => [i, w]), value,
  });
  const set = (p, q, y, v) => ({
    ...Object.fromEntries(p.map((x, i) => [`p${i}`, x])),
    ...Object.fromEntries(q.map((x, i) => [`q${i}`, x])),
    y: String(y), v: String(v),
  });

  return live({ model, el }, {
    controls: [
      choice("y", "scored token y", "The answer that we look at", "0"),
      ...sliders("p", "The answer that we look at"),
      choice("v", "trained token v", "The answer that is trained", "1"),
      ...sliders("q", "The answer that is trained"),
    ],
    presets: [
      { label: "the same rare token", state: set([-6, 6, -6], [-6, -6, 6], 0, 0) },
      { label: "synonyms, contexts alike", state: set([6, 6, -6], [6, 6, -6], 0, 1) },
      { label: "each expects the other’s token", state: set([-6, 6, -6], [6, -6, -6], 0, 1) },
      { label: "neither expected, a third one was", state: set([-6, -6, 6], [-6, -6, 6], 0, 1) },
      { label: "sure of its own token", state: set([6, -6, -6], [0, 0, 0], 0, 0) },
    ],
    values: [
      { name: "rho", label: "ρ" },
      { name: "match", label: "1[y = v]" },
      { name: "minus_q_y", label: "− q(y)" },
      { name: "minus_p_v", label: "− p(v)" },
      { name: "overlap", label: "⟨p, q⟩" },
      { name: "mean", label: "mean of ρ over y drawn from p", format: (x) => pretty(Math.abs(x) < 1e-12 ? 0 : x) },
    ],
    draw(stage, state, _, { width }) {
      const p = softmax(logits("p", state));
      const q = softmax(logits("q", state));
      const [y, v] = [Number(state.y), Number(state.v)];
      const overlap = dot(p, q);
      const at = (token) => (token === v ? 1 : 0) - q[token] - p[v] + overlap;
      const terms = { match: y === v ? 1 : 0, minus_q_y: -q[y], minus_p_v: -p[v], overlap };
      const beside = width >= 560; // the two distributions, or one below the other
      const half = beside ? width / 2 - 20 : width;
      const second = beside ? [width / 2 + 20, 0] : [0, 165];
      const top = beside ? 182 : 347;
      stage.replaceChildren(
        picture(model, width, top + 208,
          ...distribution(words, p, y, [0, 0], half, "p: the scored answer’s context expects", "y"),
          ...distribution(words, q, v, second, half, "q: the trained answer’s context expects", "v"),
          ...bars(terms, at(y), top, width),
        ),
      );
      return { ...terms, rho: at(y), mean: p.reduce((sum, share, a) => sum + share * at(a), 0) };
    },
  });
}

function distribution(words, shares, token, [left, top], width, title, name) {
  const long = scale(0, 1, 0, width - 165);
  const rows = shares.flatMap((share, i) => {
    const y = top + 26 + 30 * i;
    const mark = i === token ? ` ← ${name}` : "";
    return [
      text(left, y + 14, words[i], { "font-weight": i === token ? 700 : 400 }),
      svg("rect", {
        x: left + 92, y, width: Math.max(1, long(share)), height: 18,
        fill: i === token ? "var(--minirm-im)" : "var(--minirm-faint)",
      }),
      text(left + 98 + long(share), y + 14, pretty(share, 2) + mark),
    ];
  });
  return [text(left, top + 12, title, { "font-weight": 600 }), ...rows];
}

function bars(terms, total, top, width) {
  const x = scale(-2, 2, 70, width - 8);
  const names = { match: "1[y = v]", minus_q_y: "− q(y)", minus_p_v: "− p(v)", overlap: "⟨p, q⟩" };
  const rows = [...Object.entries(terms).map(([k, value]) => [names[k], value]), ["ρ", total]];
  const drawn = rows.flatMap(([name, value], i) => {
    const y = top + 36 * i;
    const last = i === rows.length - 1;
    const outside = Math.abs(value) < 1.5; // a long bar carries its number inside
    const side = value < 0 === outside ? "end" : "start";
    return [
      text(0, y + 17, name, { "font-weight": last ? 700 : 400 }),
      svg("rect", {
        x: x(Math.min(0, value)), y, width: Math.max(1, Math.abs(x(value) - x(0))), height: 24,
        fill: last ? "var(--minirm-im)" : "var(--minirm-quiet)",
      }),
      text(x(value) + (side === "end" ? -6 : 6), y + 17, pretty(value), {
        "text-anchor": side, "font-weight": last ? 700 : 400,
        class: outside ? "" : "minirm-on-bar",
      }),
    ];
  });
  const ticks = [-2, -1, 0, 1, 2].flatMap((t) => [
    svg("line", { x1: x(t), x2: x(t), y1: top - 6, y2: top + 182, stroke: "var(--minirm-faint)" }),
    text(x(t), top + 200, pretty(t), { "text-anchor": "middle" }),
  ]);
  return [...ticks, ...drawn];
}

export default { render };
