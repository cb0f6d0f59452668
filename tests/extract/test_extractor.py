"""Text in, entities and relations with exact offsets out."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from untrained import untrained

from cman import Extractor
from cman.corpora.document import ROOT, Document, Entity, Relation
from cman.errors import CmanError, UsageError
from cman.extract.sentences import Given

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one picture of five code points
PIECES = ("Ada Lovelace", "London", "in", ".", "!", "\U0001f600", FAMILY, "e\u0301", "\r\n", "\n\n", "\t", " ",
          "\u00a0", "x" * 2000, "http://a.example/b?c=d", "D.C.", "\u202e", "\ufeff", "\u4e2d", "'s", "(",
          "\x00")  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=14).map("".join)


@pytest.fixture(scope="module")
def extractor(model: Path) -> Extractor:
    return Extractor.load(model, device="cpu", threads=1)


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=50, max_size=50))
def test_offsets_slice_ten_thousand_random_texts_exactly(extractor: Extractor, texts: list[str]) -> None:
    for text, extraction in zip(texts, extractor.batch(texts), strict=True):
        assert extraction.text == text
        for entity in extraction.entities:
            assert text[entity.start : entity.end] == entity.text != ""
            assert entity.text.strip() and 0 <= (entity.score or 0) <= 1
        for link in extraction.relations:
            assert link.head != link.tail and max(link.head, link.tail) < len(extraction.entities)


def test_an_untrained_model_finds_something_so_that_the_tests_here_can_fail(extractor: Extractor) -> None:
    extraction = extractor("Ada Lovelace lives in London. Charles Babbage lives in Cambridge.")
    assert len(extraction.entities) > 2 and extraction.relations
    assert len(extraction.sentences) == 2 and extraction.triples[0][1] == "Live_In"


def test_texts_together_give_what_each_gives_alone(extractor: Extractor) -> None:
    texts = ["Ada lives in London.", "", "Babbage! Ada. A B C D E F G H I J K", "London"]
    together = extractor.batch(texts)
    assert [(one.entities, one.relations) for one in together] == [
        (alone.entities, alone.relations) for alone in map(extractor, texts)
    ]


def test_two_threads_give_what_one_gives(extractor: Extractor, model: Path) -> None:
    two = Extractor.load(model, device="cpu", threads=2)
    texts = [f"Ada {number} lives in London {'x ' * number}." for number in range(150)]
    assert two.batch(texts) == extractor.batch(texts)


def test_tokens_are_one_sentence_with_a_space_between_them(extractor: Extractor) -> None:
    one = Given("a", "Ada . lives", ("Ada", ".", "lives"))
    sentences = extractor.sentences(one)
    assert [sentence.tokens for sentence in sentences] == [("Ada", ".", "lives")]
    assert extractor.extractions([one], [sentences])[0].sentences == ((0, 11),)


def test_a_higher_threshold_gives_the_part_with_higher_scores(model: Path) -> None:
    text = "Ada Lovelace lives in London and Charles Babbage in Cambridge ."
    every = Extractor.load(model, threshold=0.0)(text)
    some = Extractor.load(model, threshold=0.3)(text)
    assert [entity for entity in every.entities if (entity.score or 0) >= 0.3] == list(some.entities)
    assert 0 < len(some.entities) < len(every.entities)
    assert all((link.score or 0) >= 0.3 for link in some.relations) and len(some.relations) < len(every.relations)


def test_a_threshold_that_is_no_probability_is_refused(model: Path) -> None:
    for threshold in (-0.1, 1.1):
        with pytest.raises(UsageError, match="threshold: found"):
            Extractor.load(model, threshold=threshold)


def test_a_token_too_long_is_refused_with_its_place(extractor: Extractor) -> None:
    with pytest.raises(CmanError, match="text 2: found a token of 20001 characters at character 4, wanted 20000"):
        extractor.batch(["Ada", "Ada " + "x" * 20_001])


def test_an_artificial_root_stands_at_a_sentence_start_and_has_no_characters(tmp_path: Path) -> None:
    document = Document("1", ("ROOT", "huis", "te", "koop"), (Entity(ROOT, 0, 1), Entity("property", 1, 2)),
                        (Relation("Part-of", 1, 0),))  # fmt: skip
    models = (Extractor.load(untrained(tmp_path, document, seed), threshold=0.0) for seed in range(100))
    extraction = next(one for model in models if (one := model("huis te koop")).relations)
    roots = [index for index, entity in enumerate(extraction.entities) if entity.type == ROOT]
    assert roots and extraction.entities[roots[0]].start == extraction.entities[roots[0]].end == 0
    assert any(roots[0] in (link.head, link.tail) for link in extraction.relations)
    assert ROOT not in Extractor.load(tmp_path).entity_types
