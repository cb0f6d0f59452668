"""The keys of one's own corpora: a path for each split, or one file that is divided.

A split that is not given is a part of train, or each of several folds is test once. What a format of annotated text has
beside that stands in `OwnText`; `cman.config.formats` says which format has which keys.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cman.config.corpora import Corpus, DevPart, FoldCount, Folded, Overlap, grouped
from cman.config.settings import File, Group
from cman.layout import MAIN, SPLITS

Discontinuous = Literal["hull", "drop", "refuse"]
Across = Literal["drop", "join"]

LATER = ("dev", "test", "folds", "fold_seed", "unseen_types", "tokens")  # keys that older documents know nothing of


class SplitPaths(Group):
    """Where the splits of one's own corpus stand; train is divided for those that are not there."""

    train: File
    dev: File | None = None
    test: File | None = None


class TestPart(Group):
    """The part of train that is test, where none is given; with `folds`, each is test once."""

    share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15
    seed: int = 1


class Own(Corpus):
    """The keys of one's own corpus: a path for each split. A split that is not given is a part of train."""

    paths: SplitPaths
    overlap: Overlap = Field(
        "keep_longest", description="of entities, before training; scores are against the full annotation"
    )
    dev: DevPart = Field(DevPart(), description="the part of train that is dev, where `paths` has none")
    test: TestPart = Field(TestPart(), description="the part of train that is test, where `paths` has none")
    folds: FoldCount | None = Field(
        None, description="divide train into so many folds, each test once; `paths` then has train alone"
    )
    fold_seed: int = 1
    unseen_types: Literal["refuse", "keep"] = Field(
        "refuse", description="types of dev or test that train lacks: an error, or kept, and so always missed"
    )
    tokens: Literal["own", "language"] = Field(
        "own", description="those of the files, or those that `language` divides text into, as a model of it will"
    )

    @model_validator(mode="after")
    def _folds_are_of_train(self) -> "Own":
        given = [split for split in SPLITS[1:] if getattr(self.paths, split) is not None]
        if self.folds is not None and given:
            raise ValueError(f"folds: found {self.folds} and paths.{given[0]}, wanted train alone, or no folds")
        return self

    @property
    def is_own(self) -> bool:
        """Always."""
        return True

    @property
    def folded(self) -> Folded | None:
        """The folds, if it is divided into some."""
        return None if self.folds is None else grouped(self, self.folds, self.fold_seed, self.dev, self.overlap)

    @property
    def divisions(self) -> tuple[str, ...]:
        """The folds, or the one division that there is."""
        return (MAIN,) if self.folded is None else self.folded.divisions

    @property
    def overlap_policy(self) -> Overlap:
        """The value of `overlap`."""
        return self.overlap

    @property
    def split_paths(self) -> dict[str, Path]:
        """The path of each split that is given."""
        paths = {split: getattr(self.paths, split) for split in SPLITS}
        return {split: path for split, path in paths.items() if path is not None}

    def document_keys(self) -> dict[str, Any]:
        """Return the keys that raw files and documents depend on; those that a corpus leaves out are not there."""
        keys, fields = super().document_keys(), type(self).model_fields
        unused = {name for name in LATER if getattr(self, name) == fields[name].default}
        kept = {name: value for name, value in keys.items() if name not in unused}
        kept["paths"] = {split: path for split, path in keys["paths"].items() if path is not None}
        return kept | ({"language": self.language} if self.tokens == "language" else {})


class OwnText(Own):
    """The keys of one's own corpus of annotated text, which `language` divides into sentences and tokens."""

    discontinuous: Discontinuous = Field("hull", description="one span around all parts, or left out, or an error")
    across: Across = Field("drop", description="relations between sentences: left out, or the sentences become one")

    def document_keys(self) -> dict[str, Any]:
        """Return the keys that raw files and documents depend on."""
        keys = {**super().document_keys(), "language": self.language}
        return keys if self.across == "join" else {name: value for name, value in keys.items() if name != "across"}
