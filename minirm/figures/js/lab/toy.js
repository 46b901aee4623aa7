// The toy of the landing page: two judges that are trained already, and two answers of the reader's.

const OWN = "own words"; // in a list: what the reader typed is none of its entries

/** An answer as opening and phrase: the longest known phrase at its end, and what stands before it. */
function cut(answer, phrases) {
  const ends = phrases.filter((phrase) => answer === phrase || answer.endsWith(` ${phrase}`));
  const phrase = ends.sort((a, b) => b.length - a.length)[0] ?? "";
  return { opening: answer.slice(0, answer.length - phrase.length).trim(), phrase };
}

const joined = ({ opening, phrase }) => [opening, phrase].filter(Boolean).join(" ");

/** A list to choose from, under headings; it shows OWN where the answer has something else. */
function picker(name, label, groups, choose) {
  const option = (text) => html("option", { value: text }, text || "(none)");
  const select = html("select", { "data-control": name, change: () => choose(select.value) },
    html("option", { value: OWN, hidden: true }, "(your own words)"),
    ...groups.map(([title, texts]) => html("optgroup", { label: title }, ...texts.map(option))));
  const known = groups.flatMap(([, texts]) => texts);
  return {
    field: html("label", { class: "minirm-select" }, html("span", { class: "minirm-label" }, label), select),
    show(text) { select.value = known.includes(text) ? text : OWN; },
  };
}

/** Opening and phrase from lists, or any words; changed() hears of every change. */
function answerForm(side, { openings, phrases, yes, no }, changed) {
  const words = [...yes, ...no];
  const now = () => cut(input.value.trim(), words);
  const input = html("input", { type: "text", spellcheck: "false", autocomplete: "off", "data-control": side, input: () => { show(); changed(); } });
  const lists = [["opening", openings], ["phrase", phrases]].map(([part, groups]) => ({
    part, ...picker(`${side}-${part}`, part, groups, (text) => { set({ ...now(), [part]: text }); changed(); }),
  }));
  const form = html("fieldset", {}, html("legend", {}, `Answer ${side.toUpperCase()}`),
    html("div", { class: "minirm-toy-lists" }, ...lists.map(({ field }) => field)),
    html("label", { class: "minirm-select" }, html("span", { class: "minirm-label" }, "or any words of yours"), input));
  function show() { for (const { part, show: choose } of lists) choose(input.value.trim() && now()[part]); }
  function set(parts) { input.value = joined(parts); show(); }
  return { form, now, set, text: () => input.value.trim() };
}

/** What an answer says, as far as its phrase is one of this world's. */
const meaning = ({ yes, no }, { phrase }) => (yes.includes(phrase) ? "yes" : no.includes(phrase) ? "no" : "");

/** What is to be said of a lead: the right answer to these questions is yes. */
function remarkOn([a, b], said) {
  if (!said[0] || !said[1]) return "";
  if (said[0] === said[1]) return `, though both say ${said[0]}`;
  return `, the ${said[a > b ? 0 : 1]}: ${(a > b) === (said[0] === "yes") ? "right" : "wrong"}`;
}

function render({ model, el }) {
  const data = model.get("data"), { world, questions, start } = data;
  let ready = false, asked = 0, busy = false, again = false, hearing = null;

  const question = html("select", { "data-control": "question", change: changed }, ...questions.map((text) => html("option", { value: text }, text)));
  const [a, b] = ["a", "b"].map((side) => answerForm(side, data, changed));
  const act = (label, run) => html("button", { type: "button", "data-preset": label, click: () => { run(); changed(); } }, label);
  const put = (first, second) => { a.set(first); b.set(second); };
  const presets = html("div", { class: "minirm-presets", role: "group", "aria-label": "Try" },
    act("Exchange the openings", () => put({ ...a.now(), opening: b.now().opening }, { ...b.now(), opening: a.now().opening })),
    act("Let both say the same", () => put(a.now(), { ...b.now(), phrase: a.now().phrase })),
    act("The first pair again", () => { question.value = questions[0]; put(...start.map((answer) => cut(answer, [...data.yes, ...data.no]))); }));
  const verdict = html("div", { class: "minirm-toy-verdict", "aria-hidden": "true" }), heard = spoken();
  heard.classList.add("minirm-heard");
  const status = html("p", { class: "minirm-lab-status", role: "status" });
  const stage = html("div", { class: "minirm-answers" });
  const root = html("div", { class: "minirm-figure minirm-lab minirm-toy", "data-phase": "loading" },
    html("div", { class: "minirm-controls" },
      html("label", { class: "minirm-select minirm-toy-question" }, html("span", { class: "minirm-label" }, "question"), question), a.form, b.form),
    presets, verdict, heard, status, stage);
  if (!el.closest(".minirm-live")) el.classList.add("minirm-live");
  el.append(root);

  /** Sends what is typed off; where an answer is still awaited, once that has come. */
  function changed() {
    const answers = [a.text(), b.text()];
    if (answers.some((answer) => !answer)) return say("Type two answers.");
    if (!ready || busy) again = true;
    else {
      [busy, again, asked] = [true, false, performance.now()];
      worker.postMessage({ kind: "ask", id: { prompt: question.value, answers }, prompt: question.value, answers });
    }
  }

  function say(words) { if (status.textContent !== words) status.textContent = words; }

  function show({ id: { prompt, answers }, tokens, judges }) {
    const said = answers.map((answer) => meaning(data, cut(answer, [...data.yes, ...data.no])));
    const totals = judges.map(({ parts }) => parts.map((list) => list.reduce((x, y) => x + y, 0)));
    const lines = judges.map(({ reward, beta }, j) => {
      const inNats = reward === "implicit";
      const leads = totals[j].map((total) => (inNats ? total / beta : total));
      return leadInWords(LABELS[reward], leads, inNats ? " nats" : "", remarkOn(leads, said));
    });
    verdict.replaceChildren(...judges.map(({ reward }, j) => html("p", { style: `border-color: ${STYLES[reward][0]}` }, lines[j])));
    stage.replaceChildren(...["A", "B"].map((side, i) => html("div", {},
      html("p", { class: "minirm-said" }, html("strong", {}, `${side}: `), `“${answers[i]}”`),
      ...judges.flatMap((judge, j) => judged(judge, tokens[i].map((token) => (token === "<eos>" ? "(end)" : token)), i, totals[j])))));
    clearTimeout(hearing); // who listens hears of what stands still
    hearing = setTimeout(() => { if (heard.textContent !== lines.join(" ")) heard.textContent = lines.join(" "); }, 700);
    root.dataset.shown = JSON.stringify({ prompt, answers, totals });
  }

  function next() {
    busy = false;
    if (again) changed();
  }
  const hear = {
    ready() {},
    taught() {
      ready = true;
      root.dataset.phase = "ready";
      say("");
      changed();
    },
    answered(message) { root.dataset.milliseconds = performance.now() - asked; say(""); show(message); next(); },
    unanswered({ text: words }) { say(`${words[0].toUpperCase()}${words.slice(1)}.`); next(); },
    failed({ text: words }) { broken(words); },
    broken({ text: words }) { broken(words); },
  };
  function broken(words) { root.dataset.phase = "failed"; say(`The judges did not start, and only the first pair is shown: ${words}.`); }

  const worker = startWorker((message) => hear[message.kind](message));
  put(...start.map((answer) => cut(answer, [...data.yes, ...data.no])));
  show({ id: { prompt: questions[0], answers: start }, ...data.verdict }); // computed beforehand
  say("Loading the two judges …");
  loadBytes(model).then(([weights, ...moves]) => {
    worker.postMessage({ kind: "begin", world, weights });
    const judges = data.judges.map((judge, i) => ({ ...judge, moves: new Int8Array(moves[i].buffer, moves[i].byteOffset, moves[i].byteLength) }));
    worker.postMessage({ kind: "trained", judges });
  }).catch((error) => broken(error.message));
  return () => {
    worker.terminate();
    clearTimeout(hearing);
  };
}

export default { render };
