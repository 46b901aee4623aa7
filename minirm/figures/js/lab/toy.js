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
    html("option", { value: OWN, hidden: true }, "(yours)"),
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

/** Whom a lead puts first, and whether that is right: the right answer to these questions is yes. */
function remarkOn([a, b], said) {
  if (!said[0] || !said[1]) return [];
  if (said[0] === said[1]) return ["", `, though both say ${said[0]}`];
  return [`, the ${said[a > b ? 0 : 1]}`, (a > b) === (said[0] === "yes") ? ": right" : ": wrong"];
}

function render({ model, el }) {
  const data = model.get("data"), { world, questions, start, judges } = data, words = [...data.yes, ...data.no];
  const known = new Map(), key = (prompt, answer) => `${prompt}\n${answer}`; // what the judges said already
  let ready = false, busy = false, again = false, asked = 0, hearing = null;

  const question = html("select", { "data-control": "question", change: changed }, ...questions.map((text) => html("option", { value: text }, text)));
  const [a, b] = ["a", "b"].map((side) => answerForm(side, data, changed));
  const act = (label, run) => html("button", { type: "button", "data-preset": label, click: () => { run(); changed(); } }, label);
  const put = (first, second) => { a.set(first); b.set(second); };
  const begin = () => { question.value = questions[0]; put(...start.map((answer) => cut(answer, words))); };
  const presets = html("div", { class: "minirm-presets", role: "group", "aria-label": "Try" },
    act("Exchange the openings", () => put({ ...a.now(), opening: b.now().opening }, { ...b.now(), opening: a.now().opening })),
    act("Let both say the same", () => put(a.now(), { ...b.now(), phrase: a.now().phrase })),
    act("The first pair again", begin));
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

  /** Shows what is known of the two answers; what is not, it asks the worker, one question at a time. */
  function changed() {
    const prompt = question.value, answers = [a.text(), b.text()];
    const fresh = answers.filter((answer) => !known.has(key(prompt, answer)));
    if (answers.includes("")) say("Type two answers.");
    else if (!fresh.length) show(prompt, answers);
    else if (!ready || busy) again = true;
    else {
      [busy, again, asked] = [true, false, performance.now()];
      worker.postMessage({ kind: "ask", id: prompt, prompt, answers: fresh });
    }
  }

  function say(told) { if (status.textContent !== told) status.textContent = told; }

  function show(prompt, answers) {
    const said = answers.map((answer) => meaning(data, cut(answer, words)));
    const both = answers.map((answer) => known.get(key(prompt, answer)));
    const found = judges.map((judge, j) => ({ ...judge, parts: both.map(({ parts }) => parts[j]) }));
    const totals = found.map(({ parts }) => parts.map((list) => list.reduce((x, y) => x + y, 0)));
    const lines = judges.map(({ reward, beta }, j) => {
      const inNats = reward === "implicit", leads = totals[j].map((total) => (inNats ? total / beta : total));
      const [which, remark] = remarkOn(leads, said);
      return leadInWords(LABELS[reward], leads, { which, remark, unit: inNats ? " nats" : "" });
    });
    verdict.replaceChildren(...judges.map(({ reward }, j) => html("p", { style: `border-color: ${STYLES[reward][0]}` }, lines[j])));
    stage.replaceChildren(...["A", "B"].map((side, i) => html("div", {},
      html("p", { class: "minirm-said" }, html("strong", {}, `${side}: `), `“${answers[i]}”`),
      ...found.flatMap((judge, j) => judged(judge, both[i].tokens, i, totals[j])))));
    clearTimeout(hearing); // who listens hears of what stands still
    hearing = setTimeout(() => { if (heard.textContent !== lines.join(" ")) heard.textContent = lines.join(" "); }, 700);
    if (ready) say("");
    root.dataset.shown = JSON.stringify({ prompt, answers, totals });
  }

  function learn(prompt, answers, { tokens, judges: found }) {
    answers.forEach((answer, i) => known.set(key(prompt, answer), {
      tokens: tokens[i].map((token) => (token === "<eos>" ? "(end)" : token)), parts: found.map(({ parts }) => parts[i]),
    }));
  }

  const hear = {
    ready() {},
    taught() {
      [ready, root.dataset.phase] = [true, "ready"];
      say("");
      if (again) changed();
    },
    answered(message) {
      [busy, root.dataset.milliseconds] = [false, performance.now() - asked];
      learn(message.id, message.answers, message);
      changed();
    },
    unanswered({ text: why }) {
      busy = false;
      say(`${why[0].toUpperCase()}${why.slice(1)}.`);
      if (again) changed();
    },
    failed({ text: why }) { broken(why); },
    broken({ text: why }) { broken(why); },
  };
  function broken(why) {
    root.dataset.phase = "failed";
    say(`The judges did not start, and only the first pair is shown: ${why}.`);
  }

  const worker = startWorker((message) => hear[message.kind](message));
  learn(questions[0], start, data.verdict); // computed beforehand
  begin();
  changed();
  say("Loading the two judges …");
  loadBytes(model).then(([weights, ...moves]) => {
    worker.postMessage({ kind: "begin", world, weights });
    worker.postMessage({ kind: "trained", judges: judges.map((judge, i) => ({ ...judge, moves: new Int8Array(moves[i].slice().buffer) })) });
  }).catch((error) => broken(error.message));
  return () => {
    worker.terminate();
    clearTimeout(hearing);
  };
}

export default { render };
