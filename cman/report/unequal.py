"""What two rows differ in besides the model they are about: inputs, protocol, division, and settings that both use.

A setting that a model does not use is not named: the gate of a baseline, the size of a perturbation that is off.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cman.report.results import Run

TRAINING = ("at", "distil", "dropout", "training")  # what a comparison of models should not differ in
SIZES = ("char", "word", "label", "lstm", "rel", "crf", "uw")  # what else may differ between two architectures


def unequal(one: Run, other: Run) -> dict[str, str]:
    """Return by kind ("inputs", "protocol", "division", "training", "sizes") a sentence on what differs.

    Sizes are compared between two architectures alone: within one they are what an experiment is about.
    """
    found = {}
    for name in ("inputs_title", "protocol", "division"):
        here, there = getattr(one, name), getattr(other, name)
        if here != there:
            kind = name.removesuffix("_title")
            found[kind] = f"Other {kind}: {here or 'none'}; of the reference: {there or 'none'}."
    groups: dict[str, tuple[str, Sequence[str]]] = {"training": ("Trained otherwise", TRAINING)}
    if one.settings.get("architecture") != other.settings.get("architecture"):
        groups["sizes"] = ("Built otherwise", SIZES)
    for kind, (opening, parts) in groups.items():
        ours, theirs = used(one.settings), used(other.settings)
        keys = [key for key in sorted(ours.keys() | theirs.keys()) if key.partition(".")[0] in parts]
        said = [_said(key, ours, theirs) for key in keys if ours.get(key) != theirs.get(key)]
        if said:
            found[kind] = f"{opening}: {'; '.join(said)}."
    return found


def _said(key: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    return f"{key} {_spelt(ours, key)}, of the reference {_spelt(theirs, key)}"


def _spelt(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return "not used"
    value = settings[key]
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)


def used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a model uses, by dotted key."""
    flat = {f"{part}.{key}": value for part, group in settings.items() if isinstance(group, dict)
            for key, value in group.items()}  # fmt: skip
    cman = settings.get("architecture", "cman") == "cman"
    two_phases = cman and flat.get("ner.phases", 2) == 2
    unused = {
        "at.": not flat.get("at.enabled"),
        "distil.": flat.get("distil.teacher") is None,
        "uw.": not flat.get("uw.enabled"),
        "loss.": bool(flat.get("uw.enabled")),
        "char.": not flat.get("char.enabled", True),
        "contextual.": not flat.get("contextual.enabled", True),
        "encoder.": not flat.get("encoder.trainable"),
        "word.dim": flat.get("word.vectors") is not None,
        "lstm.layers": cman,
        "attn.": not cman,
        "bsa.": not cman,
        "bla.": not cman,
        "gate.": not (cman and flat.get("bla.enabled", True)),
        "ner.phases": not cman,
        "ner.report": not two_phases,
        "label.gold_": flat.get("label.source") != "scheduled",
        "label.noise": flat.get("label.source") != "noised",
        "rel.confidence": flat.get("rel.confidence") == "pair",  # as before there was a choice
        "training.patience": flat.get("training.protocol") == "fixed",
        "training.epoch_rule": flat.get("training.protocol") != "retrain",
        "training.graphs": True,  # how a GPU is asked to compute, not what
        "training.subset_seed": flat.get("training.fraction", 1.0) == 1.0,
    }
    return {
        key: value
        for key, value in flat.items()
        if key.endswith(".enabled") or not any(key.startswith(start) and off for start, off in unused.items())
    }
