"""Models on a hub: `HubExtractor.from_pretrained("someone/model")`, and `push_to_hub` for one's own.

What is pushed is the model folder as it stands, with its card. A model with a frozen encoder names the encoder and does
not hold it.
"""

import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, snapshot_download

from cman.extract.extractor import Extractor
from cman.model.folder import ModelFolder


class HubExtractor(Extractor, ModelHubMixin):
    """An `Extractor` that a hub can keep; arguments as for `Extractor`, and the folder that it was loaded from."""

    # Spelled out, because the mixin passes all of config.json on to a class that takes any keyword.
    def __init__(
        self,
        folder: ModelFolder,
        source: Path,
        device: str = "auto",
        threads: int | None = None,
        threshold: float | None = None,
        language: str | None = None,
    ) -> None:
        super().__init__(folder, device, threads, threshold, language)
        self.source = source

    @classmethod
    def load(
        cls, path: str | Path, *, trust: bool = False, encoder: str | Path | None = None, **options: Any
    ) -> "HubExtractor":
        """Load a model folder; see `Extractor.load`."""
        return cls(ModelFolder.load(Path(path), trust, encoder), Path(path), **options)

    def _save_pretrained(self, save_directory: Path) -> None:
        shutil.copytree(self.source, save_directory, dirs_exist_ok=True)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **options: Any,
    ) -> "HubExtractor":
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            )
        return cls.load(folder, **options)
