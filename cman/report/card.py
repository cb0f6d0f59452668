"""The model card: README.md of a model folder, which says what the model is, what it knows and how well it did.

Everything in it is read from the run's `provenance.json` and `scores.json`; the head in YAML is what a model hub reads.
"""

from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.evaluation.counts import Counts
from cman.files import read_json, write_text

OF_A_SAMPLE = "**Trained on a generated sample corpus: it shows that everything works and is of no use.**"


def write_card(run: Path, scores: dict[str, Any]) -> Path:
    """Write the card of a run's model, given its scores, and return its path.

    Raises:
        CmanError: the run has no model or no provenance, or they are malformed.
    """
    facts, config = read_json(run / "provenance.json"), read_json(run / "model" / "config.json")
    vocabulary = read_json(run / "model" / "vocabulary.json")
    try:
        text = card(facts, config, vocabulary, scores)
    except (AttributeError, KeyError, TypeError) as error:
        raise CmanError(f"{run}: is no complete run ({error!r})") from None
    write_text(run / "model" / "README.md", text)
    return run / "model" / "README.md"


def card(facts: dict[str, Any], config: dict[str, Any], vocabulary: dict[str, Any], scores: dict[str, Any]) -> str:
    """Return the card of a model, from the contents of its files."""
    types = [tag[2:] for tag in vocabulary["tags"] if tag.startswith("B-")]
    language = config.get("language", "en")
    sample = (
        "\n\n**Trained on a generated sample corpus: it shows that everything works and is of no use.**"
        * facts["sample"]
    )
    documents, seed = facts["documents"]["trained_on"], facts["seed"]
    git = facts.get("git") or {}
    revision = f"{git.get('revision') or 'not known'}{' (changed)' if git.get('changed') else ''}"
    lines = [
        "---",
        "library_name: cman",
        f"language: {language}",
        "tags: [relation-extraction, named-entity-recognition, cman]",
        "---",
        "",
        f"# {facts['title']} on {facts['corpus_title']}{sample}",
        "",
        "Finds entities and relations in text. The model is the two-phase cross-modal attention network of Zhao et al.",
        "(IEEE TNNLS 2023) or one of the experiments around it, trained by `cman`.",
        "",
        "| | |",
        "|---|---|",
        f"| corpus | {facts['corpus_title']}{_packaging(facts)} |",
        f"| licence of the data | {facts.get('licence') or 'not stated'} |",
        f"| experiment | {facts['experiment']}: {facts['title']} |",
        f"| inputs | {facts['inputs_title']} |",
        f"| entity types | {', '.join(types) or 'none'} |",
        f"| relations | {', '.join(vocabulary['relations']) or 'none'} |",
        f"| language of text | {language} (tokens of spaCy's blank pipeline) |",
        f"| protocol | {facts['protocol']} |",
        f"| trained on | {documents} documents; division {facts['split']}, seed {seed} |",
        f"| date | {facts.get('date') or 'not recorded'} |",
        f"| parameters | {facts['parameters']:,} |",
        f"| revision of `cman` | {revision} |",
        "",
        f"Scores on the {scores['documents']} test documents, in percent. Strict: spans, types and direction right.",
        "",
        "| | matching | precision | recall | F1 | gold |",
        "|---|---|---|---|---|---|",
        *(_row(scores, kind, matching) for kind in ("entities", "relations") for matching in ("strict", "boundaries")),
        "",
        "```python",
        "from cman import Extractor",
        "",
        'Extractor.load("this folder")("Ada Lovelace lives in London.").triples',
        "```",
        "",
    ]
    return "\n".join(lines)


def _packaging(facts: dict[str, Any]) -> str:
    return f" ({facts['packaging']})" if facts.get("packaging") else ""


def _row(scores: dict[str, Any], kind: str, matching: str) -> str:
    counts = Counts(**scores[kind][matching]["all"])
    figures = " | ".join(f"{100 * value:.2f}" for value in (counts.precision, counts.recall, counts.f1))
    return f"| {kind} | {matching} | {figures} | {counts.gold} |"
