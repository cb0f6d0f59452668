"""What all verbs of the command line share: messages, a log file, and errors that end in one sentence."""

import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cman.errors import CmanError, UsageError
from cman.hashes import use_verification

LogOption = Annotated[Path | None, typer.Option("--log", help="Also write messages and any error to this file.")]

NoVerifyOption = Annotated[
    bool, typer.Option("--no-verify", help="Read files even if they are not what the manifests beside them say.")
]

log = logging.getLogger("cman")


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a verb: set up messages from its `log_file`, turn errors into a sentence and an exit status."""

    @wraps(function)
    def run(*arguments: Any, log_file: Path | None = None, no_verify: bool = False, **options: Any) -> None:
        _report_to([logging.StreamHandler(sys.stderr)])
        use_verification(not no_verify)
        try:
            if log_file is not None:
                log_file.parent.mkdir(parents=True, exist_ok=True)
                file = logging.FileHandler(log_file, mode="w", encoding="utf-8")
                _report_to([logging.StreamHandler(sys.stderr), file])
            function(*arguments, **options)
        except CmanError as error:
            log.error("error: %s", error)
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except OSError as error:
            # A full disk, a folder in the place of a file, a missing permission: the system's own words say it.
            log.error("error: %s: %s", error.filename, error.strerror)
            raise typer.Exit(1) from None
        except Exception:
            # An error of ours: the traceback belongs into the log file as well, not only on the terminal.
            log.error("%s", traceback.format_exc())
            raise typer.Exit(1) from None

    # typer reads a verb's options from its signature: the shared options are added to it.
    signature = inspect.signature(function)
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("no_verify", keyword, default=False, annotation=NoVerifyOption),
        inspect.Parameter("log_file", keyword, default=None, annotation=LogOption),
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {**function.__annotations__, "no_verify": NoVerifyOption, "log_file": LogOption}
    return run


def _report_to(handlers: list[logging.Handler]) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=handlers, force=True)
    log.setLevel(logging.INFO)
