"""The kinds of corpora that a configuration may name, one closed group of keys each."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cman.config.settings import Group
from cman.corpora.brat_lines import Discontinuous
from cman.corpora.folds import COUNT, NAMES
from cman.corpora.overlap import Policy
from cman.layout import SPLITS

Changes = dict[str, Any]
Paths = Annotated[dict[str, Path], Field(description="raw file -> local copy, before mirror and address are tried")]

MAIN = "main"  # the only division of a corpus without folds
# What is said of a corpus that needs a path and has none.
NO_PATH = "%s: absent, because it has no `path:`; it needs a signed agreement with its authors and is never downloaded"


class Corpus(Group):
    """What every corpus may have."""

    language: str = Field("en", description="of its text: a code of spaCy's, whose tokens a model of it reads in text")
    licence: str | None = Field(None, description="of the data, as their source states it; for the model card")
    settings: Changes = Field({}, description="settings of this corpus, over those of the configuration")
    only: list[str] | None = Field(
        None, description="of the configuration's experiments, those that are run on this corpus; all by default"
    )

    @field_validator("only")
    @classmethod
    def _named_once(cls, value: list[str] | None) -> list[str] | None:
        repeated = [name for place, name in enumerate(value or []) if name in (value or [])[:place]]
        if repeated:
            raise ValueError(f"found {repeated[0]!r} twice, wanted each once")
        return value


class Conll04(Corpus):
    """The real CoNLL04 corpus, in one of its two public packagings; or one's own files in its five columns.

    `paths` by the names `train`, `dev` and `test` are one's own files, which have no checksum and are never fetched.
    """

    format: Literal["conll04"]
    licence: str | None = "unstated by its authors; its packagings' repositories are under MIT or Apache-2.0"
    packaging: Literal["bekou", "spert"] = Field("bekou", description="910/243/288 or 922/231/288 sentences")
    paths: Paths = {}

    @property
    def is_own(self) -> bool:
        """Whether these are the user's own files and not the public corpus."""
        return set(self.paths) == set(SPLITS)

    @model_validator(mode="after")
    def _own_files_are_columns(self) -> "Conll04":
        if self.is_own and self.packaging != "bekou":
            raise ValueError(f"packaging: found {self.packaging!r}, wanted format: spert for files of one's own in it")
        return self


class SampleSizes(Group):
    """Sentences (advertisements) of each split of a sample corpus."""

    train: Annotated[int, Field(ge=1)] = 400
    dev: Annotated[int, Field(ge=1)] = 80
    test: Annotated[int, Field(ge=1)] = 120


class Conll04Sample(Corpus):
    """A corpus made by a seeded grammar, written in CoNLL04's raw format and read by the same reader."""

    format: Literal["conll04-sample"]
    sentences: SampleSizes = SampleSizes()
    seed: int = 1


class DevPart(Group):
    """The part of each training fold that chooses the epoch; with `folds: document`, whole abstracts."""

    share: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.15, description="of the sentences outside of the test fold; as in the files of Wang and Lu (2020)"
    )
    seed: int = 1


class Folded(Corpus):
    """What corpora with ten-fold cross-validation have in common."""

    folds: str = "sentence"
    overlap: Policy = Field("keep_longest", description="before training; scores are against the full annotation")
    dev: DevPart = DevPart()
    fold_seed: int = Field(1, description="of the division into folds, where no public one is used")
    folds_run: list[Annotated[int, Field(ge=0, lt=COUNT)]] = Field(
        list(range(COUNT)), description="folds that the workflow trains and the tables average; all are prepared"
    )

    @field_validator("folds_run")
    @classmethod
    def _each_once(cls, value: list[int]) -> list[int]:
        if not value or len(set(value)) != len(value):
            raise ValueError(f"found {value}, wanted at least one fold, and each once")
        return value


class Ade(Folded):
    """The real ADE corpus out of its archive."""

    format: Literal["ade"]
    licence: str | None = "no licence text; the README in its archive asks for a citation"
    folds: Literal["spert", "document"] = Field("spert", description="public folds, or folds that share no abstract")
    paths: Paths = {}


class AdeSample(Folded):
    """A corpus made by a seeded grammar, written as ADE's archive and read by the same reader."""

    format: Literal["ade-sample"]
    folds: Literal["sentence", "document"] = "sentence"
    sentences: Annotated[int, Field(ge=1)] = 600
    seed: int = 1


class Drec(Corpus):
    """The real DREC corpus, which needs a signed agreement: a folder with train.tsv, dev.tsv and test.tsv."""

    format: Literal["drec"]
    licence: str | None = "needs a signed agreement with its authors"
    language: str = "nl"
    path: Path | None = Field(None, description="the folder; without it the corpus is absent and its table has dashes")


class DrecSample(Corpus):
    """A corpus made by a seeded grammar, written in DREC's raw format and read by the same reader."""

    format: Literal["drec-sample"]
    language: str = "nl"
    sentences: SampleSizes = SampleSizes(train=120, dev=30, test=40)
    seed: int = 1


class SplitPaths(Group):
    """Where the three splits of one's own corpus stand."""

    train: Path
    dev: Path
    test: Path


class Own(Corpus):
    """What corpora of one's own have in common."""

    paths: SplitPaths
    overlap: Policy = Field(
        "keep_longest", description="of entities, before training; scores are against the full annotation"
    )


class Jsonl(Own):
    """Any corpus in the document format, one file a split."""

    format: Literal["jsonl"]


class Spert(Own):
    """Any corpus in SpERT's JSON, a list a split; or the same file three times, with a list for each split."""

    format: Literal["spert"]


class Brat(Own):
    """Any corpus annotated with brat, a folder of .txt and .ann files a split."""

    format: Literal["brat"]
    discontinuous: Discontinuous = Field("hull", description="one span around all parts, or left out, or an error")


AnyCorpus = Conll04 | Conll04Sample | Ade | AdeSample | Drec | DrecSample | Jsonl | Spert | Brat
SAMPLES = (Conll04Sample, AdeSample, DrecSample)


def divisions(corpus: AnyCorpus) -> tuple[str, ...]:
    """Return the divisions into train, dev and test that a corpus can be trained on."""
    return NAMES if isinstance(corpus, Folded) else (MAIN,)


def divisions_run(corpus: AnyCorpus) -> tuple[str, ...]:
    """Return those that the workflow trains on."""
    return tuple(NAMES[number] for number in corpus.folds_run) if isinstance(corpus, Folded) else (MAIN,)


def is_absent(corpus: AnyCorpus) -> bool:
    """Tell whether a corpus cannot be had because nobody said where it is."""
    return isinstance(corpus, Drec) and corpus.path is None


def is_own(corpus: AnyCorpus) -> bool:
    """Tell whether a corpus is the user's own and none of the paper's."""
    return isinstance(corpus, Own) or (isinstance(corpus, Conll04) and corpus.is_own)


def for_files(corpus: AnyCorpus) -> AnyCorpus:
    """Return what a corpus's files depend on: not its settings, nor what of it is run."""
    update: dict[str, Any] = {"settings": {}, "only": None}
    if isinstance(corpus, Folded):
        update["folds_run"] = list(range(COUNT))
    return corpus.model_copy(update=update)
