"""From hand-made predictions to documents."""

import itertools
import math
from typing import Any

import pytest
import torch

from cman.config.settings import Crf as CrfSettings
from cman.config.settings import Rel
from cman.corpora.document import ROOT, Document, Entity, Relation
from cman.corpora.ranking import Ranking
from cman.features.vocabulary import Vocabulary
from cman.model.annotate import annotate
from cman.model.crf import Crf, Potentials
from cman.model.decode import Dropped, _confidences, decode_batch
from cman.model.output import Links, Prediction

TAGS = ("O", "B-Loc", "I-Loc", "B-Peop", "I-Peop")
VOCABULARY = Vocabulary(("<unknown>",), ("<padding>", "<unknown>"), TAGS, ("In", "Kill"))
SENTENCE = ["B-Peop", "I-Peop", "O", "B-Loc", "I-Loc", "O"]  # entities 0 = tokens 0 and 1, 1 = tokens 3 and 4


def decoded(
    rows: list[list[str]], cells: dict[tuple[int, int, int, int], float], with_scores: bool = False, **settings: Any
) -> tuple[list[Document], Dropped]:
    """Decode sentences with these tags and, at (sentence, row, column, label), these relation probabilities."""
    longest = max(map(len, rows))
    tags = torch.full((len(rows), longest), -1)
    for place, row in enumerate(rows):
        tags[place, : len(row)] = torch.tensor([TAGS.index(tag) for tag in row])
    rates = {cell: value for cell, value in sorted(cells.items()) if value > settings.get("threshold", 0.5)}
    links = Links(torch.tensor(list(rates), dtype=torch.int64).view(-1, 4), torch.tensor(list(rates.values())))
    torch.manual_seed(0)
    crf = Crf(3, TAGS, CrfSettings())
    potentials = Potentials(torch.randn(len(rows), longest, 5), torch.randn(5, 5), torch.zeros(5), torch.zeros(5))
    prediction = Prediction(tags, tags, tags, potentials, links)
    documents = [
        Document(
            f"d{place}", tuple(f"w{token}" for token in range(len(row))), text="text", offsets=((0, 1),) * len(row)
        )
        for place, row in enumerate(rows)
    ]
    dropped, lengths = Dropped(), torch.tensor([len(row) for row in rows])
    found = decode_batch(prediction, documents, lengths, VOCABULARY, crf, Rel(**settings), dropped, with_scores)
    return found, dropped


def test_a_ranking_gets_relations_below_the_threshold_and_the_document_does_not():
    cells = {(0, 0, 3, 0): 0.9, (0, 1, 4, 0): 0.3, (0, 0, 4, 1): 0.3, (0, 3, 4, 1): 0.2}
    links = Links(torch.tensor(list(cells)), torch.tensor(list(cells.values())), torch.tensor([True] + [False] * 3))
    tags = torch.tensor([[TAGS.index(tag) for tag in SENTENCE]])
    potentials = Potentials(torch.randn(1, 6, 5), torch.randn(5, 5), torch.zeros(5), torch.zeros(5))
    prediction, given = Prediction(tags, tags, tags, potentials, links), [Document("d", tuple("abcdef"))]
    dropped, ranking = Dropped(), Ranking()
    crf, lengths = Crf(3, TAGS, CrfSettings()), torch.tensor([6])
    found = decode_batch(prediction, given, lengths, VOCABULARY, crf, Rel(), dropped, False, ranking)
    assert found[0].relations == (Relation("In", 0, 1, 0.9),)
    assert ranking == {"d": (Relation("In", 0, 1, 0.9), Relation("Kill", 0, 1, 0.3))}
    assert dropped.inside_one == 0  # the one below the threshold was never predicted


def relations_of(cells: dict[tuple[int, int, int], float], **settings: Any) -> tuple[tuple[Relation, ...], Dropped]:
    found, dropped = decoded([SENTENCE], {(0, *cell): value for cell, value in cells.items()}, **settings)
    return found[0].relations, dropped


def test_tags_become_the_entities_they_spell_and_padding_is_ignored():
    found, _ = decoded([SENTENCE, ["B-Loc"], ["O", "O"]], {})
    assert found[0].entities == (Entity("Peop", 0, 2), Entity("Loc", 3, 5))
    assert found[1].entities == (Entity("Loc", 0, 1),)
    assert found[2].entities == () and found[2].relations == ()


def test_ids_tokens_text_and_offsets_are_kept_and_gold_annotations_are_not():
    found, _ = decoded([SENTENCE], {})
    assert (found[0].id, found[0].tokens[:2], found[0].text) == ("d0", ("w0", "w1"), "text")
    assert found[0].offsets == ((0, 1),) * 6


def test_stray_inside_tags_open_entities():
    found, _ = decoded([["I-Loc", "I-Peop", "O", "I-Loc"]], {})
    assert found[0].entities == (Entity("Loc", 0, 1), Entity("Peop", 1, 2), Entity("Loc", 3, 4))


def test_the_row_is_the_head_and_the_column_the_tail():
    assert relations_of({(4, 1, 1): 0.9})[0] == (Relation("Kill", 1, 0, 0.9),)


@pytest.mark.parametrize("anchor", ["last", "first"])
def test_any_token_of_an_entity_may_carry_its_relations(anchor):
    for head, tail in itertools.product((0, 1), (3, 4)):
        found, dropped = relations_of({(head, tail, 0): 0.9}, decode="any_token", anchor=anchor)
        assert found == (Relation("In", 0, 1, 0.9),) and dropped == Dropped()


@pytest.mark.parametrize(("anchor", "place"), [("last", (1, 4)), ("first", (0, 3))])
def test_last_token_decoding_reads_the_anchors_alone(anchor, place):
    for cell in itertools.product((0, 1), (3, 4)):
        found, dropped = relations_of({(*cell, 0): 0.9}, decode="last_token", anchor=anchor)
        assert found == ((Relation("In", 0, 1, 0.9),) if cell == place else ())
        assert dropped == Dropped()


def test_of_several_token_pairs_the_most_probable_counts_for_each_label():
    cells = {(0, 3, 0): 0.6, (0, 4, 0): 0.8, (1, 3, 0): 0.7, (0, 4, 1): 0.55}  # the largest neither first nor last
    found, dropped = relations_of(cells)
    assert found == (Relation("In", 0, 1, 0.8), Relation("Kill", 0, 1, 0.55))
    assert dropped == Dropped()


def test_two_entities_may_be_related_in_both_directions():
    found, _ = relations_of({(1, 4, 0): 0.9, (4, 1, 0): 0.8})
    assert found == (Relation("In", 0, 1, 0.9), Relation("In", 1, 0, 0.8))


def test_relations_within_one_entity_are_dropped_and_counted_and_those_outside_of_entities_are_none():
    cells = {(2, 4, 0): 0.9, (1, 5, 0): 0.9, (2, 5, 1): 0.9, (0, 1, 0): 0.9, (1, 1, 1): 0.9, (1, 4, 0): 0.9}
    found, dropped = relations_of(cells)
    assert found == (Relation("In", 0, 1, 0.9),)
    assert dropped == Dropped(inside_one=2)


def test_dropped_counts_add_up_over_batches():
    cells = {(0, 2, 4, 0): 0.9, (1, 0, 0, 0): 0.9}
    _, dropped = decoded([SENTENCE, ["B-Loc", "O"]], cells)
    assert dropped == Dropped(inside_one=1)


def test_relations_belong_to_the_sentence_of_their_cell():
    found, _ = decoded([SENTENCE, SENTENCE], {(1, 1, 4, 0): 0.9})
    assert found[0].relations == () and found[1].relations == (Relation("In", 0, 1, 0.9),)


def test_scores_are_left_out_on_request():
    found, _ = decoded([SENTENCE], {(0, 1, 4, 0): 0.9})
    assert all(entity.score is None for entity in found[0].entities)
    assert all("score" not in entity for entity in found[0].to_json()["entities"])


def test_what_confidences_are_asked_for_lies_where_the_tags_do():
    class Asked(Crf):
        def confidences(self, potentials, lengths, tags, spans, onward):
            assert spans.device == onward.device == tags.device == torch.device("meta")
            return torch.ones(len(spans))

    tags = torch.tensor([[TAGS.index(tag) for tag in SENTENCE]], device="meta")
    entities = [[Entity("Peop", 0, 2), Entity("Loc", 3, 5)]]
    prediction = Prediction(tags, tags, tags, None, None)
    asked = _confidences(entities, prediction, torch.tensor([6]), VOCABULARY, Asked(3, TAGS, CrfSettings()))
    assert asked == [[1.0, 1.0]]


def test_an_entitys_score_is_the_probability_of_its_tags_not_followed_by_more_of_it():
    rows = [["B-Peop", "I-Peop", "O"], ["O", "B-Loc"]]
    found, _ = decoded(rows, {}, with_scores=True)
    torch.manual_seed(0)
    Crf(3, TAGS, CrfSettings())  # consumes the random numbers that `decoded` drew before its potentials
    emissions, transitions = torch.randn(2, 3, 5).double(), torch.randn(5, 5).double()
    for place, (n, wanted, next_place) in enumerate([(3, {0: 3, 1: 4}, 2), (2, {1: 1}, None)]):
        mass = total = 0.0
        for path in itertools.product(range(5), repeat=n):
            score = sum(float(emissions[place, t, tag]) for t, tag in enumerate(path))
            score += sum(float(transitions[before, after]) for before, after in itertools.pairwise(path))
            total += math.exp(score)
            matches = all(path[t] == tag for t, tag in wanted.items())
            if matches and (next_place is None or path[next_place] != 4):
                mass += math.exp(score)
        assert found[place].entities[0].score == pytest.approx(mass / total, abs=2e-6)


def test_all_scores_of_a_models_predictions_lie_between_0_and_1(build, batch, corpus, vocabulary):
    scores: dict[str, list[float | None]] = {"entities": [], "relations": []}
    for seed in range(5):
        model, settings = build({"rel.prior": 0.5})
        torch.manual_seed(seed)
        for value in model.parameters():
            value.data += torch.randn_like(value)
        with torch.no_grad():
            prediction = model.predict(batch)
        crf = model.reported_crf
        for document in decode_batch(prediction, corpus, batch.lengths, vocabulary, crf, settings.rel, Dropped()):
            scores["entities"] += [entity.score for entity in document.entities]
            scores["relations"] += [relation.score for relation in document.relations]
    assert all(len(found) > 20 and None not in found for found in scores.values())
    assert all(0 <= score <= 1 for score in scores["entities"])
    assert all(0.5 < score <= 1 for score in scores["relations"])


def test_a_crf_that_knows_the_root_decodes_it_on_the_first_token_and_nowhere_else():
    tags = ("O", f"B-{ROOT}", f"I-{ROOT}", "B-Loc", "I-Loc")
    best = torch.tensor([[3, 2, 1, 3, 0]])  # Loc, inside of a root, a root, Loc
    emissions = 9.0 * torch.nn.functional.one_hot(best, 5).float()
    potentials = Potentials(emissions, torch.zeros(5, 5), torch.zeros(5), torch.zeros(5))
    lengths = torch.tensor([4])
    assert Crf(3, tags, CrfSettings()).decode(potentials, lengths).tolist() == [[1, 0, 0, 3, -1]]
    assert Crf(3, TAGS, CrfSettings()).decode(potentials, lengths).tolist() == [[3, 2, 1, 3, -1]]


@pytest.mark.parametrize("changes", [{}, {"architecture": "multihead"}, {"rel.params": "per_relation"}], ids=str)
def test_a_ranking_has_all_that_is_predicted_and_more_and_changes_nothing(changes, build, encode):
    model, _ = build({"rel.prior": 0.5, **changes})
    torch.nn.init.normal_(model.relations.V, std=3.0)  # scores on both sides of the threshold, and many entities
    torch.nn.init.normal_(model.reported_crf.emission.weight, std=3.0)
    encoded, ranking = encode(), Ranking()
    predicted = annotate(model, encoded)
    assert annotate(model, encoded, ranking=ranking) == predicted
    assert any(document.relations for document in predicted)
    for document in predicted:
        every = ranking[document.id]
        assert document.relations == tuple(relation for relation in every if relation.score > 0.5)
        assert all(relation.score >= 0.02 for relation in every)
    assert sum(map(len, ranking.values())) > sum(len(document.relations) for document in predicted)
