// The rewards and their training. Whatever the reward, it is a sum over the tokens of an answer:
//
//    explicit                  <u, h_last>                      the last token alone adds something
//    explicit, mean            mean_k <u, h_k>                  every token adds its part of a mean
//    implicit, no reference    β sum_k ln π(y_k | x, y_<k)
//    implicit                  β sum_k (ln π - ln π_ref)(y_k | x, y_<k)
//
// and its gradient begins with the same shares the other way round.

const REWARDS = ["explicit", "explicit, mean", "implicit", "implicit, no reference"];
const isExplicit = (reward) => reward.startsWith("explicit");

/** How much of <u, h_k>, or of ln π of token k, is in the reward of an answer of n tokens. */
function shareOf(reward, beta, k, n) {
  if (reward === "explicit") return k === n - 1 ? 1 : 0;
  return reward === "explicit, mean" ? 1 / n : beta;
}

/** What a language model, or its head, says of every node: <u, h> or ln π, with what the way back needs. */
function valuesOf(shape, weights, tree, explicit, known = null) {
  const passed = forward(shape, weights, tree, known);
  if (!explicit) return { passed, ...logProbs(shape, weights, tree, passed.states) };
  const values = new Float64Array(tree.size);
  for (let i = 0; i < tree.size; i++)
    for (let d = 0; d < shape.width; d++) values[i] += weights.score[d] * passed.states[i * shape.width + d];
  return { passed, values };
}

/** What a network makes of the prompt, where all texts share one; `kept` is a Map that holds the last one. */
function promptOf(shape, weights, texts, kept) {
  const [{ prompt }] = texts, key = String(prompt);
  if (texts.some((text) => String(text.prompt) !== key)) return null;
  if (!kept.has(key)) {
    kept.clear();
    kept.set(key, forward(shape, weights, plant([{ prompt, response: [] }])));
  }
  return kept.get(key);
}

/** The gradient of every weight, into `grads`, from that of every node's value. */
function valuesBack(shape, weights, tree, kept, dValues, grads, explicit) {
  const { width } = shape, { passed } = kept;
  let dStates;
  if (explicit) {
    dStates = passed.states.map((_, at) => dValues[Math.floor(at / width)] * weights.score[at % width]);
    grads.score.fill(0);
    for (let i = 0; i < tree.size; i++)
      for (let d = 0; d < width; d++) grads.score[d] += dValues[i] * passed.states[i * width + d];
  } else dStates = logProbsBack(shape, weights, tree, kept, dValues, grads);
  backward(shape, weights, tree, passed, dStates, grads);
}

/** A reward model: a language model's weights, a head, and the state of AdamW. */
class Judge {
  /**
   * base: all weights of the language model; copied, and kept as they are for the reference.
   * reward: one of REWARDS. beta: reward per nat. lr: learning rate, constant. seed: of the head.
   */
  constructor(shape, base, { reward, beta = 0.01, lr = 3e-5, seed = 0 }) {
    Object.assign(this, { shape, reward, beta, lr, explicit: isExplicit(reward), steps: 0 });
    this.flat = base.slice();
    this.weights = views(shape, this.flat);
    if (this.explicit) this.weights.score.set(torchNormal(seed, shape.width, 0.02));
    this.reference = reward === "implicit" ? views(shape, base) : null;
    this.known = new WeakMap(); // ln π_ref of texts that come back
    [this.prompt, this.referencePrompt] = [new Map(), new Map()]; // as they are read now, and were at first
    this.gradient = new Float32Array(this.flat.length);
    this.grads = views(shape, this.gradient);
    [this.first, this.second] = [new Float32Array(this.flat.length), new Float32Array(this.flat.length)];
  }

  /** What a training elsewhere did to every weight, in steps of `step`; the reference stays. */
  move(moves, step) {
    this.prompt.clear();
    for (let i = 0; i < moves.length; i++) this.flat[i] += Math.fround(moves[i] * step);
  }

  /** What each token of each text adds to its reward: one list a text; the lists' sums are the rewards. */
  parts(texts, tree = plant(texts), values = null) {
    const { shape, weights } = this;
    values ??= valuesOf(shape, weights, tree, this.explicit, promptOf(shape, weights, texts, this.prompt)).values;
    this.readReference(texts);
    return tree.responses.map((nodes, t) => {
      const reference = this.known.get(texts[t]);
      return nodes.map((node, k) =>
        shareOf(this.reward, this.beta, k, nodes.length) * (values[node] - (reference ? reference[k] : 0)));
    });
  }

  /** The rewards of texts. */
  score(texts, ...known) { return this.parts(texts, ...known).map((parts) => parts.reduce((a, b) => a + b, 0)); }

  /** ln π_ref of the tokens of texts that are new to this judge; nothing without a reference. */
  readReference(texts) {
    const fresh = this.reference ? texts.filter((text) => !this.known.has(text)) : [];
    if (!fresh.length) return;
    const tree = plant(fresh), known = promptOf(this.shape, this.reference, fresh, this.referencePrompt);
    const { values } = valuesOf(this.shape, this.reference, tree, false, known);
    tree.responses.forEach((nodes, t) => this.known.set(fresh[t], nodes.map((node) => values[node])));
  }

  /** Loss (Bradley-Terry), accuracy and margin of pairs { chosen, rejected }; fills the gradient. */
  differentiate(pairs) {
    const texts = [...pairs.map((p) => p.chosen), ...pairs.map((p) => p.rejected)], n = pairs.length;
    const tree = plant(texts), kept = valuesOf(this.shape, this.weights, tree, this.explicit);
    const rewards = this.score(texts, tree, kept.values);
    const dValues = new Float64Array(tree.size), numbers = { loss: 0, accuracy: 0, margin: 0 };
    for (let i = 0; i < n; i++) {
      const lead = rewards[i] - rewards[n + i], doubt = 1 / (1 + Math.exp(lead)); // σ(-lead)
      numbers.loss += (Math.max(0, -lead) + Math.log1p(Math.exp(-Math.abs(lead)))) / n;
      numbers.accuracy += ((lead > 0) + 0.5 * (lead === 0)) / n;
      numbers.margin += lead / n;
      for (const [text, sign] of [[i, -1], [n + i, 1]])
        tree.responses[text].forEach((node, k, { length }) => {
          dValues[node] += (sign * doubt * shareOf(this.reward, this.beta, k, length)) / n;
        });
    }
    this.gradient.fill(0);
    valuesBack(this.shape, this.weights, tree, kept, dValues, this.grads, this.explicit);
    return numbers;
  }

  /** One step of AdamW with torch's constants and no decay; the numbers are those before it. */
  step(pairs) {
    const numbers = this.differentiate(pairs);
    this.steps++;
    this.prompt.clear();
    const [b1, b2, eps] = [0.9, 0.999, 1e-8];
    const stride = this.lr / (1 - b1 ** this.steps), root = Math.sqrt(1 - b2 ** this.steps);
    const { flat, gradient, first, second } = this;
    for (let i = 0; i < flat.length; i++) {
      const g = gradient[i];
      first[i] = b1 * first[i] + (1 - b1) * g;
      second[i] = b2 * second[i] + (1 - b2) * g * g;
      flat[i] -= (stride * first[i]) / (Math.sqrt(second[i]) / root + eps);
    }
    return numbers;
  }
}

/** Half precision, as the page carries the weights, to single; the head's zeros are added at the end. */
function readWeights(shape, bytes) {
  const flat = new Float32Array(countWeights(shape));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < bytes.byteLength / 2; i++) {
    const half = view.getUint16(2 * i, true), power = (half >> 10) & 31, rest = half & 1023;
    const size = power ? 2 ** (power - 15) * (1 + rest / 1024) : 2 ** -24 * rest;
    flat[i] = half & 0x8000 ? -size : size;
  }
  return flat;
}
