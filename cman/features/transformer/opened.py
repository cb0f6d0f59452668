"""A transformer and its tokenizer, opened from a model directory."""

from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.features.transformer.pieces import PieceTokenizer

LARGEST_WINDOW = 100_000  # tokenizers without a limit report an absurdly large one
SMALL_FILES = (".json", ".txt", ".model")  # configuration and tokenizer


def open_transformer(folder: Path, where: str, weights: bool = True) -> tuple[Any, PieceTokenizer]:
    """Return the model, in evaluation mode on the CPU, and its tokenizer.

    Args:
        where: names the encoder in errors.
        weights: False makes the model with random weights from its configuration, for a folder without any.

    Raises:
        CmanError: it cannot be loaded, its tokenizer does not tell which token a piece belongs to, or it reads fewer
            than two pieces at once.
    """
    # Imported here: transformers takes seconds to load.
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    quiet: Any = transformers_logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    try:
        # Without a word about remote code, transformers asks on standard input whether to run it.
        tokenizer: Any = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_fast=True, add_prefix_space=True
        )
        models: Any = AutoModel
        if weights:
            model = models.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        else:
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            model = models.from_config(config, trust_remote_code=False)
    except Exception as error:  # of several libraries, one of which raises nothing more special
        reason = str(error).strip().partition("\n")[0]
        raise CmanError(f"{where}: cannot be loaded ({reason}); wanted a transformer with its tokenizer") from None
    if not tokenizer.is_fast:
        raise CmanError(f"{where}: found no tokenizer.json, wanted a fast tokenizer")
    # Of a model that also writes, the reading half gives the features.
    model = (model.get_encoder() if model.config.is_encoder_decoder else model).eval()
    files = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.suffix in SMALL_FILES and not path.name.endswith(".index.json")
    }
    return model, PieceTokenizer(tokenizer, _limit(model, tokenizer), files, where)


def _limit(model: Any, tokenizer: Any) -> int:
    """Return how many pieces, special ones included, the model reads at once."""
    stated = getattr(model.config, "max_position_embeddings", None)
    limits = [tokenizer.model_max_length, LARGEST_WINDOW, *([stated] if stated else [])]
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from behind the padding's: the first ones are no positions of pieces.
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    return int(min(limits))
