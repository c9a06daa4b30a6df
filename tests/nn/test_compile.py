"""The fused norm under `torch.compile`: a script, for the tests' type checks cannot be traced."""

import subprocess
import sys

import torch

from veernet.nn import Extent, group_norm


def test_the_norm_compiles_in_one_graph_forward_and_backward():
    subprocess.run([sys.executable, "-W", "ignore", __file__], check=True)


def compare(activation):
    """The compiled norm against the eager one; the backend traces and runs without a compiler."""
    extent = Extent(((7, 9), (11, 5)), (11, 9))

    def f(x, weight, bias, r):
        return group_norm(x, 2, weight, bias, residual=r, activation=activation, extent=extent)

    torch.manual_seed(0)
    x, r = (torch.randn(2, 32, 11, 9, requires_grad=True) for _ in range(2))
    weight, bias = (torch.randn(32, requires_grad=True) for _ in range(2))
    inputs = (x, weight, bias, r)
    y, expected = torch.compile(f, backend="aot_eager", fullgraph=True)(*inputs), f(*inputs)
    torch.testing.assert_close(y, expected)
    upstream = torch.randn_like(y)
    found = torch.autograd.grad(y, inputs, upstream)
    for a, b in zip(found, torch.autograd.grad(expected, inputs, upstream), strict=True):
        torch.testing.assert_close(a, b)


if __name__ == "__main__":
    for activation in ("none", "relu", "silu"):
        compare(activation)
