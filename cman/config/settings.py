"""What one training run is made of: every switch of the model, its losses and its training, two levels deep.

The defaults are the paper's values where it gives them and otherwise the reading that its equations or its baseline's
code suggest; each group names the equations or the section of Zhao et al. (2023) that it touches. The keys are the
same in a configuration file (`settings: {crf.potential: pairwise}`), in an experiment's changes and in a model's
`config.json`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
File = Annotated[Path, Field(strict=False)]  # a file has strings in the place of paths
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class Group(BaseModel):
    """A closed, immutable group of keys: an unknown key is an error, not a silent default, and so is a value of
    another type: `true` is no number, a number no text, and no number is infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Word(Group):
    """Word embeddings (III-A1)."""

    vectors: str | None = Field(
        None, description="name of pre-trained vectors under `vectors`; null trains random ones"
    )
    dim: Count = Field(50, description="size of trained random vectors; pre-trained ones bring their own (paper: 50)")
    trainable: bool | None = Field(None, description="null freezes pre-trained vectors and trains random ones")
    vocabulary: Literal["train", "all"] = Field(
        "train", description="words with a vector of their own: of the training documents, or of every split"
    )
    unknown_rate: Rate = Field(
        0.5, description="share of once-seen words read as unknown in training, so that the unknown vector is learned"
    )


class Char(Group):
    """Character BiLSTM (III-A1); its output has 2 x hidden units."""

    enabled: bool = True
    emb: Count = Field(128, description="size of the character lookup")
    hidden: Count = Field(
        64, description="units a direction; 2 x 64 = 128 is the paper's 'size of character embeddings'"
    )


class Contextual(Group):
    """Contextual features in the place of the paper's ELMo (III-A1); frozen unless `encoder.trainable`."""

    enabled: bool = True
    encoder: str = Field("minilm", description="name of an encoder under `encoders`")
    mix: Literal["scalar", "mean", "top"] = Field("scalar", description="how the encoder's layers become one vector")

    @property
    def layers(self) -> Literal["all", "top", "mean"]:
        """What of an encoder's layers the mix reads."""
        return "all" if self.mix == "scalar" else self.mix


class FineTuning(Group):
    """Training the contextual encoder along with the model, which the paper does not do: its ELMo is frozen."""

    trainable: bool = Field(
        False, description="train the transformer that `contextual.encoder` names; no cached features"
    )
    lr: Annotated[float, Field(gt=0.0)] = Field(
        5e-5, description="its learning rate after warm-up, falling linearly to 0"
    )
    warmup: Share = Field(0.1, description="share of all steps in which its learning rate rises from 0")
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(0.01, description="decoupled, of its matrices alone")
    checkpointing: bool = Field(False, description="compute its inner values again in the backward pass: less memory")
    precision: Literal["auto", "float32", "bf16-mixed"] = Field(
        "auto", description="of its training; auto: bf16-mixed on a GPU, float32 on a CPU. Predictions are float32"
    )


class Label(Group):
    """Label embeddings (III-A2) and the labels that the second phase reads (III-E)."""

    emb: Annotated[int, Field(ge=0)] = Field(25, description="size d_l; 0 gives the baseline no label embedding")
    source: Literal["gold", "predicted", "scheduled", "noised"] = Field(
        "gold", description="labels read in training; always those of the first phase at inference"
    )
    gold_start: Share = Field(0.5, description="scheduled: share of training sentences with gold labels, first epoch")
    gold_end: Share = Field(0.5, description="scheduled: the same in the last epoch, linear in between")
    noise: Rate = Field(0.1, description="noised: share of gold labels replaced by one drawn uniformly")


class Recurrent(Group):
    """The recurrent unit (equations 1-3, Table VI). Whatever the kind, 2 x hidden values come out for a token."""

    kind: Literal["bilstm", "lstm", "bigru", "gru", "mlp"] = "bilstm"
    hidden: Count = Field(128, description="d of the paper: units a direction")
    layers: Count = Field(3, description="depth of the baseline's stack (Bekoulis et al. 2018: 3); CMAN has bsa.units")
    init: Literal["tf", "torch"] = Field("tf", description="tf: glorot-uniform kernels, one bias, forget bias 1")


class Attention(Group):
    """Multi-head attention (equations 4-7)."""

    heads: Count = Field(8, description="z; the paper does not give it, and 8 divides 2d = 256")
    scale: Literal["head", "full"] = Field("head", description="divide by the root of the head's size, or of all 2d")
    residual_proj: Literal["auto", "always"] = Field("auto", description="project Q of equation 7: if sizes differ")


class Bsa(Group):
    """BiLSTM-enhanced self-attention (equation 8)."""

    units: Count = Field(2, description="m: stacked units in the first phase")
    self_attention: bool = Field(True, description="false leaves the BiLSTM alone (Table VII)")
    share: bool = Field(True, description="false gives the second phase a stack of its own (Figure 8)")


class Bla(Group):
    """BiLSTM-enhanced label-attention (equations 12-14)."""

    enabled: bool = Field(True, description="false feeds X^m to the second phase's outputs (Table VII)")
    share_label_lstm: bool = Field(False, description="one label BiLSTM for both units")


class Gate(Group):
    """The label gate (equations 10 and 11)."""

    kind: Literal["vector", "scalar", "none"] = "vector"
    shared: bool = Field(False, description="one gate for both BLA units")
    source: Literal["xm", "query"] = Field("xm", description="what opens the gate: X^m as printed, or the unit's query")


class Crf(Group):
    """The linear-chain CRF of both phases (equations 9 and 15)."""

    potential: Literal["linear", "pairwise"] = Field(
        "linear", description="a score a tag plus a transition matrix, or weights for each label pair as printed"
    )
    emission_hidden: Annotated[int, Field(ge=0)] = Field(0, description="units of a tanh layer before the scores")
    boundary: bool = Field(False, description="learned scores of the first and the last tag")
    constrain_bio: bool = Field(False, description="decode only valid BIO paths")


class Ner(Group):
    """The phases of entity recognition and which CRF's entities are reported (III-D3)."""

    phases: Literal[2, 1] = Field(
        2, description="1: no second CRF, so that the labels reach the relations alone (the 2020 conference version)"
    )
    report: Literal["second", "first"] = Field("second", description="with one phase, that one")
    given: bool = Field(
        False,
        description="entities are given with the documents, in training and prediction; only relations are learned",
    )

    @field_validator("phases", mode="before")
    @classmethod
    def _counted(cls, value: object) -> object:
        if isinstance(value, bool):  # which Python counts as the number 1
            raise ValueError(f"found {value}, wanted 1 or 2")
        return value


class Rel(Group):
    """Relation scores: the paper's multi-head ones (equations 16, 17 and 20), or those of `Span`."""

    scorer: Literal["multihead", "span"] = Field(
        "multihead", description="multihead: of two tokens (equation 16); span: of two entities and the words between"
    )
    features: Literal["fused", "fused+encoder"] = Field(
        "fused", description="what the scorer reads: X~3 alone, or joined with the mixed contextual features"
    )
    candidates: Literal["cells", "entities"] = Field(
        "cells",
        description="pairs of the loss: all tokens, or those of the gold entities and of some wrong predicted ones",
    )
    wrong_candidates: Annotated[int, Field(ge=0)] = Field(
        5, description="entities: so many wrong predicted ones a sentence, at most, are candidates in training"
    )
    hidden: Count = Field(128, description="d tilde of equation 16")
    params: Literal["shared", "per_relation"] = Field("shared", description="U, W, b of equation 16")
    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] | Literal["auto"] = Field(
        0.5, description="a relation needs a higher probability; auto: the one with the best F1 on dev"
    )
    confidence: Literal["pair", "joint"] = Field(
        "pair", description="pair: the probability of the pair alone; joint: times those of its two entities"
    )
    prior: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        0.002, description="initial probability of a relation, by an output bias; null: no bias, as printed"
    )
    null_class: bool = Field(False, description="a class N, gold at (i, i) of a token without relation; never decoded")
    loss_reduction: Literal["sum", "mean"] = Field("sum", description="over the cells of a sentence")
    pos_weight: Annotated[float, Field(gt=0.0)] = Field(1.0, description="weight of the gold cells in equation 20")
    anchor: Literal["last", "first"] = Field("last", description="the token that stands for an entity")
    decode: Literal["any_token", "last_token"] = Field(
        "any_token", description="which tokens of a predicted entity may carry its relations; last_token: the anchor"
    )


class Span(Group):
    """The scorer of entity pairs, `rel.scorer: span` (ours, after Lee et al. 2017 and Eberts and Ulges 2020)."""

    projection: Count = Field(192, description="size of an argument's and of the context's vector")
    hidden: Count = Field(256, description="units of the layer before the labels")
    dropout: Rate = Field(0.2, description="of what it reads, and of a pair's vector")
    context: bool = Field(True, description="read the words between the two entities")
    type_emb: Annotated[int, Field(ge=0)] = Field(32, description="size of an entity type's vector; 0: none")
    width_emb: Annotated[int, Field(ge=0)] = Field(16, description="size of an entity's length's vector; 0: none")
    distance_emb: Annotated[int, Field(ge=0)] = Field(16, description="size of the signed distance's vector; 0: none")


class Adversarial(Group):
    """Adversarial training (equation 22)."""

    enabled: bool = True
    alpha: Annotated[float, Field(gt=0.0)] = Field(0.01, description="size of the perturbation, times sqrt(input size)")
    targets: Literal["all", "word_char"] = Field("all", description="inputs that are perturbed")
    reg_twice: bool = Field(False, description="count the regulariser of equations 24-26 in both passes")


class Uncertainty(Group):
    """Homoscedastic uncertainty weighting (equations 24-26); s stands for log sigma^2."""

    enabled: bool = True
    form: Literal["paper", "kendall", "log1p"] = Field(
        "paper", description="exp(-s) L + s; half of both; or exp(-s) L + log(1 + exp(s))"
    )
    clamp: Annotated[float, Field(gt=0.0)] = Field(4.0, description="|s| never exceeds this: the loss stays bounded")
    lr: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="learning rate of the three s, by the same schedule; null is that of the model"
    )


class Loss(Group):
    """Fixed weights of the three losses (equation 23), used when `uw.enabled` is false."""

    first: Annotated[float, Field(ge=0.0)] = 1.0
    second: Annotated[float, Field(ge=0.0)] = 1.0
    rel: Annotated[float, Field(ge=0.0)] = 1.0


class Dropout(Group):
    """Dropout rates (IV-A1); none on attention and heads."""

    inputs: Rate = Field(0.2, description="of the token representation X")
    recurrent: Rate = Field(0.1, description="of each recurrent output (paper: 0.1 CoNLL04, 0.3 ADE and DREC)")


class Distil(Group):
    """Soft targets from trained models of the same documents; not the paper's."""

    teacher: str | None = Field(None, description="experiment whose models teach; null: none")
    members: Annotated[int, Field(ge=2)] = Field(5, description="its seeds, from 1 to this number")
    share: Share = Field(0.5, description="of the teachers in the targets; the rest is gold")
    temperature: Annotated[float, Field(gt=0.0)] = Field(1.0, description="what the teachers' scores are divided by")


class Training(Group):
    """Optimisation and the protocol of model selection (IV-A1)."""

    batch_size: Count = Field(8, description="sentences; losses are summed over a sentence, then averaged")
    shuffle: bool = True
    epochs: Count = Field(180, description="upper bound of epochs (paper: 180)")
    patience: Count = Field(30, description="epochs without a better dev mean F1 before stopping")
    protocol: Literal["retrain", "train", "fixed"] = Field(
        "retrain", description="choose the epoch on dev, retrain on train+dev; only choose; or train+dev for all epochs"
    )
    epoch_rule: Literal["best", "patience_end", "last"] = Field("best", description="epochs of the retraining")
    lr: Annotated[float, Field(gt=0.0)] = Field(5e-4, description="Adam's learning rate (paper: 5e-4)")
    schedule: Literal["constant", "linear"] = Field("constant", description="linear: down to 0 at `epochs`")
    clip_norm: Annotated[float, Field(gt=0.0)] | None = Field(None, description="largest gradient norm")
    ema: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        None, description="decay of a moving average of the weights, which is evaluated and kept in their place"
    )
    ema_start: Share = Field(0.3, description="share of all steps after which that average begins")
    fraction: Annotated[float, Field(gt=0.0, le=1.0)] = Field(1.0, description="share of the training data (Figure 7)")
    subset_seed: int = Field(1, description="which nested subsets `fraction` takes")
    graphs: bool = Field(True, description="on a GPU, record the gradients' kernels once and replay them")


class Settings(Group):
    """All settings of one run."""

    architecture: Literal["cman", "multihead"] = "cman"
    word: Word = Word()
    char: Char = Char()
    contextual: Contextual = Contextual()
    encoder: FineTuning = FineTuning()
    label: Label = Label()
    lstm: Recurrent = Recurrent()
    attn: Attention = Attention()
    bsa: Bsa = Bsa()
    bla: Bla = Bla()
    gate: Gate = Gate()
    crf: Crf = Crf()
    ner: Ner = Ner()
    rel: Rel = Rel()
    span: Span = Span()
    at: Adversarial = Adversarial()
    uw: Uncertainty = Uncertainty()
    loss: Loss = Loss()
    dropout: Dropout = Dropout()
    distil: Distil = Distil()
    training: Training = Training()

    @model_validator(mode="after")
    def _sizes_fit(self) -> "Settings":
        width = 2 * self.lstm.hidden
        if self.architecture == "cman" and width % self.attn.heads:
            raise ValueError(f"attn.heads is {self.attn.heads}, wanted a divisor of 2 x lstm.hidden = {width}")
        if self.architecture == "cman" and self.bla.enabled and not self.label.emb:
            raise ValueError("label.emb is 0, wanted at least 1: BLA reads label embeddings")
        if self.encoder.trainable and not self.contextual.enabled:
            raise ValueError(
                "encoder.trainable is true and contextual.enabled false, wanted contextual inputs to train"
            )
        if self.rel.scorer == "span" and self.architecture != "cman":
            raise ValueError("rel.scorer is span, wanted multihead with architecture multihead")
        if self.rel.scorer == "span" and self.rel.candidates != "entities":
            raise ValueError("rel.candidates is cells, wanted entities with rel.scorer span: it scores entities")
        if self.rel.features == "fused+encoder" and (self.architecture != "cman" or not self.contextual.enabled):
            raise ValueError("rel.features is fused+encoder, wanted fused without CMAN's contextual inputs")
        if self.rel.candidates == "entities" and self.rel.null_class:
            raise ValueError(
                "rel.null_class is true, wanted false with rel.candidates entities: N is a class of tokens"
            )
        if self.rel.threshold == "auto" and self.training.protocol == "fixed":
            raise ValueError(
                "rel.threshold is auto, wanted a number with training.protocol fixed: no dev to choose it on"
            )
        if self.distil.teacher is not None:
            if self.rel.scorer != "span" or self.ner.given or self.encoder.trainable:
                raise ValueError(
                    "distil.teacher is given, wanted none without rel.scorer span, with ner.given or encoder.trainable"
                )
            if self.training.protocol == "retrain":
                raise ValueError(
                    "distil.teacher is given, wanted training.protocol fixed or train: with retrain the teachers have "
                    "read dev, which then chooses nothing"
                )
        return self
