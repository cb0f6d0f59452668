"""The model card: README.md of a model folder, which says what the model is, what it knows and how well it did.

Everything in it is read from the run's `provenance.json` and `scores.json`, the figures by the table that all reports
pivot; the head in YAML is what a model hub reads. Titles and labels are a corpus's own words and stand there escaped.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cman.config.configuration import Configuration
from cman.errors import CmanError
from cman.evaluation.convergence import Convergence, convergence_of
from cman.evaluation.counts import Counts
from cman.evaluation.reliability import by_chance
from cman.evaluation.scores import MATCHINGS
from cman.files import read_json, write_text
from cman.report.frame import FIGURES, STRICT, percent, score_columns, summaries
from cman.report.results import ALL, COUNTED, Run, read_run
from cman.report.titles import titles_of_run

log = logging.getLogger("cman")


def write_cards(folders: Sequence[Path], configuration: Configuration | None, listed: Path | None) -> None:
    """Write the cards of runs, called what a configuration calls them, and last of all the list of the cards.

    Raises:
        CmanError: see `write_card`.
    """
    cards = [write_card(run, None if configuration is None else titles_of_run(configuration, run)) for run in folders]
    for card in cards:
        log.info("%s", card)
    if listed is not None:
        write_text(listed, "".join(f"{card}\n" for card in cards))


def write_card(folder: Path, facts: Mapping[str, Any] | None = None) -> Path:
    """Write the card of a run's model and return its path.

    Args:
        facts: of presentation, in the place of those that the provenance holds.

    Raises:
        CmanError: the run has no model, no scores or no provenance, or they are malformed.
    """
    config, vocabulary = (read_json(folder / "model" / f"{name}.json") for name in ("config", "vocabulary"))
    run, scores = read_run(folder, facts), read_json(folder / "scores.json")
    try:
        text = card(run, config, vocabulary, scores, convergence_of(folder))
    except (AttributeError, KeyError, TypeError) as error:
        raise CmanError(f"{folder}: is no complete run ({error!r})") from None
    write_text(folder / "model" / "README.md", text)
    return folder / "model" / "README.md"


def card(
    run: Run,
    config: Mapping[str, Any],
    vocabulary: Mapping[str, Any],
    scores: Mapping[str, Any],
    end: Convergence | None = None,
) -> str:
    """Return the card of a model, from the contents of its files."""
    facts = run.provenance
    types = [tag[2:] for tag in vocabulary["tags"] if tag.startswith("B-")]
    language = run.provenance.get("language") or config.get("language", "en")
    git = facts.get("git") or {}
    installed = f"none: version {(facts.get('packages') or {}).get('cman', 'not known')}, installed"
    sample = "**Trained on a generated sample corpus: it shows that everything works and is of no use.**"
    about = {
        "corpus": run.corpus_title + (f" ({facts['packaging']})" if facts.get("packaging") else ""),
        "licence of the data": facts.get("licence") or "not stated",
        "experiment": f"{run.experiment}: {run.title}",
        "inputs": run.inputs_title,
        "entity types": ", ".join(types) or "none",
        "relations": ", ".join(vocabulary["relations"]) or "none",
        "language of text": f"{language} (tokens of spaCy's blank pipeline)",
        "protocol": run.protocol,
        "trained on": f"{facts['documents']['trained_on']} documents; division {run.split}, seed {run.seed}",
        **({} if end is None else {"converged": end.said()}),
        "date": facts.get("date") or "not recorded",
        "parameters": f"{facts['parameters']:,}",
        "revision of `cman`": f"{git.get('revision') or installed}{' (changed)' if git.get('changed') else ''}",
    }
    lines = [
        "---",
        "library_name: cman",
        f"language: {language}",
        "tags: [relation-extraction, named-entity-recognition, cman]",
        "---",
        "",
        f"# {escape(run.title)} on {escape(run.corpus_title)}",
        "",
        *([sample, ""] if run.sample else []),
        "Finds entities and relations in text. The model is the two-phase cross-modal attention network of Zhao et al.",
        "(IEEE TNNLS 2023) or one of the experiments around it, trained by `cman`.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {escape(value)} |" for name, value in about.items()),
        "",
        f"Scores on the {run.documents} test documents, in percent. Strict: spans, types and direction right; a dash "
        "stands where",
        "the documents have nothing to find.",
        "",
        "| | matching | precision | recall | F1 | gold |",
        "|---|---|---|---|---|---|",
        *_scores(run),
        "",
        *_text(run, language),
        *_confidences(config, scores),
        "```python",
        "from cman import Extractor",
        "",
        'Extractor.load("this folder")("Ada Lovelace lives in London.").triples',
        "```",
        "",
    ]
    return "\n".join(lines)


def _scores(run: Run) -> Iterator[str]:
    """Return a line for each task under strict and boundaries matching, and for each type under strict."""
    found = summaries(score_columns(run), ["task", "matching", "type", "figure"])
    for task in COUNTED:
        for matching in MATCHINGS[:2]:
            yield _line(found, task, matching, ALL, task, run.scores[task][matching][ALL].gold, "micro_")
        for kind, counts in run.scores[task][STRICT].items():
            if kind != ALL:
                yield _line(found, task, STRICT, kind, escape(kind), counts.gold)
        if len(run.scores[task][STRICT]) > 1:
            yield _line(
                found, task, STRICT, ALL, f"{task}, mean of types", run.scores[task][STRICT][ALL].gold, "macro_"
            )


def _line(
    found: Mapping[Any, Any], task: str, matching: str, kind: str, title: str, gold: int, average: str = ""
) -> str:
    figures = (percent(found[task, matching, kind, f"{average}{figure}"].mean) or "–" for figure in FIGURES)
    return f"| {title} | {matching} | {' | '.join(figures)} | {gold} |"


def _text(run: Run, language: str) -> Iterator[str]:
    """Return how well raw text is read, where that makes a difference."""
    if not run.unlike and all(counts == run.scores[task][STRICT][ALL] for task, counts in run.text.items()):
        return
    yield f"Read as raw text, in sentences and tokens of {language} as `cman extract` does, {run.unlike} of these"
    yield "documents have other tokens. Strict, with the characters of entities in the place of tokens:"
    yield ""
    yield from ("| read as text | precision | recall | F1 |", "|---|---|---|---|")
    for task, counts in run.text.items():
        figures = [percent(100 * value) for value in (counts.precision, counts.recall, counts.f1)]
        yield f"| {task} | {' | '.join(figures if counts.gold else '–––')} |"
    yield ""


def _confidences(config: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[str]:
    """Return what the confidences are worth: calibration error, and relations by threshold."""
    lines = config.get("calibration")
    if lines is None:
        yield "Confidences are uncalibrated: the training had no documents to do it on."
    else:
        fitted = (
            f"temperature {line['temperature']:.2f} and shift {line['shift']:.2f} of {task}"
            for task, line in lines.items()
            if task != "threshold"
        )
        yield f"Confidences are calibrated on dev: {', '.join(fitted)}."
    settings = config["settings"]
    if settings["rel"].get("confidence") == "joint" and not settings["ner"].get("given"):
        yield "That of a relation is the probability of the whole triple: of the relation and of both its entities."
    known = {task: value for task, value in (scores.get("reliability") or {}).items() if value is not None}
    if known:
        errors = ", ".join(f"{value['error']:.3f} of {task}" for task, value in known.items())
        yield f"Calibration error on test (mean distance of confidence and share that is right): {errors}."
        least = ", ".join(f"{by_chance(value['bins']):.3f} of {task}" for task, value in known.items())
        yield f"By chance alone as many exactly calibrated ones would show {least}."
    yield ""
    curve = (scores.get("ranking") or {}).get("by_threshold")
    if curve:
        yield from ("| relations with a confidence above | precision | recall | F1 |", "|---|---|---|---|")
        for each in curve:
            counts = Counts(each["true_positive"], each["predicted"], each["gold"])
            figures = (percent(100 * value) or "–" for value in (counts.precision, counts.recall, counts.f1))
            yield f"| {each['threshold']} | {' | '.join(figures)} |"
        yield ""


def escape(text: str) -> str:
    """Return a text that Markdown shows as it is, in a cell of a table as well: no markup and no HTML."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#|~!$])", r"\\\1", plain)
