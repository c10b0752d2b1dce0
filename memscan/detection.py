"""The scan: targets and sources in, a report out."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING, Iterable, Sequence

import numpy as np

from memscan import (
    __version__,
    decode,
    encoders,
    engines,
    hashed,
    hashing,
    verdicts,
)
from memscan.baseline import Baseline
from memscan.cache import Cache
from memscan.collection import collect
from memscan.comparison import Comparison
from memscan.errors import InputError
from memscan.evidence import rates
from memscan.intake import Intake
from memscan.most_copied import most_copied
from memscan.networks import Networks
from memscan.records import Failure, Finding, Progress, Thresholds
from memscan.reference import Reference
from memscan.report import Holdout, Options, Report
from memscan.sources import stores
from memscan.sources.directories import Listing, Selection, same_files
from memscan.sources.given import (
    AnyPath,
    Named,
    as_paths,
    as_patterns,
    list_images,
    remote_places,
    require_found,
    require_images,
    unlisted,
)
from memscan.views import counted, of_source, of_target

if TYPE_CHECKING:
    from memscan.encoders import Encoder
    from memscan.shards import ShardEngine


def detect(
    targets: AnyPath | Iterable[AnyPath],
    source: AnyPath | Iterable[AnyPath],
    *,
    recursive: bool = False,
    hash: str = "phash",
    near_threshold: int | None = None,
    distinct_threshold: int | None = None,
    top_k: int = 1,
    exclude: str | Iterable[str] = (),
    exclude_self: bool = False,
    follow_symlinks: bool = False,
    max_pixels: int = decode.MAX_PIXELS,
    fast: bool = False,
    views: str = "plain",
    baseline: Baseline | None = None,
    holdout: AnyPath | Iterable[AnyPath] = (),
    files_from: Sequence[Named] = (),
    hash_column: str | None = None,
    networks: Networks | None = None,
    engine: str = "local",
    address: str | None = None,
    jobs: int | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compare each target with every image of the source and judge the closest distance.

    Args:
        targets: an image, a directory of images, an archive, a Parquet file or a medical volume, a
            pattern for paths, the URL of any of these, or several of them.
        source: the reference collection, likewise. A file reached twice counts once.
        recursive: whether directories are searched at every depth.
        hash: which hash the images are compared by, one of :data:`memscan.encoders.KNOWN`.
        near_threshold: the largest distance, in bits, of a near-duplicate; by default what suits
            the hash.
        distinct_threshold: the largest distance, in bits, that is still worth a review; likewise.
        top_k: how many matches each finding lists.
        exclude: shell patterns for paths below a given directory that are left out.
        exclude_self: whether a source that is the same file as a target is left out for it.
        follow_symlinks: whether links to directories are entered.
        max_pixels: images with more pixels are failures.
        fast: whether JPEG sources are decoded at reduced scale first. Those that may then lie
            within the distinct threshold are hashed again exactly, so that verdicts, and all
            distances up to that threshold, are those of the exact scan; greater ones may be off
            by a few bits.
        views: which renderings of the images are compared, one of :data:`memscan.views.LEVELS`.
        baseline: findings that were accepted before, to be marked as such.
        holdout: images that the model never saw; the same targets are compared with them too.
        files_from: lists of paths that belong to the source, too
            (:func:`memscan.sources.patterns.files_from` reads one).
        hash_column: the column of hashes in Parquet and CSV files of the source; they are then read
            as hashes that others made, and not as images.
        networks: learned detectors: one that compares the images in the place of the hash, and
            one that is asked about the candidates (:func:`memscan.networks.open_networks`).
        engine: ``"local"``, or ``"ray"`` for the workers of a cluster to search the part files of
            the source, which must be tables that ``memscan index`` wrote.
        address: where the cluster is (see :class:`memscan.shards.RayEngine`).
        jobs: the number of workers; all cores by default. It does not change the report.
        cache: where hashes of unchanged files come from and new ones are kept; none by default.
        progress: called with a phase, the images done and their number (0 where it is not known
            before containers were read), in this thread.

    Raises:
        InputError: a path is missing, a target, source or holdout has no (readable) image, the
            thresholds contradict each other.

    Images that cannot be read do not raise; they are failures of the report.

    """
    networks = networks or Networks()
    encoder: Encoder = networks.encoder or encoders.choose(hash)
    usual = encoder.thresholds
    thresholds = Thresholds(
        usual.near if near_threshold is None else near_threshold,
        usual.distinct if distinct_threshold is None else distinct_threshold,
    )
    if networks.encoder is None:
        verdicts.check(thresholds, 64 * encoder.words)
    else:
        networks.check(hash, thresholds, hash_column)
    if fast and encoder.fast_error is None:
        raise InputError(f"fast decoding was measured for phash only, not for {encoder.name}")
    if top_k < 1:
        raise InputError("top_k must be at least 1")
    engines.check(jobs)
    patterns = as_patterns(exclude)
    selection = Selection(recursive, patterns, follow_symlinks)
    target_listings = hashed.separate(list_images(as_paths(targets), selection, "target"))
    require_images(target_listings, "a target")
    of_hashes = dataclasses.replace(selection, hash_column=hash_column)
    source_listings = hashed.separate(
        list_images(as_paths(source), of_hashes, "source", files_from)
    )
    held_out_paths = as_paths(holdout)
    holdout_listings = []
    if held_out_paths:
        holdout_listings = hashed.separate(list_images(held_out_paths, of_hashes, "holdout"))
    shard_engine = _engine(engine, address, jobs, source_listings + holdout_listings, hash_column)
    intake = Intake(max_pixels, jobs, cache, progress)
    table, failures, counts, volumes, _ = collect(
        target_listings,
        intake,
        "targets",
        by_listing=True,
        encoder=encoder,
        view_set=of_target(views, hints=networks.encoder is None),
    )
    named_failures = _named(target_listings, failures)
    if named_failures and not len(table) and len(named_failures) == len(failures):
        raise InputError(f"{stores.shown(failures[0].path)}: {failures[0].message}")
    require_found(target_listings, counts)

    queries = np.concatenate([table.column(name) for name in counted(views)])
    fast_near = None
    if fast and encoder.fast_error is not None:
        fast_near = (queries, encoder.metric.units(thresholds.distinct) + encoder.fast_error)
    wanted = None
    if any(one.tables for one in source_listings + holdout_listings):
        from memscan.selection import Wanted

        # One more than is shown, since one may be the target itself.
        wanted = Wanted(queries, top_k + 1, encoder.metric.units(thresholds.distinct), jobs)
    how = (of_source(views), encoder, fast_near, hash_column, wanted, shard_engine)
    other = None
    with shard_engine or contextlib.nullcontext():
        reference = Reference.hashed(source_listings, intake, "source", *how)
        if holdout_listings:
            other = Reference.hashed(holdout_listings, intake, "holdout", *how)
    places = remote_places([*target_listings, *source_listings, *holdout_listings])
    comparing, confirming = networks.comparing, networks.confirming
    comparison = Comparison(
        table,
        encoder,
        thresholds,
        networks,
        views,
        exclude_self,
        max_pixels,
        jobs,
        places,
        progress,
    )
    findings, curve = comparison.with_reference(
        reference, top_k, baseline is not None, encoder.is_modelled
    )
    held_out = None
    if other is not None:
        held_out = _holdout(findings, comparison.with_reference(other)[0], other)
    return Report(
        version=__version__,
        encoder=encoder.fingerprint(fast),
        libraries=hashing.library_versions(),
        thresholds=thresholds,
        targets=tuple(listing.root for listing in target_listings),
        sources=reference.sources,
        hashed=reference.table.size,
        findings=baseline.accept(findings) if baseline else findings,
        target_failures=unlisted(target_listings) + failures,
        named_failures=named_failures,
        source_failures=reference.failures,
        targets_in_source=() if exclude_self else reference.targets_in(table.paths),
        options=Options(
            recursive=recursive,
            exclude=patterns,
            exclude_self=exclude_self,
            follow_symlinks=follow_symlinks,
            top_k=top_k,
            max_pixels=max_pixels,
            fast=fast,
            baseline=baseline.path if baseline else None,
            views=views,
            hash=hash,
            files_from=tuple(named.root for named in files_from),
            nul=any(named.nul for named in files_from),
            hash_column=hash_column,
            detector=comparing.kind if comparing else None,
            verify=confirming.kind if confirming else None,
            weights=networks.weights,
            trust_weights=networks.trusted,
        ),
        copied=most_copied(findings, reference.table, encoder.metric),
        curve=curve,
        holdout=held_out,
        hash_bits=64 if comparing else 64 * encoder.words,
        volumes=tuple(
            dict.fromkeys(volumes + reference.volumes + (other.volumes if other else ()))
        ),
        warnings=networks.warnings + reference.warnings + (other.warnings if other else ()),
        remote_places=places,
        detector=comparing,
        verifier=confirming,
    )


def _engine(
    name: str,
    address: str | None,
    jobs: int | None,
    listings: Sequence[Listing],
    hash_column: str | None,
) -> ShardEngine | None:
    """The engine of a cluster; None for this machine, where tables are read as memory allows."""
    if name == "local" and address is None:
        return None
    from memscan import shards

    chosen = shards.engine(name, address, jobs)
    for listing in listings:
        foreign = any(hashed.are_foreign(path, hash_column) for path in listing.tables)
        if foreign or listing.paths or listing.containers or listing.remote:
            raise InputError(
                f"{stores.shown(listing.root)}: a cluster searches tables of hashes, which this is "
                "not (memscan index --engine ray makes one)"
            )
    return chosen


def _named(listings: Sequence[Listing], failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """The failures of files that were given by name, under whatever name they were listed."""
    if not failures:
        return ()
    files = [stores.local_path(listing.root) for listing in listings]
    named = set(same_files([path for path in files if not os.path.isdir(path)], listings).values())
    return tuple(failure for failure in failures if failure.path in named)


def _holdout(
    findings: Sequence[Finding], others: Sequence[Finding], reference: Reference
) -> Holdout:
    """The findings on the same targets against the source, and against the holdout."""
    pairs = [(one.is_copy, other.is_copy) for one, other in zip(findings, others)]
    only_source, only_holdout = pairs.count((True, False)), pairs.count((False, True))
    return Holdout(
        sources=reference.sources,
        hashed=reference.table.size,
        copies=sum(copied for _, copied in pairs),
        only_source=only_source,
        only_holdout=only_holdout,
        p_value=rates.paired_p_value(only_source, only_holdout),
        failures=reference.failures,
    )
