"""`cman serve`: a trained model behind a web page on this machine."""

import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cman.cli.options import (
    EncoderOption,
    PrecisionOption,
    ReleasedModelOption,
    TrustOption,
    arithmetic,
    released_model,
)
from cman.cli.verb import verb
from cman.gpu import own_gpu
from cman.hashes import use_verification, verifying

if TYPE_CHECKING:
    from cman.extract.extractor import Extractor

log = logging.getLogger("cman")


@verb
def serve(
    model: ReleasedModelOption = None,
    host: Annotated[str, typer.Option(help="Address to listen at; by default this machine alone can reach it.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser, if this is a terminal.")
    ] = True,
    max_characters: Annotated[int, typer.Option(min=1, help="Characters of one request.")] = 20_000,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of one sentence.")] = 1000,
    max_waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait while one is computed.")] = 16,
    timeout: Annotated[float, typer.Option(help="Seconds for a request to arrive, and for its result.")] = 30.0,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use; all by default.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: PrecisionOption = "auto",
    threshold: Annotated[float | None, typer.Option(help="Least confidence, 0 to 1; the model's by default.")] = None,
    trust: TrustOption = False,
    encoder: EncoderOption = None,
) -> None:
    """Open a web page that shows entities and relations of text, with a JSON endpoint beside it (/api).

    Example: cman serve --model results/runs/conll04/cman/main/seed1/model
    """
    folder = released_model() if model is None else model
    from cman.serve.limits import Limits

    limits = Limits(max_characters=max_characters, max_waiting=max_waiting, timeout=timeout)
    from cman.serve.app import create_app
    from cman.serve.process import ModelProcess
    from cman.serve.server import address_of, allowed_hosts, bound_socket, is_loopback
    from cman.serve.server import serve as serve_until_stopped

    with bound_socket(host, port) as listener:  # a port that is taken is told before the model is loaded
        options = {"trust": trust, "encoder": encoder, "device": own_gpu(device), "precision": arithmetic(precision),
                   "threads": threads, "threshold": threshold, "longest_sentence": max_tokens}  # fmt: skip
        app = create_app(ModelProcess(partial(_load, folder, options, verifying())), limits, allowed_hosts(host))
        if not is_loopback(host):
            log.warning("warning: --host %s: whoever reaches this machine can use the server, without a password", host)
        address = address_of(listener)
        listener.listen()  # before the address is told: who comes at once waits and is not refused
        typer.echo(f"{address} shows the page; Ctrl-C ends it.")
        sys.stdout.flush()
        if browser and sys.stdout.isatty():
            import webbrowser

            webbrowser.open(address)
        serve_until_stopped(app, listener, limits)


def _load(model: Path, options: dict[str, Any], verify: bool) -> "Extractor":
    """Return the extractor, in a process that knows nothing of this one's options."""
    from cman.extract.extractor import Extractor

    use_verification(verify)
    return Extractor.load(model, **options)
