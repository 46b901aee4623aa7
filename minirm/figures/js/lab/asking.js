// The reader's own answers: typed, and judged at once, by the judges as they are at this step.

/** Two answers to one question. ask(prompt, answers) sends them off; show(verdict) shows what came back. */
function askingPanel(world, ask) {
  let waiting = null;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(send, 120);
  };
  const field = (label, name, value) => {
    const input = html("input", { type: "text", value, spellcheck: "false", "data-control": name, input: soon });
    return [html("label", { class: "minirm-select" }, html("span", { class: "minirm-label" }, label), input), input];
  };
  const [promptLabel, prompt] = field("question", "ask-question", "");
  const [aLabel, a] = field("answer A", "ask-a", `${world.heldYes} ${world.heldOut[0].text}`);
  const [bLabel, b] = field("answer B", "ask-b", `${world.heldNo} ${lastOf(world.heldOut).text}`);
  const swap = html("button", { type: "button", click: () => { [a.value, b.value] = [b.value, a.value]; send(); } }, "Exchange A and B");
  const verdict = spoken();
  const stage = html("div", { class: "minirm-answers" });
  const panel = html("section", { class: "minirm-lab-ask" }, html("h3", {}, "Ask them yourself"),
    html("div", { class: "minirm-controls" }, promptLabel, aLabel, bLabel), html("div", { class: "minirm-presets" }, swap),
    stage, verdict);

  function send() {
    clearTimeout(waiting);
    const answers = [a.value.trim(), b.value.trim()];
    if (answers.some((answer) => !answer)) say("Type two answers.");
    else ask(prompt.value.trim() ? `${prompt.value.trim()} ` : "", answers);
  }
  function say(words) { if (verdict.textContent !== words) verdict.textContent = words; }

  function show({ tokens, judges, step }) {
    const totals = judges.map(({ parts }) => parts.map((list) => list.reduce((x, y) => x + y, 0)));
    stage.replaceChildren(...["A", "B"].map((side, i) => html("div", {},
      html("p", { class: "minirm-said" }, html("strong", {}, `${side}: `), `“${[a, b][i].value.trim()}”`),
      ...judges.flatMap((judge, j) => judged(judge, tokens[i], i, totals[j])))));
    say(judges.map(({ reward }, j) => leadInWords(LABELS[reward], totals[j])).join(" ") + (step ? "" : " Nothing is trained yet."));
  }
  function setPrompt(text) { if (!prompt.value) prompt.value = text.trim(); }
  return { panel, show, say, send, setPrompt, answers: () => [a.value.trim(), b.value.trim()] };
}

/** One judge on one answer: the implicit reward token by token in nats, the explicit one in one piece. */
function judged({ reward, beta, parts }, tokens, i, totals) {
  const colour = STYLES[reward][0];
  const line = (label, value, to, show, more = "") => html("div", { class: `minirm-token ${more}` },
    html("span", { title: label }, label), track(value, to, colour), html("span", {}, show(value)));
  const title = html("p", {}, `${LABELS[reward]}:`);
  if (reward.startsWith("explicit")) return [title, line("reward", totals[i], span(totals), pretty, "minirm-sum")];
  const nat = parts.map((list) => list.map((part) => part / beta));
  const sums = totals.map((total) => total / beta), all = [...nat.flat(), ...sums];
  const show = nats(Math.max(...all.map(Math.abs)));
  return [title,
    ...tokens.map((token, k) => line(token.trim() || JSON.stringify(token), nat[i][k], span(all), show)),
    line("sum (nats)", sums[i], span(all), show, "minirm-sum")];
}

function leadInWords(name, [a, b]) {
  if (a === b) return `The ${name} judge: a tie.`;
  return `The ${name} judge prefers ${a > b ? "A" : "B"}, by ${pretty(Math.abs(a - b))}.`;
}
