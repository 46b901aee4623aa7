"""What stands in one cell as the library has it: a string, or messages with a role and a content.

Other people's spellings of a message (from/value, content in parts, "Human: ... Assistant: ...")
become the usual one here; every other field of a message is kept for the chat template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from minirm.pairs import Message, Text

ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
}
"""ShareGPT's names for who speaks."""

# What chat templates read of a message; two copies of a turn may differ in the rest (an id).
READ = (
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "reasoning_content",
    "thinking",
)

_SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")


def as_text(field: str, value: Any) -> Text:
    """A cell as a string, or as a list of messages that each have a role.

    Args:
        field: "prompt", "chosen" or "rejected", for errors; of strings only a prompt may be empty.
        value: a string, a message, or a list of messages.

    Raises:
        TypeError: it is none of these.
        ValueError: it is empty, or cannot be read as text.

    >>> as_text("chosen", {"from": "gpt", "value": "Hello."})
    [{'role': 'assistant', 'content': 'Hello.'}]
    """
    if isinstance(value, str):
        if not value and field != "prompt":
            raise ValueError(f"the {field} is empty")
        return _whole(field, value)
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, bytes) or not value:
        raise TypeError(f"the {field} must be a string or a list of messages, got {shown(value)}")
    return [_message(field, message) for message in value]


def _message(field: str, message: Any) -> dict[str, Any]:
    turn = dict(message) if isinstance(message, Mapping) else {}
    if "role" not in turn and {"from", "value"} <= turn.keys():
        speaker = turn.pop("from")
        if speaker not in ROLES:
            raise ValueError(f"the {field} has a turn from {speaker!r}, not {', '.join(ROLES)}")
        turn = {"role": ROLES[speaker], "content": turn.pop("value"), **turn}
    turn = {name: v for name, v in turn.items() if v is not None or name == "content"}
    if not isinstance(turn.get("role"), str) or not ("content" in turn or turn.get("tool_calls")):
        raise TypeError(f"the {field} holds {shown(message)}; a message has a role and a content")
    content = turn.get("content")
    if isinstance(content, list):
        turn["content"] = content = "".join(_part(field, part) for part in content)
    if content is None and turn.get("tool_calls"):
        return turn
    if not isinstance(content, str):
        raise TypeError(f"the {field} has a turn whose content is {shown(content)}, not a string")
    _whole(field, content)
    return turn


def _part(field: str, part: Any) -> str:
    text = part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None
    if not isinstance(text, str):
        raise ValueError(f"the {field} has a part that is no text: {shown(part)}")
    return text


def _whole(field: str, text: str) -> str:
    """JSON can write half a character, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise ValueError(f"the {field} holds half a character, {half!r} alone") from error
    return text


def out_of_json(field: str, value: Any) -> Any:
    """A conversation that is written as JSON in a string, as a CSV has to; else ``value`` itself.

    >>> out_of_json("chosen", '[{"role": "user", "content": "Hi?"}]')
    [{'role': 'user', 'content': 'Hi?'}]
    """
    if not isinstance(value, str) or not re.match(r"\s*\[\s*\{", value):
        return value
    try:
        turns = json.loads(value)
    except ValueError:
        if re.search(r"'(role|from)': '", value):  # what str() makes of a list
            raise ValueError(
                f"the {field} seems to be messages as Python prints them, which is no JSON; save "
                f"the data as JSON lines: {shown(value)}"
            ) from None
        return value
    spelt = all(
        isinstance(turn, dict) and ({"role", "content"} <= turn.keys() or "from" in turn)
        for turn in turns
    )
    return turns if spelt else value


def is_transcript(value: Any) -> bool:
    """Whether a cell begins as HH-RLHF's dialogues do.

    >>> is_transcript("\\n\\nHuman: Hi?\\n\\nAssistant: Hello."), is_transcript("Hi?")
    (True, False)
    """
    return isinstance(value, str) and value.lstrip().startswith("Human:")


def transcript(field: str, text: str) -> list[Message]:
    """The turns of a dialogue as HH-RLHF writes it; one blank after each colon is the format's.

    Args:
        field: "prompt", "chosen" or "rejected", for errors.
        text: "Human: ...", blank line, "Assistant: ...", and so on.

    Raises:
        ValueError: it does not begin with "Human:", or (but for a prompt) no answer ends it.

    >>> transcript("chosen", "\\n\\nHuman: Hi?\\n\\nAssistant: Hello.")
    [{'role': 'user', 'content': 'Hi?'}, {'role': 'assistant', 'content': 'Hello.'}]
    """
    if not is_transcript(text):
        raise ValueError(f'the {field} does not begin with "Human:": {shown(text)}')
    _, *pieces = _SPEAKER.split(_whole(field, text))
    turns: list[Message] = [
        {"role": ROLES[speaker.lower()], "content": said.removeprefix(" ")}
        for speaker, said in zip(pieces[::2], pieces[1::2], strict=True)
    ]
    if field != "prompt" and (turns[-1]["role"] != "assistant" or not turns[-1]["content"]):
        raise ValueError(f"the {field} does not end in an answer: {shown(text[-60:])}")
    if turns[-1] == {"role": "assistant", "content": ""}:
        turns.pop()  # a prompt's "Assistant:" only asks for the answer
    return turns


def same_turn(a: Message, b: Message) -> bool:
    """Whether two messages say the same to a chat template.

    >>> same_turn({"role": "user", "content": "Q", "id": 1}, {"role": "user", "content": "Q"})
    True
    """
    return all(a.get(name) == b.get(name) for name in READ)


def common_turns(chosen: Sequence[Message], rejected: Sequence[Message]) -> list[Message]:
    """The turns that both begin with, each without what the two say differently of it (an id).

    The last turn of either is never among them: it is (part of) a response.
    """
    common: list[Message] = []
    for a, b in zip(chosen[:-1], rejected[:-1], strict=False):
        if not same_turn(a, b):
            break
        common.append({name: v for name, v in a.items() if name in READ or b.get(name) == v})
    return common


def three_parts(
    prompt: Any, chosen: Any, rejected: Any, *, system: Any = None
) -> tuple[Text, Text, Text]:
    """Prompt, chosen and rejected: all three strings, or all three conversations.

    Args:
        prompt: a string, messages, or None where two conversations begin with it.
        chosen: a string, a message or messages; a string that answers messages becomes a turn.
        rejected: the same.
        system: the text of a first turn, for conversations; None for none.

    Raises:
        TypeError, ValueError: they do not fit together, or one is empty.

    >>> prompt, chosen, _ = three_parts([{"role": "user", "content": "Hi?"}], "Hello.", "No.")
    >>> chosen
    [{'role': 'assistant', 'content': 'Hello.'}]
    """
    chosen, rejected = as_text("chosen", chosen), as_text("rejected", rejected)
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise TypeError("chosen and rejected must both be strings or both be conversations")
    if chosen == rejected:
        raise ValueError("chosen and rejected are the same, so no reward can tell them apart")
    if isinstance(chosen, str) and isinstance(prompt, str) and not system:
        return as_text("prompt", prompt), chosen, rejected
    if isinstance(chosen, str):
        if prompt is None or prompt == []:
            raise ValueError(
                "two strings need a prompt, and there is none: name its column "
                "(--columns prompt=...)"
            )
        chosen, rejected = ([{"role": "assistant", "content": t}] for t in (chosen, rejected))
    prompt, chosen, rejected = _from_conversations(prompt, chosen, rejected)
    return _with_system(prompt, system), chosen, rejected


def _from_conversations(
    prompt: Any, chosen: Sequence[Message], rejected: Sequence[Message]
) -> tuple[Sequence[Message], Sequence[Message], Sequence[Message]]:
    """Split off the turns in common; a prompt column must agree with them, or stand for them."""
    common = common_turns(chosen, rejected)
    chosen, rejected = chosen[len(common) :], rejected[len(common) :]
    for field, turns in (("chosen", chosen), ("rejected", rejected)):
        if turns[0]["role"] != "assistant":
            raise ValueError(
                f"{field} goes on with a turn of {turns[0]['role']!r} where the two conversations "
                "part; they must share every turn before an assistant's"
            )
        if not any(turn.get("content") or turn.get("tool_calls") for turn in turns):
            raise ValueError(f"the {field} is empty")
    if not prompt:
        if not common:
            raise ValueError("there is no prompt: no column, and no turn that both begin with")
        return common, chosen, rejected
    return _agreed(as_text("prompt", prompt), common), chosen, rejected


def _agreed(given: Text, common: Sequence[Message]) -> Sequence[Message]:
    """The prompt's column and the turns in common, as one prompt."""
    if isinstance(given, str):
        if not common:
            return [{"role": "user", "content": given}]
        said = [str(turn.get("content")).strip() for turn in common if turn["role"] == "user"]
        if given.strip() not in said:
            raise ValueError(f"the prompt is {shown(given)}, the conversations begin with another")
        return common
    if not common:
        return given
    if len(given) <= len(common) and all(map(same_turn, given, common)):
        return common
    if given[-1]["role"] == "user" and common[0]["role"] == "assistant":
        return [*given, *common]
    raise ValueError("the prompt's turns and the turns that both conversations begin with differ")


def _with_system(prompt: Sequence[Message], system: Any) -> Sequence[Message]:
    if not system:
        return prompt
    if not isinstance(system, str):
        raise TypeError(f"the system must be a string, got {shown(system)}")
    turn = {"role": "system", "content": system}
    if prompt[0]["role"] != "system":
        return [turn, *prompt]
    if not same_turn(prompt[0], turn):
        raise ValueError("the system's column and the system's turn of the prompt differ")
    return prompt


def shown(value: Any) -> str:
    """A value as an error repeats it: in one line, and not over 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
