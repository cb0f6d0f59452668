"""BERT's forward pass (Devlin et al., 2019) for a frozen encoder, read with `tokenizers` and `safetensors` alone.

Importing transformers takes longer than reading a page of text, so a frozen BERT does without it: the same operations
in the same order give the same states. `open_bert` answers None for whatever it does not know exactly, and
`open_transformer` then asks transformers, which also makes every encoder that is trained.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from cman.features.arithmetic import Arithmetic, Product, product
from cman.features.transformer.pieces import PieceTokenizer

TOKENIZERS = ("BertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend")
SPECIAL = ("unk_token", "pad_token", "cls_token", "sep_token", "mask_token")


class Output(NamedTuple):
    """What a transformer gives."""

    hidden_states: tuple[Tensor, ...]  # (W, P, size) of each layer, that of the embeddings first


class Bert(nn.Module):
    """A BERT without dropout.

    Args:
        config: of its folder.
        weights: by their published names; they become parameters, with `/` for the full stop of a name.
    """

    def __init__(self, config: dict[str, Any], weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.layers: int = config["num_hidden_layers"]
        self.heads: int = config["num_attention_heads"]
        self.epsilon: float = config["layer_norm_eps"]
        for name, value in weights.items():
            self.register_parameter(name.replace(".", "/"), nn.Parameter(value, requires_grad=False))
        self._products: dict[str, Product] = {}

    def compute_in(self, arithmetic: Arithmetic) -> None:
        """Compute the products with the weights, which must be float32, in another arithmetic than PyTorch's own."""
        names = [name.removesuffix("/weight") for name, value in self.named_parameters() if value.ndim == 2]
        self._products = {
            name.replace("/", "."): product(
                self.get_parameter(f"{name}/weight"), self.get_parameter(f"{name}/bias"), arithmetic
            )
            for name in names
            if arithmetic != "float32" and not name.endswith("_embeddings")
        }

    def forward(self, input_ids: Tensor, attention_mask: Tensor, output_hidden_states: bool = True) -> Output:
        """Return the states of all layers for windows; ids and mask are (W, P), the mask 0 in the padding."""
        ids = input_ids
        words, segments, positions = (
            self._weight(f"embeddings.{kind}_embeddings.weight") for kind in ("word", "token_type", "position")
        )
        embedded = functional.embedding(ids, words) + segments[0] + positions[: ids.shape[1]]
        states = [self._norm("embeddings", embedded)]
        mask = None
        if not attention_mask.all():  # attention is faster without one
            mask = attention_mask.bool()[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        for index in range(self.layers):
            states.append(self._layer(f"encoder.layer.{index}", states[-1], mask))
        return Output(tuple(states))

    def _layer(self, name: str, states: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", states)
            .view(*states.shape[:2], self.heads, -1)
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, mask)  # (W, heads, P, size of a head)
        mixed = mixed.transpose(1, 2).reshape(states.shape)
        projected = self._linear(f"{name}.attention.output.dense", mixed)
        states = self._norm(f"{name}.attention.output", projected + states)
        inner = functional.gelu(self._linear(f"{name}.intermediate.dense", states))
        return self._norm(f"{name}.output", self._linear(f"{name}.output.dense", inner) + states)

    def _linear(self, name: str, states: Tensor) -> Tensor:
        if name in self._products:
            return self._products[name](states)
        return functional.linear(states, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"))

    def _norm(self, name: str, states: Tensor) -> Tensor:
        weight, bias = self._weight(f"{name}.LayerNorm.weight"), self._weight(f"{name}.LayerNorm.bias")
        return functional.layer_norm(states, weight.shape, weight, bias, self.epsilon)

    def _weight(self, name: str) -> Tensor:
        return self.get_parameter(name.replace(".", "/"))


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight of a BERT by its published name."""
    size, inner = config["hidden_size"], config["intermediate_size"]
    rows = {"word": "vocab_size", "token_type": "type_vocab_size", "position": "max_position_embeddings"}
    weights: dict[str, tuple[int, ...]]
    weights = {f"embeddings.{kind}_embeddings.weight": (config[key], size) for kind, key in rows.items()}
    linear = {f"attention.self.{part}": (size, size) for part in ("query", "key", "value")}
    linear |= {
        "attention.output.dense": (size, size),
        "intermediate.dense": (inner, size),
        "output.dense": (size, inner),
    }
    norms = ["embeddings"]
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}"
        weights |= {f"{layer}.{name}.weight": shape for name, shape in linear.items()}
        weights |= {f"{layer}.{name}.bias": shape[:1] for name, shape in linear.items()}
        norms += [f"{layer}.attention.output", f"{layer}.output"]
    return weights | {f"{norm}.LayerNorm.{kind}": (size,) for norm in norms for kind in ("weight", "bias")}


def open_bert(folder: Path, where: str) -> tuple[Bert, PieceTokenizer] | None:
    """Return a frozen BERT with its tokenizer, or None if the folder holds anything else.

    Args:
        where: names the encoder in errors.

    Raises:
        CmanError: see `PieceTokenizer`.
        Exception: of the libraries, for damaged files.
    """
    names = ("config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors")
    config_file, options_file, tokenizer_file, weights_file = (folder / name for name in names)
    if not all((folder / name).is_file() for name in names):
        return None
    config, options = _object(config_file), _object(options_file)
    tokenizer = _object(tokenizer_file)
    if not (_is_plain(config) and _is_as_kept(tokenizer, options)):
        return None

    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    config = {"layer_norm_eps": 1e-12, "type_vocab_size": 2} | config
    stored = {_published(name): value for name, value in load_file(weights_file).items()}
    expected = shapes(config)
    if any(name not in stored or tuple(stored[name].shape) != shape for name, shape in expected.items()):
        return None
    model = Bert(config, {name: stored[name] for name in expected})
    read = Tokenizer.from_file(str(tokenizer_file))
    unknown, padding = (read.token_to_id(_content(options[name])) for name in ("unk_token", "pad_token"))
    limit = min(options.get("model_max_length", config["max_position_embeddings"]), config["max_position_embeddings"])
    return model.eval(), PieceTokenizer(read, unknown, padding, int(limit), folder, where)


def _object(path: Path) -> dict[str, Any]:
    content: Any = json.loads(path.read_bytes())
    return content if isinstance(content, dict) else {}


def _is_plain(config: dict[str, Any]) -> bool:
    """Say whether a configuration is of the encoder that `Bert` is, and of no relative."""
    sizes = (
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    )
    expected = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "add_cross_attention": False,
        "is_encoder_decoder": False,
    }
    return (
        "model_type" in config
        and all(config.get(key, value) == value for key, value in expected.items())
        and all(isinstance(config.get(key), int) and config[key] > 0 for key in sizes)
        and config["hidden_size"] % config["num_attention_heads"] == 0
    )


def _is_as_kept(tokenizer: dict[str, Any], options: dict[str, Any]) -> bool:
    """Say whether transformers would read tokenizer.json as it stands: it builds others from the options."""
    normalizer = tokenizer.get("normalizer") or {}
    asked = {
        "lowercase": options.get("do_lower_case", True),
        "handle_chinese_chars": options.get("tokenize_chinese_chars", True),
        "strip_accents": options.get("strip_accents"),
    }
    added = {token.get("content") for token in tokenizer.get("added_tokens", [])}
    special = {_content(options[name]) for name in SPECIAL if options.get(name)}
    of_vocabulary = special <= added | set(tokenizer.get("model", {}).get("vocab", {}))
    return (
        options.get("tokenizer_class") in TOKENIZERS
        and tokenizer.get("model", {}).get("type") == "WordPiece"
        and normalizer.get("type") == "BertNormalizer"
        and all(normalizer.get(key) == value for key, value in asked.items())
        and all(options.get(name) for name in ("unk_token", "pad_token"))
        and of_vocabulary
    )


def _content(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


def _published(name: str) -> str:
    """Return a weight's name in an encoder by itself; the first files had other names for a normalisation's."""
    name = name.removeprefix("bert.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
