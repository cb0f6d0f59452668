"""Which trainings there are: those that a call of `cman train` asks for, and those of each process of the workflow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cman.config.configuration import Configuration
from cman.errors import UsageError


@dataclass(frozen=True)
class Cell:
    """One training: an experiment as its configuration describes it, a division of the corpus and a seed."""

    configuration: Configuration
    experiment: str
    split: str
    seed: int


def cells_of(
    configurations: Sequence[Configuration],
    corpus: str,
    experiments: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Cell]:
    """Return the trainings asked for; what is not given is what each configuration runs.

    Raises:
        UsageError: unknown corpus, experiment or division, the same training twice, or none at all.
    """
    cells: dict[tuple[str, str, int], Cell] = {}
    for configuration in configurations:
        for experiment in experiments or configuration.experiments_of(corpus):
            configuration.settings_of(corpus, experiment)
            for split in splits or configuration.corpus(corpus).divisions_run:
                check_division(configuration, corpus, split)
                for seed in seeds or configuration.seeds:
                    if (experiment, split, seed) in cells:
                        raise UsageError(f"{experiment}, {split}, seed {seed}: found twice, wanted each training once")
                    cells[experiment, split, seed] = Cell(configuration, experiment, split, seed)
    if not cells:
        raise UsageError("--experiment: found none, wanted at least one, or `experiments` in the configuration")
    return list(cells.values())


@dataclass(frozen=True)
class Process:
    """Trainings that one process makes in turn: experiments on one corpus, division and seed."""

    corpus: str
    split: str
    seed: int
    experiments: tuple[str, ...]
    name: str


def training_processes(configuration: Configuration, corpora: Iterable[str]) -> list[Process]:
    """Return all trainings that a configuration names, at most `runs_a_process` of them a process."""
    size, result = configuration.runs_a_process, []
    for corpus in corpora:
        experiments = configuration.experiments_of(corpus)
        for seed in configuration.seeds:
            for split in configuration.corpus(corpus).divisions_run:
                for start in range(0, len(experiments), size):
                    name = f"{corpus}_{split}_seed{seed}_{start // size + 1}"
                    result.append(Process(corpus, split, seed, tuple(experiments[start : start + size]), name))
    return result


def check_division(configuration: Configuration, corpus: str, split: str) -> None:
    """Refuse a division that a corpus is not trained on.

    Raises:
        UsageError: such as `main` of a corpus with folds.
    """
    known = configuration.corpus(corpus).divisions
    if split not in known:
        raise UsageError(f"--split: found {split!r}, wanted one of the divisions of {corpus}: {', '.join(known)}")
