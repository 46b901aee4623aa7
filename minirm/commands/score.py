"""``minirm score``. Rows come in and go out as they are scored; none is held back."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from minirm.commands.files import descriptor, refuse_to_write_over, written_beside
from minirm.commands.opening import add_model_arguments, open_reward
from minirm.commands.shared import BadCall, HelpFormatter, add_column_arguments, count
from minirm.data.files import Found, numbered_json_lines, read_rows
from minirm.data.formats import as_tools
from minirm.data.messages import as_text, is_transcript, out_of_json, transcript
from minirm.pairs import Encoded, Message, Text, placed, warn_of_omissions
from minirm.reward_model import RewardModel

FIELDS = ("prompt", "response", "messages", "tools", "reward")


def add(commands: argparse._SubParsersAction) -> None:
    score = commands.add_parser(
        "score",
        help="rewards of responses: rows in, JSON lines out",
        description='Read rows {"prompt": ..., "response": ...} and write each again with its '
        '"reward".\nPrompt and response are strings, or conversations; {"messages": [...]} is a '
        'conversation\nwhose last turn is scored; "tools" go to the chat template.\nRewards of '
        "different models, or of an implicit and an explicit one, are on different\nscales: "
        "compare responses to one prompt under one model.",
        epilog="example:\n"
        """  echo '{"prompt": "Do you? ", "response": "yes"}' | minirm score my-rm""",
        formatter_class=HelpFormatter,
    )
    add = score.add_argument
    add_model_arguments(score)
    add(
        "input",
        nargs="?",
        default="-",
        metavar="FILE",
        help='JSON lines, CSV or Parquet, also .gz; "-" is JSON lines from standard input',
    )
    add("--output", type=Path, metavar="FILE", help="JSON lines (default: standard output)")
    add(
        "--batch-size",
        type=count,
        default=64,
        metavar="N",
        help="rows scored together; 1 answers every line at once",
    )
    add_column_arguments(score)
    score.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if unknown := sorted(set(options.columns) - set(FIELDS)):
        raise BadCall(f"--columns here names {', '.join(FIELDS)}, got {', '.join(unknown)}")
    names = {field: options.columns.get(field, field) for field in FIELDS}
    _check_files(options)
    with ExitStack() as stack:
        out = sys.stdout
        if options.output is not None:
            out = stack.enter_context(written_beside(options.output))
        model = open_reward(options)
        rows, said = _rows(options.input), set[str]()
        while batch := list(islice(rows, options.batch_size)):
            for line in _scored(model, batch, names, said):
                out.write(line + "\n")
            out.flush()


def _check_files(options: argparse.Namespace) -> None:
    source = Path(options.input)
    if options.input == "-":
        inputs: list[Any] = descriptor(sys.stdin)
    elif source.exists() and not source.is_dir():  # a pipe too
        inputs = [source]
    else:
        raise FileNotFoundError(f"there is no file {options.input!r}")
    for folder in filter(None, (options.model, options.reference)):
        inputs += [file for file in Path(folder).rglob("*") if file.is_file()]
    if options.output is not None:
        refuse_to_write_over(options.output, inputs, f"--output {options.output}")
    else:
        for out in descriptor(sys.stdout):
            refuse_to_write_over(out, inputs, "standard output")


def _rows(source: str) -> Iterator[Found]:
    if source == "-":
        return numbered_json_lines(getattr(sys.stdin, "buffer", sys.stdin), "standard input")
    return read_rows(source)


def _scored(
    model: RewardModel, batch: Sequence[Found], names: Mapping[str, str], said: set[str]
) -> Iterator[str]:
    """The rows with their rewards, as JSON; a bad row stops after those before it are out.

    ``said`` holds what a chat template was seen to leave out, which is said once.
    """
    ready: list[tuple[str, Mapping[str, Any]]] = []
    sequences: list[Encoded] = []
    failure = None
    for place, row in batch:
        try:
            if isinstance(row, ValueError):
                raise row
            sequences.append(_encoded(model, row, names))
        except (TypeError, ValueError) as error:
            failure = placed(error, place)
            break
        ready.append((place, row))
    warn_of_omissions(sequences, said)
    if ready:
        rewards = model.score_encoded(sequences, batch_size=len(batch)).tolist()
        for (place, row), sequence, reward in zip(ready, sequences, rewards, strict=True):
            if not math.isfinite(reward):  # its own, or from one beside it in a shared row?
                reward = model.score_encoded([sequence]).item()
            if not math.isfinite(reward):
                raise ValueError(f"{place}: the reward is {reward}, which ranks nothing")
            yield _json({**row, names["reward"]: reward}, place)
    if failure is not None:
        raise failure


def _encoded(model: RewardModel, row: Mapping[str, Any], names: Mapping[str, str]) -> Encoded:
    if names["reward"] in row:
        raise ValueError(
            f"it has a {names['reward']!r} already, which would be lost: name another column, as "
            "in --columns reward=reward-2"
        )
    prompt, response = _texts(row, names)
    sequence = model.encode(prompt, response, tools=as_tools(row.get(names["tools"])))
    if model.max_length is not None and len(sequence) > model.max_length:
        raise ValueError(
            f"prompt and response have {len(sequence)} tokens, the model's context is "
            f"{model.max_length}"
        )
    return sequence


def _texts(row: Mapping[str, Any], names: Mapping[str, str]) -> tuple[Text, Text]:
    """Prompt and response of a row, in the spellings that ``minirm train`` reads."""
    if (turns := _conversation(row, names)) is not None:
        return turns[:-1], turns[-1:]
    prompt, response = row.get(names["prompt"]), row.get(names["response"])
    for field in ("prompt", "response"):
        if row.get(names[field]) is None:
            raise ValueError(f"no {names[field]!r}; it has {', '.join(map(repr, sorted(row)))}")
    if isinstance(response, str) and not isinstance(out_of_json("response", response), str):
        prompt, response = out_of_json("prompt", prompt), out_of_json("response", response)
    prompt, response = as_text("prompt", prompt), as_text("response", response)
    if isinstance(prompt, str) and not isinstance(response, str):
        prompt = [{"role": "user", "content": prompt}]
    if isinstance(response, str) and not isinstance(prompt, str):
        response = [{"role": "assistant", "content": response}]
    return prompt, response


def _conversation(row: Mapping[str, Any], names: Mapping[str, str]) -> list[Message] | None:
    """The turns of a row that holds a whole conversation, in whichever column; else None."""
    prompt, response = row.get(names["prompt"]), row.get(names["response"])
    whole = None
    if response is None:
        whole = out_of_json("messages", row.get(names["messages"]))
    elif is_transcript(response) and (not prompt or is_transcript(prompt)):
        whole = transcript("response", response)
        if prompt and transcript("prompt", prompt) != whole[:-1]:
            raise ValueError("the prompt is not what the response's dialogue begins with")
    if whole is None:
        return None
    turns = as_text("conversation", whole)
    if isinstance(turns, str) or len(turns) < 2 or turns[-1]["role"] != "assistant":
        raise ValueError("a conversation to score has turns, the last one the assistant's")
    return list(turns)


def _json(row: Mapping[str, Any], place: str) -> str:
    try:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain)
        text.encode()
    except UnicodeEncodeError:  # half a character, which JSON can only spell out
        return json.dumps(row, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place} cannot be written as JSON: {error}") from error
    return text


def _plain(value: Any) -> str:
    """Dates and times out of Parquet, as they are usually written."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"it holds a {type(value).__name__}")
