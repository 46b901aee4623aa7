"""From text to token ids: the boundary, the EOS, and every row that cannot be trained on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import (
    PAIRS,
    QWEN,
    THINKING,
    assistant,
    byte_tokenizer,
    llama3_tokenizer,
    patient,
    qwen_tokenizer,
    tokenizer,
    user,
)

from minirm import PreferencePair
from minirm.pairs import Dropped, Encoded, encode, encode_pairs

GOOD = PreferencePair("Do you? ", "yes", "no")
TEXT = st.text(min_size=1, max_size=12).filter(lambda t: "<" not in t)


def world(prompt, response):
    return encode(tokenizer(), prompt, response)


def encode_all(rows, **options):
    return encode_pairs(rows, world, **options)


def decode(tok, ids):
    return tok.decode(ids, clean_up_tokenization_spaces=False)


# ------------------------------------------------------------------------- strings and their end


@given(prompt=TEXT, response=TEXT)
@patient
def test_prompt_and_response_come_back_as_they_were_with_no_space_added_or_eaten(prompt, response):
    encoded = world(prompt, response)
    assert decode(tokenizer(), encoded.prompt) == "<bos>" + prompt
    assert decode(tokenizer(), encoded.response) == response + "<eos>"


def test_the_boundary_holds_where_the_tokenizer_would_merge_across_it():
    tok = byte_tokenizer(merges=[("Ġ", "$")])
    assert len(tok("Price: $5")["input_ids"]) < len(tok("Price: ")["input_ids"] + [1, 1])
    chosen, rejected = encode(tok, "Price: ", "$5"), encode(tok, "Price: ", "five")
    assert chosen.prompt == rejected.prompt
    assert decode(tok, chosen.prompt) == "Price: "
    assert decode(tok, chosen.response) == "$5</s>"


def test_responses_that_share_their_first_words_keep_them():
    (pair,), _ = encode_all([PreferencePair("Capital? ", "yes of course", "yes")])
    assert decode(tokenizer(), pair.chosen.response) == "yes of course<eos>"
    assert decode(tokenizer(), pair.rejected.response) == "yes<eos>"
    assert pair.chosen.prompt == pair.rejected.prompt


@pytest.mark.parametrize("response", ["yes", "yes<eos>", "yes<eos><eos>"])
def test_a_plain_response_ends_in_exactly_one_eos(response):
    assert world("Do you? ", response) == world("Do you? ", "yes")
    assert world("Do you? ", response).response.count(tokenizer().eos_token_id) == 1


def test_trailing_white_space_of_a_plain_response_stays_before_its_eos():
    assert decode(tokenizer(), world("Do you? ", "yes \n").response) == "yes \n<eos>"


def test_an_eos_that_the_tokenizer_adds_itself_ends_no_prompt_and_doubles_no_response():
    tok = byte_tokenizer(bos="<s>", adds_bos=True, adds_eos=True)
    encoded = encode(tok, "Q: ", "A")
    assert decode(tok, encoded.prompt) == "<s>Q: "
    assert decode(tok, encoded.response) == "A</s>"


@pytest.mark.parametrize("prompt", ["Q: ", "<s>Q: "])
def test_a_plain_prompt_begins_with_the_tokenizers_bos_once(prompt):
    tok = byte_tokenizer(bos="<s>", adds_bos=True)
    assert decode(tok, encode(tok, prompt, "A").prompt) == "<s>Q: "


def test_a_tokenizer_that_adds_no_bos_gets_none():
    tok = byte_tokenizer(bos="<s>")
    assert decode(tok, encode(tok, "Q: ", "A").prompt) == "Q: "


@pytest.mark.parametrize("adds_eos", [False, True])
def test_an_empty_prompt_is_the_bos_alone(adds_eos):
    tok = byte_tokenizer(bos="<s>", adds_bos=True, adds_eos=adds_eos)
    assert decode(tok, encode(tok, "", "A").prompt) == "<s>"


def test_an_empty_prompt_with_no_bos_is_an_error():
    with pytest.raises(ValueError, match="the prompt '' encodes to no token"):
        encode(byte_tokenizer(), "", "A")


def test_a_tokenizer_with_no_eos_is_an_error():
    with pytest.raises(ValueError, match=r"row 0, chosen: .* has no EOS token"):
        encode_pairs([GOOD], lambda p, r: encode(byte_tokenizer(eos=None), p, r))


def test_a_response_that_the_tokenizer_swallows_is_an_error():
    from tokenizers import normalizers

    tok = byte_tokenizer()
    tok.backend_tokenizer.normalizer = normalizers.Strip()
    with pytest.raises(ValueError, match=r"row 0, rejected: the response ' ' encodes to no token"):
        encode_pairs([PreferencePair("Q", "A", " ")], lambda p, r: encode(tok, p, r))


# ------------------------------------------------------------------------- conversations


def test_a_template_with_its_own_bos_gets_no_second_one():
    tok = llama3_tokenizer()
    text = decode(tok, encode(tok, user("Q"), assistant("A")).prompt)
    assert text == "<|begin|><|h|>user<|/h|>\n\nQ<|eot|><|h|>assistant<|/h|>\n\n"


def test_a_template_that_ends_in_eos_gets_no_second_one():
    tok = llama3_tokenizer()
    assert decode(tok, encode(tok, user("Q"), assistant("A")).response) == "A<|eot|>"


def test_what_a_template_puts_after_its_eos_is_kept():
    tok = qwen_tokenizer()
    assert decode(tok, encode(tok, user("Q"), assistant("A")).response) == "A<|im_end|>\n"


def test_a_template_without_an_eos_gets_one():
    tok = qwen_tokenizer(QWEN.replace("<|im_end|>", ""))
    assert decode(tok, encode(tok, user("Q"), assistant("A")).response) == "A\n<|im_end|>"


def test_an_empty_thought_that_is_gone_in_context_is_no_part_of_the_prompt():
    tok = qwen_tokenizer(THINKING)
    encoded = encode(tok, user("Q"), assistant("A"))
    assert decode(tok, encoded.prompt).endswith("<|im_start|>assistant\n")
    assert decode(tok, encoded.response) == "A<|im_end|>\n"


def test_both_sides_share_their_prompt_where_one_renders_like_the_generation_prompt():
    """The first answer spells the empty thought out, so alone its boundary would lie behind it."""
    tok = qwen_tokenizer(THINKING)
    row = PreferencePair(user("Q"), assistant("<think>\n\n</think>\n\nA"), assistant("B"))
    (pair,), _ = encode_pairs([row], lambda p, r: encode(tok, p, r))
    assert pair.chosen.prompt == pair.rejected.prompt
    assert decode(tok, pair.chosen.response) == "<think>\n\n</think>\n\nA<|im_end|>\n"
    assert decode(tok, pair.rejected.response) == "B<|im_end|>\n"


def test_a_merge_across_a_templates_boundary_moves_it_to_the_last_common_token():
    r"""The prompt ends in "\n", an answer begins with one, and "\n\n" is one token."""
    tok = qwen_tokenizer(merges=[("Ċ", "Ċ")])
    row = PreferencePair(user("Q"), assistant("\nA"), assistant("B"))
    (pair,), _ = encode_pairs([row], lambda p, r: encode(tok, p, r))
    assert pair.chosen.prompt == pair.rejected.prompt
    assert decode(tok, pair.chosen.prompt).endswith("<|im_start|>assistant")
    assert decode(tok, pair.chosen.response) == "\n\nA<|im_end|>\n"
    assert decode(tok, pair.rejected.response) == "\nB<|im_end|>\n"


def test_a_conversation_of_several_turns_is_a_prompt():
    tok = qwen_tokenizer()
    encoded = encode(tok, user("Q") + assistant("A") + user("Sure?"), assistant("Yes"))
    assert decode(tok, encoded.prompt).count("<|im_start|>") == 4
    assert decode(tok, encoded.response) == "Yes<|im_end|>\n"


def test_a_conversation_needs_a_chat_template():
    with pytest.raises(ValueError, match=r"row 0, chosen: .* has no chat template"):
        encode_all([PreferencePair(user("Q"), assistant("A"), assistant("B"))])


def test_a_template_that_refuses_is_named_with_its_reason():
    tok = qwen_tokenizer("{{ raise_exception('roles must alternate') }}")
    row = PreferencePair(user("Q"), assistant("A"), assistant("B"))
    with pytest.raises(ValueError, match=r"row 0, chosen: the chat template refuses .*alternate"):
        encode_pairs([row], lambda p, r: encode(tok, p, r))


def test_a_template_that_leaves_the_answer_out_is_an_error():
    tok = qwen_tokenizer(QWEN.replace("in messages", "in messages if m['role'] == 'user'"))
    with pytest.raises(ValueError, match="encodes to no token"):
        encode(tok, user("Q"), assistant("A"))


# ------------------------------------------------------------------------- whole datasets


def test_rows_may_be_pairs_or_mappings_and_keep_their_order():
    rows = [{"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected} for p in PAIRS]
    assert encode_all(iter(rows)) == encode_all(PAIRS)
    encoded, dropped = encode_all(PAIRS)
    assert not dropped
    assert dropped.kept == tuple(range(len(PAIRS)))
    assert [e.chosen for e in encoded] == [world(p.prompt, p.chosen) for p in PAIRS]
    assert [e.rejected for e in encoded] == [world(p.prompt, p.rejected) for p in PAIRS]


BAD_ROWS = {
    "no prompt": ({"chosen": "a", "rejected": "b"}, "no field 'prompt'; it has .*rejected"),
    "no rejected": ({"prompt": "Q", "chosen": "a"}, "no field 'rejected'"),
    "None": (PreferencePair("Q", None, "b"), "the chosen must be a string .* got None"),
    "a number": (PreferencePair("Q", "a", 3), "the rejected must be a string .* got 3"),
    "bytes": (PreferencePair("Q", b"a", "b"), "the chosen must be a string .* got b'a'"),
    "a prompt of None": ({"prompt": None, "chosen": "a", "rejected": "b"}, "the prompt must be"),
    "an empty response": (PreferencePair("Q", "a", ""), "the rejected is empty"),
    "no messages": (PreferencePair(user("Q"), [], assistant("b")), "the chosen is empty"),
    "an empty message": (
        PreferencePair(user("Q"), assistant(""), user("b")),
        "the chosen is empty",
    ),
    "a list of strings": (PreferencePair("Q", ["a"], "b"), "the chosen holds 'a'; a message is"),
    "no content": (PreferencePair("Q", [{"role": "user"}], "b"), "the chosen holds {'role'"),
    "content of None": (
        PreferencePair("Q", "a", [{"role": "user", "content": None}]),
        "the rejected holds",
    ),
    "identical": (PreferencePair("Q", "same", "same"), "tokenise alike .'same' and 'same'."),
    "alike but for the EOS": (PreferencePair("Q", "same", "same<eos>"), "tokenise alike"),
    "text and messages": (PreferencePair("Q", "a", assistant("b")), "both be .* got str and list"),
    "a lone surrogate": (PreferencePair("Q", "a", "\ud800"), "rejected: "),
    "a list": (["Q", "a", "b"], "expected a PreferencePair or a mapping"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_an_error_that_names_the_row_and_the_field(case):
    row, complaint = BAD_ROWS[case]
    with pytest.raises((TypeError, ValueError), match=f"^row 2.*{complaint}"):
        encode_all([GOOD, GOOD, row, GOOD])


def test_a_complaint_of_any_make_gets_its_row():
    """A UnicodeDecodeError, for one, cannot be made anew from a message."""
    with pytest.raises(ValueError, match=r"row 0, chosen: .*codec can't decode"):
        encode_pairs([GOOD], lambda _prompt, _response: b"\xff".decode())


@pytest.mark.parametrize("pairs", ["some text", GOOD, {"prompt": "Q"}, None, 3])
def test_something_other_than_a_sequence_of_pairs_is_an_error(pairs):
    with pytest.raises(TypeError, match="must be a sequence of preference pairs"):
        encode_all(pairs)


def test_no_rows_are_an_error():
    with pytest.raises(ValueError, match="no preference pairs"):
        encode_all([])


LONG = PreferencePair("Do you? ", "yes, " * 20, "no")
LENGTH = len(world(LONG.prompt, LONG.chosen))


def test_a_pair_that_does_not_fit_is_an_error_that_names_the_row():
    complaint = f"row 1: .* have {LENGTH} tokens, more than max_length={LENGTH - 1}"
    with pytest.raises(ValueError, match=complaint):
        encode_all([GOOD, LONG], max_length=LENGTH - 1)


def test_a_pair_that_just_fits_is_kept_whole():
    (_, whole), dropped = encode_all([GOOD, LONG], max_length=LENGTH)
    assert (len(whole), dropped.overlong) == (LENGTH, 0)


def test_if_asked_what_does_not_fit_is_dropped_and_counted_and_nothing_is_cut():
    encoded, dropped = encode_all([LONG, GOOD, LONG], max_length=LENGTH - 1, overlong="drop")
    assert (dropped.overlong, dropped.bad, dropped.kept) == (2, (), (1,))
    assert encoded == encode_all([GOOD])[0]


def test_the_longer_of_the_two_responses_counts():
    swapped = PreferencePair(LONG.prompt, LONG.rejected, LONG.chosen)
    assert encode_all([GOOD, swapped], max_length=LENGTH - 1, overlong="drop")[1].overlong == 1


def test_a_set_that_is_dropped_whole_is_an_error_with_its_numbers():
    with pytest.raises(ValueError, match=f"all 3 pairs exceed max_length=2; .* {LENGTH}"):
        encode_all([GOOD, LONG, GOOD], max_length=2, overlong="drop")


def test_an_unknown_policy_for_long_rows_is_an_error():
    with pytest.raises(ValueError, match='"error" or "drop", got \'cut\''):
        encode_all([GOOD], overlong="cut")


# ------------------------------------------------------------------------- rows that are dropped

REFUSING = QWEN.replace(
    "{% for",
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% for",
).replace("m['content']", "m['content'] | trim")
SYSTEM = [{"role": "system", "content": "Be brief."}]

ONLY_ENCODING_SHOWS = {
    "an empty turn": (user("Q"), assistant(""), "the chosen is empty"),
    "a turn of white space": (user("Q"), assistant("B  "), "tokenise alike"),
    "content of None": (user("Q"), [{"role": "assistant", "content": None}], "the chosen holds"),
    "no content": (user("Q"), [{"role": "assistant"}], "the chosen holds"),
    "a system turn": (SYSTEM + user("Q"), assistant("A"), "refuses .*no system"),
    "a call that is not shown": (
        user("Q"),
        [{"role": "assistant", "content": "A", "tool_calls": [{"name": "f"}]}],
        "does not show tool_calls",
    ),
    "a picture": (user("Q"), [{"role": "assistant", "content": [{"type": "image"}]}], "'image'"),
    "half a character": (user("Q"), assistant("\ud83d"), "lone surrogate"),
    "half a character in the prompt": (user("\udc00"), assistant("A"), "lone surrogate"),
    "text and messages": ("Q", assistant("A"), "both be strings or both be lists"),
}


@pytest.mark.parametrize("origin", [None, "pairs.jsonl, line 7"])
@pytest.mark.parametrize("case", ONLY_ENCODING_SHOWS)
def test_a_row_whose_fault_only_encoding_shows_is_named_or_dropped_and_counted(case, origin):
    prompt, chosen, complaint = ONLY_ENCODING_SHOWS[case]
    tok = qwen_tokenizer(REFUSING)
    fine = PreferencePair(user("Q"), assistant("A"), assistant("B"))
    bad = PreferencePair(prompt, chosen, assistant("B"), origin=origin)
    place = origin or "row 1"

    def encode_here(*sides, **options):
        return encode(tok, *sides, **options)

    with pytest.raises((TypeError, ValueError), match=f"^{place}.*{complaint}"):
        encode_pairs([fine, bad, fine], encode_here)
    encoded, dropped = encode_pairs([fine, bad, fine], encode_here, bad_rows="drop")
    assert encoded == encode_pairs([fine, fine], encode_here)[0]
    assert (dropped.overlong, dropped.kept) == (0, (0, 2))
    (reason,) = dropped.bad
    assert reason.startswith(place)


@pytest.mark.parametrize("case", BAD_ROWS)
def test_every_bad_row_can_be_dropped(case):
    row, _ = BAD_ROWS[case]
    encoded, dropped = encode_all([GOOD, row, GOOD], bad_rows="drop")
    assert (len(encoded), len(dropped.bad), dropped.kept) == (2, 1, (0, 2))


def test_bad_rows_and_overlong_ones_are_counted_apart():
    rows = [LONG, {"prompt": "Q"}, GOOD, LONG, None]
    _, dropped = encode_all(rows, max_length=LENGTH - 1, overlong="drop", bad_rows="drop")
    assert (dropped.overlong, len(dropped.bad), dropped.total) == (2, 2, 4)
    assert dropped.kept == (2,)
    assert dropped
    assert not Dropped(kept=(0, 1))


def test_what_is_too_long_is_no_bad_row_and_the_other_way_round():
    with pytest.raises(ValueError, match="more than max_length"):
        encode_all([GOOD, LONG], max_length=LENGTH - 1, bad_rows="drop")
    with pytest.raises(ValueError, match="row 1: no field"):
        encode_all([GOOD, {}], max_length=LENGTH, overlong="drop")


def test_a_set_of_bad_rows_alone_is_an_error_with_its_first_reason():
    complaint = "no pair is left: 2 are bad, 1 exceed max_length=3; the first: row 0: no field"
    with pytest.raises(ValueError, match=complaint):
        encode_all([{}, LONG, {}], max_length=3, overlong="drop", bad_rows="drop")


def test_an_overlong_row_is_called_by_its_origin():
    row = PreferencePair(LONG.prompt, LONG.chosen, LONG.rejected, origin="a.parquet, row 12")
    with pytest.raises(ValueError, match=r"^a\.parquet, row 12: prompt and response have"):
        encode_all([GOOD, row], max_length=LENGTH - 1)


def test_an_unknown_policy_for_bad_rows_is_an_error():
    with pytest.raises(ValueError, match='bad_rows must be "error" or "drop", got \'skip\''):
        encode_all([GOOD], bad_rows="skip")


# ------------------------------------------------------------------------- what travels with a pair


def test_a_margin_travels_with_its_pair():
    rows = [GOOD, PreferencePair("Do you? ", "yes", "no", margin=0.5)]
    rows += [{"prompt": "Do you? ", "chosen": "yes", "rejected": "no", "margin": 2}]
    assert [pair.margin for pair in encode_all(rows)[0]] == [0.0, 0.5, 2]


@pytest.mark.parametrize("margin", [float("nan"), float("inf"), "1", None])
def test_a_margin_that_is_no_number_is_a_bad_row(margin):
    with pytest.raises(ValueError, match="row 0: the margin must be a finite number, got"):
        encode_all([PreferencePair("Do you? ", "yes", "no", margin=margin)])


def test_a_mapping_may_name_tools_and_origin():
    seen = []

    def watch(prompt, response, **options):
        seen.append(options)
        return world(prompt, response)

    row = {"prompt": "Q", "chosen": "a", "rejected": "b", "tools": [{"name": "f"}], "other": 1}
    encode_pairs([row, GOOD], watch)
    assert seen == [{"tools": [{"name": "f"}]}] * 2 + [{}] * 2
    with pytest.raises(ValueError, match=r"^line 3: the rejected is empty"):
        encode_all([{"prompt": "Q", "chosen": "a", "rejected": "", "origin": "line 3"}])


def test_a_model_that_rewrites_the_prompt_keeps_its_boundaries():
    """A judge asks a question about the response and answers with one token."""
    asked = {"a": Encoded((1, 5), (9,)), "b": Encoded((1, 5, 6), (9,))}
    (pair,), _ = encode_pairs([PreferencePair("Q", "a", "b")], lambda _, r: asked[r])
    assert (pair.chosen, pair.rejected) == (asked["a"], asked["b"])
