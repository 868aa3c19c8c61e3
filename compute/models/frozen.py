"""Networks made quick for many pictures: frozen graphs on a CPU, with fused layers where a pass is long enough."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from compute.data.errors import DataError

QUICK_ERROR = 1e-4  # of the largest output: what a frozen network may differ by from the plain one
FUSING_RUNS = 2  # the first run notes shapes, the second compiles for them
Function = Callable[[Tensor], Tensor]


def quick(function: Function, sample: Tensor, fused_batch: int = 0) -> Function:
    """The same function, as a frozen graph where it is a network on a CPU that gives the same outputs so; else as it is.

    `sample` is one picture (1, 3, H, W). With `fused_batch`, oneDNN fuses convolutions with what follows them for batches of
    that many pictures: that takes seconds. Other batches are computed as before.
    """
    if not isinstance(function, nn.Module) or isinstance(function, torch.jit.ScriptModule):
        return function
    function.eval()
    if sample.device.type != "cpu":
        return function.to(memory_format=torch.channels_last)
    frozen = _frozen(function, sample, fused_batch) if fused_batch else None
    return frozen or _frozen(function, sample, 0) or function


def _frozen(network: nn.Module, sample: Tensor, fused_batch: int) -> torch.jit.ScriptModule | None:
    """The network as a frozen graph, or None where it cannot be traced or gives other outputs then."""
    pair = torch.cat([sample, sample.flip(-1)])
    inputs = pair.repeat(max(1, -(-fused_batch // 2)), 1, 1, 1)[: max(2, fused_batch)]
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    pair = inputs[:2]
    with torch.inference_mode(), warnings.catch_warnings(), _fusing(fused_batch > 0):
        warnings.simplefilter("ignore")  # of tracing, whose outcome is checked below
        try:
            plain = [network(each) for each in (pair, -pair)]  # so unlike that few branches on values are the same
            network = network.to(memory_format=torch.channels_last)
            frozen = torch.jit.freeze(torch.jit.trace(network, sample, check_trace=False))
            _fold_padding(frozen.graph)
            for _ in range(FUSING_RUNS if fused_batch else 0):
                frozen(inputs)
            found = [frozen(each)[:2] for each in (inputs, -inputs)]
            same = all(
                (ours - theirs).abs().max() <= QUICK_ERROR * theirs.abs().max()
                for ours, theirs in zip(found, plain, strict=True)
            )
        except Exception:  # whatever a foreign network may do that cannot be traced
            return None
    return frozen if same else None


def _fold_padding(graph: Any) -> None:
    """Let convolutions pad for themselves where a step before lays zeros around their input, which copies all of it.

    They can only pad alike on both sides: where one side gets more, zeros in the kernel make up for what the other has over.
    """
    for convolution in graph.findAllNodes("aten::_convolution"):
        given, kernel, _, _, padding, dilation, transposed, *_ = convolution.inputs()
        pad = given.node()
        if pad.kind() != "aten::pad" or len(given.uses()) > 1:
            continue
        unpadded, widths, mode, value = pad.inputs()
        known = (mode.toIValue(), bool(value.toIValue()), transposed.toIValue(), dilation.toIValue())
        around, weights = widths.toIValue() or [-1], kernel.toIValue()
        if known != ("constant", False, False, [1, 1]) or len(around) != 4 or min(around) < 0 or weights is None:
            continue
        left, right, top, bottom = around
        graph.setInsertPoint(convolution)
        more = (max(right - left, 0), max(left - right, 0), max(bottom - top, 0), max(top - bottom, 0))
        own = [old + new for old, new in zip(padding.toIValue(), (max(top, bottom), max(left, right)), strict=True)]
        convolution.replaceInput(0, unpadded)
        convolution.replaceInput(1, graph.insertConstant(functional.pad(weights, more)) if any(more) else kernel)
        convolution.replaceInput(4, graph.insertConstant(own))
        pad.destroy()


@contextmanager
def _fusing(enabled: bool) -> Iterator[None]:
    """Have graphs that are first run meanwhile fused by oneDNN."""
    before = torch.jit.onednn_fusion_enabled()
    torch.jit.enable_onednn_fusion(enabled)
    try:
        yield
    finally:
        torch.jit.enable_onednn_fusion(before)


class WithinMemory:
    """A function that is asked for half as many pictures at once, for good, whenever a GPU's memory does not hold them."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.at_once: int | None = None  # None: as many as it is given

    def __call__(self, inputs: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D). Raises DataError where a single picture is too much."""
        while True:
            parts = inputs.split(self.at_once or len(inputs))
            try:
                values = [self.function(part) for part in parts]
                return values[0] if len(values) == 1 else torch.cat(values)
            except torch.OutOfMemoryError as error:
                if len(parts[0]) == 1:
                    raise DataError(
                        "The device's memory does not hold one picture: free it, or run with --device cpu."
                    ) from error
            self.at_once = len(parts[0]) // 2
            torch.cuda.empty_cache()
