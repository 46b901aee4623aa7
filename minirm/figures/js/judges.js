// Two answers, two judges: the implicit reward token by token, the explicit one in one piece.

const SIDES = ["a", "b"];

function chosen({ answers, phrases, prefixes, beta }, state, side) {
  const [i, j] = [state[`${side}_prefix`], state[`${side}_phrase`]];
  const { tokens, shares, explicit } = answers[`${i},${j}`];
  const implicit = shares.reduce((sum, share) => sum + share, 0);
  return {
    side, tokens, explicit, implicit, key: `${i},${j}`, right: phrases[j].right,
    shares: shares.map((share) => share / beta), total: implicit / beta,
    said: [prefixes[i], phrases[j].text].filter(Boolean).join(" "),
  };
}

function render({ model, el }) {
  const { prefixes, phrases } = model.get("data");
  const first = (right) => String(Math.max(0, phrases.findIndex((p) => p.right === right)));
  const start = {
    a_prefix: "0", a_phrase: first(true), b_prefix: String(Math.min(1, prefixes.length - 1)), b_phrase: first(false),
  };
  const select = (name, label, side, texts) => ({
    name: `${side}_${name}`, label, group: `answer ${side.toUpperCase()}`, type: "select",
    options: texts.map((text, i) => [String(i), text]), value: start[`${side}_${name}`],
  });
  const words = phrases.map((p) => `${p.text} (${p.right ? "right" : "wrong"})`);
  const verdict = spoken();
  return live({ model, el }, {
    controls: SIDES.flatMap((side) => [
      select("prefix", "prefix", side, prefixes.map((prefix) => prefix || "(none)")),
      select("phrase", "phrase", side, words),
    ]),
    presets: [{ label: "the first pair again", state: { ...start, ...model.get("state") } }],
    values: [
      { name: "explicit gap", label: "explicit reward, A minus B" },
      { name: "implicit gap", label: "implicit reward, A minus B" },
    ],
    draw(stage, state, data, { update }) {
      const [a, b] = SIDES.map((side) => chosen(data, state, side));
      const all = [...a.shares, ...b.shares, a.total, b.total];
      const show = nats(Math.max(...all.map(Math.abs)));
      const spread = span(all);
      const heads = span([a.explicit, b.explicit]);
      const swap = html("button", {
        type: "button", "data-key": "swap",
        click: () => update({ a_prefix: state.b_prefix, b_prefix: state.a_prefix }),
      }, "Swap the two prefixes");
      board(stage, verdict).replaceChildren(
        html("p", {}, data.prompt),
        html("div", { class: "minirm-answers" }, ...[a, b].map((side) => answer(side, spread, heads, show))),
        html("div", { class: "minirm-presets", style: "margin-top: 0.6rem" }, swap));
      const said = inWords(a, b, show);
      if (verdict.textContent !== said) verdict.textContent = said;
      return { "explicit gap": a.explicit - b.explicit, "implicit gap": a.implicit - b.implicit };
    },
  });
}

function answer({ side, tokens, shares, total, implicit, explicit, said, right }, spread, heads, show) {
  const name = side.toUpperCase();
  const row = (label, key, value, to, colour, format, more = "") =>
    html("div", { class: `minirm-token ${more}` },
      html("span", { title: label }, label), track(value, to, colour),
      number(`${side} ${key}`, value, format(value), { "aria-label": `${name}, ${label}: ${format(value)}` }));
  return html("div", {},
    html("p", { class: "minirm-said" }, html("strong", {}, `${name}: `), `“${said}”, `,
      right ? "the right answer" : "the wrong answer"),
    html("p", {}, "Implicit judge, in nats:"),
    ...tokens.map((token, k) =>
      row(token.trim() || JSON.stringify(token), `token ${k}`, shares[k], spread, "var(--minirm-im)", show)),
    row("sum", "nats", total, spread, "var(--minirm-im)", show, "minirm-sum"),
    html("p", {}, "times β: reward ",
      number(`${side} implicit`, implicit, pretty(implicit), { style: "font-weight: 700" })),
    html("p", {}, "Explicit judge, in one piece:"),
    row("reward", "explicit", explicit, heads, "var(--minirm-ex)", pretty, "minirm-sum"));
}

function inWords(a, b, show) {
  if (a.key === b.key) return "A and B are the same answer.";
  const same = a.right === b.right;
  const judge = (name, gap, by) => {
    if (!gap) return `The ${name} judge calls it a tie.`;
    const [ahead, other] = gap > 0 ? [a, b] : [b, a];
    const truth = same ? "" : ahead.right ? ": right" : `: wrong, for ${other.side.toUpperCase()} is the right answer`;
    return `The ${name} judge puts ${ahead.side.toUpperCase()} ahead by ${by}${truth}.`;
  };
  return [
    same ? "A and B mean the same, and a judge of meaning would find them equal." : "",
    judge("explicit", a.explicit - b.explicit, pretty(Math.abs(a.explicit - b.explicit))),
    judge("implicit", a.implicit - b.implicit, `${show(Math.abs(a.total - b.total))} nats`),
  ].join(" ").trim();
}

export default { render };
