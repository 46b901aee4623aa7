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
