// Hunt for a Hamiltonian cycle by clicking on vertices, or judge an order that is given.

function render({ model, el }) {
  const began = {}; // when each hunt, and each look at a candidate, began
  const took = {};
  const seconds = (what) => Math.max(1, Math.round((Date.now() - began[what]) / 1000));
  const time = (s) => (s === 1 ? "1 second" : `${s} seconds`);

  return live({ model, el }, {
    controls: [
      { name: "graph", label: "graph", type: "select", value: "0",
        options: model.get("data").graphs.map((_, i) => [i, `number ${i + 1}`]) },
      { name: "order", label: "do what", type: "select", value: "own",
        options: [["own", "hunt for a cycle"], ["0", "check order A"], ["1", "check order B"]] },
    ],
    values: [
      { name: "edges", label: "edges in the graph" },
      { name: "visited", label: "vertices in the order" },
      { name: "missing", label: "steps without an edge" },
      { name: "tries", label: "tries so far" },
    ],
    draw(stage, state, data, { width, update }) {
      const { n, edges, candidates } = data.graphs[Number(state.graph)];
      const own = state.order === "own";
      const what = `${state.graph} ${state.order}`;
      const hunts = state.hunts ?? {}; // for each graph: the order so far, and the tries
      const answers = state.answers ?? {}; // for each candidate: what the reader said
      const { path: mine, tries } = hunts[state.graph] ?? { path: [], tries: 0 };
      const path = own ? mine : candidates[Number(state.order)];
      const hunt = (path, tries) => update({ hunts: { ...hunts, [state.graph]: { path, tries } } });
      if (!own) began[what] ??= Date.now();
      const joined = (a, b) => edges.some(([u, v]) => (u === a && v === b) || (u === b && v === a));
      const whole = path.length === n;
      const steps = path.slice(0, whole ? n : Math.max(0, path.length - 1))
        .map((v, i) => [v, path[(i + 1) % n]]);
      const missing = steps.filter(([a, b]) => !joined(a, b));
      const open = own || what in answers; // may the missing steps be shown?
      const right = whole && missing.length === 0;

      function visit(v) {
        if (!own || path.includes(v)) return;
        began[what] ??= Date.now();
        const next = [...path, v];
        const done = next.length === n;
        if (done && next.every((u, i) => joined(u, next[(i + 1) % n]))) took[what] ??= seconds(what);
        hunt(next, tries + (done ? 1 : 0));
      }

      const size = Math.min(width, 400);
      const [middle, radius] = [size / 2, size / 2 - 26];
      const at = (v) => [
        middle + radius * Math.sin((2 * Math.PI * v) / n), middle - radius * Math.cos((2 * Math.PI * v) / n),
      ];
      const line = ([a, b], attributes) => {
        const [[x1, y1], [x2, y2]] = [at(a), at(b)];
        return svg("line", { x1, y1, x2, y2, ...attributes });
      };
      const crosses = missing.flatMap(([a, b]) => {
        if (!open) return [];
        const [[x1, y1], [x2, y2]] = [at(a), at(b)];
        const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
        return [svg("path", { d: `M${x - 6},${y - 6}l12,12m0,-12l-12,12`, stroke: "currentColor", "stroke-width": 3 })];
      });
      const vertices = Array.from({ length: n }, (_, v) => {
        const [x, y] = at(v);
        const place = path.indexOf(v);
        const neighbours = edges.flatMap(([a, b]) => (a === v ? [b] : b === v ? [a] : []));
        const last = own && place >= 0 && place === path.length - 1 && !whole;
        return svg("g", {
          role: own ? "button" : "img", tabindex: own ? 0 : null, "data-key": `v${v}`,
          style: own && place < 0 ? "cursor: pointer" : null,
          "aria-label": `vertex ${v}, joined to ${neighbours.sort((a, b) => a - b).join(", ")}` +
            (place < 0 ? "" : `; number ${place + 1} of the order`),
          click: () => visit(v),
          keydown: (event) => {
            if (event.key !== "Enter" && event.key !== " ") return;
            event.preventDefault();
            visit(v);
          },
        },
        svg("circle", { cx: x, cy: y, r: 22, fill: "transparent" }), // room for a finger
        svg("circle", {
          cx: x, cy: y, r: 15, stroke: "currentColor", "stroke-width": last ? 4 : 1.5,
          fill: place < 0 ? "var(--minirm-ground)" : "currentColor",
        }),
        text(x, y + 5, v, {
          "text-anchor": "middle", "font-weight": 700,
          style: place < 0 ? null : "fill: var(--minirm-ground)",
        }));
      });

      const button = (label, click, disabled = false) =>
        html("button", { type: "button", "data-key": label, click, disabled }, label);
      const buttons = own
        ? [
          button("Undo", () => hunt(path.slice(0, -1), tries), !path.length),
          button("Start again", () => hunt([], tries + (whole || path.length < 2 ? 0 : 1)), !path.length),
        ]
        : ["Yes, a cycle", "No"].map((label, i) => button(label, () => {
          took[what] = seconds(what);
          update({ answers: { ...answers, [what]: i === 0 ? "yes" : "no" } });
        }, open));

      stage.replaceChildren(
        html("div", { style: `max-width: ${size}px; margin: 0 auto` },
          // Not an "img", whose parts no screen reader would name.
          svg("svg", { viewBox: `0 0 ${size} ${size}`, role: "group", "aria-label": model.get("alt") },
            // Not yet judged: broad bands, in which an edge can be seen, or not.
            ...(open ? [] : steps.map((step) => line(step, { stroke: "currentColor", "stroke-width": 12, opacity: 0.2 }))),
            ...edges.map((edge) => line(edge, { stroke: "currentColor", "stroke-width": 1.5, opacity: open ? 0.6 : 1 })),
            ...(open ? steps : []).map((step) => line(step, joined(...step)
              ? { stroke: "currentColor", "stroke-width": 4 }
              : { stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "5 5" })),
            ...crosses, ...vertices)),
        html("p", { "aria-live": "polite", style: "margin: 0.4rem 0; min-height: 2.7em" }, message()),
        html("div", { class: "minirm-presets" }, ...buttons),
      );

      function message() {
        const named = missing.map(([a, b]) => `${a}–${b}`).join(", ");
        if (!own) {
          const order = `${path.join(" ")}, and back to ${path[0]}.`;
          if (!open) return `${order} Is there an edge along every band?`;
          const truth = right ? "It is a cycle." : `No edge: ${named}.`;
          const verdict = (answers[what] === "yes") === right ? "You are right." : "Not so.";
          return `${verdict} ${truth}${took[what] ? ` You took ${time(took[what])}.` : ""}`;
        }
        if (right) return `Found${took[what] ? `, after ${time(took[what])}` : ""}. Try ${tries}.`;
        if (whole) return `No edge: ${named}. That was try ${tries}.`;
        if (!path.length) return "Choose a vertex to start from: click, or Tab and Enter.";
        const here = path.at(-1);
        const ways = Array.from({ length: n }, (_, v) => v).filter((v) => joined(here, v) && !path.includes(v));
        const onwards = ways.length ? `Edges lead on to ${ways.join(", ")}.` : "No edge leads on from here.";
        return `${path.join(" ")} … ${onwards}${missing.length ? ` Already without an edge: ${named}.` : ""}`;
      }

      return { edges: edges.length, visited: path.length, missing: open ? missing.length : NaN, tries };
    },
  });
}

export default { render };
