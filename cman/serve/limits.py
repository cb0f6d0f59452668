"""What one server accepts: every figure that bounds memory, waiting or time stands here."""

from dataclasses import dataclass

from cman.errors import UsageError

LONGEST_ESCAPE = 12  # bytes of one character in JSON: an emoji written as two \uXXXX
FRAME = 4096  # bytes of a body besides its texts


@dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Args:
        max_characters: of all texts of one request together.
        max_texts: texts of one request.
        max_waiting: requests that wait for the model while it computes another one.
        timeout: seconds, for each of: headers to arrive, a body to arrive, a result to be computed (waiting included),
            and an answer to be taken.

    Raises:
        UsageError: a bound that would refuse everything.
    """

    max_characters: int = 20_000
    max_texts: int = 100
    max_waiting: int = 16
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for name, least in (("max_characters", 1), ("max_texts", 1), ("max_waiting", 0)):
            if getattr(self, name) < least:
                option = name.replace("_", "-")
                raise UsageError(f"--{option}: found {getattr(self, name)}, wanted at least {least}")
        if not 0 < self.timeout < float("inf"):
            raise UsageError(f"--timeout: found {self.timeout:g}, wanted a number of seconds above 0")

    @property
    def max_bytes(self) -> int:
        """Bytes of a body: enough for `max_characters` in whatever way JSON can write them."""
        return LONGEST_ESCAPE * self.max_characters + FRAME

    @property
    def max_open(self) -> int:
        """Requests with the longest body that are read or answered at once."""
        return self.max_waiting + 17

    @property
    def max_held(self) -> int:
        """Bytes of all bodies that are read or answered at once."""
        return self.max_open * self.max_bytes
