// The language model of the book, forward and backward, in plain JavaScript: the GPT-NeoX that ships
// with minirm (three layers, four heads, 0.42 M parameters). No dependency. Numbers are
// kept in single precision, and sums are taken in double.
//
// All weights lie in one Float32Array. `views` cuts it into the named matrices, and the gradient is
// a second array of the same shape, so that an optimizer need not know what is what.

/** Names and sizes of the weights, in the order in which they lie; `score` is the explicit head. */
function layout({ vocabulary, width, layers, inner }) {
  const norm = (name) => [[`${name}.weight`, width], [`${name}.bias`, width]];
  const linear = (name, from, to) => [[`${name}.weight`, from * to], [`${name}.bias`, to]];
  const layer = (l) => [
    ...norm(`${l}.norm1`), ...linear(`${l}.qkv`, width, 3 * width), ...linear(`${l}.out`, width, width),
    ...norm(`${l}.norm2`), ...linear(`${l}.up`, width, inner), ...linear(`${l}.down`, inner, width),
  ];
  return [
    ["embedding", vocabulary * width],
    ...Array.from({ length: layers }, (_, l) => layer(l)).flat(),
    ...norm("norm"),
    ["unembedding", vocabulary * width],
    ["score", width],
  ];
}

/** The named weights as views into `flat`. */
function views(shape, flat) {
  const named = {};
  let offset = 0;
  for (const [name, size] of layout(shape)) {
    named[name] = flat.subarray(offset, offset + size);
    offset += size;
  }
  return named;
}

/** How many weights there are, the head's among them. */
const countWeights = (shape) => layout(shape).reduce((sum, [, size]) => sum + size, 0);

// ------------------------------------------------------------------------------- texts as a tree

/**
 * Token sequences as one tree: whatever begins alike is computed once.
 *
 * texts: list of { prompt, response }, lists of token ids, both with at least one token.
 * Returns token, parent (-1 at a beginning) and depth (the position) of every node, its `path` (the
 * nodes that it sees: those from the beginning to itself, at `start[node]`, depth + 1 of them), and
 * for every text the nodes of its response.
 */
function plant(texts) {
  const [token, parent, depth, children] = [[], [], [], new Map()];
  const grow = (from, id) => {
    const key = from * 65536 + id;
    if (!children.has(key)) {
      children.set(key, token.length);
      token.push(id);
      parent.push(from);
      depth.push(from < 0 ? 0 : depth[from] + 1);
    }
    return children.get(key);
  };
  const responses = texts.map(({ prompt, response }) => {
    let node = -1;
    for (const id of prompt) node = grow(node, id);
    return response.map((id) => (node = grow(node, id)));
  });
  const start = new Int32Array(token.length + 1);
  for (let i = 0; i < token.length; i++) start[i + 1] = start[i] + depth[i] + 1;
  const path = new Int32Array(start[token.length]);
  for (let i = 0; i < token.length; i++) { // a parent stands before its children
    const above = parent[i] < 0 ? [] : path.subarray(start[parent[i]], start[parent[i] + 1]);
    path.set(above, start[i]);
    path[start[i + 1] - 1] = i;
  }
  return { size: token.length, token, parent, depth, start, path, responses };
}

// ------------------------------------------------------------------------------------ the pieces

/** out[i, j] = <a[i], b[j]> for n rows a and m rows b of k numbers; three by four at a time. */
function multiply(a, b, n, m, k, out = new Float32Array(n * m)) {
  const single = (i, j) => {
    let sum = 0;
    for (let d = 0; d < k; d++) sum += a[i * k + d] * b[j * k + d];
    out[i * m + j] = sum;
  };
  const [rows, columns] = [n - (n % 3), m - (m % 4)];
  for (let i = 0; i < rows; i += 3) {
    const [a0, a1, a2] = [i * k, (i + 1) * k, (i + 2) * k];
    for (let j = 0; j < columns; j += 4) {
      const b0 = j * k, b1 = b0 + k, b2 = b1 + k, b3 = b2 + k;
      let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0, s20 = 0, s21 = 0, s22 = 0, s23 = 0;
      for (let d = 0; d < k; d++) {
        const y0 = b[b0 + d], y1 = b[b1 + d], y2 = b[b2 + d], y3 = b[b3 + d];
        const x0 = a[a0 + d], x1 = a[a1 + d], x2 = a[a2 + d];
        s00 += x0 * y0; s01 += x0 * y1; s02 += x0 * y2; s03 += x0 * y3;
        s10 += x1 * y0; s11 += x1 * y1; s12 += x1 * y2; s13 += x1 * y3;
        s20 += x2 * y0; s21 += x2 * y1; s22 += x2 * y2; s23 += x2 * y3;
      }
      const o0 = i * m + j, o1 = o0 + m, o2 = o1 + m;
      out[o0] = s00; out[o0 + 1] = s01; out[o0 + 2] = s02; out[o0 + 3] = s03;
      out[o1] = s10; out[o1 + 1] = s11; out[o1 + 2] = s12; out[o1 + 3] = s13;
      out[o2] = s20; out[o2 + 1] = s21; out[o2 + 2] = s22; out[o2 + 3] = s23;
    }
    for (let r = i; r < i + 3; r++) for (let j = columns; j < m; j++) single(r, j);
  }
  for (let i = rows; i < n; i++) for (let j = 0; j < m; j++) single(i, j);
  return out;
}

/** [n, m] -> [m, n]. */
function transpose(a, n, m) {
  const out = new Float32Array(n * m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = a[i * m + j];
  return out;
}

/** x [n, from] W^T + bias: [n, to]. */
function linear(x, weight, bias, n, from, to) {
  const y = multiply(x, weight, n, to, from);
  if (bias) for (let i = 0; i < n; i++) for (let j = 0; j < to; j++) y[i * to + j] += bias[j];
  return y;
}

/** From dy to the gradients of weight and bias, which are written, and of x, which is returned. */
function linearBack(dy, x, weight, dWeight, dBias, n, from, to) {
  multiply(transpose(dy, n, to), transpose(x, n, from), to, from, n, dWeight);
  if (dBias) columnSums(dy, dBias, n, to);
  return multiply(dy, transpose(weight, to, from), n, from, to);
}

function columnSums(dy, out, n, m) {
  const sums = new Float64Array(m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) sums[j] += dy[i * m + j];
  out.set(sums);
}

/** Each row with mean 0 and variance 1, times weight plus bias; `scale` is kept for the way back. */
function layerNorm(x, weight, bias, n, width) {
  const [y, unit, scale] = [new Float32Array(x.length), new Float32Array(x.length), new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    const row = i * width;
    let mean = 0, variance = 0;
    for (let d = 0; d < width; d++) mean += x[row + d];
    mean /= width;
    for (let d = 0; d < width; d++) variance += (x[row + d] - mean) ** 2;
    scale[i] = 1 / Math.sqrt(variance / width + 1e-5);
    for (let d = 0; d < width; d++) {
      unit[row + d] = (x[row + d] - mean) * scale[i];
      y[row + d] = unit[row + d] * weight[d] + bias[d];
    }
  }
  return { y, unit, scale };
}

/** Adds the gradient of the norm's input to `dx`. */
function layerNormBack(dy, { unit, scale }, weight, dWeight, dBias, n, width, dx) {
  columnSums(dy, dBias, n, width);
  columnSums(dy.map((g, i) => g * unit[i]), dWeight, n, width);
  for (let i = 0; i < n; i++) {
    const row = i * width;
    let mean = 0, along = 0; // of the gradient of the unit row, and its part along that row
    for (let d = 0; d < width; d++) {
      const g = dy[row + d] * weight[d];
      mean += g;
      along += g * unit[row + d];
    }
    mean /= width;
    along /= width;
    for (let d = 0; d < width; d++)
      dx[row + d] += scale[i] * (dy[row + d] * weight[d] - mean - along * unit[row + d]);
  }
}

const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** φ and Φ, the normal density and its integral, in steps of 1/64 from -8 to 8 (Simpson's rule). */
const DENSITY = Float64Array.from({ length: 1025 }, (_, i) => density(i / 64 - 8));
const PHI = new Float64Array(1025);
for (let i = 1; i < PHI.length; i++)
  PHI[i] = PHI[i - 1] + (DENSITY[i - 1] + 4 * density((i - 0.5) / 64 - 8) + DENSITY[i]) / 384;

/** Φ(x) between the steps: the cubic with the right values and slopes at both ends. */
function phi(x) {
  if (!(x > -8)) return x === x ? 0 : NaN;
  if (x >= 8) return 1;
  const place = (x + 8) * 64, i = Math.floor(place), t = place - i, rise = PHI[i + 1] - PHI[i];
  const a = DENSITY[i] / 64 - rise, b = rise - DENSITY[i + 1] / 64;
  return PHI[i] + t * rise + t * (1 - t) * (a * (1 - t) + b * t);
}

/** Turns queries and keys, in place, by angles that grow with the position (RoPE); back: turn = -1. */
function rotate(qkv, depth, { heads, width }, turn = 1) {
  const size = width / heads, half = size / 2;
  for (let i = 0; i < depth.length; i++)
    for (let d = 0; d < half; d++) {
      const angle = depth[i] / 10000 ** (d / half), cos = Math.cos(angle), sin = turn * Math.sin(angle);
      for (let h = 0; h < heads; h++)
        for (let part = 0; part <= size; part += size) { // the query, and after it the key
          const p = i * 3 * width + h * 3 * size + part + d, x = qkv[p], y = qkv[p + half];
          qkv[p] = x * cos - y * sin;
          qkv[p + half] = y * cos + x * sin;
        }
    }
}
