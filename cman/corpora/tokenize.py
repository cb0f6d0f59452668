"""Sentences and tokens of raw text by a blank spaCy pipeline: rules of a language alone, no model, no download.

The very same tokenisation reads annotated text (brat) into documents and new text into a trained model, which keeps its
language in the model folder.
"""

import re
from importlib.util import find_spec
from typing import Any

from cman.errors import UsageError
from cman.install import installing

Span = tuple[int, int]  # characters of the text, end exclusive

LONG_RUN = 250  # characters without white space that spaCy divides in a hundredth of a second at most
WINDOW = 32  # characters; no sign at a word's beginning or end is nearly as long
NEW_WORDS = 100_000  # that are remembered at most

NO_SPACY = f"reading text needs spaCy: {installing('text')}"


def can_read_text() -> bool:
    """Whether spaCy is installed."""
    return find_spec("spacy") is not None


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
        self._take(nlp)

    def _take(self, nlp: Any) -> None:
        self._tokenize, self._sentencizer = nlp.tokenizer, nlp.add_pipe("sentencizer")
        self._most = len(nlp.vocab.strings) + NEW_WORDS

    def __reduce__(self) -> tuple[Any, ...]:
        return TextTokenizer, (self.language,)  # spaCy's rules are functions that cannot be pickled

    def sentences(self, text: str) -> list[list[Span]]:
        """Return the character spans of each sentence's tokens; white space alone is no token.

        A blank line ends a sentence, too. Each span slices the text exactly. A text without any token has no sentence.
        """
        # The components are called by themselves: spaCy's limit of a million characters is for parsers and taggers.
        doc = self._sentencizer(self._doc(text))
        result: list[list[Span]] = [[]]
        for token in doc:
            blank_line = token.is_space and token.text.count("\n") > 1  # after a heading, which has no full stop
            if (token.is_sent_start or blank_line) and result[-1]:
                result.append([])
            if not token.is_space:
                result[-1].append((token.idx, token.idx + len(token)))
        if len(self._tokenize.vocab.strings) > self._most:
            # spaCy keeps every word that it has seen. A new pipeline forgets them, and is ten times faster than
            # `memory_zone`, which forgets the words of every text and takes them apart again in the next.
            import spacy

            self._take(spacy.blank(self.language))
        return [sentence for sentence in result if sentence]

    def _doc(self, text: str) -> Any:
        """Return the tokens of a text.

        From a word spaCy takes one sign after the other off both ends and looks at all that is left each time: hours
        for a line of brackets. So those of a long run are taken off here, by its rules, looking at the ends alone.
        """
        runs = re.finditer(rf"\S{{{LONG_RUN + 1},}}", text) if hasattr(self._tokenize, "prefix_search") else iter(())
        words: list[str] = []
        spaces: list[bool] = []
        end = 0
        for run in runs:
            start, stop, before, after = self._peeled(text, *run.span())
            for part in (text[end : run.start()], before, text[start:stop], after):
                tokens = part if isinstance(part, list) else self._tokenize(part)
                words += [str(token) for token in tokens]
                spaces += [False if isinstance(token, str) else bool(token.whitespace_) for token in tokens]
            end = run.end()
        if end == 0:
            return self._tokenize(text)
        tokens = self._tokenize(text[end:])
        words += [token.text for token in tokens]
        spaces += [bool(token.whitespace_) for token in tokens]
        return type(tokens)(self._tokenize.vocab, words=words, spaces=spaces)

    def _peeled(self, text: str, start: int, end: int) -> tuple[int, int, list[str], list[str]]:
        """Return what is left of a run when it is short or has no sign at either end, and the signs on both sides."""
        before: list[str] = []
        after: list[str] = []
        while end - start > LONG_RUN:
            prefix = self._tokenize.prefix_search(text[start : start + WINDOW])
            if prefix is not None and prefix.end():
                before.append(prefix.group())
                start += prefix.end()
            suffix = self._tokenize.suffix_search(text[max(start, end - WINDOW) : end])
            if suffix is not None and suffix.group():
                after.append(suffix.group())
                end -= len(suffix.group())
            if not (prefix and prefix.end()) and not (suffix and suffix.group()):
                break
        return start, end, before, after[::-1]
