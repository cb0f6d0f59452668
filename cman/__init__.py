"""CMAN: joint entity and relation extraction with a two-phase cross-modal attention network."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cman.extract.extraction import Extraction as Extraction
    from cman.extract.extractor import Extractor as Extractor
    from cman.extract.frames import to_frame as to_frame

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # PyTorch takes a second to load; `cman --help` and the workflow's rules do without it.
    if name in ("Extraction", "Extractor"):
        from cman.extract import extractor

        return getattr(extractor, name)
    if name == "to_frame":
        from cman.extract.frames import to_frame

        return to_frame
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
