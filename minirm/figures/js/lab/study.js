// The experiment: questions, worded pairs, their order, and what is asked afterwards. Every function
// draws as its namesake in the library does (minirm.worlds.persona, minirm.batches), so that one seed
// is one run, here and there. The words themselves come from Python (`world`).

const phrased = (prefix, phrase) => (prefix ? `${prefix} ${phrase}` : phrase);

/** Eighty questions to train on and forty to ask afterwards. */
function worldQuestions(world, seed) {
  const random = new PythonRandom(`persona:${seed}`);
  const prompts = world.verbs.flatMap((verb) => world.objects.map((object) =>
    world.question.replace("{adverb}", random.choice(world.adverbs)).replace("{verb}", verb).replace("{object}", object)));
  random.shuffle(prompts);
  return { train: prompts.slice(0, 80), test: prompts.slice(80, 120) };
}

/**
 * One comparison a prompt, in wordings drawn for each side.
 *
 * chosen, rejected: { prefixes, phrases }, none of them empty.
 * agreement: the share of all responses that open in a prefix of their own side.
 */
function trainingPairs(prompts, seed, { chosen, rejected, agreement = 1 }) {
  const random = new PythonRandom(`wordings:${seed}`), others = new PythonRandom(`agreement:${seed}`);
  const order = others.sample(2 * prompts.length, 2 * prompts.length);
  const crossed = new Set(order.slice(0, roundHalfEven((1 - agreement) * order.length)));
  const wordings = ({ prefixes, phrases }) => prefixes.flatMap((a) => phrases.map((b) => [a, b]));
  return prompts.map((prompt, i) => {
    const [yes, no] = [[chosen, rejected], [rejected, chosen]].map(([own, other], side) => {
      const [prefix, phrase] = random.choice(wordings(own)), crossing = others.choice(other.prefixes);
      return phrased(crossed.has(2 * i + side) ? crossing : prefix, phrase);
    });
    return { prompt, chosen: yes, rejected: no };
  });
}

function roundHalfEven(x) {
  const below = Math.floor(x);
  return x - below === 0.5 ? below + (below % 2) : Math.round(x);
}

/** The indices of an epoch in batches of like cost, in the library's order. */
function epochBatches(costs, size, seed, epoch) {
  const random = new PythonRandom(`${seed}:${epoch}`), order = costs.map((_, i) => i);
  random.shuffle(order);
  const full = order.length - (order.length % size);
  const similar = order.slice(0, full).map((i) => [costs[i] * random.uniform(1, 1.2), i])
    .sort((a, b) => a[0] - b[0]).map(([, i]) => i);
  const batches = [];
  for (let i = 0; i < full; i += size) batches.push(similar.slice(i, i + size));
  random.shuffle(batches);
  if (full < order.length) batches.push(order.slice(full));
  return batches;
}

const costOf = ({ chosen, rejected }) => chosen.prompt.length + chosen.response.length + rejected.response.length;

/** Every opening with every held-out phrase, for each prompt: what `asked` is about. */
const gridTexts = (world, prompts, encode) => prompts.map((prompt) =>
  world.openings.map((opening) => world.heldOut.map(({ text }) => encode(prompt, phrased(opening, text)))));

/** Rewards of such a grid, prompt by prompt, so that a long pass can be cut: [openings][phrases]. */
function scoreGrid(judge, texts) {
  const rewards = judge.score(texts.flat()), phrases = texts[0].length;
  return texts.map((_, p) => rewards.slice(p * phrases, (p + 1) * phrases));
}

/** Accuracy where the right phrases follow opening a and the wrong ones opening b; ties count half. */
function accuracyOf(world, grids, a, b) {
  let [won, all] = [0, 0];
  for (const grid of grids)
    world.heldOut.forEach((yes, i) => world.heldOut.forEach((no, j) => {
      if (!yes.right || no.right) return;
      const lead = grid[a][i] - grid[b][j];
      won += (lead > 0) + 0.5 * (lead === 0);
      all++;
    }));
  return won / all;
}

/** Which part of a reward's variance within prompts is meaning, words, opening and interaction. */
function meaningShare(world, grids, openings) {
  const sums = { meaning: 0, words: 0, opening: 0, interaction: 0 };
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  for (const whole of grids) {
    const grid = whole.slice(0, openings), centre = mean(grid.flat());
    const rows = grid.map((row) => mean(row) - centre);
    const columns = world.heldOut.map((_, j) => mean(grid.map((row) => row[j])) - centre);
    const sides = world.heldOut.map(({ right }) => mean(columns.filter((_, k) => world.heldOut[k].right === right)));
    grid.forEach((row, i) => row.forEach((reward, j) => {
      sums.meaning += sides[j] ** 2;
      sums.words += (columns[j] - sides[j]) ** 2;
      sums.opening += rows[i] ** 2;
      sums.interaction += (reward - centre - rows[i] - columns[j]) ** 2;
    }));
  }
  const total = Object.values(sums).reduce((a, b) => a + b, 0);
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / total]));
}

/** All that the page says of a trained judge, from rewards over some questions. */
function described(world, grids) {
  const [yes, no, bare] = [world.openings.indexOf(world.heldYes), world.openings.indexOf(world.heldNo), world.openings.indexOf("")];
  return {
    paraphrase: accuracyOf(world, grids, yes, no),
    swapped: accuracyOf(world, grids, no, yes),
    bare: accuracyOf(world, grids, bare, bare),
    ...meaningShare(world, grids, world.shareOpenings),
  };
}
