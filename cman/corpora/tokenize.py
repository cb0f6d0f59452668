"""Sentences and tokens of raw text by a blank spaCy pipeline: rules of a language alone, no model, no download.

The very same tokenisation reads annotated text (brat) into documents and new text into a trained model, which keeps its
language in the model folder.
"""

import re
from typing import Any

from cman.errors import UsageError

Span = tuple[int, int]  # characters of the text, end exclusive

NO_SPACY = "reading text needs spaCy: install it with pip install 'cman[text]'"


class TextTokenizer:
    """Splits text into sentences of tokens.

    Args:
        language: ISO code of one of spaCy's languages, such as `en` or `nl`; `xx` is for any.

    Raises:
        UsageError: spaCy is not installed, or does not know the language or cannot load it.
    """

    def __init__(self, language: str = "en") -> None:
        try:
            import spacy
        except ImportError:
            raise UsageError(NO_SPACY) from None
        if not re.fullmatch(r"[a-z]{2,3}", language):  # spaCy imports a module of the name
            raise UsageError(f"language: found {language[:40]!r}, wanted a code of spaCy's, such as en, de or nl")
        try:
            nlp: Any = spacy.blank(language)
        except ImportError as error:  # unknown language, or one whose segmenter is a package of its own
            reason = str(error).strip().partition("\n")[0]
            raise UsageError(
                f"language: found {language!r}, wanted one that spaCy has, such as en, de or nl ({reason})"
            ) from None
        self.language = language
        self._tokenize, self._sentencizer = nlp.tokenizer, nlp.add_pipe("sentencizer")

    def sentences(self, text: str) -> list[list[Span]]:
        """Return the character spans of each sentence's tokens; white space alone is no token.

        A blank line ends a sentence, too. Each span slices the text exactly. A text without any token has no sentence.
        """
        # The components are called by themselves: spaCy's limit of a million characters is for parsers and taggers.
        doc = self._sentencizer(self._tokenize(text))
        result: list[list[Span]] = [[]]
        for token in doc:
            blank_line = token.is_space and token.text.count("\n") > 1  # after a heading, which has no full stop
            if (token.is_sent_start or blank_line) and result[-1]:
                result.append([])
            if not token.is_space:
                result[-1].append((token.idx, token.idx + len(token)))
        return [sentence for sentence in result if sentence]
