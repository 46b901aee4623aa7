// Shared by every live figure: this text stands in front of each module (see figures/live.py).
// No dependency, no network. A figure says what its controls and its numbers are, and draws.

const NAMESPACE = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a function among the attributes is a listener. */
function make(document, namespace, tag, attributes, children) {
  const node = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const html = (tag, attributes, ...children) => make(document, null, tag, attributes, children);
const svg = (tag, attributes, ...children) => make(document, NAMESPACE, tag, attributes, children);

const raised = (power) => [...power].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");

/** Some significant digits, no trailing zeros, a true minus sign; powers of ten where they help. */
function pretty(value, digits = 3) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "−∞" : "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6)
    ? value.toExponential(digits - 1).replace(/e\+?(-?\d+)/, (_, power) => ` · 10${raised(power)}`)
    : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

/** A straight scale from [from0, from1] to [to0, to1]. */
const scale = (from0, from1, to0, to1) => (x) =>
  to0 + ((x - from0) / (from1 - from0 || 1)) * (to1 - to0);

/** The softmax of a list. */
function softmax(logits) {
  const top = Math.max(...logits);
  const weights = logits.map((x) => Math.exp(x - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((x) => x / total);
}

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

/**
 * Put a figure into `el`: picture, controls, numbers; draw it again whenever something moves.
 *
 * controls: list of
 *   { name, label, type: "range", min, max, step, value, format? }
 *   { name, label, type: "select", options: [[value, text], ...], value }
 *   { name, label, type: "checkbox", value }
 *   any with `group`: a heading under which the controls of that group stand together
 * presets: list of { label, state }: buttons that set several controls at once
 * values: list of { name, label, format? }: the numbers shown under the picture
 * draw(stage, state, data, { width, update }): fills `stage` (a div) and returns { name: number }
 *   for `values`. `width` is the stage's, in pixels, 300 to 700: a picture drawn to it keeps its
 *   text legible on a phone; it is drawn again when the width changes. update(patch) changes the
 *   state from inside the picture. Interactive nodes in it carry `data-key`, so that the one in
 *   focus is in focus again after it is drawn anew.
 */
function live({ model, el }, { controls, presets = [], values, draw }) {
  const data = () => model.get("data");
  const defaults = Object.fromEntries(controls.map((c) => [c.name, c.value]));
  let state = { ...defaults, ...model.get("state") };

  const stage = html("div", { class: "minirm-stage" });
  const inputs = new Map();
  const outputs = new Map();
  const panel = html("div", { class: "minirm-controls" });
  const numbers = html("div", { class: "minirm-numbers" });
  const root = html("div", { class: "minirm-figure" }, stage, panel, numbers);

  const groups = new Map();
  function home(group) {
    if (!group) return panel;
    if (!groups.has(group)) {
      const box = html("fieldset", {}, html("legend", {}, group));
      groups.set(group, box);
      panel.append(box);
    }
    return groups.get(group);
  }

  for (const control of controls) {
    const { name, label, type } = control;
    const moved = (event) => update({ [name]: read(event.target, type) });
    let input;
    if (type === "select") {
      const options = control.options.map(([value, text]) => html("option", { value }, text));
      input = html("select", { "data-control": name, change: moved }, ...options);
    } else if (type === "checkbox") {
      input = html("input", { type, "data-control": name, change: moved });
    } else {
      const { min, max, step } = control;
      input = html("input", { type: "range", min, max, step, "data-control": name, input: moved });
    }
    const now = type === "range" ? html("span", { class: "minirm-now", "aria-hidden": "true" }) : null;
    inputs.set(name, { input, now, control });
    const caption = html("span", { class: "minirm-label" }, label);
    home(control.group).append(
      html("label", { class: `minirm-${type}` }, caption, input, now),
    );
  }

  if (presets.length) {
    const row = html("div", { class: "minirm-presets", role: "group", "aria-label": "Try" });
    for (const { label, state: patch } of presets)
      row.append(html("button", { type: "button", "data-preset": label, click: () => update(patch) }, label));
    panel.prepend(row);
  }

  for (const { name, label } of values) {
    const output = html("output", { "data-value-of": name });
    outputs.set(name, output);
    numbers.append(html("div", {}, html("span", { class: "minirm-label" }, label), output));
  }

  function read(input, type) {
    if (type === "checkbox") return input.checked;
    return type === "range" ? Number(input.value) : input.value;
  }

  const measured = () => Math.round(Math.min(700, Math.max(300, stage.clientWidth || 620)));
  let width = measured();

  function show() {
    width = measured();
    for (const [name, { input, now, control }] of inputs) {
      if (control.type === "checkbox") input.checked = state[name];
      else input.value = state[name];
      if (now) {
        now.textContent = (control.format ?? pretty)(state[name]);
        input.setAttribute("aria-valuetext", now.textContent);
      }
    }
    const key = stage.contains(document.activeElement) && document.activeElement.dataset?.key;
    const shown = draw(stage, state, data(), { width, update });
    if (key) stage.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
    for (const { name, format } of values) {
      const output = outputs.get(name);
      output.textContent = (format ?? pretty)(shown[name]);
      output.dataset.exact = shown[name];
    }
    root.dataset.state = JSON.stringify(state);
  }

  function update(patch) {
    state = { ...state, ...patch };
    model.set("state", state);
    model.save_changes();
    show();
  }

  // Python changed something: its own state or, with a kernel behind, what was computed.
  function arrived() {
    state = { ...state, ...model.get("state") };
    show();
  }
  model.on("change:data", arrived);
  model.on("change:state", arrived);

  if (!el.closest(".minirm-live")) el.classList.add("minirm-live"); // in a kernel: nobody else did
  el.append(root);
  show();
  const resized = new ResizeObserver(() => measured() !== width && show());
  resized.observe(stage);
  return () => {
    resized.disconnect();
    model.off("change:data", arrived);
    model.off("change:state", arrived);
  };
}

/** The picture: an SVG that scales with the page, named by the figure's alt text. */
const picture = (model, width, height, ...children) =>
  svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": model.get("alt") }, ...children);

/** Text in a picture. */
const text = (x, y, content, attributes = {}) =>
  svg("text", { x, y, ...attributes }, String(content));

/** A share as a whole percentage. */
const percent = (share) => (Number.isFinite(share) ? `${Math.round(100 * share)} %` : "–");

/** A number inside a picture made of HTML; found by its name, as those under a picture are. */
const number = (name, value, content, attributes = {}) => html("output",
  { "aria-live": "off", "data-value-of": name, "data-exact": String(value ?? NaN), ...attributes }, content);

/** The words under a picture, read out when they change: one node, which stays where it is. */
const spoken = () => html("p", { class: "minirm-verdict", "aria-live": "polite" });

/** A part of the stage that is drawn anew, and the words under it, which are not. */
function board(stage, verdict) {
  if (!verdict.isConnected) stage.replaceChildren(html("div"), verdict);
  return stage.firstChild;
}

const PARTS = {
  meaning: "meaning", words: "words beyond meaning", opening: "opening", interaction: "interaction",
};

/** The parts of a reward's variance as a bar `width` pixels wide; `low` and `high` of the first. */
function shareBar(name, shares, width) {
  const pieces = Object.entries(PARTS).map(([part, word]) => {
    const share = shares[part] ?? NaN;
    return number(`${name}: ${part}`, share, share * width > 40 ? percent(share) : "", {
      class: `minirm-part-${part}`, style: `width: ${100 * (share || 0)}%`,
      "aria-label": `${name}, ${word}: ${percent(share)}`,
    });
  });
  const { low, high } = shares;
  const place = `left: ${100 * low}%; width: ${100 * (high - low)}%`;
  const whisker = Number.isFinite(low) ? html("span", { class: "minirm-whisker", style: place }) : null;
  return html("div", { class: "minirm-bar" }, ...pieces, whisker);
}

/** What the colours of such bars mean. */
const shareLegend = () => html("div", { class: "minirm-legend" },
  html("span", {}, "of the reward’s variance:"),
  ...Object.entries(PARTS).map(([part, word]) =>
    html("span", {}, html("i", { class: `minirm-part-${part}` }), word)));

/** Numbers of nats one below the other: as many decimals as the largest of them asks for. */
const nats = (largest) => (x) => {
  const text = x.toFixed(largest >= 1 ? 1 : 3);
  return (Number(text) ? text : text.replace("-", "")).replace("-", "−");
};

/** From the least to the most of the values, zero included, as percentages of a track. */
function span(values) {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  return scale(low, high, 0, 100);
}

/** A bar from zero to a value on a track that `span` made; it is said in words beside it. */
function track(value, to, colour) {
  const [from, end] = [to(0), to(value)].sort((x, y) => x - y);
  return html("span", { class: "minirm-track", "aria-hidden": "true" },
    html("span", { style: `left: ${from}%; width: ${end - from}%; background: ${colour}` }),
    html("i", { style: `left: ${to(0)}%` }));
}

/** What stands in for anywidget's model in a built page: the same four calls, no kernel. */
function pageModel(values) {
  const listeners = new Map();
  return {
    get: (name) => values[name],
    set: (name, value) => { values[name] = value; },
    save_changes: () => {},
    on: (event, callback) => listeners.set(event, [...(listeners.get(event) ?? []), callback]),
    off: (event, callback) =>
      listeners.set(event, (listeners.get(event) ?? []).filter((c) => c !== callback)),
  };
}

/** Mount a figure in a built page, in the place of its still picture. */
function mount(figure, place) {
  const values = JSON.parse(place.querySelector("script[type='application/json']").textContent);
  const el = html("div");
  place.append(el);
  figure.render({ model: pageModel(values), el });
  place.classList.add("minirm-alive");
}
