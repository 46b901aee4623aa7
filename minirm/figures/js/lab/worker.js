// The lab's worker: it trains step by step and answers in between, so that the page never waits.
// In:  begin { world, weights }, prepare { setup } or trained { judges }, go, stop, ask { id, prompt, answers }
// Out: ready, drawn { total, test, examples }, step { step, numbers }, measured { reward, step, values },
//      over, stopped, taught, answered { id, answers, step, tokens, judges }, unanswered { id, text }, failed { text }

const QUESTIONS = 4; // that are asked while a judge is trained: every opening with every held-out phrase

function serve(post) {
  let world, tokenizer, base, run = null, turn = 0;
  const encode = (prompt, answer) => {
    const text = tokenizer.encode(prompt, answer), length = text.prompt.length + text.response.length;
    if (length > world.shape.context) throw new Error(`“${answer}” is too long: with its question it has ${length} tokens`);
    return text;
  };
  const pause = () => new Promise((done) => setTimeout(done)); // lets a message in
  const due = (step) => step === run.total || step % (step < 10 ? 5 : 10) === 0;

  function draw({ rewards, chosen, rejected, agreement, questions, epochs, lr, beta, seed }) {
    run = null;
    const { train, test } = worldQuestions(world, seed);
    const worded = trainingPairs(train.slice(0, questions), seed, { chosen, rejected, agreement });
    const pairs = worded.map((p) => ({ chosen: encode(p.prompt, p.chosen), rejected: encode(p.prompt, p.rejected) }));
    const alike = worded.find((pair) => pair.chosen === pair.rejected);
    if (alike) throw new Error(`“${alike.chosen}” is both the chosen and the rejected answer to a question`);
    const judges = rewards.map((reward) => new Judge(world.shape, base, { reward, lr, beta, seed }));
    const perEpoch = Math.ceil(pairs.length / world.run.batch);
    run = {
      pairs, judges, seed, perEpoch, step: 0, total: epochs * perEpoch, batches: [],
      grids: gridTexts(world, test.slice(0, QUESTIONS), encode), measuredAt: -1,
    };
    post({ kind: "drawn", total: run.total, test: test.slice(0, QUESTIONS), examples: worded.slice(0, 3) });
  }

  async function measure(judges, mine) {
    for (const judge of judges) {
      const grids = [];
      for (const grid of run.grids) {
        grids.push(scoreGrid(judge, grid));
        await pause();
        if (turn !== mine) return;
      }
      post({ kind: "measured", reward: judge.reward, step: run.step, values: described(world, grids) });
    }
    run.measuredAt = run.step;
  }

  /** One step of every judge on the same pairs. */
  function takeStep() {
    const epoch = Math.floor(run.step / run.perEpoch), place = run.step % run.perEpoch;
    if (!run.batches[epoch])
      run.batches[epoch] = epochBatches(run.pairs.map(costOf), world.run.batch, run.seed, epoch);
    const pairs = run.batches[epoch][place].map((i) => run.pairs[i]);
    const numbers = run.judges.map((judge) => ({ reward: judge.reward, ...judge.step(pairs) }));
    if (numbers.some(({ loss }) => !Number.isFinite(loss)))
      throw new Error("the loss is no longer a number: start again with a lower learning rate");
    post({ kind: "step", step: ++run.step, numbers });
  }

  async function loop() {
    const mine = ++turn; // whoever calls again, or stops, ends this loop
    while (run && turn === mine) {
      if (due(run.step) && run.measuredAt < run.step) await measure(run.judges, mine);
      if (turn !== mine) return;
      if (run.step >= run.total) return post({ kind: "over" });
      takeStep();
      await pause();
    }
  }

  function verdict({ id, prompt, answers }) {
    if (!run) return;
    const texts = answers.map((answer) => encode(prompt, answer));
    const judges = run.judges.map((judge) => ({ reward: judge.reward, beta: judge.beta, parts: judge.parts(texts) }));
    const tokens = texts.map(({ response }) => response.map((token) => tokenizer.show(token)));
    post({ kind: "answered", id, answers, step: run.step, tokens, judges });
  }

  const acts = {
    begin(message) {
      ({ world } = message);
      tokenizer = new Tokenizer(world.tokens);
      base = readWeights(world.shape, message.weights);
      post({ kind: "ready" });
    },
    prepare({ setup }) { turn++; draw(setup); },
    trained({ judges }) { // elsewhere: they can be asked, and no more
      run = { step: null, judges: judges.map(({ moves, step, ...how }) => {
        const judge = new Judge(world.shape, base, how);
        judge.move(moves, step);
        return judge;
      }) };
      post({ kind: "taught" });
    },
    go: loop,
    stop() { turn++; post({ kind: "stopped" }); },
    ask: verdict,
  };
  return async (message) => {
    try {
      await acts[message.kind](message);
    } catch (error) {
      if (message.kind !== "ask") turn++;
      post({ kind: message.kind === "ask" ? "unanswered" : "failed", id: message.id, text: error.message });
    }
  };
}
