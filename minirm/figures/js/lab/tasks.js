// Four exercises that can only be done here, each with a check of what the reader's own run gave.

/** The latest measurement of a judge, once the run is over; undefined before. */
const ended = (record, reward, over) => (over && record[reward]?.measured.length ? lastOf(record[reward].measured) : undefined);

/**
 * Each has a title (what is asked stands in the chapter) and check({ world, setup, record, over, perEpoch, asked }), which
 * returns [solved, a sentence]. `asked` is the last verdict on the reader's own two answers.
 */
const TASKS = [
  {
    title: "Make the explicit judge collapse",
    check({ world, setup, record, over, perEpoch }) {
      const now = ended(record, "explicit", over);
      if (!now) return [false, "Train the explicit judge to the end of a run."];
      const turned = setup.chosen.phrases.filter((p) => world.no.includes(p) && !setup.rejected.phrases.includes(p));
      if (turned.length) return [false, `“${turned[0]}” means no, and only chosen answers say it.`];
      const right = trained(record.explicit, perEpoch);
      if (right < 0.9) return [false, `It is right about ${percent(right)} of the training pairs; it has to learn them first.`];
      if (now.paraphrase >= 0.5) return [false, `It is right about ${percent(now.paraphrase)} of the paraphrases. What could it go by, if not by the phrase?`];
      return [true, `Right about ${percent(right)} of the training pairs and ${percent(now.paraphrase)} of the paraphrases: where nothing but the opening tells the sides apart, the explicit judge goes by the opening too.`];
    },
  },
  {
    title: "Turn the implicit judge round",
    check({ world, setup, record, over }) {
      const now = ended(record, "implicit", over);
      if (!now) return [false, "Train the implicit judge to the end of a run."];
      for (const side of ["chosen", "rejected"])
        if (String(setup[side].phrases) !== String(world[side].phrases)) return [false, `The ${side} phrases are not the paper’s any more.`];
      const both = `It is right about ${percent(now.paraphrase)} of the paraphrases and ${percent(now.swapped)} of the pairs with swapped prefixes.`;
      if (now.paraphrase < 0.9 || now.swapped > 0.1) return [false, both];
      return [true, `${both} The phrases are the same as before: the openings turned it round.`];
    },
  },
  {
    title: "Give the implicit judge a reward that is mostly meaning",
    check({ record, over, perEpoch }) {
      const now = ended(record, "implicit", over);
      if (!now) return [false, "Train the implicit judge to the end of a run."];
      const right = trained(record.implicit, perEpoch);
      if (right < 0.9) return [false, `It is right about ${percent(right)} of the training pairs only.`];
      if (!(now.meaning > 0.5)) return [false, `${percent(now.meaning)} of the reward is meaning, ${percent(now.opening)} the opening.`];
      return [true, `${percent(now.meaning)} of the reward is meaning. Did you take the cue away, or give it more words to learn from?`];
    },
  },
  {
    title: "One meaning, two verdicts",
    check({ record, asked, perEpoch }) {
      if (!(record.implicit?.steps.length >= perEpoch)) return [false, "Train the implicit judge for an epoch or more."];
      const judge = asked?.judges.find(({ reward }) => reward === "implicit");
      if (!judge || asked.step < perEpoch) return [false, "Now type two answers above."];
      const ends = asked.answers.map((answer) => asked.phrases.find((phrase) => answer === phrase || answer.endsWith(` ${phrase}`)));
      if (!ends[0] || ends[0] !== ends[1]) return [false, "The two answers have to end in the same phrase, one that this world knows."];
      const [a, b] = judge.parts.map((parts) => parts.reduce((x, y) => x + y, 0) / judge.beta);
      const apart = Math.abs(a - b);
      if (apart <= 20) return [false, `Both say “${ends[0]}”, and the implicit judge puts them ${pretty(apart)} nats apart.`];
      return [true, `Both say “${ends[0]}”, and the implicit judge puts them ${pretty(apart)} nats apart.`];
    },
  },
];

/** The exercises as a list; the check of each is pressed by the reader. state() is what they look at. */
function taskList(state) {
  return html("section", { class: "minirm-lab-tasks" }, html("h3", {}, "Check the four exercises"),
    html("ol", {}, ...TASKS.map(({ title, check }) => {
      const told = spoken();
      const look = () => {
        const [solved, sentence] = check(state());
        told.textContent = `${solved ? "Solved." : "Not yet."} ${sentence}`;
        told.dataset.solved = solved;
      };
      return html("li", {}, `${title} `,
        html("button", { type: "button", "data-task": title, click: look }, "Check"), told);
    })));
}
