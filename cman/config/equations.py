"""Equation by equation: what implements it, which keys choose its reading, and where each key's default comes from.

    python -m cman.config.equations > docs/equations.md

The table is literal and nothing else reads it, so that a word here makes no training out of date. Every key of
`cman.config.settings` stands in it exactly once; its default and its meaning are taken from there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

from pydantic import BaseModel

from cman.config.settings import Settings

Origin = Literal["as printed", "paper's text", "baseline's code", "ours"]


@dataclass(frozen=True)
class Key:
    """Where the default of one key comes from, and the reason where there is one to give."""

    origin: Origin
    why: str = ""


@dataclass(frozen=True)
class Equation:
    """One equation, or a part of section III or IV: the names that implement it, the reading, its keys."""

    number: str
    title: str
    places: tuple[str, ...]
    reading: str
    keys: Mapping[str, Key]


PRINTED, TEXT, BASELINE, OURS = Key("as printed"), Key("paper's text"), Key("baseline's code"), Key("ours")

EQUATIONS: tuple[Equation, ...] = (
    Equation(
        "III-A1",
        "token representation",
        ("cman.model.inputs.Inputs.forward", "cman.model.inputs.CharBiLSTM", "cman.model.inputs.LayerMix"),
        "X joins word, character and contextual vectors. The paper's ELMo and word vectors can be had; without a "
        "connection MiniLM and random vectors stand in their place.",
        {
            "word.vectors": Key("ours", "the paper has pre-trained ones, which need a download"),
            "word.dim": Key("paper's text", "50 on CoNLL04; there of pre-trained vectors"),
            "word.trainable": Key("baseline's code", "pre-trained vectors are frozen"),
            "word.vocabulary": Key("ours", "the baseline takes every word of the vectors' file"),
            "word.unknown_rate": OURS,
            "char.enabled": TEXT,
            "char.emb": Key("paper's text", "'the size of character embeddings is 128': of the lookup"),
            "char.hidden": Key("paper's text", "the same sentence: 2 x 64 of the output; the baseline has 25 and 25"),
            "contextual.enabled": TEXT,
            "contextual.encoder": Key("ours", "the paper has ELMo"),
            "contextual.mix": Key("ours", "the learned mix of ELMo's authors; the paper does not say"),
            "encoder.trainable": Key("ours", "frozen; the paper does not say"),
            "encoder.lr": OURS,
            "encoder.warmup": OURS,
            "encoder.weight_decay": OURS,
            "encoder.checkpointing": OURS,
            "encoder.precision": OURS,
        },
    ),
    Equation(
        "III-A2, III-E",
        "label representation",
        ("cman.model.labels.LabelSource.forward", "cman.model.cman.CrossModalInteraction"),
        "Gold labels are read in training and the first phase's at inference.",
        {
            "label.emb": Key("paper's text", "25; the baseline has 0 on CoNLL04 (`multihead-as-published`)"),
            "label.source": TEXT,
            "label.gold_start": OURS,
            "label.gold_end": OURS,
            "label.noise": OURS,
        },
    ),
    Equation(
        "1-3",
        "BiLSTM",
        ("cman.model.recurrent.Recurrent.forward",),
        "d is the size of a direction, so that 2d come out, as U and W of equation 16 and H (n x 2d) say. The other "
        "units of Table VI have the same 2d.",
        {
            "lstm.kind": PRINTED,
            "lstm.hidden": Key("paper's text", "128"),
            "lstm.layers": Key("baseline's code", "of the baseline's stack alone"),
            "lstm.init": Key("baseline's code", "TensorFlow's defaults, in which the paper's model is written, too"),
        },
    ),
    Equation(
        "4-7",
        "multi-head attention",
        ("cman.model.attention.MultiHeadAttention.forward",),
        "The paper's sizes d are 2d here, the size of H. Equation 7 adds Q; the sentence before it says H, which is Q "
        "in a BSA unit.",
        {
            "attn.heads": Key("ours", "z is not given"),
            "attn.scale": Key("ours", "the root of a head's size; `full` as printed (`cman-as-printed`)"),
            "attn.residual_proj": Key("as printed", "no projection where Q has the size of T, which it always has"),
        },
    ),
    Equation(
        "8",
        "BSA",
        ("cman.model.attention.BSA.forward", "cman.model.cman.Cman._two_phases"),
        "m units, each with a BiLSTM and an attention of its own. 'Without shared parameters' of Figure 8 is read as a "
        "second stack.",
        {"bsa.units": Key("paper's text", "m = 2"), "bsa.self_attention": PRINTED, "bsa.share": PRINTED},
    ),
    Equation(
        "9, 15, 18, 19",
        "CRF of both phases and its loss",
        ("cman.model.crf.Crf.potentials", "cman.model.crf.Crf.nll", "cman.kernels.crf.crf_nll"),
        "A potential is printed with a weight vector and a bias for each label pair; the default has a score a tag and "
        "a transition matrix, as TensorFlow's CRF has. The printed product runs over i and indexes n.",
        {
            "crf.potential": Key("baseline's code", "`pairwise` as printed (`cman-as-printed`)"),
            "crf.emission_hidden": Key("as printed", "no layer; the baseline has 64 units of tanh"),
            "crf.boundary": Key("baseline's code", "no scores of start and end"),
            "crf.constrain_bio": Key("baseline's code", "any path may be decoded"),
            "ner.phases": PRINTED,
            "ner.report": Key("paper's text", "'another CRF to extract the final entity'"),
            "ner.given": OURS,
        },
    ),
    Equation(
        "10, 11",
        "label gate",
        ("cman.model.label_gate.LabelGate.forward", "cman.model.attention.BLA.forward"),
        "k gates each value of a label on its own; each BLA unit has a gate, before keys and values are made.",
        {
            "gate.kind": Key("ours", "k may be a vector or a number; the gates that the paper cites are vectors"),
            "gate.shared": Key("ours", "the paper writes one b_l and does not say"),
            "gate.source": Key("as printed", "X^m in both units"),
        },
    ),
    Equation(
        "12-14",
        "BLA and the BiLSTM between",
        ("cman.model.cman.CrossModalInteraction.forward", "cman.model.attention.BLA.forward"),
        "Each BLA unit contains a BiLSTM of its own over the labels.",
        {"bla.enabled": PRINTED, "bla.share_label_lstm": Key("ours", "each unit 'contains' a BiLSTM")},
    ),
    Equation(
        "16, 17, 20",
        "multi-head relations and their loss",
        (
            "cman.model.relations.MultiHeadRelations._operands",
            "cman.model.relations.MultiHeadRelations.loss",
            "cman.kernels.pairs.pair_scores",
        ),
        "The row's token is the first argument, as in the baseline's code. The loss prints -log Pr alone; it is read "
        "as binary cross-entropy over all cells, those without a relation included, as the baseline computes it.",
        {
            "rel.scorer": Key("as printed", "`span` is ours, below"),
            "rel.features": Key("as printed", "X~3; `fused+encoder` is ours"),
            "rel.candidates": Key("as printed", "all pairs of tokens; `entities` is ours"),
            "rel.wrong_candidates": OURS,
            "rel.hidden": Key("ours", "not given; d"),
            "rel.params": Key(
                "baseline's code", "V is a relation's own; `per_relation` as printed (`cman-as-printed`)"
            ),
            "rel.threshold": Key("baseline's code", "a rounded sigmoid; `auto` is ours"),
            "rel.confidence": Key("as printed", "equation 17; `joint` is ours"),
            "rel.prior": Key("ours", "an output bias; null as printed (`cman-as-printed`, `multihead-as-published`)"),
            "rel.null_class": Key("as printed", "no class N; the baseline has one (`multihead-as-published`)"),
            "rel.loss_reduction": PRINTED,
            "rel.pos_weight": PRINTED,
            "rel.anchor": Key("baseline's code", "the last token"),
            "rel.decode": Key("baseline's code", "any token of a predicted entity carries its relations"),
        },
    ),
    Equation(
        "Ours",
        "a relation scorer that reads spans",
        ("cman.model.span_relations.SpanRelations.scores", "cman.model.pairs.training_pairs"),
        "Not the paper's: the scorer of `cman-best`, in the place of equation 16 with `rel.scorer: span`.",
        {
            "span.projection": OURS,
            "span.hidden": OURS,
            "span.dropout": OURS,
            "span.context": OURS,
            "span.type_emb": OURS,
            "span.width_emb": OURS,
            "span.distance_emb": OURS,
        },
    ),
    Equation(
        "Ours",
        "learning from trained models",
        ("cman.model.lesson.Lesson", "cman.model.teacher.Teacher.lesson"),
        "Not the paper's: equations 18 to 20 with targets between the gold ones and those of an ensemble (Hinton et "
        "al. 2015; of tag sequences, Wang et al. 2020).",
        {
            "distil.teacher": Key("ours", "none: equations 18 to 20 as printed"),
            "distil.members": OURS,
            "distil.share": OURS,
            "distil.temperature": OURS,
        },
    ),
    Equation(
        "22",
        "adversarial training",
        ("cman.model.adversarial.perturbation", "cman.training.step.training_step"),
        "eta = alpha sqrt(D) g / |g| a sentence, at the whole of X before dropout, no gradient through it.",
        {
            "at.enabled": PRINTED,
            "at.alpha": Key("baseline's code", "0.01 on CoNLL04"),
            "at.targets": Key("paper's text", "w, all of the token; the baseline has words and characters alone"),
            "at.reg_twice": Key("ours", "printed with the joint loss in both passes, which counts log sigma^2 twice"),
        },
    ),
    Equation(
        "21, 23-26",
        "joint loss",
        ("cman.model.losses.JointLoss.forward",),
        "s = log sigma^2 is what is learned, from 0. It is held within bounds, because the printed loss has none.",
        {
            "uw.enabled": PRINTED,
            "uw.form": PRINTED,
            "uw.clamp": OURS,
            "uw.lr": OURS,
            "loss.first": Key("ours", "the paper's weights 'by hand' are not given; 1 is equation 21"),
            "loss.second": Key("ours", "the same"),
            "loss.rel": Key("ours", "the same"),
        },
    ),
    Equation(
        "IV-A1",
        "optimisation and selection",
        ("cman.training.step.make_optimiser", "cman.training.protocol.Trainer.train", "cman.training.data.subset"),
        "Adam, whose epoch is chosen on dev and retrained on train and dev, as the baseline's authors do. Dropout "
        "stands on X and on every recurrent output.",
        {
            "architecture": TEXT,
            "dropout.inputs": Key("paper's text", "0.2; the baseline has 0.1 on CoNLL04 (`multihead-as-published`)"),
            "dropout.recurrent": Key("paper's text", "0.1 on CoNLL04, as the baseline has"),
            "training.batch_size": Key("ours", "not given; the baseline has 1"),
            "training.shuffle": Key("ours", "the baseline does not"),
            "training.epochs": Key("paper's text", "180, here an upper bound"),
            "training.patience": Key("baseline's code", "30"),
            "training.protocol": BASELINE,
            "training.epoch_rule": Key("ours", "the best epoch"),
            "training.lr": Key("paper's text", "0.0005"),
            "training.schedule": TEXT,
            "training.clip_norm": Key("baseline's code", "none"),
            "training.ema": OURS,
            "training.ema_start": OURS,
            "training.fraction": Key("paper's text", "all; Figure 7 takes shares"),
            "training.subset_seed": Key("ours", "nested subsets; the sampling is not given"),
            "training.graphs": Key("ours", "how a GPU computes the gradients, not which"),
        },
    ),
)


INTRODUCTION = (
    "Made by `python -m cman.config.equations > docs/equations.md` from the table in `cman/config/equations.py`. Where "
    "the paper (Zhao et al. 2023) leaves something open, a key chooses the reading. The default of a key comes from "
    "one of four places: **as printed** in the equations, the **paper's text**, the **baseline's code** (Bekoulis et "
    "al. 2018), or it is **ours**. What the keys mean in full: [configuration.md](configuration.md)."
)


def page() -> str:
    """Return the page of equations as Markdown."""
    lines = [
        "# Equations, readings, keys",
        "",
        *wrap(INTRODUCTION, 120),
    ]
    for equation in EQUATIONS:
        number = equation.number
        name = f"Section {number}" if number[0] in "IV" else f"Equation {number}" if number[0].isdigit() else number
        lines += ["", f"## {name}: {equation.title}", ""]
        lines += [
            "In " + ", ".join(f"`{place}`" for place in equation.places) + ".",
            "",
            *wrap(equation.reading, 120),
            "",
        ]
        lines += ["| key | default | origin | why |", "|---|---|---|---|"]
        for key, mark in equation.keys.items():
            lines.append(f"| `{key}` | `{_default(key)}` | {mark.origin} | {mark.why} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def keys() -> dict[str, object]:
    """Return every key of the settings with its default, by dotted name."""
    found: dict[str, object] = {}
    for name, value in Settings():
        found |= {f"{name}.{key}": inner for key, inner in value} if isinstance(value, BaseModel) else {name: value}
    return found


def _default(key: str) -> str:
    value = keys()[key]
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    print(page(), end="")
