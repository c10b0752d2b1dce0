from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detectors.diffusion.models import needs_transformers

needs_transformers()

from memscan.detectors.diffusion import clip, vocabularies  # noqa: E402


def tokens(captions: list[str], most: int, text: str) -> list[str]:
    """The tokens of a text by the vocabulary of captions, without those around it."""
    learned = vocabularies.learn(captions, most)
    tokenizer = clip.build_tokenizer(learned.numbers, learned.merges)
    found: list[str] = tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids)
    return found[1:-1]


def test_words_of_the_captions_become_tokens() -> None:
    assert tokens(["a red cat", "the red dog"], 2048, "the RED cat") == [
        "the</w>",
        "red</w>",
        "cat</w>",
    ]


def test_other_words_are_spelled_and_none_is_unknown() -> None:
    assert "".join(tokens(["a red cat"], 2048, "a cab")) == "a</w>cab</w>"
    assert tokens([""], 2048, "ab") == ["a", "b</w>"]


def test_a_vocabulary_has_at_most_so_many_tokens() -> None:
    learned = vocabularies.learn(["a red cat", "a blue dog"], 517)
    assert len(learned.numbers) == 517
    assert len(learned.merges) == 3
    assert sorted(learned.numbers.values()) == list(range(517))


def test_the_pair_seen_most_often_is_merged_first() -> None:
    assert vocabularies.merges_of({"low": 5, "lot": 3}, 2) == (("l", "o"), ("lo", "w</w>"))
    assert vocabularies.merges_of({"aaa": 1}, 9) == (("a", "a"), ("aa", "a</w>"))
    assert vocabularies.merges_of({"x": 9}, 9) == ()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=4), st.text(max_size=12))
def test_any_text_is_cut_into_tokens_that_make_it_up(captions: list[str], text: str) -> None:
    learned = vocabularies.learn(captions, 600)
    tokenizer = clip.build_tokenizer(learned.numbers, learned.merges)
    for one in [*captions, text]:
        plain = clip.build_tokenizer(vocabularies.learn([], 514).numbers, [])
        found = tokenizer.convert_ids_to_tokens(tokenizer(one).input_ids)
        letters = plain.convert_ids_to_tokens(plain(one).input_ids)
        assert "".join(found) == "".join(letters)


def test_what_is_no_character_is_learned_as_a_question_mark() -> None:
    assert vocabularies.learn(["a\udcff cat"], 2048) == vocabularies.learn(["a? cat"], 2048)
