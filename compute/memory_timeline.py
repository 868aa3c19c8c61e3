"""What one pass of a network holds in memory over time, by category, told by torch's profiler and hooks on all modules."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._pytree import tree_leaves

CATEGORIES = ("parameters", "inputs", "activations", "temporary")
_CALL = "measured call "  # what the profiler's tree calls a module's call, before its number
_SILENT = "6"  # or the profiler complains, on a machine without a GPU, that it finds none


@dataclass(frozen=True)
class Moment:
    """What is allocated after an allocation or a release, in bytes by category."""

    milliseconds: float  # since the pass began
    layer: str  # the innermost module that runs; the whole network goes by the name of its class
    allocated: dict[str, int]  # each of CATEGORIES

    @property
    def total(self) -> int:
        """Bytes of all categories."""
        return sum(self.allocated.values())


@dataclass
class _Allocation:
    category: str = "temporary"


@dataclass(frozen=True)
class _Event:
    time_ns: int
    layer: str
    pointer: int
    change: int  # bytes; 0 where a module returns the storage


def memory_timeline(module: nn.Module, inputs: Tensor, device: torch.device) -> list[Moment]:
    """What one forward pass holds over time, from torch's profiler, the state before it first.

    'parameters' (buffers, too) and 'inputs' are there throughout, each storage counted once. 'activations' are the storages
    that a module returns, from when they are allocated on; 'temporary' is all else that is allocated in the pass. What
    libraries take past torch's allocator is not seen. A pass goes before, so that what is set up once is left out. Times are
    longer than without a profiler. Only memory on the device's kind counts.
    """
    held = {
        "parameters": _storage_bytes([*module.parameters(), *module.buffers()], device),
        "inputs": _storage_bytes([inputs], device),
        "activations": 0,
        "temporary": 0,
    }
    events = _memory_events(module, inputs, device)
    categories = _categories(events)
    root = type(module).__name__
    moments = [Moment(0.0, root, dict(held))]
    start_ns = events[0].time_ns
    for event, allocation in zip(events, categories, strict=True):
        if allocation is not None and event.change:
            held[allocation.category] += event.change
            moments.append(Moment((event.time_ns - start_ns) / 1e6, event.layer or root, dict(held)))
    return moments


def _storage_bytes(tensors: list[Tensor], device: torch.device) -> int:
    storages = [tensor.untyped_storage() for tensor in tensors if tensor.device.type == device.type]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@torch.inference_mode()
def _memory_events(module: nn.Module, inputs: Tensor, device: torch.device) -> list[_Event]:
    """Begin of the pass, allocations, releases and what modules return, in the order in which they happen."""
    returned: list[set[int]] = []  # the storages' addresses, for each call
    names: list[str] = []  # the module's, for each call
    open_calls: list[tuple[int, record_function]] = []

    def enter(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            call = record_function(f"{_CALL}{len(names)}")
            open_calls.append((len(names), call))
            names.append(name)
            returned.append(set())
            call.__enter__()

        return hook

    def leave(_module: nn.Module, _inputs: object, output: object) -> None:
        number, call = open_calls.pop()
        tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        returned[number] = {tensor.untyped_storage().data_ptr() for tensor in tensors}
        call.__exit__(None, None, None)

    os.environ.setdefault("KINETO_LOG_LEVEL", _SILENT)
    module(inputs)
    handles = []
    for name, each in module.named_modules():
        handles += [each.register_forward_pre_hook(enter(name)), each.register_forward_hook(leave)]
    try:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            output = module(inputs)  # named, so that it is still there when the pass ends
            del output
    finally:
        for handle in handles:
            handle.remove()
    events = []
    for node, call in _with_calls(profiler.profiler.kineto_results.experimental_event_tree(), None):
        if call is None:
            continue  # before or after the pass
        if node.name == f"{_CALL}{call}":
            events += [_Event(node.end_time_ns, names[call], pointer, 0) for pointer in returned[call]]
            if call == 0:
                events.append(_Event(node.start_time_ns, "", 0, 0))
        elif node.typed[0].name == "Allocation" and node.typed[1].device.type == device.type:
            fields = node.typed[1]
            events.append(_Event(node.start_time_ns, names[call], fields.ptr, fields.alloc_size))
    return sorted(events, key=lambda event: event.time_ns)


def _with_calls(nodes: list[Any], call: int | None) -> Iterator[tuple[Any, int | None]]:
    """Each event of the profiler's tree, with the number of the module's call that it lies in."""
    for node in nodes:
        inner = int(node.name.removeprefix(_CALL)) if node.name.startswith(_CALL) else call
        yield node, inner
        yield from _with_calls(node.children, inner)


def _categories(events: list[_Event]) -> list[_Allocation | None]:
    """The allocation that each event is about, if the pass made it; addresses are used again after a release."""
    latest: dict[int, _Allocation] = {}
    found = []
    for event in events:
        if event.change > 0:
            latest[event.pointer] = _Allocation()
        allocation = latest.get(event.pointer)
        if allocation and event.change == 0:
            allocation.category = "activations"
        found.append(allocation)
    return found
