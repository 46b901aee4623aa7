"""``minirm experiment answers-alone``."""

from __future__ import annotations

import argparse

from minirm.commands.experiment_runs import add_run_arguments, measure_all


def add(names: argparse._SubParsersAction) -> None:
    alone = names.add_parser(
        "answers-alone",
        help="what the answers of public sets give away without their questions",
        description="Judges that never see a question, on public sets of comparisons: the longer "
        "answer, one word, cue words, TF-IDF, and memory of a training set that shares prompts "
        "with its test, with the shared prompts and without. No language model is opened. The "
        "sets are read from the folder MINIRM_DATA, or fetched (with the extra hub).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_run_arguments(alone)
    alone.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import answers_alone

    runs = answers_alone.runs()
    print(answers_alone.table(measure_all("answers alone", answers_alone.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")
