"""The weights of a part of a model in the layout of diffusers: in one file, or in shards."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Mapping

from memscan.detectors import weights
from memscan.detectors.diffusion import parts
from memscan.detectors.weights import State
from memscan.errors import InputError

_SHARD = re.compile(r"[\w.-]+\.safetensors", re.ASCII)


def read(folder: str, stem: str) -> tuple[str, State, str]:
    """The weights of a part: the file's path, its tensors in float32, its SHA-256.

    The file is ``stem``.safetensors or the index of shards, or that of the variant fp16 where only
    this was kept. Of shards, the SHA-256 is that of theirs in the order of their names. Raises
    InputError for what is none of these, with the way to convert a pickle.
    """
    for variant in ("", ".fp16"):
        path = os.path.join(folder, f"{stem}{variant}.safetensors")
        if os.path.exists(path):
            return (path, *_whole(path))
        path = os.path.join(folder, f"{stem}.safetensors.index{variant}.json")
        if os.path.exists(path):
            return (path, *_joined(path))
    wanted = f"{stem}.safetensors"
    pickles = [
        name for name in parts.names_in(folder) if name.endswith((".bin", ".ckpt", ".pt", ".pth"))
    ]
    if pickles:
        raise InputError(
            f"{os.path.join(folder, pickles[0])}: a pickle, which could run any code; "
            f"{weights.CONVERSION.replace('model.safetensors', wanted)}"
        )
    raise InputError(f"{folder}: there are no weights in it: {wanted} is missing")


def _whole(path: str) -> tuple[State, str]:
    """The tensors of a file, and its SHA-256. Raises InputError."""
    parts.refuse_pipe(path)
    content = weights.read_bytes(path)
    state = {name: one.float() for name, one in weights.parse(path, content).items()}
    return state, hashlib.sha256(content).hexdigest()


def _joined(index: str) -> tuple[State, str]:
    """The tensors of the shards of an index. Raises InputError."""
    shards = _shards(index)
    absent = [path for path in shards if not os.path.exists(path)]
    if absent:
        raise InputError(f"{absent[0]}: is missing; {os.path.basename(index)} names this shard")
    if sum(map(os.path.getsize, shards)) > weights.MOST_BYTES:
        raise InputError(f"{index}: too large for weights")
    state: State = {}
    shas = []
    for path, names in shards.items():
        found, sha256 = _whole(path)
        if found.keys() != names:  # which of two tensors counts would be anybody's guess
            raise InputError(f"{path}: holds other tensors than {os.path.basename(index)} says")
        state.update(found)
        shas.append(sha256)
    return state, hashlib.sha256("".join(shas).encode()).hexdigest()


def _shards(index: str) -> Mapping[str, set[str]]:
    """The paths of the shards in order, and the tensors that each holds. Raises InputError."""
    places = parts.read_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise InputError(f"{index}: has no weight_map, which says where each tensor is")
    shards: dict[str, set[str]] = {}
    for name, shard in places.items():
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise InputError(f"{index}: {shard!r:.80} is no name of a safetensors file beside it")
        shards.setdefault(os.path.join(os.path.dirname(index), shard), set()).add(name)
    return {path: shards[path] for path in sorted(shards)}
