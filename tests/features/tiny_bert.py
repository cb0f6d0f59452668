"""A BERT of a few numbers with random weights, made in the test."""

from pathlib import Path

WORDS = ["ada", "came", "from", "paris", "##is", "a", "b", "c", "##a", "##b", "##c", "."]
SIZES = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 8}


def word_pieces(folder: Path) -> None:
    """A WordPiece tokenizer: one piece at least for a word, unknown beyond 100 characters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {piece: index for index, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)


def bert(folder: Path, **sizes: int) -> None:
    from transformers import BertConfig, BertModel

    word_pieces(folder)
    BertModel(BertConfig(vocab_size=16, max_position_embeddings=12, **SIZES | sizes)).save_pretrained(folder)
