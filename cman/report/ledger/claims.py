"""The paper's claims as docs/study.md numbers them, and the regime in which a run can answer them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# The regime that the rule of docs/study.md has chosen, by the keys of the settings; None as long as it has chosen none.
# A run with other settings is exploratory, and decides nothing.
REGIME: Mapping[str, Any] | None = {
    "training.epochs": 72,
    "training.batch_size": 8,
    "dropout.inputs": 0.4,
    "dropout.recurrent": 0.15,
}
REGIME_SHORTFALL = "the nearest of two tried: four of five models had converged in it"

# Where a claim about CoNLL04 is measured, the first corpus that has both models: the folds, then the public division.
MAIN = ("folded-conll04", "conll04")
SECOND = "second-conll04"  # the public division in the second regime of docs/study.md

Contrast = Literal["", "distance", "length"]


@dataclass(frozen=True)
class Claim:
    """One claim: `first` minus `second` is positive if it holds.

    Attributes:
        published: what the paper gives, in points; None where it gives none.
        corpora: where it is measured, the first that has both.
        contrast: not the difference itself but how much it grows from the first group of a figure to the last.
        task: whose F1 it is about.
        impossible: why it cannot be tested here.
        second_regime: the corpus of its second regime; empty where there is none.
    """

    number: str
    text: str
    where: str
    first: str
    second: str
    published: float | None
    corpora: tuple[str, ...] = MAIN
    contrast: Contrast = ""
    task: str = "relations"
    impossible: str = ""
    second_regime: str = SECOND

    @property
    def ranked(self) -> bool:
        """Whether average precision speaks about it: about relations as a whole, not about a group's."""
        return self.task == "relations" and not self.contrast


CLAIMS = (
    Claim("C1", "CMAN finds more relations than multi-head with AT, which reads no encoder's features", "Table I",
          "cman", "multihead-at", 11.51),
    Claim("C2", "... and more entities", "Table I", "cman", "multihead-at", 8.11, task="entities"),
    Claim("C3", "the gain is CMAN's, not that of its inputs", "not in the paper", "cman", "multihead-matched", None),
    Claim("C4", "the same as C1 on ADE", "Table II", "cman", "multihead-at", 5.82, ("ade",), second_regime=""),
    Claim("C5", "the label gate helps", "Table IV (DREC)", "cman", "cman-encoded-label", 1.43),
    Claim("C6", "BLA helps", "Table VII", "cman", "cman-no-bla", 2.12),
    Claim("C7", "self-attention in BSA helps", "Table VII", "cman", "cman-no-self-attention", 3.48),
    Claim("C8", "both attentions together help", "Table VII", "cman", "cman-no-attention", 4.25),
    Claim("C9", "uncertainty weighting helps", "Table VII", "cman", "cman-no-uncertainty", 0.70),
    Claim("C10", "a BiLSTM is better than an MLP", "Table VII", "cman", "cman-mlp", 1.30),
    Claim("C11", "a BiLSTM is better than an LSTM", "Table VI", "cman", "cman-lstm", 1.60),
    Claim("C11", "... than a GRU", "Table VI", "cman", "cman-gru", 3.89),
    Claim("C11", "... than a BiGRU", "Table VI", "cman", "cman-bigru", 1.30),
    Claim("C12", "one BSA stack for both tasks is better than two", "Figure 8", "cman", "cman-separate", 13.78),
    Claim("C13", "the gain of C1 grows with distance", "Figure 5", "cman", "multihead-at", None, MAIN, "distance"),
    Claim("C13", "... and with length", "Figure 6", "cman", "multihead-at", None, MAIN, "length"),
    Claim("C14", "CMAN on 60 % of the data is above the baseline on all, which reads no encoder's features", "Figure 7",
          "cman@60", "multihead-at", 0.96),
    Claim("C15", "a second phase on first-phase labels helps", "the design", "cman", "cman-one-phase", None),
    Claim("–", "the same as C1 on DREC", "Table III", "cman", "multihead-at", None, ("drec",),
          impossible="DREC is handed out under a signed agreement alone"),
)  # fmt: skip
