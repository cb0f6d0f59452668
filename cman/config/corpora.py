"""The keys that a corpus may have in a configuration: one closed group for each format that has keys of its own.

`cman.config.formats` says which format has which; those of one's own corpora stand in `cman.config.own`. What differs
between corpora for everyone else is a property here: whether a corpus is absent, one's own or a sample, and its
divisions into train, dev and test.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cman.config.settings import File, Group
from cman.layout import FOLDS, MAIN, SPLITS

Changes = dict[str, Any]
Overlap = Literal["keep_longest", "drop_sentences", "drop_relations"]
FoldCount = Annotated[int, Field(ge=2, le=len(FOLDS))]
Paths = Annotated[dict[str, File], Field(description="raw file -> local copy, before mirror and address are tried")]

# What is said of a corpus that needs a path and has none.
NO_PATH = "%s: absent, because it has no `path:`; it needs a signed agreement with its authors and is never downloaded"


class Corpus(Group):
    """What every corpus may have."""

    format: str
    language: str = Field("en", description="of its text: a code of spaCy's, whose tokens a model of it reads in text")
    licence: str | None = Field(
        None, description="of the data, for the model card; that of a public corpus is known and may be left out"
    )
    settings: Changes = Field({}, description="settings of this corpus, over those of the configuration")
    only: list[str] | None = Field(
        None, description="of the configuration's experiments, those that are run on this corpus; all by default"
    )

    @field_validator("only")
    @classmethod
    def _named_once(cls, value: list[str] | None) -> list[str] | None:
        repeated = [name for index, name in enumerate(value or []) if name in (value or [])[:index]]
        if repeated:
            raise ValueError(f"found {repeated[0]!r} twice, wanted each once")
        return value

    @property
    def is_own(self) -> bool:
        """Whether this is the user's own corpus and none of the paper's."""
        return False

    @property
    def is_sample(self) -> bool:
        """Whether a grammar makes this corpus."""
        return False

    @property
    def is_absent(self) -> bool:
        """Whether this corpus cannot be had because nobody said where it is."""
        return False

    @property
    def folded(self) -> "Folded | None":
        """This corpus, if it is divided into folds."""
        return None

    @property
    def overlap_policy(self) -> Overlap | None:
        """What is done about overlapping entities before training; None for a corpus that has none."""
        return None

    @property
    def divisions(self) -> tuple[str, ...]:
        """The divisions into train, dev and test that a corpus can be trained on."""
        return (MAIN,)

    @property
    def divisions_run(self) -> tuple[str, ...]:
        """Those that the workflow trains on."""
        return self.divisions

    def for_files(self) -> "Corpus":
        """Return this corpus without what its files do not depend on: its settings, and what of it is run."""
        return self.model_copy(update={"settings": {}, "only": None})

    def document_keys(self) -> dict[str, Any]:
        """Return the keys that raw files and documents depend on, ready to be JSON: no titles, settings, choices."""
        return self.model_dump(mode="json", exclude={"settings", "only", "licence", "language"})


class DevPart(Group):
    """The part of each training fold that chooses the epoch; sentences that folds keep together stay together."""

    share: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.15, description="of the sentences outside of the test fold; as in the files of Wang and Lu (2020)"
    )
    seed: int = 1


class Conll04(Corpus):
    """The real CoNLL04 corpus, in one of its two public packagings; or one's own files in its five columns.

    `paths` by the names `train`, `dev` and `test` are one's own files, which have no checksum and are never fetched.
    """

    packaging: Literal["bekou", "spert"] = Field("bekou", description="910/243/288 or 922/231/288 sentences")
    paths: Paths = {}
    folds: FoldCount | None = Field(
        None, description="divide the sentences of all three splits into so many folds; one that recurs stays in one"
    )
    fold_seed: int = Field(1, description="of that division")
    dev: DevPart = Field(DevPart(), description="with `folds`, the part of each that is dev")

    @property
    def is_own(self) -> bool:
        """Whether these are the user's own files and not the public corpus."""
        return set(self.paths) == set(SPLITS)

    @model_validator(mode="after")
    def _own_files_are_columns(self) -> "Conll04":
        given = sorted(set(self.paths) & set(SPLITS))
        if given and not self.is_own:
            raise ValueError(f"paths: found {', '.join(given)}, wanted all of train, dev and test; `cman split` makes "
                             "them of one file")  # fmt: skip
        if self.is_own and self.packaging != "bekou":
            raise ValueError(f"packaging: found {self.packaging!r}, wanted format: spert for files of one's own in it")
        return self

    @property
    def folded(self) -> "Folded | None":
        """The folds, if its sentences are divided into some."""
        return None if self.folds is None else grouped(self, self.folds, self.fold_seed, self.dev)

    @property
    def divisions(self) -> tuple[str, ...]:
        """The folds, or the division of the packaging."""
        return (MAIN,) if self.folded is None else self.folded.divisions

    def document_keys(self) -> dict[str, Any]:
        """Return the keys that raw files and documents depend on; without folds, none of theirs."""
        keys = super().document_keys()
        return keys if self.folds else {key: keys[key] for key in keys if key not in ("folds", "fold_seed", "dev")}


class SampleSizes(Group):
    """Sentences (advertisements) of each split of a sample corpus."""

    train: Annotated[int, Field(ge=1)] = 400
    dev: Annotated[int, Field(ge=1)] = 80
    test: Annotated[int, Field(ge=1)] = 120


class Conll04Sample(Corpus):
    """A corpus made by a seeded grammar, written in CoNLL04's raw format and read by the same reader."""

    sentences: SampleSizes = SampleSizes()
    seed: int = 1

    @property
    def is_sample(self) -> bool:
        """Always: it exists to stand in for another."""
        return True


class Folded(Corpus):
    """What corpora with ten-fold cross-validation have in common."""

    folds: str = "sentence"
    overlap: Overlap = Field("keep_longest", description="before training; scores are against the full annotation")
    dev: DevPart = DevPart()
    fold_seed: int = Field(1, description="of the division into folds, where no public one is used")
    folds_run: list[Annotated[int, Field(ge=0, lt=len(FOLDS))]] = Field(
        list(range(len(FOLDS))), description="folds that the workflow trains and the tables average; all are prepared"
    )

    @field_validator("folds_run")
    @classmethod
    def _each_once(cls, value: list[int]) -> list[int]:
        if not value or len(set(value)) != len(value):
            raise ValueError(f"found {value}, wanted at least one fold, and each once")
        return value

    @property
    def folded(self) -> "Folded | None":
        """This corpus."""
        return self

    @property
    def divisions(self) -> tuple[str, ...]:
        """The folds."""
        return FOLDS

    @property
    def divisions_run(self) -> tuple[str, ...]:
        """Those of `folds_run`."""
        return tuple(FOLDS[number] for number in self.folds_run)

    @property
    def overlap_policy(self) -> Overlap:
        """The value of `overlap`."""
        return self.overlap

    def for_files(self) -> "Corpus":
        """Return this corpus without what its files do not depend on; all folds are prepared, whichever are run."""
        return super().for_files().model_copy(update={"folds_run": list(range(len(FOLDS)))})

    def document_keys(self) -> dict[str, Any]:
        """Return the keys that raw files and documents depend on."""
        return {key: value for key, value in super().document_keys().items() if key != "folds_run"}


class GroupedFolds(Folded):
    """So many folds that keep together what belongs together: the sentences of a text, or copies of one."""

    folds: str = "grouped"
    count: int

    @property
    def divisions(self) -> tuple[str, ...]:
        """The folds."""
        return FOLDS[: self.count]


def grouped(corpus: Corpus, count: int, seed: int, dev: DevPart, overlap: Overlap = "keep_longest") -> GroupedFolds:
    """Return so many folds of a corpus that does not always have folds."""
    return GroupedFolds(
        format=corpus.format, count=count, overlap=overlap, dev=dev, fold_seed=seed, folds_run=list(range(count))
    )


class Ade(Folded):
    """The real ADE corpus out of its archive."""

    folds: Literal["spert", "document"] = Field("spert", description="public folds, or folds that share no abstract")
    paths: Paths = {}


class AdeSample(Folded):
    """A corpus made by a seeded grammar, written as ADE's archive and read by the same reader."""

    folds: Literal["sentence", "document"] = "sentence"
    sentences: Annotated[int, Field(ge=1)] = 600
    seed: int = 1

    @property
    def is_sample(self) -> bool:
        """Always: it exists to stand in for another."""
        return True


class Drec(Corpus):
    """The real DREC corpus, which needs a signed agreement: a folder with train.tsv, dev.tsv and test.tsv."""

    language: str = "nl"
    path: File | None = Field(None, description="the folder; without it the corpus is absent and its table has dashes")

    @property
    def is_absent(self) -> bool:
        """Whether nobody said where it is."""
        return self.path is None


class DrecSample(Corpus):
    """A corpus made by a seeded grammar, written in DREC's raw format and read by the same reader."""

    language: str = "nl"
    sentences: SampleSizes = SampleSizes(train=120, dev=30, test=40)
    seed: int = 1

    @property
    def is_sample(self) -> bool:
        """Always: it exists to stand in for another."""
        return True
