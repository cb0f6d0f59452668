"""The token rules, case by case; that they give the tokens of the public folds is tested with the corpus itself."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.tokens import tokenise


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokenise(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Intravenous azithromycin-induced ototoxicity.", "Intravenous azithromycin - induced ototoxicity ."),
        ("a 44-year-old man, (aged)", "a 44-year - old man , ( aged )"),
        ("5-FU and 2-CdA", "5-FU and 2-CdA"),
        ("Paget's bone disease", "Paget 's bone disease"),
        ("and/or a/b 3/4", "and/or a / b 3/4"),
        ("5mg daily, 20% <3% of 0.5", "5 mg daily , 20 % <3 % of 0.5"),
        ("(i.e. the i.e.), cannot", "( i.e. the i.e. ) , can not"),
        ("(FK506)-related", "( FK506 ) - related"),
        ("CASE REPORT: done", "CASE REPORT : done"),
        ("one  two", "one two"),
        ("wait...", "wait .. ."),
        (".", "."),
    ],
)
def test_text_becomes_these_tokens(text, expected):
    assert words(text) == expected.split()


@given(st.text(st.sampled_from("aB1 .,-/()'+%<="), max_size=30))
def test_tokens_are_the_text_without_its_blanks_in_order(text):
    spans = tokenise(text)
    assert "".join(words(text)) == text.replace(" ", "")
    assert all(start < end for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
