"""What all verbs of the command line share: messages, a log file, and errors that end in one sentence."""

import inspect
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cman.errors import CmanError, UsageError
from cman.hashes import use_verification
from cman.install import missing
from cman.streams import drop_output, flush_output, tell

LogOption = Annotated[Path | None, typer.Option("--log", help="Also write messages and any error to this file.")]

NoVerifyOption = Annotated[
    bool, typer.Option("--no-verify", help="Read files even if they are not what the manifests beside them say.")
]

log = logging.getLogger("cman")


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a verb: set up messages from its `log_file`, turn errors into a sentence and an exit status."""

    @wraps(function)
    def run(*arguments: Any, log_file: Path | None = None, no_verify: bool = False, **options: Any) -> None:
        _report_to([])
        use_verification(not no_verify)
        try:
            if log_file is not None:
                log_file.parent.mkdir(parents=True, exist_ok=True)
                _report_to([_LogFile(log_file, mode="w", encoding="utf-8")])
            function(*arguments, **options)
            flush_output()
        except CmanError as error:
            _fail(f"error: {error}")
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None
        except BrokenPipeError:
            drop_output()
            raise typer.Exit(1) from None
        except OSError as error:
            # A full disk, a folder in the place of a file, a missing permission: the system's own words say it.
            drop_output()
            _fail(f"error: {error.filename or 'standard output'}: {error.strerror or error}")
            raise typer.Exit(1) from None
        except ModuleNotFoundError as error:
            reason = missing(error)
            _fail(traceback.format_exc() if reason is None else f"error: {reason}")
            raise typer.Exit(1 if reason is None else 2) from None
        except Exception:
            # An error of ours: the traceback belongs into the log file as well, not only on the terminal.
            _fail(traceback.format_exc())
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


class _LogFile(logging.FileHandler):
    """A file of messages; one that cannot be written ends the verb, and nothing more is written to it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        error.filename = self.baseFilename
        _report_to([])
        raise error

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def _report_to(files: list[logging.Handler]) -> None:
    """Write messages to standard error, if there is one, and to these."""
    handlers = [*([] if sys.stderr is None else [logging.StreamHandler(sys.stderr)]), *files]
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=handlers, force=True)
    log.setLevel(logging.INFO)


def _fail(message: str) -> None:
    with suppress(OSError):
        log.error("%s", message)
    tell(message)
