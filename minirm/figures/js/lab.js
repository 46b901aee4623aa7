// The lab: two judges that the reader trains in the page. A worker does the computing (lab/worker.js,
// after the engine's files, whose text is ENGINE); this puts the parts of the page together.

function render({ model, el }) {
  const { world } = model.get("data"), paper = paperSetup(world), inPage = !model.send;
  let setup = inPage ? fromHash(location.hash, paper) : { ...paper, ...model.get("state") };
  let record = {}, total = 0, perEpoch = 1, questions = 0, over = false, asked = null; // of the run
  let phase = "loading", measure = "paraphrase";
  const post = (message) => worker.postMessage(message);

  // ---- the parts of the page
  const form = setupForm(world, (read) => { setup = read; changed(); });
  const button = (label, act) => html("button", { type: "button", "data-act": label, click: act }, label);
  const buttons = {
    train: button("Train", () => begin(true)), stop: button("Stop", () => post({ kind: "stop" })),
    go: button("Go on", () => { enter("training"); post({ kind: "go" }); }), again: button("Start again", () => begin(true)),
  };
  const presets = html("div", { class: "minirm-presets", role: "group", "aria-label": "Designs" },
    ...world.presets.map(({ label, ...design }) => html("button", {
      type: "button", "data-preset": label,
      click: () => { setup = { ...setup, ...structuredClone(design) }; form.set(setup); changed(); },
    }, label)));
  const link = html("a", { "data-link": true }, "link to this set-up");
  const bar = html("progress", { max: 1, value: 0, "aria-label": "steps taken" });
  const status = html("p", { class: "minirm-lab-status", role: "status" });
  const examples = html("details", {}, html("summary", {}, "The first training pairs"), html("div"));
  const picker = html("select", { "data-control": "measure", change: () => { measure = picker.value; show(); } },
    ...Object.entries(MEASURES).map(([name, label]) => html("option", { value: name }, label)));
  const stage = html("div", { class: "minirm-stage" }), bars = html("div");
  const numbers = table(record, 1);
  const verdict = spoken();
  const asking = askingPanel(world, (prompt, answers) => post({ kind: "ask", id: answers, prompt, answers }));
  const tasks = taskList(() => ({ world, setup: trainedSetup, record, over, perEpoch, asked }));
  let trainedSetup = setup;
  const root = html("div", { class: "minirm-figure minirm-lab" }, presets, form.form,
    html("div", { class: "minirm-presets minirm-lab-buttons", role: "group", "aria-label": "Training" }, ...Object.values(buttons)),
    bar, status, inPage ? html("p", {}, "To send to others: ", link) : null, examples,
    html("label", { class: "minirm-lab-picker" }, "The picture shows the ", picker), stage, numbers, bars, verdict, asking.panel, tasks);
  if (!el.closest(".minirm-live")) el.classList.add("minirm-live");
  el.append(root);

  // ---- what happens
  function enter(next, words = "") {
    phase = next;
    const running = next === "training", ready = !["loading", "failed"].includes(next);
    buttons.train.disabled = !ready || running || next === "stopped";
    buttons.stop.disabled = !running;
    buttons.go.disabled = next !== "stopped";
    buttons.again.disabled = !ready || !(running || next === "stopped");
    root.dataset.phase = next;
    const said = words || {
      loading: "Loading the language model …", ready: "Ready. Press Train.", training: "Training …",
      stopped: "Stopped.", over: "The run is over.", changed: "",
    }[next];
    if (status.textContent !== said) status.textContent = said;
  }

  function changed(byHand = true) {
    if (inPage) {
      link.href = `#${toHash(setup, paper)}`;
      if (byHand) history.replaceState(null, "", link.hash);
    } else {
      model.set("state", setup);
      model.save_changes();
    }
    const fault = faultOf(setup);
    if (fault) enter(phase, fault);
    else if (phase === "training" || phase === "stopped") enter(phase, "The change counts from the next start.");
    else if (phase !== "loading") enter("ready", "Ready. Press Train.");
  }

  function begin(go) {
    const fault = faultOf(setup);
    if (fault) return enter(phase === "loading" ? "ready" : phase, fault);
    trainedSetup = structuredClone(setup);
    record = newRecord(setup.rewards);
    [asked, over] = [null, false];
    enter(go ? "training" : "ready");
    post({ kind: "prepare", setup: trainedSetup });
    if (go) post({ kind: "go" });
    show();
  }

  const hear = {
    ready() { begin(false); },
    drawn(message) {
      ({ total } = message);
      perEpoch = total / trainedSetup.epochs;
      questions = message.test.length;
      bar.value = 0;
      asking.setPrompt(message.test[0]);
      asking.send();
      examples.lastChild.replaceChildren(...message.examples.map(({ prompt, chosen, rejected }) => html("p", {},
        prompt, html("br"), html("strong", {}, "chosen: "), chosen, html("br"), html("strong", {}, "rejected: "), rejected)));
    },
    step({ step, numbers }) {
      for (const { reward, ...rest } of numbers) record[reward]?.steps.push({ step, ...rest });
      bar.value = step / total;
      show();
    },
    measured({ reward, step, values }) {
      record[reward]?.measured.push({ step, ...values });
      if (reward === lastOf(trainedSetup.rewards)) {
        tell();
        asking.send();
      }
      show();
    },
    over() { over = true; enter("over"); },
    stopped() { enter("stopped"); },
    answered(message) { asked = { ...message, answers: message.id, phrases: [...world.yes, ...world.no] }; asking.show(message); },
    unanswered({ text: words }) { asking.say(`${words[0].toUpperCase()}${words.slice(1)}.`); },
    failed({ text: words }) { enter("ready", `It stopped: ${words}.`); },
    broken({ text: words }) { enter("failed", `The lab cannot go on: ${words}.`); },
  };

  function tell() {
    const steps = lastOf(Object.values(record)[0].measured)?.step;
    const said = steps === undefined ? "" : `After ${steps} steps, ${inWords(record, measure)} (over ${questions} new questions).`;
    if (verdict.textContent !== said) verdict.textContent = said;
  }

  function show() {
    const width = Math.round(Math.min(700, Math.max(290, stage.clientWidth || 620)));
    renew(numbers, table(record, perEpoch));
    stage.replaceChildren(curve(record, measure, Math.max(1, total), width));
    bars.replaceChildren(shareBars(record, width));
  }

  const worker = startWorker((message) => hear[message.kind](message));
  form.set(setup);
  enter("loading");
  changed(false);
  show();
  loadBytes(model).then(([weights]) => post({ kind: "begin", world, weights }))
    .catch((error) => enter("failed", `The lab cannot start: ${error.message}.`));
  const linked = () => inPage && location.hash.startsWith("#lab:"); // to a set-up, not to a heading
  const moved = () => {
    if (!linked()) return;
    root.scrollIntoView();
    setup = fromHash(location.hash, paper);
    form.set(setup);
    changed(false);
  };
  if (linked()) root.scrollIntoView();
  if (inPage) window.addEventListener("hashchange", moved);
  const resized = new ResizeObserver(() => show());
  resized.observe(root);
  return () => {
    worker.terminate();
    resized.disconnect();
    window.removeEventListener("hashchange", moved);
  };
}

export default { render };
