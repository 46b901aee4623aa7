"""``minirm score``: what it reads, what it writes, and what it never writes over."""

import gzip
import io
import json
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from calling import call, lines, start, write_rows
from tiny import PAIRS, byte_tokenizer, llama3_tokenizer, qwen_tokenizer, tiny, tokenizer, user

from minirm import ExplicitRM, ImplicitRM
from minirm.pairs import TextFormat

ROWS = [{"prompt": p.prompt, "response": p.chosen, "id": i} for i, p in enumerate(PAIRS)]


def scored(capsys, *arguments):
    assert call("score", *arguments) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def expected(rows=ROWS, folder="rm"):
    rm = ExplicitRM.from_pretrained(folder)
    return rm.score([row["prompt"] for row in rows], [row["response"] for row in rows]).tolist()


def rewards(rows):
    return pytest.approx([row["reward"] for row in rows], abs=1e-6)


def test_every_row_gets_its_reward_and_keeps_the_rest(here, capsys, monkeypatch):
    text = "\n\n".join(json.dumps(row) for row in ROWS)
    Path("in.jsonl").write_text(text)
    for size in (1, 3, 100):
        found = scored(capsys, "rm", "in.jsonl", "--batch-size", size)
        assert [{k: v for k, v in row.items() if k != "reward"} for row in found] == ROWS
        assert expected() == rewards(found)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert scored(capsys, "rm") == found
    assert call("score", "rm", "in.jsonl", "--output", "out.jsonl") == 0
    assert [json.loads(line) for line in lines("out.jsonl")] == found
    assert not Path("out.jsonl.partial").exists()


# ------------------------------------------------------------------------- what it reads


def test_columns_and_a_second_reward_have_names(here, capsys):
    write_rows("in.jsonl", [{"q": "Q ", "a": "yes", "reward": "first prize"}])
    assert call("score", "rm", "in.jsonl", "--columns", "prompt=q,response=a") == 1
    said = capsys.readouterr().err
    assert said.startswith("minirm: in.jsonl, line 1: it has a 'reward' already")
    columns = "prompt=q,response=a,reward=second"
    (row,) = scored(capsys, "rm", "in.jsonl", "--columns", columns)
    (second,) = expected([{"prompt": "Q ", "response": "yes"}])
    assert row == {
        "q": "Q ", "a": "yes", "reward": "first prize", "second": pytest.approx(second, abs=1e-6)
    }  # fmt: skip
    assert call("score", "rm", "in.jsonl", "--columns", "chosen=a") == 2
    assert "--columns here names prompt, response" in capsys.readouterr().err


def write_gzip(name, text):
    with gzip.open(name, "wt", encoding="utf-8") as file:
        file.write(text)


def as_lines(rows, start=""):
    return start + "".join(json.dumps(row) + "\n" for row in rows)


FILES = {
    "in.jsonl": lambda name: Path(name).write_text(as_lines(ROWS, "\ufeff"), "utf-8"),
    "in.jsonl.gz": lambda name: write_gzip(name, as_lines(ROWS)),
    "in.json": lambda name: Path(name).write_text(json.dumps(ROWS)),
    "in.csv": lambda name: Path(name).write_text(
        "prompt,response\n" + "".join(f'"{p}","{r}"\n' for p, r in QUOTED), "utf-8-sig"
    ),
    "in.tsv.gz": lambda name: write_gzip(
        name, "prompt\tresponse\n" + "".join(f'"{p}"\t"{r}"\n' for p, r in QUOTED)
    ),
}
QUOTED = [(row["prompt"].replace('"', '""'), row["response"]) for row in ROWS]


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_form_are_read(name, here, capsys):
    FILES[name](name)
    assert expected() == rewards(scored(capsys, "rm", name))


@pytest.mark.needs("pyarrow")
def test_parquet_is_read_and_its_dates_are_written(here, capsys):
    import datetime

    import pyarrow
    from pyarrow import parquet

    day = datetime.datetime(2026, 1, 31, 12)
    parquet.write_table(pyarrow.Table.from_pylist([r | {"when": day} for r in ROWS]), "in.parquet")
    found = scored(capsys, "rm", "in.parquet")
    assert expected() == rewards(found)
    assert {row["when"] for row in found} == {"2026-01-31T12:00:00"}


TURNS = [*user("Hi?"), {"role": "assistant", "content": "Hello."}]
HH = "\n\nHuman: Hi?\n\nAssistant: Hello."
PART = {"type": "text", "text": "Hello."}
TOOLS = [{"type": "function", "function": {"name": "time", "parameters": {}}}]
CALL = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "time"}}]}
WITH_TOOLS = (
    "{% if tools %}{{ tools | tojson }}{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def chatting(here):
    words = qwen_tokenizer(template=WITH_TOOLS)
    big = tiny("llama", vocab=len(words), max_position_embeddings=512)
    ExplicitRM(big, words).save_pretrained("chat-rm")
    return ExplicitRM.from_pretrained("chat-rm")


@pytest.mark.parametrize(
    ("row", "tools"),
    [
        ({"prompt": TURNS[:1], "response": TURNS[1:]}, None),
        ({"prompt": "Hi?", "response": TURNS[1:]}, None),
        ({"prompt": TURNS[:1], "response": "Hello."}, None),
        ({"messages": TURNS}, None),
        ({"prompt": None, "response": None, "messages": TURNS}, None),
        ({"prompt": TURNS[:1], "response": {"from": "gpt", "value": "Hello."}}, None),
        ({"messages": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hello."}]},
         None),
        ({"messages": [TURNS[0], {"role": "assistant", "content": [PART]}]}, None),
        ({"response": HH}, None),
        ({"prompt": "Human: Hi?\n\nAssistant:", "response": HH}, None),
        ({"prompt": json.dumps(TURNS[:1]), "response": json.dumps(TURNS[1:])}, None),
        ({"messages": json.dumps(TURNS)}, None),
        ({"messages": TURNS, "tools": TOOLS}, TOOLS),
        ({"messages": TURNS, "tools": json.dumps(TOOLS)}, TOOLS),
        ({"messages": TURNS, "tools": []}, None),
    ],
)  # fmt: skip
def test_a_conversation_is_the_same_in_every_spelling(row, tools, chatting, capsys):
    write_rows("in.jsonl", [row])
    (found,) = scored(capsys, "chat-rm", "in.jsonl")
    sequence = chatting.encode(TURNS[:1], TURNS[1:], tools=tools)
    assert found["reward"] == pytest.approx(chatting.score_encoded([sequence]).item(), abs=1e-5)
    assert found == row | {"reward": found["reward"]}


def test_calls_of_tools_are_read(chatting, capsys):
    other = {**CALL, "tool_calls": [{"function": {"name": "date"}}]}
    rows = [{"prompt": TURNS[:1], "response": [answer]} for answer in (CALL, other)]
    write_rows("in.jsonl", rows)
    first, second = scored(capsys, "chat-rm", "in.jsonl")
    assert abs(first["reward"] - second["reward"]) > 1e-4


NO_ROWS = {
    '{"prompt": "Q "}': "no 'response'; it has 'prompt'",
    '{"response": "yes", "messages": null}': "no 'prompt'; it has 'messages', 'response'",
    '{"prompt": "Q ", "response": ""}': "the response is empty",
    '{"prompt": "Human: Ho?", "response": "Human: Hi?\\n\\nAssistant: Yes."}': "begins with",
    '{"prompt": "Q ", "response": 3}': "the response must be a string or a list of messages",
    '{"prompt": "Q ", "response": "a\\ud83d"}': "half a character",
    '{"messages": [{"role": "user", "content": "Q"}]}': "the last one the assistant's",
    '{"messages": "Q"}': "the last one the assistant's",
    '{"prompt": "Q ", "response": "yes", "tools": "[{"}': "the tools are not JSON",
    '{"prompt": "Q ", "response": "' + "yes " * 200 + '"}': "the model's context is 128",
    '["Q ", "yes"]': "no JSON object",
    "{": "not JSON",
}


@pytest.mark.parametrize("bad", NO_ROWS)
@pytest.mark.parametrize("size", [1, 64])
def test_a_bad_row_is_named_by_its_line_and_those_before_it_are_scored(bad, size, here, capsys):
    Path("in.jsonl").write_text(as_lines(ROWS[:2]) + "\n" + bad + "\n" + as_lines(ROWS[2:]))
    assert call("score", "rm", "in.jsonl", "--batch-size", size) == 1
    out, errors = capsys.readouterr()
    assert expected(ROWS[:2]) == rewards(map(json.loads, out.splitlines()))
    assert errors.startswith("minirm: in.jsonl, line 4")
    assert NO_ROWS[bad] in errors
    assert errors.count("\n") == 1


# ------------------------------------------------------------------------- rewards that are none


def broken_for(word):
    """A model whose reward is not finite where a word of this kind is in the text."""
    rm = ExplicitRM(tiny(), tokenizer())
    (token, *_) = tokenizer()(word, add_special_tokens=False)["input_ids"]
    rm.model.get_input_embeddings().weight.data[token] = float("nan")
    rm.save_pretrained("broken")


@pytest.mark.parametrize("size", [1, 64])
def test_a_reward_that_is_nan_is_an_error_with_its_line(size, here, capsys):
    broken_for("nope")
    rows = [{"prompt": "Q ", "response": r} for r in ("yes", "wrong", "nope", "no")]
    write_rows("in.jsonl", rows)
    run = ("score", "broken", "in.jsonl", "--batch-size", size)
    assert call(*run) == 1
    out, errors = capsys.readouterr()
    assert [json.loads(line)["response"] for line in out.splitlines()] == ["yes", "wrong"]
    assert errors == "minirm: in.jsonl, line 3: the reward is nan, which ranks nothing\n"
    assert call(*run, "--output", "out.jsonl") == 1
    said = capsys.readouterr().err
    assert said.endswith("; what was written until then is in out.jsonl.partial\n")
    assert not Path("out.jsonl").exists()
    assert len(lines("out.jsonl.partial")) == 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "[1, -Infinity]"])
def test_no_column_is_passed_on_as_what_json_has_no_word_for(value, here, capsys):
    Path("in.jsonl").write_text('{"prompt": "Q ", "response": "yes", "x": %s}' % value)  # noqa: UP031
    assert call("score", "rm", "in.jsonl") == 1
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("minirm: in.jsonl, line 1 cannot be written as JSON")


def test_half_a_character_in_another_column_is_passed_on(here, capsys):
    write_rows("in.jsonl", [{"prompt": "Q ", "response": "yes", "by": "\ud83d"}])
    (row,) = scored(capsys, "rm", "in.jsonl")
    assert row["by"] == "\ud83d"


# ------------------------------------------------------------------------- files


@pytest.mark.parametrize("spelling", ["same", "symlink", "hard link", "absolute", "round about"])
def test_the_input_is_never_the_output(spelling, here, capsys):
    write_rows("in.jsonl", ROWS)
    before = Path("in.jsonl").read_bytes()
    other = {"absolute": str(here / "in.jsonl"), "round about": "rm/../in.jsonl"}.get(spelling)
    if spelling == "symlink":
        Path("other.jsonl").symlink_to("in.jsonl")
    elif spelling == "hard link":
        Path("other.jsonl").hardlink_to("in.jsonl")
    other = other or ("in.jsonl" if spelling == "same" else "other.jsonl")
    for source, output in (("in.jsonl", other), (other, "in.jsonl")):
        assert call("score", "rm", source, "--output", output) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"minirm: --output {output} is a file that is read here")
    assert Path("in.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["model.safetensors", "minirm.json", "config.json"])
def test_a_file_of_the_model_is_never_the_output(name, here, capsys):
    write_rows("in.jsonl", ROWS)
    before = Path("rm", name).read_bytes()
    assert call("score", "rm", "in.jsonl", "--output", f"rm/{name}") == 1
    assert "is a file that is read here" in capsys.readouterr().err
    assert Path("rm", name).read_bytes() == before


@pytest.mark.parametrize("how", ["< in.jsonl --output in.jsonl", "in.jsonl >> in.jsonl"])
def test_the_shell_does_not_hide_that_it_is_the_same_file(how, here, capsys, monkeypatch):
    write_rows("in.jsonl", ROWS)
    before = Path("in.jsonl").read_bytes()
    with open("in.jsonl") as read, open("in.jsonl", "a") as write:
        if how.startswith("<"):
            monkeypatch.setattr(sys, "stdin", read)
            assert call("score", "rm", "--output", "in.jsonl") == 1
        else:
            monkeypatch.setattr(sys, "stdout", write)
            assert call("score", "rm", "in.jsonl") == 1
    assert "is a file that is read here, and would be lost" in capsys.readouterr().err
    assert Path("in.jsonl").read_bytes() == before


def test_a_place_for_output_that_takes_none_is_named_before_any_work(here, capsys, monkeypatch):
    monkeypatch.setattr("minirm.commands.score.open_reward", None)  # it would be a TypeError
    write_rows("in.jsonl", ROWS)
    for output, complaint in (("rm", "is a folder: give a file"), ("no/out", "no folder 'no'")):
        assert call("score", "rm", "in.jsonl", "--output", output) == 1
        assert complaint in capsys.readouterr().err
    assert not Path("rm.partial").exists()


def test_a_run_that_fails_leaves_the_older_file(here, capsys):
    Path("out.jsonl").write_text("an older one")
    Path("in.jsonl").write_text(as_lines(ROWS[:1]) + "{")
    assert call("score", "rm", "in.jsonl", "--output", "out.jsonl") == 1
    assert Path("out.jsonl").read_text() == "an older one"
    assert len(lines("out.jsonl.partial")) == 1
    capsys.readouterr()
    write_rows("in.jsonl", ROWS)
    assert call("score", "rm", "in.jsonl", "--output", "out.jsonl") == 1  # it may be running
    assert "out.jsonl.partial holds what a run wrote" in capsys.readouterr().err
    Path("out.jsonl.partial").unlink()
    assert call("score", "rm", "in.jsonl", "--output", "out.jsonl") == 0
    assert len(lines("out.jsonl")) == len(ROWS)


@contextmanager
def heard():
    """A program started here hears Ctrl-C, which a shell has those ignore that it started with &.

    What ignores a signal passes that on to whatever it starts; a handler it does not.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_a_run_that_is_stopped_says_where_its_part_is(here):
    Path("out.jsonl").write_text("an older one")
    with heard():
        program = start("score", "rm", "--batch-size", 1, "--output", "out.jsonl")
    with program:
        program.stdin.write(json.dumps(ROWS[0]) + "\n")
        program.stdin.flush()
        part = Path("out.jsonl.partial")
        while not (part.exists() and part.stat().st_size):  # as long as it takes to import torch
            assert program.poll() is None, program.stderr.read()
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        program.wait()  # with its input open: it is the signal that ends it, and not the end
        errors = program.stderr.read()
    assert program.returncode == 1
    said = "minirm: stopped; what was written until then is in out.jsonl.partial\n"
    assert errors == said
    assert len(lines(part)) == 1
    assert Path("out.jsonl").read_text() == "an older one"


# ------------------------------------------------------------------------- in a pipe


@pytest.mark.slow
def test_it_answers_before_its_input_ends_and_a_bad_row_is_named(here):
    program = start("score", "rm", "--batch-size", 1)
    for response in ("yes", "no"):
        program.stdin.write(json.dumps({"prompt": "Q ", "response": response}) + "\n")
        program.stdin.flush()
        assert "reward" in json.loads(program.stdout.readline())
    out, errors = program.communicate(json.dumps({"prompt": "Q "}) + "\n", timeout=60)
    assert (program.returncode, out) == (1, "")
    assert errors == "minirm: standard input, line 3: no 'response'; it has 'prompt'\n"


@pytest.mark.slow
def test_who_reads_on_no_more_hears_no_complaint(here):
    program = start("score", "rm", "--batch-size", 1)
    rows = iter(ROWS * 50)
    program.stdin.write(as_lines([next(rows)]))
    program.stdin.flush()
    program.stdout.readline()
    program.stdout.close()
    with suppress(BrokenPipeError):
        for row in rows:
            program.stdin.write(as_lines([row]))
            program.stdin.flush()
            time.sleep(0.05)
    assert next(rows, None), "it read to the end, though nobody listened"
    with suppress(BrokenPipeError):
        program.stdin.close()
    with program.stderr:
        assert program.stderr.read() == ""
    assert program.wait(60) == 0


# ------------------------------------------------------------------------- how text is read


def save_with(text_format, name, template_words=None):
    words = template_words or tokenizer()
    base = tiny(vocab=len(words)) if template_words else tiny()
    ExplicitRM(base, words, text_format=text_format).save_pretrained(name)


@pytest.mark.parametrize("separator", [" ", "\n\n", "\t- "])
def test_a_separator_is_kept_with_the_model_and_used(separator, here, capsys):
    save_with(TextFormat(separator=separator), "spaced")
    write_rows("in.jsonl", [{"prompt": "Q", "response": "yes"}])
    (row,) = scored(capsys, "spaced", "in.jsonl")
    (right,) = expected([{"prompt": "Q" + separator, "response": "yes"}])
    assert row["reward"] == pytest.approx(right, abs=1e-6)
    typed = separator.replace("\n", "\\n").replace("\t", "\\t")
    assert scored(capsys, "spaced", "in.jsonl", "--separator", typed) == [row]
    for other in (["--separator", "/"], ["--chat"]):
        assert call("score", "spaced", "in.jsonl", *other) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"minirm: {other[0]}")
        assert "'spaced' was trained with" in said
        assert said.count("\n") == 1


def test_turns_are_kept_with_the_model_and_made(here, capsys):
    words = llama3_tokenizer()
    save_with(TextFormat(chat=True), "chat", words)
    write_rows("in.jsonl", [{"prompt": "Hi?", "response": "Hello."}, {"messages": TURNS}])
    strings, turns = scored(capsys, "chat", "in.jsonl")
    assert strings["reward"] == pytest.approx(turns["reward"], abs=1e-6)
    assert scored(capsys, "chat", "in.jsonl", "--chat") == [strings, turns]
    assert call("score", "chat", "in.jsonl", "--separator", " ") == 1
    assert "'chat' was trained with separator=''" in capsys.readouterr().err


@pytest.mark.parametrize("whose", ["somebody else's", "an earlier version's"])
def test_a_folder_that_says_nothing_of_text_is_read_as_the_call_says(whose, here, capsys):
    words = llama3_tokenizer()
    save_with(None, "published", words)
    settings = Path("published/minirm.json")
    if whose == "somebody else's":
        settings.unlink()
    else:
        known = json.loads(settings.read_text())
        del known["text_format"]
        settings.write_text(json.dumps(known))
    write_rows("in.jsonl", [{"prompt": "Hi?", "response": "Hello."}])
    rm = ExplicitRM.from_pretrained("published")
    for options, texts in (
        ([], ("Hi?", "Hello.")),
        (["--separator", "\\n"], ("Hi?\n", "Hello.")),
        (["--chat"], (TURNS[:1], TURNS[1:])),
    ):
        (row,) = scored(capsys, "published", "in.jsonl", *options)
        right = rm.score([texts[0]], [texts[1]]).item()
        assert row["reward"] == pytest.approx(right, abs=1e-6)


# ------------------------------------------------------------------------- a policy of DPO


def save_base(name, seed, words=None, **changes):
    words = words or tokenizer()
    tiny(seed=seed, vocab=len(words), **changes).save_pretrained(name)
    words.save_pretrained(name)


@pytest.mark.parametrize("beta", [None, 0.5])
def test_a_policy_and_its_reference_are_an_implicit_reward(beta, here, capsys):
    save_base("policy", 1)
    write_rows("in.jsonl", ROWS)
    more = [] if beta is None else ["--beta", beta]
    found = scored(capsys, "policy", "in.jsonl", "--reference", "base", *more)
    rm = ImplicitRM(tiny(seed=1), tokenizer(), reference=tiny(), beta=beta or 0.01)
    right = rm.score([r["prompt"] for r in ROWS], [r["response"] for r in ROWS]).tolist()
    assert max(map(abs, right)) > 0.01
    assert right == rewards(found)


REFUSED = {
    "no reference": (["policy"], 1, "'policy' is a language model, which is no reward by itself"),
    "beta alone": (["policy", "--beta", "1"], 2, "--beta is for an implicit reward"),
    "ours": (["rm", "--reference", "base"], 1, "'rm' is an explicit reward that was saved with"),
    "a classifier": (["other-rm", "--reference", "base"], 1, "'other-rm' is a classifier"),
    "no such reference": (["policy", "--reference", "./no"], 1, "minirm: no model './no'"),
    "another vocabulary": (["policy", "--reference", "bytes"], 1, "has another vocabulary"),
    "a reference too small": (["grown", "--reference", "base"], 1, "rows in its embedding"),
    "no such model": (["./no"], 1, "there is no folder './no'"),
    "no such name": (["nobody/nothing"], 1, "no model 'nobody/nothing'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_holds_no_reward_is_refused_in_one_line(case, here, capsys):
    arguments, status, complaint = REFUSED[case]
    if "policy" in arguments:
        save_base("policy", 1)
    if "bytes" in arguments:
        save_base("bytes", 1, byte_tokenizer(pad="<pad>"))
    if "grown" in arguments:
        grown = tokenizer().from_pretrained("base")
        grown.add_tokens([f"<new-{i}>" for i in range(9)])
        save_base("grown", 1, grown)
    if "other-rm" in arguments:
        save_with(None, "other-rm")
        Path("other-rm/minirm.json").unlink()
    write_rows("in.jsonl", ROWS)
    assert call("score", arguments[0], "in.jsonl", *arguments[1:]) == status
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


def test_a_folder_of_ours_on_the_hub_is_opened_as_what_it_is(here, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "minirm.commands.opening.hf_hub_download", lambda name, file: asked.append((name, file))
    )
    monkeypatch.setattr("minirm.commands.opening.snapshot_download", lambda name: str(here / "im"))
    ImplicitRM(tiny(seed=1), tokenizer(), reference=tiny(), beta=0.5).save_pretrained("im")
    write_rows("in.jsonl", ROWS)
    found = scored(capsys, "owner/name", "in.jsonl")
    assert asked == [("owner/name", "minirm.json")]
    assert found == scored(capsys, "im", "in.jsonl")
