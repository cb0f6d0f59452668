"""The groups of a configuration that say where contextual encoders and word vectors come from."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cman.config.settings import File, Group

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+/\S*[^/\s]$")]


class Encoder(Group):
    """A frozen encoder: a transformer by package, path or name, or an ELMo by its two files."""

    package: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="installed Python package that ships a model"
    )
    path: File | None = Field(None, description="Hugging Face model directory")
    name: str | None = Field(None, description="model of the Hugging Face hub, such as google-bert/bert-base-cased")
    revision: str | None = Field(None, description="branch, tag or commit of `name`")
    options: str | None = Field(None, description="ELMo's options.json: a path or an address")
    weights: str | None = Field(None, description="ELMo's weights.hdf5: a path or an address")
    sha256: dict[Literal["options", "weights"], Hash] = Field(
        {}, description="of ELMo's files; without it, that of a first download is recorded beside the file"
    )
    stateful: bool = Field(False, description="ELMo: a sentence starts from the state that the one before it left")
    title: str | None = Field(None, description="what tables call it")

    @model_validator(mode="after")
    def _one_place(self) -> "Encoder":
        elmo = self.options is not None or self.weights is not None
        if [self.package is not None, self.path is not None, self.name is not None, elmo].count(True) != 1:
            raise ValueError("wanted exactly one of the keys 'package', 'path' and 'name', or 'options' and 'weights'")
        if elmo and (self.options is None or self.weights is None):
            raise ValueError("wanted both of the keys 'options' and 'weights'")
        if not elmo and (self.sha256 or self.stateful):
            raise ValueError("wanted the keys 'sha256' and 'stateful' only beside 'options' and 'weights'")
        if self.revision is not None and self.name is None:
            raise ValueError("wanted the key 'revision' only beside 'name'")
        return self


class Vectors(Group):
    """Pre-trained word vectors: word2vec text or binary (.bin) or GloVe, plain or alone in a .zip, .gz or .7z."""

    path: File | None = None
    url: Address | None = Field(None, description="address of a download")
    sha256: Hash | None = Field(None, description="of the file; without it, that of a first download is recorded")

    @model_validator(mode="after")
    def _one_place(self) -> "Vectors":
        if (self.path is None) == (self.url is None):
            raise ValueError("wanted exactly one of the keys 'path' and 'url'")
        return self
