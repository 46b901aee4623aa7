"""Strings and token ids: no character is added or eaten, whatever the tokenizer."""

import functools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tiny import assistant, byte_tokenizer, patient, tiny, tokenizer, user
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, PreferencePair
from minirm.pairs import encode, encode_pairs
from minirm.tokens import continuation_ids, plain_ids, prompt_ids, start_ids, warn_if_lossy

SPECIALS = ("<unk>", "<s>", "</s>")
WORDS = ["yes", "no", "Is", "it", "Yes", "No"]
BYTES = [f"<0x{i:02X}>" for i in range(256)]

AS_IT_STANDS = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
AFTER_BLANK = decoders.Sequence([*AS_IT_STANDS, decoders.Strip(" ", 1, 0)])


def sentencepiece_bpe(merges=(("▁", "▁"), ("\n", "\n"))):
    """A BPE over characters, with bytes for the rest, and tokens for a few words."""
    merges = list(merges)
    for word in WORDS:
        left = word[0]
        for letter in word[1:]:
            merges.append((left, letter))
            left += letter
        merges.append(("▁", word))
    letters = sorted({c for w in WORDS for c in w} | set("?.:▁\n"))
    vocab = [*SPECIALS, *BYTES, *letters, *(a + b for a, b in merges)]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(vocab))}
    return models.BPE(vocab, list(dict.fromkeys(merges)), byte_fallback=True, unk_token="<unk>")


def sentencepiece_unigram():
    pieces = [*SPECIALS, *BYTES, "▁", *WORDS, *("▁" + w for w in WORDS), *"abcdeghI?.:"]
    scores = [(piece, -float(i % 7) - 1) for i, piece in enumerate(dict.fromkeys(pieces))]
    return models.Unigram(scores, unk_id=0, byte_fallback=True)


def finished(backend, bos=True):
    backend.add_special_tokens([AddedToken(t, special=True) for t in SPECIALS])
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def metaspace(scheme, model=sentencepiece_bpe, split=False, own_decoder=False):
    backend = Tokenizer(model())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    backend.decoder = decoders.Sequence(AS_IT_STANDS) if scheme == "never" else AFTER_BLANK
    if own_decoder:
        backend.decoder = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme, split=split)]
        )
    return finished(backend)


def prepending():
    """The older form of the same: a normalizer that puts the blank there."""
    backend = Tokenizer(sentencepiece_bpe())
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = AFTER_BLANK
    return finished(backend)


def byte_level_with_prefix():
    tok = byte_tokenizer(bos="<s>", adds_bos=True, merges=[("Ġ", "y")])
    backend = tok.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    return tok


def adds_a_blank_and_spells_in_letters():
    """As ``metaspace``, without bytes: what is no letter of its own is unknown."""
    letters = {c: i + 3 for i, c in enumerate("▁abcdefghinosty?.:\n")}
    vocab = {t: i for i, t in enumerate(SPECIALS)} | letters
    backend = Tokenizer(models.BPE(vocab, [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = AFTER_BLANK
    return finished(backend)


def word_piece():
    words = ["is", "it", "yes", "no", "?", ".", "##s", "##t", "i", "y", "n", "a", "b"]
    backend = Tokenizer(
        models.WordPiece({t: i for i, t in enumerate([*SPECIALS, *words])}, unk_token="<unk>")
    )
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return finished(backend)


ADD_NOTHING = {
    "the small world's": tokenizer,
    "byte-level": functools.partial(byte_tokenizer, bos="<s>", adds_bos=True),
    "byte-level that merges": functools.partial(
        byte_tokenizer, bos="<s>", adds_bos=True, merges=[("Ċ", "Ċ"), ("Ċ", "a"), ("Ġ", "y")]
    ),
    "metaspace never": functools.partial(metaspace, "never"),
}
ADD_A_BLANK = {
    "metaspace first": functools.partial(metaspace, "first"),
    "metaspace always": functools.partial(metaspace, "always"),
    "metaspace that splits": functools.partial(metaspace, "always", split=True),
    "metaspace with its own decoder": functools.partial(  # it takes all blanks of a first token
        metaspace, "first", functools.partial(sentencepiece_bpe, ()), own_decoder=True
    ),
    "unigram": functools.partial(metaspace, "always", sentencepiece_unigram),
    "prepend": prepending,
    "byte-level with a prefix": byte_level_with_prefix,
}
FAMILIES = {name: functools.cache(make) for name, make in (ADD_NOTHING | ADD_A_BLANK).items()}
TEXT = st.text(
    st.one_of(st.sampled_from(" \n\tyesno?.a"), st.characters(codec="utf-8")), max_size=10
).filter(lambda t: not {"<", "▁"} & set(t))  # names of tokens, and sentencepiece's own blank


def text_of(tok, ids):
    return tok.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("family", FAMILIES)
@given(prompt=TEXT, response=TEXT.filter(bool))
@example("Is it?\n", "yes")
@example("Is it? ", "yes")
@example("Is it?", " yes")
@example("", "yes")
@example("", " yes")
@example(" ", " ")
@example("\n", "\n\nyes")
@example("  Is it?", "  ")
@patient
def test_the_text_comes_back_whole_from_every_family(family, prompt, response):
    tok = FAMILIES[family]()
    encoded = encode(tok, prompt, response)
    assert text_of(tok, encoded.prompt) == prompt
    assert text_of(tok, encoded.prompt + encoded.response) == prompt + response
    assert encoded.response[-1] == tok.eos_token_id
    assert encoded.prompt.count(tok.bos_token_id) == 1


@pytest.mark.parametrize("family", ADD_NOTHING)
@given(prompt=TEXT, response=TEXT.filter(bool))
@example("a", "\na")
@patient
def test_of_a_tokenizer_that_adds_nothing_the_ids_are_its_own(family, prompt, response):
    tok = FAMILIES[family]()
    own = [tok(text, add_special_tokens=False)["input_ids"] for text in (prompt, response)]
    encoded = encode(tok, prompt, response)
    assert list(encoded.prompt) == [tok.bos_token_id, *own[0]]
    assert list(encoded.response) == [*own[1], tok.eos_token_id]


@pytest.mark.parametrize("family", ADD_A_BLANK)
def test_a_text_that_begins_is_read_as_the_tokenizer_reads_it_and_one_that_goes_on_is_not(family):
    tok = FAMILIES[family]()
    assert continuation_ids(tok, " yes") != continuation_ids(tok, "yes")
    assert plain_ids(tok, "yes") != continuation_ids(tok, "yes")
    if family != "byte-level with a prefix":  # which does not take its blank away again
        assert prompt_ids(tok, "Is it?") == tok("Is it?")["input_ids"]


@pytest.mark.parametrize("family", ADD_A_BLANK)
def test_responses_to_one_prompt_share_its_tokens(family):
    tok = FAMILIES[family]()
    pairs = [PreferencePair("Is it? ", a, b) for a in ("yes", " yes", "\n") for b in ("no", ".")]
    for pair in encode_pairs(pairs, functools.partial(encode, tok))[0]:
        assert pair.chosen.prompt == pair.rejected.prompt


def test_a_known_word_that_goes_on_is_one_token_without_its_blank():
    """Not only the characters are right: the token is the one that the model knows."""
    for family in ("metaspace first", "metaspace always", "prepend", "unigram"):
        tok = FAMILIES[family]()
        ids = encode(tok, "Is it?\n", "yes").response
        assert tok.convert_ids_to_tokens(list(ids)) == ["yes", "</s>"]


def test_a_letter_that_the_tokenizer_does_not_know_hides_no_blank():
    tok = adds_a_blank_and_spells_in_letters()
    assert text_of(tok, continuation_ids(tok, "yes ☃")) == "yes "
    tokens = tok.convert_ids_to_tokens(continuation_ids(tok, "yes ☃"))
    assert tokens == ["y", "e", "s", "▁", "<unk>"]


def test_a_tokenizer_that_loses_characters_reads_the_parts_as_it_reads_the_whole():
    tok = word_piece()
    encoded = encode(tok, "Is it? ", "Yes")
    whole = plain_ids(tok, "Is it? Yes")
    assert list(encoded.prompt + encoded.response) == [tok.bos_token_id, *whole, tok.eos_token_id]


@pytest.mark.parametrize(
    ("make", "given_back"),
    [(word_piece, "a b <unk>"), (adds_a_blank_and_spells_in_letters, "<unk> b<unk>")],
)
def test_a_model_says_that_its_tokenizer_loses_text(make, given_back):
    tok = make()
    with pytest.warns(UserWarning, match=rf"gives 'A b,.*' back as '{given_back}.*: what it loses"):
        ExplicitRM(tiny(vocab=len(tok) + 1), tok)


@pytest.mark.parametrize("family", FAMILIES)
def test_of_a_tokenizer_that_loses_nothing_nothing_is_said(family):
    warn_if_lossy(FAMILIES[family]())


def test_special_tokens_that_a_text_names_are_those_tokens():
    tok = FAMILIES["metaspace first"]()
    encoded = encode(tok, "Is it?</s>", "yes")
    assert tok.eos_token_id in encoded.prompt
    assert encode(tok, "Is it?", "yes</s>") == encode(tok, "Is it?", "yes")
    inside = encode(tok, "Is it?", "yes</s>no").response
    assert inside.count(tok.eos_token_id) == 2


@pytest.mark.parametrize("text", ["a\ud83d", "\udc00", "yes " * 50 + "\ud800"])
def test_half_a_character_is_an_error_of_one_line(text):
    with pytest.raises(ValueError, match=r"holds half a character, '\\ud.*lone surrogate") as error:
        start_ids(tokenizer(), text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 120


def test_the_judges_answer_goes_on_after_its_question():
    tok = FAMILIES["metaspace first"]()
    judge = GenerativeRM(tiny(vocab=len(tok)), tok)
    assert tok.convert_ids_to_tokens([judge.yes_id, judge.no_id]) == ["Yes", "No"]


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_models_score_what_was_said(kind):
    """A blank that ends the prompt is one blank, also before a response that begins with none."""
    tok = FAMILIES["metaspace first"]()
    rm = kind(tiny(vocab=len(tok) + 1), tok)
    sequence = rm.encode("Is it? ", "yes")
    assert text_of(tok, sequence.prompt + sequence.response) == "Is it? yes"


def test_conversations_are_tokenised_as_transformers_tokenises_them():
    tok = metaspace("first")
    tok.chat_template = (
        "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant: {% endif %}"
    )
    encoded = encode(tok, user("Is it?"), assistant("yes"))
    whole = tok.apply_chat_template(user("Is it?") + assistant("yes"))["input_ids"]
    assert list(encoded.prompt + encoded.response) == whole
