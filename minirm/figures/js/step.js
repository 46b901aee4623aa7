// One step on an explicit reward: what the kernel foretells, and what happened when it was taken.

function render({ model, el }) {
  const { pairs, probes, heads, lrs } = model.get("data");
  const options = (names) => names.map((name, i) => [String(i), name]);
  const select = (name, label, names) => ({ name, label, type: "select", options: options(names), value: "0" });
  const last = lrs.length - 1;

  return live({ model, el }, {
    controls: [
      select("pair", "trained pair", pairs),
      select("probe", "answer that we watch", probes),
      select("head", "head u", heads),
      {
        name: "step", label: "step size η", type: "range", min: 0, max: last, step: 1,
        value: Math.round(last / 3), format: (i) => pretty(lrs[i]),
      },
    ],
    values: [
      { name: "up", label: "⟨h, h⁺⟩" },
      { name: "down", label: "⟨h, h⁻⟩" },
      { name: "g", label: "g = σ(−margin)" },
      { name: "predicted", label: "predicted Δr" },
      { name: "alone", label: "measured, head alone" },
      { name: "everything", label: "measured, all parameters" },
    ],
    draw(stage, state, data, { width }) {
      const [pair, probe, head, step] = [state.pair, state.probe, state.head, state.step].map(Number);
      const [up, down] = [data.up[pair][probe], data.down[pair][probe]];
      const g = data.g[head][pair];
      const alone = data.alone[head][pair][probe];
      const everything = data.everything[head][pair][probe];
      const foretold = lrs.map((lr) => lr * g * (up - down));

      const all = [...foretold, ...alone, ...everything, 0];
      const height = 300;
      const x = scale(0, lrs[last], 46, width - 12);
      const y = scale(Math.min(...all), Math.max(...all), height - 36, 14);
      const line = (values) => values.map((value, i) => `${x(lrs[i])},${y(value)}`).join(" ");
      const curve = (values, attributes) =>
        svg("polyline", { points: line(values), fill: "none", "stroke-width": 2.5, ...attributes });
      const dots = (values, radius, fill) =>
        values.map((value, i) => svg("circle", { cx: x(lrs[i]), cy: y(value), r: i === step ? radius + 3 : radius, fill }));
      const ends = [Math.min(...all), Math.max(...all)].filter((v) => v !== 0);
      // The names stand in the half of the picture that the curves leave free.
      const rising = everything[last] + foretold[last] > 0;
      const key = (i) => (rising ? 26 + 20 * i : height - 92 + 20 * i);
      const legend = [["predicted", "foretold by the kernel", 0], ["alone", "measured, head alone", 1], ["everything", "measured, all parameters", 2]];
      stage.replaceChildren(
        picture(model, width, height,
          svg("line", { x1: x(0), x2: x(lrs[last]), y1: y(0), y2: y(0), stroke: "var(--minirm-faint)" }),
          svg("line", { x1: x(lrs[step]), x2: x(lrs[step]), y1: 10, y2: height - 32, stroke: "var(--minirm-faint)", "stroke-dasharray": "3 3" }),
          ...[...ends, 0].map((v) => text(42, y(v) + 5, pretty(v, 2), { "text-anchor": "end" })),
          text(x(0), height - 14, "0", { "text-anchor": "middle" }),
          text(x(lrs[last]), height - 14, pretty(lrs[last]), { "text-anchor": "end" }),
          text((x(0) + x(lrs[last])) / 2, height - 14, "step size η", { "text-anchor": "middle" }),
          curve(foretold, { stroke: "var(--minirm-ex)" }),
          ...dots(alone, 3, "var(--minirm-ex)"),
          ...dots(everything, 2.5, "currentColor"),
          ...legend.flatMap(([name, label, i]) => [
            name === "predicted"
              ? svg("line", { x1: 56, x2: 76, y1: key(i) - 5, y2: key(i) - 5, stroke: "var(--minirm-ex)", "stroke-width": 2.5 })
              : svg("circle", { cx: 66, cy: key(i) - 5, r: 4, fill: name === "alone" ? "var(--minirm-ex)" : "currentColor" }),
            text(84, key(i), label),
          ]),
        ),
      );
      return { up, down, g, predicted: foretold[step], alone: alone[step], everything: everything[step] };
    },
  });
}

export default { render };
