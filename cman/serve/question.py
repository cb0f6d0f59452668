"""What a request to `/extract` holds, and how long it may be.

Its fields are checked by the model; lengths depend on the server's limits and are another status.
"""

from fastapi import HTTPException
from pydantic import ConfigDict, Field

from cman.extract.reading import Line
from cman.extract.sentences import Given
from cman.serve.limits import Limits
from cman.validation import Score, String


class Question(Line):
    """One text, several texts, or the tokens of one sentence; exactly one of the three."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "Ada Lovelace lives in London."}]}
    )

    texts: list[String] = Field(default_factory=list, min_length=1)
    threshold: Score | None = None

    def givens(self, limits: Limits) -> list[Given]:
        """Return the texts to be read; an `id` is that of the only one.

        Raises:
            HTTPException: 400 for none or several of the three fields, 413 for what is too long.
        """
        several = "texts" in self.model_fields_set
        if several == bool(self.model_fields_set & {"text", "tokens"}):
            raise HTTPException(400, f"found {'both' if several else 'none'}, wanted either texts, or text or tokens")
        if several and "id" in self.model_fields_set:
            raise HTTPException(400, "field id: found one beside texts, wanted it beside text or tokens")
        if len(self.texts) > limits.max_texts:
            raise HTTPException(
                413, f"field texts: found {len(self.texts):,} texts, wanted at most {limits.max_texts:,}"
            )
        givens = [Given(str(number), text) for number, text in enumerate(self.texts, start=1)] or [self.given("1")]
        total = sum(len(given.text) for given in givens)
        if total > limits.max_characters:
            raise HTTPException(413, f"found {total:,} characters in all, wanted at most {limits.max_characters:,}")
        return givens
