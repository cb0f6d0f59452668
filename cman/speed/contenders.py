"""Who takes part: the kernels, their plain-PyTorch definition, what is composed of them, and the installed peers."""

from importlib.metadata import PackageNotFoundError, version

from cman import __version__, kernels
from cman.kernels import reference
from cman.speed.chain_peers import HMMLEARN, TORCH_STRUCT
from cman.speed.operations import calls_of
from cman.speed.peers import PYTORCH_CRF, TORCH_LSTM, Contender, composed

OURS = "cman"
EAGER = "eager"
COMPILED = "torch.compile"


def contenders() -> list[Contender]:
    """Return all contenders but `torch.compile`, ours first."""
    return [
        Contender(OURS, calls_of(kernels)),
        Contender(EAGER, calls_of(reference)),
        *composed(kernels),
        PYTORCH_CRF,
        TORCH_STRUCT,
        HMMLEARN,
        TORCH_LSTM,
    ]


def release(contender: str) -> str:
    """Return the version of a contender's package; cman's own for what is built from it."""
    if contender in (COMPILED, TORCH_LSTM.name):
        return version("torch")
    try:
        return version(contender)
    except PackageNotFoundError:
        return __version__
