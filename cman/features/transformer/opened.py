"""A transformer and its tokenizer, opened from a model directory."""

from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.features.transformer.bert import open_bert
from cman.features.transformer.pieces import PieceTokenizer

LARGEST_WINDOW = 100_000  # tokenizers without a limit report an absurdly large one


def open_transformer(
    folder: Path, where: str, weights: bool = True, frozen: bool = False
) -> tuple[Any, PieceTokenizer]:
    """Return the model, in evaluation mode on the CPU, and its tokenizer.

    Args:
        where: names the encoder in errors.
        weights: False makes the model with random weights from its configuration, for a folder without any.
        frozen: the model is never trained, so that dropout and gradients may be missing.

    Raises:
        CmanError: it cannot be loaded, its tokenizer does not tell which token a piece belongs to, or it reads fewer
            than two pieces at once.
    """
    if frozen:
        try:
            opened = open_bert(folder, where)
        except CmanError:
            raise
        except Exception as error:
            raise _refused(where, error) from None
        if opened is not None:
            return opened
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
        raise _refused(where, error) from None
    if not tokenizer.is_fast:
        raise CmanError(f"{where}: found no tokenizer.json, wanted a fast tokenizer")
    # Of a model that also writes, the reading half gives the features.
    model = (model.get_encoder() if model.config.is_encoder_decoder else model).eval()
    pieces = PieceTokenizer(
        tokenizer.backend_tokenizer,
        tokenizer.unk_token_id,
        tokenizer.pad_token_id,
        _limit(model, tokenizer),
        folder,
        where,
    )
    return model, pieces


def _refused(where: str, error: Exception) -> CmanError:
    reason = str(error).strip().partition("\n")[0]
    return CmanError(f"{where}: cannot be loaded ({reason}); wanted a transformer with its tokenizer")


def _limit(model: Any, tokenizer: Any) -> int:
    """Return how many pieces, special ones included, the model reads at once."""
    stated = getattr(model.config, "max_position_embeddings", None)
    limits = [tokenizer.model_max_length, LARGEST_WINDOW, *([stated] if stated else [])]
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from behind the padding's: the first ones are no positions of pieces.
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    return int(min(limits))
