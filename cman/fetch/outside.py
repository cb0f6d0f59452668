"""What a model folder may name outside of itself: the frozen encoder that it reads, and nothing else.

A folder may come from a stranger. So a package is looked up only if it is one of this project's own configurations, a
model of a hub only if the user trusts the folder (`--trust`), and whatever is named is printed. Files by path are read
as data, wherever they are; no door runs code that stands beside a model (`trust_remote_code=False`).
"""

import logging
from pathlib import Path

from cman.config.configuration import Configuration
from cman.errors import CmanError
from cman.fetch.models import EncoderSource

log = logging.getLogger(__name__)

KEYS = ("package", "path", "name", "options", "weights")  # of an encoder, each of which leads outside
PACKAGES = frozenset(
    encoder.package for encoder in Configuration.model_fields["encoders"].default.values() if encoder.package
)


def check_named(encoder: EncoderSource, config: Path, trust: bool) -> None:
    """Print what a model folder names outside of itself; refuse what is followed for a trusted folder alone.

    Args:
        config: the folder's `config.json`, for messages.

    Raises:
        CmanError: a package that is none of the project's own or a model of a hub, and no trust.
    """
    for key in KEYS:
        value = getattr(encoder, key)
        if value is None:
            continue
        if not trust and (key == "name" or (key == "package" and value not in PACKAGES)):
            own = f"{', '.join(sorted(PACKAGES))}, or " if key == "package" else ""
            raise CmanError(
                f"{config}: field encoder.{key}: found {str(value)!r}, wanted {own}"
                "--trust (in Python trust=True) for a model folder that you trust"
            )
        log.info("%s: reads an encoder outside of its folder: %s %s", config.parent, key, value)
