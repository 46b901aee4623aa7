// Python's `random.Random(text)` and torch's normal numbers, draw by draw, so that a seed in the page
// means what it means in the library: the same questions, wordings, order of the pairs and head.

/** The Mersenne Twister (MT19937) behind both. */
class Twister {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const last = this.state[i - 1];
      this.state[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
    }
    this.place = 624;
  }

  /** Python's way to a seed of many 32-bit words. */
  static fromWords(words) {
    const twister = new Twister(19650218), s = twister.state;
    let i = 1, j = 0;
    const mix = (factor) => Math.imul(s[i - 1] ^ (s[i - 1] >>> 30), factor);
    const next = () => { if (++i >= 624) { s[0] = s[623]; i = 1; } };
    for (let k = Math.max(624, words.length); k > 0; k--) {
      s[i] = (s[i] ^ mix(1664525)) + words[j] + j;
      j = (j + 1) % words.length;
      next();
    }
    for (let k = 623; k > 0; k--) {
      s[i] = (s[i] ^ mix(1566083941)) - i;
      next();
    }
    s[0] = 0x80000000;
    return twister;
  }

  /** 32 random bits. */
  bits() {
    const s = this.state;
    if (this.place >= 624) {
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.place = 0;
    }
    let y = s[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
}

/** SHA-512 of bytes, as 64 bytes. Its constants are the beginnings of roots of the first primes. */
function sha512(bytes) {
  const mask = (1n << 64n) - 1n;
  const primes = [];
  for (let n = 2; primes.length < 80; n++) if (primes.every((p) => n % p)) primes.push(n);
  const fraction = (prime, power) => { // 64 bits after the point of the root, by halving
    const target = BigInt(prime) << BigInt(64 * power);
    let root = 0n;
    for (let bit = 1n << 68n; bit; bit >>= 1n) if ((root + bit) ** BigInt(power) <= target) root += bit;
    return root & mask;
  };
  const rounds = primes.map((p) => fraction(p, 3));
  let hash = primes.slice(0, 8).map((p) => fraction(p, 2));

  const padded = new Uint8Array(128 * Math.ceil((bytes.length + 17) / 128));
  padded.set(bytes);
  padded[bytes.length] = 128;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(8 * bytes.length));
  const turn = (x, n) => ((x >> BigInt(n)) | (x << BigInt(64 - n))) & mask;
  const mixed = (x, a, b, c) => turn(x, a) ^ turn(x, b) ^ turn(x, c);
  for (let block = 0; block < padded.length; block += 128) {
    const w = Array.from({ length: 16 }, (_, t) => view.getBigUint64(block + 8 * t));
    for (let t = 16; t < 80; t++) {
      const small = turn(w[t - 15], 1) ^ turn(w[t - 15], 8) ^ (w[t - 15] >> 7n);
      const large = turn(w[t - 2], 19) ^ turn(w[t - 2], 61) ^ (w[t - 2] >> 6n);
      w.push((w[t - 16] + small + w[t - 7] + large) & mask);
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let t = 0; t < 80; t++) {
      const one = h + mixed(e, 14, 18, 41) + ((e & f) ^ (~e & mask & g)) + rounds[t] + w[t];
      const two = mixed(a, 28, 34, 39) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) & mask, c, b, a, (one + two) & mask];
    }
    hash = [a, b, c, d, e, f, g, h].map((x, i) => (x + hash[i]) & mask);
  }
  const out = new DataView(new ArrayBuffer(64));
  hash.forEach((x, i) => out.setBigUint64(8 * i, x));
  return new Uint8Array(out.buffer);
}

/** Python's `random.Random(text)`, as far as the lab needs it. */
class PythonRandom {
  constructor(text) {
    const bytes = new TextEncoder().encode(text), digest = sha512(bytes), words = [];
    const all = [...bytes, ...digest].reverse(); // one big number, its lowest byte first
    for (let i = 0; i < all.length; i += 4)
      words.push((all[i] | (all[i + 1] << 8) | (all[i + 2] << 16) | (all[i + 3] << 24)) >>> 0);
    this.twister = Twister.fromWords(words);
  }

  random() {
    const high = this.twister.bits() >>> 5, low = this.twister.bits() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  uniform(low, high) { return low + (high - low) * this.random(); }

  /** A whole number below n. */
  below(n) {
    const width = Math.floor(Math.log2(n)) + 1;
    let drawn = n;
    while (drawn >= n) drawn = this.twister.bits() >>> (32 - width);
    return drawn;
  }

  choice(list) { return list[this.below(list.length)]; }

  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
  }

  /** `sample(range(n), k)` for k large enough that Python draws from a pool (k = n / 2 and more). */
  sample(n, k) {
    const pool = Array.from({ length: n }, (_, i) => i);
    return Array.from({ length: k }, (_, i) => {
      const j = this.below(n - i), drawn = pool[j];
      pool[j] = pool[n - i - 1];
      return drawn;
    });
  }
}

/** What torch draws for `normal_(std=std)` of n numbers, n a multiple of 16, on a CPU. */
function torchNormal(seed, n, std) {
  const twister = new Twister(seed);
  const drawn = Array.from({ length: n }, () => (twister.bits() & 0xffffff) / 0x1000000);
  return Float32Array.from({ length: n }, (_, i) => {
    const block = i - (i % 16), j = i % 8;
    const radius = Math.sqrt(-2 * Math.log(1 - drawn[block + j])), angle = 2 * Math.PI * drawn[block + j + 8];
    return std * radius * (i % 16 < 8 ? Math.cos(angle) : Math.sin(angle));
  });
}
