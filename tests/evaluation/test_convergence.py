"""Whether a training had converged: the rule of docs/study.md on histories of known ends, and the regime it chooses."""

from pathlib import Path

import pytest

from cman.errors import CmanError
from cman.evaluation.convergence import Row, convergence, convergence_of, read_convergence
from cman.files import write_csv, write_json
from cman.report.convergence import report


def history(epochs: int, fall: float, rise: float | None = 0.0, moved: float = 0.0, stage: str = "select") -> list[Row]:
    """Epochs whose last quarter loses `fall` percent of the loss's fall before, gains `rise` points, moves a weight."""
    last = -(-epochs // 4)
    rows = []
    for epoch in range(epochs):
        share = max(0, epoch - (epochs - last)) / (last - 1)
        row = {
            "stage": stage,
            "epoch": str(epoch + 1),
            "loss_first": "0",
            "loss_rel": str(60 - fall * share if epoch else 160),
        }
        row |= {"dev_relation_f1": "nan" if rise is None else str(60 + rise * share)}
        rows.append(row | {"log_variance_rel": str(-moved / 100 * share)})
    return rows


@pytest.mark.parametrize(
    ("fall", "rise", "expected"),
    [(0.9, 0.4, True), (1.1, 0.4, False), (0.9, 0.6, False), (-4.0, -3.0, True), (0.9, None, None), (1.1, None, False)],
)
def test_a_training_has_converged_if_neither_its_loss_falls_nor_dev_rises_over_the_last_quarter(fall, rise, expected):
    found = convergence(history(36, fall, rise))
    assert found.converged is expected
    assert found.still_rising == (expected is False and fall < 1)
    assert found.loss_fall == pytest.approx(fall)
    assert found.dev_rise == (None if rise is None else pytest.approx(rise))


def test_what_came_before_the_last_quarter_and_single_epochs_count_for_little():
    rows = history(40, 0.0, 0.0)
    for number, row in enumerate(rows):
        if number < 30:
            row |= {"loss_rel": str(160 - number), "dev_relation_f1": str(number)}
    assert convergence(rows).converged
    rows[35] |= {"dev_relation_f1": "62"}  # a peak in the middle of it
    assert convergence(rows).converged


def test_a_training_that_diverged_has_not_converged_however_flat_it_lies_afterwards():
    rows = history(36, 0.0)
    rows[9] |= {"loss_rel": "52"}  # of a fall of 108 it ends 8 above
    found = convergence(rows)
    assert not found.still_rising
    assert found.diverged and found.converged is False and found.loss_rise == pytest.approx(100 * 8 / 108)
    assert found.said().startswith(
        "no, it diverged and ended 7 % of the loss's fall above its lowest epoch; over the last"
    )
    rows[9] |= {"loss_rel": "56"}
    assert not convergence(rows).diverged and convergence(rows).converged
    assert convergence(history(36, -9.0, -3.0)).diverged  # within the last quarter


def test_too_few_epochs_say_nothing_and_weights_that_move_are_told_without_deciding():
    assert convergence(history(8, 50.0)).converged is None
    assert "8 epochs are too few" in convergence(history(8, 50.0)).said()
    found = convergence(history(36, 0.9, moved=20.0))
    assert found.converged and "a weight of the losses still moved by 2" in found.said()


def test_of_two_stages_the_loss_is_of_the_one_that_was_kept_and_dev_of_the_one_that_has_it():
    both = [*history(36, 50.0, 0.2), *history(20, 0.9, None, stage="retrain")]
    found = convergence(both)
    assert (found.epochs, found.converged) == (20, True)
    assert found.said().startswith(
        "yes; over the last quarter of 20 epochs the loss fell by 0.9 % of its fall before, relation F1 of dev rose"
    )


def write(folder: Path, experiment: str, rows: list[Row], seconds: float) -> Path:
    run = folder / experiment
    run.mkdir(parents=True)
    write_csv(run / "history.csv", list(rows[0]), rows)
    write_json(run / "provenance.json", {"experiment": experiment, "seconds": seconds})
    return run


def test_the_rule_takes_the_best_regime_of_those_that_converged_and_of_near_ones_the_cheapest(tmp_path):
    def regime(name: str, fall: float, level: float, seconds: float) -> list[Path]:
        rows = [row | {"dev_relation_f1": str(level)} for row in history(36, fall)]
        return [write(tmp_path, model + name, rows, seconds) for model in ("cman", "multihead-matched")]

    first = regime("", 9.0, 70.0, 1)
    cheap, dear, worse = regime("@a", 0.9, 60.0, 10), regime("@b", 0.9, 60.2, 20), regime("@c", 0.9, 59.0, 1)
    lines = list(report([*first, *cheap, *dear, *worse], tmp_path / "all.csv"))
    assert lines[-1] == "chosen: a"
    assert (tmp_path / "all.csv").read_text().splitlines()[1].startswith("first,cman,36,no,9.00,0.00,")
    assert list(report([*first, *dear[:1]]))[-1].startswith("chosen: first; no regime has converged")
    assert "b           lacks a model" in list(report([*first, *dear[:1]]))[-2]
    with pytest.raises(CmanError, match="cman@first: found two runs, wanted one seed"):
        list(report([*first, first[0]]))


def test_a_history_that_is_none_is_refused_and_a_run_without_one_says_nothing(tmp_path):
    assert convergence_of(tmp_path) is None
    path = tmp_path / "history.csv"
    for content, message in (("", "found no epoch"), ("a,b\n1,2\n", "found no epoch"),
                             ("stage,loss_rel\nselect,x\n", "found a figure that is no number")):  # fmt: skip
        path.write_text(content)
        with pytest.raises(CmanError, match=message):
            read_convergence(path)
