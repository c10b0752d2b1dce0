"""What a person or a program reads about a hash table: how a run went, and what a table holds."""

from __future__ import annotations

import json
from typing import Iterator, Sequence

from memscan.reports.names import inert
from memscan.tables.manifest import FailedShard, Manifest

FORMATS = ("text", "json")

_NAMED = 10  # failed shards that the text names


def render_run(manifest: Manifest, path: str, hashed: int, already: int) -> str:
    """How a run ended: what the table holds now, and how many shards were ``hashed`` for it."""
    lines = [f"Table: {inert(path)}", *_counts(manifest)]
    lines.append(f"Shards: {hashed} hashed, {already} done before, {len(manifest.failed)} failed")
    return "\n".join([*lines, *_failed(manifest.failed)]) + "\n"


def render_info(manifest: Manifest, path: str, format: str) -> str:
    """What a table holds, in one of :data:`FORMATS`; JSON is the manifest without its parts."""
    if format == "json":
        document = {key: value for key, value in manifest.to_json().items() if key != "parts"}
        return json.dumps(document, sort_keys=True, indent=2) + "\n"
    return "\n".join(_lines(manifest, path)) + "\n"


def render_check(problems: Sequence[str], path: str) -> str:
    """What is wrong with a table, a line each."""
    if not problems:
        return f"{inert(path)}: sound\n"
    return "".join(f"{inert(problem)}\n" for problem in problems)


def _lines(manifest: Manifest, path: str) -> Iterator[str]:
    encoder = manifest.encoder
    yield f"Table: {inert(path)}"
    if encoder.dimensions:
        yield f"Embedding: {inert(encoder.algorithm)}, {encoder.dimensions} dimensions"
    else:
        yield f"Hash: {inert(encoder.algorithm)}, {64 * encoder.words} bits"
    views = manifest.options.get("views")
    level = f" ({inert(str(views))})" if isinstance(views, str) else ""
    yield f"Views: {1 + len(encoder.views)}{level}"
    yield from _counts(manifest)
    yield f"Shards: {len(manifest.parts)} done, {len(manifest.failed)} failed"
    yield from _failed(manifest.failed)
    versions = [f"{name} {' and '.join(made)}" for name, made in manifest.libraries.items()]
    yield f"Made with: {inert(', '.join([f'memscan {manifest.memscan}', *versions]))}"
    yield f"Encoder: {inert(encoder.fingerprint)}"
    sources = manifest.options.get("sources")
    if isinstance(sources, list):
        for source in sources:
            yield f"Source: {inert(str(source))}"


def _counts(manifest: Manifest) -> Iterator[str]:
    size = sum(part.bytes for part in manifest.parts)
    each = f" ({size / manifest.rows:.1f} an image)" if manifest.rows else ""
    lost = manifest.failures
    yield f"Images: {manifest.rows - lost} hashed, {lost} could not be read"
    yield f"Size: {size} bytes{each}"


def _failed(failed: Sequence[FailedShard]) -> Iterator[str]:
    for one in failed[:_NAMED]:
        yield f"[!] {inert(one.shard.name)}: {inert(one.reason)}"
    if len(failed) > _NAMED:
        yield f"[!] and {len(failed) - _NAMED} more"
