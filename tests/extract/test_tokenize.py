"""Sentences and tokens of raw text."""

import pytest

from cman.corpora import tokenize
from cman.corpora.tokenize import TextTokenizer
from cman.errors import UsageError


def words(text: str, language: str = "en") -> list[list[str]]:
    return [[text[start:end] for start, end in one] for one in TextTokenizer(language).sentences(text)]


def test_a_full_stop_ends_a_sentence_and_an_abbreviation_does_not() -> None:
    assert words("Ada met Mr. Babbage. He smiled!") == [["Ada", "met", "Mr.", "Babbage", "."], ["He", "smiled", "!"]]


def test_a_blank_line_ends_a_sentence_and_a_single_line_end_does_not() -> None:
    assert words("A heading\n\nAda\nsleeps") == [["A", "heading"], ["Ada", "sleeps"]]


def test_white_space_alone_has_no_sentence() -> None:
    assert [words(text) for text in ("", " ", "\t\r\n \u00a0\n\n")] == [[], [], []]


def test_a_text_beyond_the_limit_of_a_parser_is_read() -> None:
    assert len(TextTokenizer("en").sentences("Ada sleeps. " * 100_000)) == 100_000


def test_a_run_without_white_space_costs_time_by_its_length_and_is_divided_sign_by_sign() -> None:
    signs = ("(", "\U0001f600", ")", '"', "$)")
    for sign in signs:
        short, long = words(sign * 100), words(f"Ada {sign * 10_000} sleeps")
        assert len(long) == 1 and set(long[0]) == {"Ada", "sleeps", *short[0]}, sign
        assert len(long[0]) == 2 + 100 * len(short[0]), sign
    assert words("(" * 300 + "a.b,c" + "?" * 300 + " x.") == [["("] * 300 + ["a.b", ",", "c"] + ["?"] * 300, ["x."]]
    assert words("x" * 30_000 + "\n\n" + "y" * 300 + ",") == [["x" * 30_000], ["y" * 300, ","]]


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="language: found 'zz', wanted one that spaCy has"):
        TextTokenizer("zz")


def test_words_that_are_ever_new_are_forgotten_and_nothing_else_changes(monkeypatch):
    text = " ".join(f"Word{number} came." for number in range(100))
    expected = TextTokenizer().sentences(text)
    monkeypatch.setattr(tokenize, "NEW_WORDS", 30)
    tokenizer = TextTokenizer()
    before = len(tokenizer._tokenize.vocab.strings)
    for _ in range(3):
        assert tokenizer.sentences(text) == expected
    assert len(tokenizer._tokenize.vocab.strings) <= before + 30
