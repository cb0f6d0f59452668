"""A trained model as a folder of plain files: weights, settings and vocabularies; no pickle.

model.safetensors   weights
config.json         settings, contextual features and what they came from, calibration, what the model was trained on
vocabulary.json     words, characters, tags and relation labels by id
encoder/            of a model with a fine-tuned encoder: that one's configuration and tokenizer
manifest.sha256     the SHA-256 of all of these, compared when the folder is read
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from cman.config.settings import Settings
from cman.errors import CmanError, UsageError, reads
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.transformer.pieces import PieceTokenizer
from cman.features.vocabulary import Vocabulary
from cman.fetch.models import EncoderSource, beside, moved
from cman.fetch.outside import check_named
from cman.files import atomic_path, read_json, write_json
from cman.hashes import MANIFEST, verifying
from cman.manifest import list_files, verify_folder
from cman.model.build import build_model
from cman.model.calibration import Calibration
from cman.model.cman import Cman
from cman.model.members import Members
from cman.model.multihead import MultiHead
from cman.validation import Read, Whole, checked

log = logging.getLogger(__name__)

ENCODER = "encoder"
ELSEWHERE = "CMAN_ENCODER"  # variable of the environment
FORMAT = 1  # of config.json; raised when an older reader would misread a newer folder


class _Config(Read):
    """The content of config.json; the keys with a default came later than the first folders."""

    settings: dict[str, Any]
    encoder: dict[str, Any] | None
    encoder_identity: dict[str, Any] | None = None
    contextual: Annotated[list[Whole], Field(min_length=2, max_length=2)] | None
    word_size: Whole
    word_vectors: dict[str, Any] | None = None
    language: str = "en"
    members: Annotated[int, Field(ge=1, le=1000)] | None = None
    calibration: Any = None
    trained_on: dict[str, Any]


@dataclass(frozen=True)
class ModelFolder:
    """A model with all that is needed to use it."""

    model: Cman | MultiHead | Members
    vocabulary: Vocabulary
    settings: Settings
    encoder: EncoderSource | None  # None: the model reads no contextual features
    contextual: tuple[int, int] | None  # layers and size of those features
    trained_on: dict[str, Any]
    language: str = "en"  # whose tokens the training documents have; see `cman.corpora.tokenize`
    calibration: Calibration | None = None  # of its scores; None: there were no documents to fit it on
    identity: dict[str, Any] | None = None  # of the frozen encoder; see `cman.features.identity`
    vectors: dict[str, Any] | None = None  # file and hash that the word vectors among the weights came from

    @property
    def pieces(self) -> PieceTokenizer | None:
        """The tokenizer of a fine-tuned encoder, which batches need; None for a model that reads features, or none."""
        encoder = self.model.inputs.encoder
        return None if encoder is None else encoder.pieces

    def save(self, folder: Path) -> None:
        """Write the folder; each file appears complete or not at all, config.json and the manifest last.

        Raises:
            CmanError: the weights cannot be written, such as on a full disk.
        """
        names = ["model.safetensors", "vocabulary.json", "config.json"]
        for name in (MANIFEST, names[-1]):  # a process that ends in between leaves no folder that looks whole
            (folder / name).unlink(missing_ok=True)
        with atomic_path(folder / names[0]) as temporary:
            try:
                save_model(self.model, str(temporary))
            except SafetensorError as error:
                raise CmanError(f"{folder / names[0]}: cannot be written ({error}); wanted room for it") from None
        if self.model.inputs.encoder is not None:
            names += [f"{ENCODER}/{name}" for name in self.model.inputs.encoder.save_files(folder / ENCODER)]
        write_json(folder / "vocabulary.json", self.vocabulary.to_json())
        config = {
            "format": FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "encoder": None if self.encoder is None else self.encoder.to_json(),
            "encoder_identity": self.identity,
            "contextual": self.contextual,
            "word_size": self.model.inputs.word.embedding_dim,
            "word_vectors": self.vectors,
            "language": self.language,
            "members": len(self.model.members) if isinstance(self.model, Members) else None,
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "trained_on": self.trained_on,
        }
        write_json(folder / "config.json", config)
        list_files(folder, names)

    @classmethod
    @reads("a model folder")
    def load(cls, folder: Path, trust: bool = False, elsewhere: str | Path | None = None) -> "ModelFolder":
        """Read a folder that `save` wrote, onto the CPU.

        Args:
            trust: follow whatever it names outside of itself; see `cman.fetch.outside`.
            elsewhere: folder of the frozen encoder, in the place of what the model names, which the environment's
                CMAN_ENCODER may say, too; see `moved`.

        Raises:
            CmanError: a file is missing, malformed, of another format or not what the manifest lists, or the weights do
                not fit the settings; the folder names what it may not.
        """
        path = folder / "config.json"
        if not verify_folder(folder) and verifying() and path.is_file():
            log.warning("%s: has no %s, so damage goes unseen; `cman verify --write` makes one", folder, MANIFEST)
        config = read_json(path)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            version = config.get("format") if isinstance(config, dict) else config
            raise CmanError(f"{path}: field format: found {version!r}, wanted {FORMAT}: another version's model?")
        given = checked(_Config, config, str(path))
        try:
            settings = checked(Settings, given.settings, f"{path}: settings")
            encoder = None if given.encoder is None else EncoderSource.from_json(given.encoder, f"{path}: encoder")
            words = folder / "vocabulary.json"
            vocabulary = Vocabulary.from_json(read_json(words), str(words))
            contextual = None if given.contextual is None else (given.contextual[0], given.contextual[1])
            # Pre-trained vectors are among the weights; zeros of their size keep their place until those are read.
            own = settings.word.vectors is not None
            vectors = torch.zeros(len(vocabulary.words), given.word_size) if own else None
            own_encoder = folder / ENCODER
            tuned = None
            if encoder is not None and not settings.encoder.trainable:
                named = elsewhere or os.environ.get(ELSEWHERE)
                encoder = moved(encoder, Path(named)) if named else beside(encoder, folder)
                check_named(encoder, path, trust)
            elif elsewhere is not None:
                raise UsageError(f"--encoder: found {elsewhere}, wanted none: {folder} reads no frozen encoder")
            if settings.encoder.trainable:
                tuned = TransformerEncoder(own_encoder, str(own_encoder), weights=False)
            built = [build_model(settings, vocabulary, vectors, contextual, tuned) for _ in range(given.members or 1)]
            model = built[0] if len(built) == 1 else Members(built, str(path))
            calibration = None if given.calibration is None else Calibration.from_json(given.calibration, str(path))
        except (AttributeError, KeyError, TypeError, IndexError, ValueError) as error:
            raise CmanError(f"{folder}: is no complete model folder ({error!r})") from None
        try:
            load_model(model, str(folder / "model.safetensors"))
        except (OSError, RuntimeError, SafetensorError) as error:
            raise CmanError(f"{folder / 'model.safetensors'}: does not hold this model's weights ({error})") from None
        for name, values in model.state_dict().items():
            if values.is_floating_point() and not values.isfinite().all():
                raise CmanError(f"{folder / 'model.safetensors'}: {name}: found a weight that is no number")
        if settings.rel.threshold == "auto" and calibration is not None and calibration.threshold is not None:
            model.relations.threshold = calibration.threshold
        return cls(
            model.eval(),
            vocabulary,
            settings,
            encoder,
            contextual,
            given.trained_on,
            given.language,
            calibration,
            given.encoder_identity,
            given.word_vectors,
        )
