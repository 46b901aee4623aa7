// What a judge says of two answers, in bars and in words.

const LABELS = {
  explicit: "explicit", "explicit, mean": "explicit, over all positions",
  implicit: "implicit", "implicit, no reference": "implicit, without a reference",
};
const STYLES = { // colour, dashes and mark of a judge: told apart in grey too
  explicit: ["var(--minirm-ex)", null, "circle"], "explicit, mean": ["var(--minirm-ex)", "6 4", "diamond"],
  implicit: ["var(--minirm-im)", null, "square"], "implicit, no reference": ["var(--minirm-im)", "6 4", "cross"],
};

/** One judge on one answer: the implicit reward token by token in nats, the explicit one in one piece. */
function judged({ reward, beta, parts }, tokens, i, totals) {
  const colour = STYLES[reward][0];
  const line = (label, value, to, show, more = "") => html("div", { class: `minirm-token ${more}` },
    html("span", { title: label }, label), track(value, to, colour), html("span", {}, show(value)));
  const title = html("p", {}, `${LABELS[reward]}:`);
  if (reward.startsWith("explicit")) return [title, line("reward", totals[i], span(totals), pretty, "minirm-sum")];
  const nat = parts.map((list) => list.map((part) => part / beta));
  const sums = totals.map((total) => total / beta), all = [...nat.flat(), ...sums];
  const show = nats(Math.max(...all.map(Math.abs)));
  return [title,
    ...tokens.map((token, k) => line(token.trim() || JSON.stringify(token), nat[i][k], span(all), show)),
    line("sum (nats)", sums[i], span(all), show, "minirm-sum")];
}

/** Which of two rewards is higher, by how much, and what is to be said of that. */
function leadInWords(name, [a, b], { which = "", unit = "", remark = "" } = {}) {
  if (a === b) return `The ${name} judge: a tie.`;
  return `The ${name} judge prefers ${a > b ? "A" : "B"}${which}, by ${pretty(Math.abs(a - b))}${unit}${remark}.`;
}
