"""Every transform of PyTorch as a function of a function of two tensors, and what says that it cannot be had."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

Function = Callable[..., Tensor]
UNUSED: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}  # such as transitions


def summed(function: Function) -> Function:
    return lambda *inputs: function(*inputs).pow(2).sum()


def dual(function: Function, x: Tensor, y: Tensor) -> Tensor:
    with forward_ad.dual_level():
        tangents = torch.ones_like(x), torch.full_like(y, 0.5)
        result = function(*(forward_ad.make_dual(*each) for each in zip((x, y), tangents, strict=True)))
        tangent = forward_ad.unpack_dual(result).tangent
        return torch.zeros_like(result) if tangent is None else tangent


def recorded(function: Function, x: Tensor, y: Tensor) -> Tensor:
    leaves = [x.clone().requires_grad_(), y.clone().requires_grad_()]
    return torch.cat([each.flatten() for each in torch.autograd.grad(summed(function)(*leaves), leaves, **UNUSED)])


def double(function: Function, x: Tensor, y: Tensor) -> Tensor:
    leaves = [x.clone().requires_grad_(), y.clone().requires_grad_()]
    first = torch.autograd.grad(summed(function)(*leaves), leaves, create_graph=True, **UNUSED)
    total = sum(each.pow(2).sum() for each in first)
    return torch.cat([each.flatten() for each in torch.autograd.grad(total, leaves, **UNUSED)])


def both(given: tuple[Any, ...] | Any) -> Tensor:
    return torch.cat([each.flatten() for each in given])


TRANSFORMS: dict[str, Callable[[Function, Tensor, Tensor], Tensor]] = {
    "reverse": recorded,
    "forward": dual,
    "jvp": lambda f, x, y: jvp(f, (x, y), (torch.ones_like(x), torch.full_like(y, 0.5)))[1],
    "vjp": lambda f, x, y: both(vjp(summed(f), x, y)[1](torch.ones((), dtype=x.dtype))),
    "grad": lambda f, x, y: both(grad(summed(f), (0, 1))(x, y)),
    "double backward": double,
    "forward over reverse": lambda f, x, y: jvp(grad(summed(f)), (x, y), (torch.ones_like(x), torch.ones_like(y)))[1],
    "reverse over reverse": lambda f, x, y: grad(lambda v: grad(summed(f), 1)(x, v).pow(2).sum())(y),
    "vmap": lambda f, x, y: vmap(f, (0, None))(torch.stack([x, 2 * x]), y),
    "vmap of grad": lambda f, x, y: vmap(grad(summed(f)), (0, None))(torch.stack([x, 2 * x]), y),
    "hessian": lambda f, x, y: hessian(lambda v: summed(f)(x, v))(y),
    "jacobians": lambda f, x, y: jacfwd(lambda v: f(x, v))(y) - jacrev(lambda v: f(x, v))(y),
}
# What says no: of torch where an operation has no rule, or our own.
REFUSALS = (
    "vmap: |dynamic shape|data-dependent|Batching rule not implemented|found a derivative in forward mode|"
    r"C\+\+ torch::autograd::Function with functorch|jvp is not implemented|does not require grad"
)
# What is expected of a transform that the definitions themselves do not know.
ONE_BY_ONE: dict[str, Callable[[Function, Tensor, Tensor], Tensor]] = {
    "vmap": lambda f, x, y: torch.stack([f(x, y), f(2 * x, y)]),
    "vmap of grad": lambda f, x, y: torch.stack([grad(summed(f))(x, y), grad(summed(f))(2 * x, y)]),
}
