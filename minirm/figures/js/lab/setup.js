// What the reader chooses: a form, and the same as the part of the address after the #.

const NONE = "(none)"; // a prefix of no words
const RATES = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3];
const BETAS = [0.01, 0.1, 1];
const SIZES = [8, 16, 40, 80];
const LISTS = [
  ["chosen", "prefixes"], ["chosen", "phrases"], ["rejected", "prefixes"], ["rejected", "phrases"],
];

/** The paper's design, from the words that Python sent. */
const paperSetup = ({ chosen, rejected, run }) => ({
  rewards: ["explicit", "implicit"], chosen, rejected, agreement: 1, questions: 80,
  epochs: run.epochs, lr: run.lr, beta: run.beta, seed: 0,
});

/** A set-up as text for an address: only what differs from the paper's design. */
function toHash(setup, paper) {
  const fields = new URLSearchParams();
  for (const [side, kind] of LISTS)
    if (String(setup[side][kind]) !== String(paper[side][kind]))
      fields.set(`${side}-${kind}`, setup[side][kind].map((line) => line || NONE).join("\n"));
  if (String(setup.rewards) !== String(paper.rewards)) fields.set("rewards", setup.rewards.join("|"));
  for (const name of ["agreement", "questions", "epochs", "lr", "beta", "seed"])
    if (setup[name] !== paper[name]) fields.set(name, setup[name]);
  return `lab:${fields}`;
}

/** The set-up that an address holds; what is missing or makes no sense is as in the paper. */
function fromHash(hash, paper) {
  const found = structuredClone(paper);
  if (!hash.startsWith("#lab:")) return found;
  const fields = new URLSearchParams(hash.slice(5));
  for (const [side, kind] of LISTS) {
    const lines = fields.get(`${side}-${kind}`)?.split("\n").filter(Boolean);
    if (lines?.length) found[side] = { ...found[side], [kind]: lines.map((line) => (line === NONE ? "" : line)) };
  }
  const rewards = fields.get("rewards")?.split("|").filter((name) => name in LABELS);
  if (rewards?.length) found.rewards = rewards;
  const limits = { agreement: [0, 1], questions: [1, 80], epochs: [1, 50], lr: [1e-7, 0.1], beta: [1e-4, 100], seed: [0, 2 ** 31] };
  for (const [name, [low, high]] of Object.entries(limits)) {
    const value = Number(fields.get(name) || NaN);
    const whole = ["questions", "epochs", "seed"].includes(name);
    if (value >= low && value <= high && (!whole || Number.isInteger(value))) found[name] = value;
  }
  return found;
}

/** The form. changed(setup) hears of every change; set(setup) fills it in. */
function setupForm(world, changed) {
  const areas = new Map(), boxes = new Map();
  const said = () => changed(read());
  const labelled = (kind, label, input) =>
    html("label", { class: `minirm-${kind}` }, html("span", { class: "minirm-label" }, label), input);
  const list = (side, kind) => {
    const area = html("textarea", { rows: 3, spellcheck: "false", "data-control": `${side}-${kind}`, input: said });
    areas.set(`${side}-${kind}`, area);
    return labelled("select", `${kind}, one a line`, area);
  };
  const choice = (values, show) =>
    html("select", { change: said }, ...values.map((value) => html("option", { value }, show(value))));
  const numbers = {
    lr: choice(RATES, (rate) => pretty(rate, 1)), beta: choice(BETAS, String),
    questions: choice(SIZES, String),
    epochs: html("input", { type: "number", min: 1, max: 50, input: said }),
    seed: html("input", { type: "number", min: 0, max: 2 ** 31, input: said }),
    agreement: html("input", { type: "range", min: 0, max: 1, step: 0.05, input: said }),
  };
  for (const [name, input] of Object.entries(numbers)) input.dataset.control = name;
  const now = html("span", { class: "minirm-now", "aria-hidden": "true" });
  const agreement = labelled("range", "how often the prefix agrees with the label", numbers.agreement);
  agreement.append(now);
  const checks = Object.entries(LABELS).map(([reward, label]) => {
    const box = html("input", { type: "checkbox", "data-control": reward, change: said });
    boxes.set(reward, box);
    return labelled("checkbox", label, box);
  });
  const group = (title, ...parts) => html("fieldset", {}, html("legend", {}, title), ...parts);
  const form = html("div", { class: "minirm-controls" },
    group("Chosen answers", list("chosen", "prefixes"), list("chosen", "phrases")),
    group("Rejected answers", list("rejected", "prefixes"), list("rejected", "phrases")),
    group("Pairs", agreement, labelled("range", "training questions", numbers.questions),
      labelled("range", "seed (0, 1, 2, …)", numbers.seed)),
    group("Judges", ...checks, labelled("range", "learning rate", numbers.lr),
      labelled("range", "β of the implicit ones", numbers.beta), labelled("range", "epochs", numbers.epochs)));

  const lines = (name) => areas.get(name).value.split("\n").map((line) => line.trim()).filter(Boolean);
  function read() {
    const setup = { chosen: {}, rejected: {} };
    for (const side of ["chosen", "rejected"]) {
      const prefixes = lines(`${side}-prefixes`).map((line) => (line === NONE ? "" : line));
      setup[side] = { prefixes: prefixes.length ? prefixes : [""], phrases: lines(`${side}-phrases`) };
    }
    for (const [name, input] of Object.entries(numbers)) setup[name] = Number(input.value);
    setup.rewards = Object.keys(LABELS).filter((reward) => boxes.get(reward).checked);
    tell(setup);
    return setup;
  }
  function tell({ agreement: share }) {
    now.textContent = percent(share);
    numbers.agreement.setAttribute("aria-valuetext", now.textContent);
  }
  function set(setup) {
    for (const [side, kind] of LISTS)
      areas.get(`${side}-${kind}`).value = setup[side][kind].map((line) => line || NONE).join("\n");
    for (const [reward, box] of boxes) box.checked = setup.rewards.includes(reward);
    for (const [name, input] of Object.entries(numbers)) {
      if (input.tagName === "SELECT" && ![...input.options].some((o) => Number(o.value) === setup[name]))
        input.append(html("option", { value: setup[name] }, pretty(setup[name]))); // from an address
      input.value = setup[name];
    }
    tell(setup);
  }
  return { form, set };
}

/** Why a set-up cannot be trained, in words; "" where it can. */
function faultOf(setup) {
  for (const side of ["chosen", "rejected"]) if (!setup[side].phrases.length) return `The ${side} answers have no phrase.`;
  if (!setup.rewards.length) return "No judge is ticked.";
  if (!(setup.epochs >= 1 && setup.epochs <= 50)) return "Epochs: a whole number from 1 to 50.";
  if (!(Number.isInteger(setup.seed) && setup.seed >= 0)) return "The seed is a whole number, 0 or more.";
  return "";
}
