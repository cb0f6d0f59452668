"""Average precision and thresholds against brute force, the file of a ranking, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.corpora.ranking import read_ranking, write_ranking
from cman.errors import CmanError
from cman.evaluation.ranking import average_precision, best_threshold, counts_above, ranked
from cman.evaluation.scores import score_files

TOKENS = tuple("abcdef")
ENTITIES = (Entity("Peop", 0, 1), Entity("Loc", 2, 3), Entity("Loc", 4, 5))


def document(*relations: Relation, name: str = "d") -> Document:
    return Document(name, TOKENS, ENTITIES, relations)


GOLD = [document(Relation("Live", 0, 1), Relation("Live", 0, 2)), document(Relation("In", 1, 2), name="e")]
PREDICTED = [document(Relation("Live", 0, 1, 0.9)), document(name="e")]
RANKING = {
    "d": (Relation("Live", 0, 1, 0.9), Relation("Live", 1, 2, 0.4)),
    "e": (Relation("In", 1, 2, 0.3), Relation("In", 2, 1, 0.1)),
}


def test_average_precision_of_a_small_ranking_by_hand():
    # Right, wrong, right, wrong of three gold relations: precision 1 and 2/3 where recall grows by a third.
    assert average_precision(*ranked(GOLD, PREDICTED, RANKING)) == pytest.approx((1 + 2 / 3) / 3)


def test_the_threshold_with_the_highest_f1_is_found_and_nothing_is_where_nothing_is_gold():
    found = ranked(GOLD, PREDICTED, RANKING)
    assert best_threshold(GOLD, PREDICTED, RANKING) == 0.29  # 2 of 3 right, the nearest to 0.5 of those below 0.3
    assert vars(counts_above(*found, 0.29)) == {"true_positive": 2, "predicted": 3, "gold": 3}
    nothing = [document(), document(name="e")]
    assert best_threshold(nothing, PREDICTED, RANKING) is None
    assert average_precision(*ranked(nothing, PREDICTED, RANKING)) is None
    assert average_precision(*ranked(GOLD, PREDICTED, {})) == 0.0


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), max_size=12), st.integers(1, 5))
def test_average_precision_is_the_sum_of_precision_times_added_recall(pairs: list[tuple[float, bool]], missed: int):
    gold = sum(right for _, right in pairs) + missed
    total, before = 0.0, 0
    for score in sorted({score for score, _ in pairs}, reverse=True):
        above = [right for other, right in pairs if other >= score]
        total += (sum(above) - before) / gold * sum(above) / len(above)
        before = sum(above)
    ordered = sorted(pairs, reverse=True)
    scores = np.array([score for score, _ in ordered], dtype=float)
    assert average_precision(scores, np.array([right for _, right in ordered], dtype=bool), gold) == pytest.approx(
        total
    )


def files(folder: Path, **provenance: Any) -> list[Path]:
    write_documents(folder / "gold.jsonl", GOLD)
    write_documents(folder / "predicted.jsonl", PREDICTED)
    (folder / "provenance.json").write_text(json.dumps(provenance))
    write_ranking(folder / "ranking.jsonl", RANKING)
    return [folder / f"{name}" for name in ("gold.jsonl", "predicted.jsonl", "provenance.json", "ranking.jsonl")]


def test_scores_have_the_ranking_beside_counts_that_it_does_not_change(tmp_path):
    *first, ranking = files(tmp_path, dev_threshold=0.35)
    scores = score_files(*first, ranking)
    curve = scores["ranking"].pop("by_threshold")
    assert [each["threshold"] for each in curve] == pytest.approx([step / 10 for step in range(1, 10)])
    assert scores.pop("ranking") == {
        "least": 0.02,
        "average_precision": 0.555556,
        "dev_threshold": 0.35,
        "at_dev_threshold": {"true_positive": 1, "predicted": 2, "gold": 3},
    }
    assert scores == score_files(*first)
    without = score_files(*files(tmp_path))["ranking"]
    assert without["dev_threshold"] is without["at_dev_threshold"] is None


def test_a_ranking_goes_through_its_file(tmp_path):
    write_ranking(tmp_path / "ranking.jsonl", RANKING | {"f": ()})
    assert read_ranking(tmp_path / "ranking.jsonl", [*PREDICTED, document(name="f")]) == RANKING


REFUSED = {
    "not json": "line 1: found invalid JSON",
    '{"id": "x", "relations": []}': "line 1: field id: found 'x', wanted that of a predicted document",
    '{"id": "d"}': "line 1: field relations: is missing",
    '{"id": "d", "relations": [{"type": "In", "head": 0, "tail": 3, "score": 0.5}]}':
        r"line 1: field relations\[0\].tail: found 3, wanted an integer from 0 to 2",
    '{"id": "d", "relations": [{"type": "In", "head": 0, "tail": 1}]}':
        r"line 1: field relations\[0\]\.score: found null, wanted a number",
    '{"id": "e", "relations": []}': "document 'd': found not all of its predicted relations, wanted each of them",
}  # fmt: skip


def test_a_ranking_of_other_predictions_or_none_at_all_is_refused(tmp_path):
    for line, message in REFUSED.items():
        (tmp_path / "ranking.jsonl").write_text(f"{line}\n")
        with pytest.raises(CmanError, match=message):
            read_ranking(tmp_path / "ranking.jsonl", PREDICTED)


def test_a_threshold_that_is_no_probability_is_refused(tmp_path):
    for threshold in (1.5, "high", True):
        with pytest.raises(CmanError, match=r"provenance\.json: field dev_threshold: found .*, wanted a number"):
            score_files(*files(tmp_path, dev_threshold=threshold))
