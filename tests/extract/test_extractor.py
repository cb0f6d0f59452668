"""Text in, entities and relations with exact offsets out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from untrained import untrained

from cman import Extractor
from cman.corpora.document import ROOT, Document, Entity, Relation
from cman.errors import CmanError, UsageError
from cman.extract.sentences import Given
from cman.model.calibration import Calibration, Line
from cman.model.folder import ModelFolder

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


def test_a_precision_is_one_of_four_and_only_a_frozen_encoder_has_another_than_its_own(model: Path) -> None:
    assert Extractor.load(model, device="cpu", precision="auto").predictor.precision == "auto"
    with pytest.raises(UsageError, match="precision: found int8, wanted auto or float32: the model reads no frozen"):
        Extractor.load(model, device="cpu", precision="int8")
    with pytest.raises(UsageError, match="precision: found 'double', wanted auto, float32, bfloat16, int8"):
        Extractor.load(model, device="cpu", precision="double")


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


def test_entities_and_relations_may_have_thresholds_of_their_own(model: Path) -> None:
    text = "Ada Lovelace lives in London and Charles Babbage in Cambridge ."
    every, both = (Extractor.load(model, threshold=value)(text) for value in (0.0, 0.3))
    entities = Extractor.load(model, threshold=0.0, entity_threshold=0.3)(text)
    assert entities.entities == both.entities and len(entities.relations) >= len(both.relations)
    relations = Extractor.load(model, threshold=0.0, relation_threshold=0.3)(text)
    assert relations.entities == every.entities
    assert list(relations.relations) == [link for link in every.relations if (link.score or 0) >= 0.3]


def test_thresholds_are_of_calibrated_scores(model: Path) -> None:
    text = "Ada Lovelace lives in London and Charles Babbage in Cambridge ."
    folder = ModelFolder.load(model)
    assert not Extractor(folder).calibrated
    raw = Extractor(folder, threshold=0.0)(text)
    calibrated = Extractor(replace(folder, calibration=Calibration(Line(3.0), Line(4.0))), threshold=0.0)
    hot = calibrated(text)
    assert calibrated.calibrated and len(hot.relations) == len(raw.relations)
    pairs = [(*pair, 3.0) for pair in zip(raw.entities, hot.entities, strict=True)]
    pairs += [(*pair, 4.0) for pair in zip(raw.relations, hot.relations, strict=True)]
    for before, after, heat in pairs:
        logit = torch.logit(torch.tensor(before.score, dtype=torch.float64)) / heat
        assert after.score == pytest.approx(torch.sigmoid(logit).item(), abs=1e-4)
    least = sorted(link.score or 0 for link in hot.relations)[len(hot.relations) // 2]
    sure = Extractor(
        replace(folder, calibration=Calibration(Line(3.0), Line(4.0))), entity_threshold=0, relation_threshold=least
    )
    assert {link.score for link in sure(text).relations} <= {
        link.score for link in hot.relations if link.score >= least
    }
    assert len(sure(text).relations) >= len(hot.relations) // 2 - 1


def test_a_threshold_that_is_no_probability_is_refused(model: Path) -> None:
    for threshold in (-0.1, 1.1):
        for name in ("threshold", "entity_threshold", "relation_threshold"):
            with pytest.raises(UsageError, match=f"^{name}: found {threshold}, wanted a number from 0 to 1"):
                Extractor.load(model, **{name: threshold})


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
