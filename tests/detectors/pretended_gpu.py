"""A CUDA device played by the CPU: its numbers are real, and so are the mistakes that it reports.

Tensors on it are of a class of their own. They say ``cuda:0``, refuse to meet tensors of the CPU
and to become numpy arrays, as those of a GPU do. Autocast is that of the CPU, whose list of
operators in bfloat16 has those of CUDA that our networks use. Convolutions and products round
their float32 factors to TensorFloat-32 wherever a GPU would be allowed to. It has no float64, as
Apple's devices have none. What it cannot show is speed, memory, and the order in which a GPU adds.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Callable, Iterable, Iterator, Mapping

import pytest
import torch
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten

CUDA = torch.device("cuda", 0)

_FACTORIES = (
    "arange", "as_tensor", "empty", "empty_strided", "eye", "full", "linspace", "logspace", "ones",
    "rand", "randint", "randn", "randperm", "tensor", "tril_indices", "zeros", "empty_like",
    "full_like", "ones_like", "rand_like", "randn_like", "zeros_like",
)  # fmt: skip
_BETWEEN_DEVICES = (aten.copy_.default, aten._to_copy.default)
_BY_PLACES = (
    aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
    aten._index_put_impl_.default,
)  # fmt: skip
_CONVOLUTIONS = (aten.convolution.default, aten.convolution_backward.default)
_PRODUCTS = (aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default)

multiplied: set[torch.dtype] = set()
"""The types of the factors of all convolutions and products on the GPU, until it is emptied."""


class GpuTensor(torch.Tensor):
    """A tensor that says that it lies on a GPU; ``held`` is where its numbers are."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor, requires_grad: bool = False) -> GpuTensor:
        if held.dtype == torch.float64:
            raise TypeError("this device has no float64")
        made: GpuTensor = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype,
            layout=held.layout, device=torch.device("cpu"), requires_grad=requires_grad,
        )  # fmt: skip
        made.held = held.detach()
        return made

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"GpuTensor({self.held})"

    def numpy(self, **_: object) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, *_: object, **__: object) -> Any:
        return self.numpy()

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.held.untyped_storage()

    def tolist(self) -> Any:
        return self.held.tolist()

    def __deepcopy__(self, memo: dict[int, Any]) -> GpuTensor:
        copied = GpuTensor(self.held.clone(), self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copied._is_param = True
        memo[id(self)] = copied
        return copied

    def cpu(self, *_: object, **__: object) -> torch.Tensor:
        return _Down.apply(self)  # type: ignore[no-untyped-call, no-any-return]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        _require_one_device(func, args, kwargs)
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        own = {id(one.held): one for one in tree_leaves((args, kwargs)) if _is_gpu(one)}
        plain, named = tree_map(_held, args), tree_map(_held, kwargs)
        if func in (*_CONVOLUTIONS, *_PRODUCTS):
            multiplied.add(next(one.dtype for one in plain if _is_tensor(one)))
        if (func in _CONVOLUTIONS and torch.backends.cudnn.allow_tf32) or (
            func in _PRODUCTS and torch.backends.cuda.matmul.allow_tf32
        ):
            plain = tree_map(_as_tf32, plain)
        found = func(*plain, **named)

        def on_gpu(one: Any) -> Any:
            if not _is_tensor(one):
                return one
            return own[id(one)] if id(one) in own else GpuTensor(one)

        return tree_map(on_gpu, found)


class _Up(torch.autograd.Function):
    """From the CPU to the GPU."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return GpuTensor(x.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return gradient.held


class _Down(torch.autograd.Function):
    """From the GPU to the CPU."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> torch.Tensor:
        return x.held.clone()  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return GpuTensor(gradient)


@contextlib.contextmanager
def plugged_in() -> Iterator[str]:
    """The name of such a device, which this process has meanwhile, and rounds all it may.

    Used as ``torch.inference_mode``, ``torch.no_grad`` knows tensors of this class.
    """
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    multiplied.clear()
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        stack.callback(_set_precision, *before)
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        patch.setattr(torch, "inference_mode", torch.no_grad)
        patch.setattr(torch, "autocast", functools.partial(_autocast, torch.autocast))
        patch.setattr(torch.Tensor, "to", functools.partialmethod(_to, torch.Tensor.to))
        future = "get_overwrite_module_params_on_conversion"
        patch.setattr(torch.__future__, future, lambda: True)
        for name in _FACTORIES:
            patch.setattr(torch, name, functools.partial(_made, getattr(torch, name)))
        yield "cuda"


def _set_precision(convolutions: bool, products: bool) -> None:
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.backends.cuda.matmul.allow_tf32 = products


def as_tf32(x: torch.Tensor) -> torch.Tensor:
    """Float32 numbers rounded to the 10 bits after the point that TensorFloat-32 keeps."""
    bits = x.contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def _as_tf32(one: Any) -> Any:
    return as_tf32(one) if _is_tensor(one) and one.dtype == torch.float32 else one


def _is_tensor(one: object) -> bool:
    return isinstance(one, torch.Tensor)


def _is_gpu(one: object) -> bool:
    return isinstance(one, GpuTensor)


def _held(one: Any) -> Any:
    return one.held if _is_gpu(one) else one


def _require_one_device(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """As CUDA: numbers may come from the CPU, and the places of an index; tensors may not."""
    if func in _BETWEEN_DEVICES:
        return
    given = (args[0], args[2:]) if func in _BY_PLACES else (args, kwargs)
    for one in tree_leaves(given):
        if _is_tensor(one) and not _is_gpu(one) and one.dim() > 0:
            raise RuntimeError(f"Expected all tensors to be on the same device, in {func}")


def _autocast(real: Callable[..., Any], device_type: str, **options: Any) -> Any:
    return real("cpu", **options)


def _to(x: torch.Tensor, real: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> Any:
    """``Tensor.to`` in all its forms."""
    places = [where for where in (*args, *kwargs.values()) if _device_of(where) is not None]
    rest = [_dtype_of(one) for one in args if _device_of(one) is None or _is_tensor(one)]
    named = {name: one for name, one in kwargs.items() if name not in ("device", "non_blocking")}
    rest = [one for one in rest if one is not None and not isinstance(one, bool)]
    if places and (_device_of(places[0]) == "cuda") != _is_gpu(x):
        x = _Down.apply(x) if _is_gpu(x) else _Up.apply(x)  # type: ignore[no-untyped-call]
    return real(x, *rest, **named) if rest or named else x


def _device_of(where: Any) -> str | None:
    if isinstance(where, torch.Tensor):
        return where.device.type
    if isinstance(where, str):
        return torch.device(where).type
    return where.type if isinstance(where, torch.device) else None


def _dtype_of(one: Any) -> Any:
    return one.dtype if isinstance(one, torch.Tensor) else one


def _made(real: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> Any:
    """A factory of tensors, which lie where ``device`` says."""
    if _device_of(kwargs.get("device")) != "cuda":
        return real(*args, **kwargs)
    made = real(*map(_held, args), **{**kwargs, "device": "cpu"})
    return _Up.apply(made)  # type: ignore[no-untyped-call]
