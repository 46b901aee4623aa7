// The layers put together: attention over a tree of texts, and the whole network both ways.

/**
 * Every node from `first` on looks at its path: [n, 3 width] -> [n - first, width]; `look` holds who
 * looked how much at whom.
 */
function attention(qkv, { size: n, start, path }, { heads, width }, first = 0) {
  const size = width / heads, row = 3 * width, total = path.length;
  const [out, look] = [new Float32Array((n - first) * width), new Float32Array(heads * total)];
  for (let h = 0; h < heads; h++) {
    const query = h * 3 * size, key = query + size, value = key + size;
    for (let i = first; i < n; i++) {
      const from = start[i], to = start[i + 1], base = h * total;
      let top = -Infinity, sum = 0;
      for (let p = from; p < to; p++) {
        let score = 0;
        const q = i * row + query, k = path[p] * row + key;
        for (let d = 0; d < size; d++) score += qkv[q + d] * qkv[k + d];
        look[base + p] = score /= Math.sqrt(size);
        if (score > top) top = score;
      }
      for (let p = from; p < to; p++) sum += look[base + p] = Math.exp(look[base + p] - top);
      const o = (i - first) * width + h * size;
      for (let p = from; p < to; p++) {
        const share = (look[base + p] /= sum), v = path[p] * row + value;
        for (let d = 0; d < size; d++) out[o + d] += share * qkv[v + d];
      }
    }
  }
  return { out, look };
}

/** From the gradient of what attention put out to that of queries, keys and values. */
function attentionBack(dOut, qkv, look, { size: n, start, path }, { heads, width }) {
  const size = width / heads, row = 3 * width, total = path.length, root = Math.sqrt(size);
  const dQkv = new Float32Array(qkv.length);
  const dLook = new Float64Array(Math.max(...Array.from({ length: n }, (_, i) => start[i + 1] - start[i])));
  for (let h = 0; h < heads; h++) {
    const query = h * 3 * size, key = query + size, value = key + size;
    for (let i = 0; i < n; i++) {
      const from = start[i], to = start[i + 1], o = i * width + h * size, q = i * row + query;
      let mean = 0;
      for (let p = from; p < to; p++) {
        const v = path[p] * row + value, share = look[h * total + p];
        let g = 0;
        for (let d = 0; d < size; d++) {
          g += dOut[o + d] * qkv[v + d];
          dQkv[v + d] += share * dOut[o + d];
        }
        dLook[p - from] = g;
        mean += share * g;
      }
      for (let p = from; p < to; p++) {
        const g = (look[h * total + p] * (dLook[p - from] - mean)) / root, k = path[p] * row + key;
        for (let d = 0; d < size; d++) {
          dQkv[q + d] += g * qkv[k + d];
          dQkv[k + d] += g * qkv[q + d];
        }
      }
    }
  }
  return dQkv;
}

const plus = (a, b) => a.map((x, i) => x + b[i]);

/** What was computed for the first rows, if any, and under it what was for the others. */
function under(above, below) {
  if (!above) return below;
  const out = new Float32Array(above.length + below.length);
  out.set(above);
  out.set(below, above.length);
  return out;
}

/**
 * The last hidden states, after the final norm, [n, width], and the tape for the way back.
 *
 * known: what this gave for a tree of the first nodes alone, such as a prompt that comes back. These
 * are not computed again, and there is no way back then.
 */
function forward(shape, weights, tree, known = null) {
  const { width, layers, inner } = shape, first = known ? known.size : 0, n = tree.size - first, w = weights;
  let x = new Float32Array(n * width);
  for (let i = 0; i < n; i++) {
    const at = tree.token[first + i] * width;
    x.set(w.embedding.subarray(at, at + width), i * width);
  }
  const tape = [];
  for (let l = 0; l < layers; l++) {
    const norm1 = layerNorm(x, w[`${l}.norm1.weight`], w[`${l}.norm1.bias`], n, width);
    const own = linear(norm1.y, w[`${l}.qkv.weight`], w[`${l}.qkv.bias`], n, width, 3 * width);
    rotate(own, tree.depth.slice(first), shape);
    const qkv = under(known?.tape[l].qkv, own);
    const { out, look } = attention(qkv, tree, shape, first);
    x = plus(x, linear(out, w[`${l}.out.weight`], w[`${l}.out.bias`], n, width, width));
    const norm2 = layerNorm(x, w[`${l}.norm2.weight`], w[`${l}.norm2.bias`], n, width);
    const up = linear(norm2.y, w[`${l}.up.weight`], w[`${l}.up.bias`], n, width, inner);
    const below = up.map(phi);
    const active = up.map((u, i) => u * below[i]); // GELU
    x = plus(x, linear(active, w[`${l}.down.weight`], w[`${l}.down.bias`], n, inner, width));
    tape.push({ norm1, qkv, out, look, norm2, up, below, active });
  }
  const norm = layerNorm(x, w["norm.weight"], w["norm.bias"], n, width);
  return { size: tree.size, states: under(known?.states, norm.y), tape, norm };
}

/** Writes the gradient of every weight up to the final norm into `grads`, from that of the states. */
function backward(shape, weights, tree, { tape, norm }, dStates, grads) {
  const { width, layers, inner } = shape, n = tree.size, w = weights;
  const back = (name, dy, x, from, to) =>
    linearBack(dy, x, w[`${name}.weight`], grads[`${name}.weight`], grads[`${name}.bias`], n, from, to);
  const backNorm = (name, dy, kept, dx) =>
    layerNormBack(dy, kept, w[`${name}.weight`], grads[`${name}.weight`], grads[`${name}.bias`], n, width, dx);
  const dx = new Float32Array(n * width);
  backNorm("norm", dStates, norm, dx);
  for (let l = layers - 1; l >= 0; l--) {
    const { norm1, qkv, out, look, norm2, up, below, active } = tape[l];
    const dActive = back(`${l}.down`, dx, active, inner, width);
    const dUp = dActive.map((g, i) => g * (below[i] + up[i] * density(up[i])));
    backNorm(`${l}.norm2`, back(`${l}.up`, dUp, norm2.y, width, inner), norm2, dx);
    const dOut = back(`${l}.out`, dx, out, width, width);
    const dQkv = attentionBack(dOut, qkv, look, tree, shape);
    rotate(dQkv, tree.depth, shape, -1);
    backNorm(`${l}.norm1`, back(`${l}.qkv`, dQkv, norm1.y, width, 3 * width), norm1, dx);
  }
  grads.embedding.fill(0);
  for (let i = 0; i < n; i++)
    for (let d = 0; d < width; d++) grads.embedding[tree.token[i] * width + d] += dx[i * width + d];
}

/**
 * ln π of every node that a response holds, given what stands before it, and the tape.
 *
 * Only the states before such nodes meet the vocabulary, each once.
 */
function logProbs({ vocabulary, width }, weights, tree, states) {
  const nodes = [...new Set(tree.responses.flat())];
  const before = [...new Set(nodes.map((i) => tree.parent[i]))];
  const row = new Map(before.map((i, r) => [i, r]));
  const seen = new Float32Array(before.length * width);
  before.forEach((i, r) => seen.set(states.subarray(i * width, (i + 1) * width), r * width));
  const logits = multiply(seen, weights.unembedding, before.length, vocabulary, width);
  const logTotal = before.map((_, r) => {
    const line = logits.subarray(r * vocabulary, (r + 1) * vocabulary);
    const top = line.reduce((a, b) => Math.max(a, b));
    return top + Math.log(line.reduce((sum, z) => sum + Math.exp(z - top), 0));
  });
  const values = new Float64Array(tree.size);
  for (const i of nodes) {
    const r = row.get(tree.parent[i]);
    values[i] = logits[r * vocabulary + tree.token[i]] - logTotal[r];
  }
  return { values, nodes, before, row, seen, logits, logTotal };
}

/** From the gradient of each node's ln π to that of the states, which is returned, and of U. */
function logProbsBack({ vocabulary, width }, weights, tree, kept, dValues, grads) {
  const { nodes, before, row, seen, logits, logTotal } = kept, n = before.length;
  const flow = new Float64Array(n); // what all continuations of a state have together
  for (const i of nodes) flow[row.get(tree.parent[i])] += dValues[i];
  const dLogits = logits.map((z, at) => {
    const r = Math.floor(at / vocabulary);
    return -flow[r] * Math.exp(z - logTotal[r]);
  });
  for (const i of nodes) dLogits[row.get(tree.parent[i]) * vocabulary + tree.token[i]] += dValues[i];
  const dSeen = linearBack(dLogits, seen, weights.unembedding, grads.unembedding, null, n, width, vocabulary);
  const dStates = new Float32Array(tree.size * width);
  before.forEach((i, r) => dStates.set(dSeen.subarray(r * width, (r + 1) * width), i * width));
  return dStates;
}
