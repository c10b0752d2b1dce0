"""From folders of images to a report of what a model seems to remember of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Iterable, Sequence

from memscan import decode, hashed
from memscan.detectors.diffusion import prompts
from memscan.detectors.diffusion import reference as references
from memscan.errors import InputError
from memscan.evaluation.probes import Labels, labelled
from memscan.probes import METHODS, RATE, Pictures, Probe, ProbeOptions, ProbeReport, Tokens
from memscan.probing import captions as caption_lists
from memscan.probing import judging, showing
from memscan.probing.judging import Keys
from memscan.probing.measurements import Measurements
from memscan.probing.measuring import Measuring
from memscan.probing.reading import Images
from memscan.records import Progress
from memscan.sources.directories import Selection
from memscan.sources.given import AnyPath, as_paths, list_images, require_images

if TYPE_CHECKING:
    from memscan.detectors.diffusion.denoiser import Denoiser


def probe(
    denoiser: Denoiser,
    targets: AnyPath | Iterable[AnyPath],
    reference: AnyPath | Iterable[AnyPath],
    *,
    model: str,
    methods: Sequence[str] = METHODS,
    options: ProbeOptions | None = None,
    selection: Selection | None = None,
    captions: str | None = None,
    labels: Labels | None = None,
    measurements: str | None = None,
    pictures: int = 10,
    batch: int = 16,
    max_pixels: int = decode.MAX_PIXELS,
    progress: Progress | None = None,
) -> ProbeReport:
    """Ask a model what it remembers of the targets.

    Args:
        denoiser: the model.
        targets: images to judge: paths as every scan takes them.
        reference: images of the same kind that the model is known not to remember, best those
            that it was not trained on. The verdict is only as good as this knowledge.
        model: what the report calls the model.
        methods: of :data:`memscan.probes.METHODS`.
        options: what the figures depend on.
        selection: which files of directories belong to both.
        captions: a CSV file with the prompts of all images
            (:func:`memscan.probing.captions.read`), for ``tcnp``.
        labels: of some targets, to compare the methods by.
        measurements: a file that values are taken from and added to
            (:mod:`memscan.probing.measurements`).
        pictures: for how many of the most suspicious targets pictures are drawn, and the parts of
            captions weighed.
        batch: images or latents that the model is given at a time.
        max_pixels: of an image.
        progress: called with "reference", "targets", "captions", "pictures" or "tokens", what is
            done, and the number of all (0 where it is not known).

    Raises InputError for what cannot be done, OutputError for measurements that cannot be written.

    """
    options = options or ProbeOptions()
    options.check()
    _check_methods(methods, captions)
    known = None if captions is None else caption_lists.read(captions)
    ours, theirs = (
        _images(as_paths(paths), selection or Selection(), role, max_pixels)
        for paths, role in ((targets, "target"), (reference, "reference"))
    )
    if known is not None and captions is not None:  # now, and not after hours
        caption_lists.of_all([*ours.paths, *theirs.paths], known, captions)
    if labels is not None:  # likewise
        possible = ours.possible(labels.remembered)
        labels.require_both([labels.remembered[place] for place in possible])
    with decode.pixel_limit(max_pixels), Measurements(measurements) as kept:
        measuring = Measuring(denoiser, options, kept, batch, progress)
        of_images = [name for name in methods if name != "tcnp" or known is None]
        their_keys = measuring.images(theirs, of_images, "reference")
        _require_enough(theirs, their_keys)
        our_keys = measuring.images(ours, of_images, "targets")
        _require_any(ours, our_keys)
        keys = dict.fromkeys(methods, (our_keys, their_keys))
        texts: dict[str, str] = {}
        if known is not None and captions is not None:
            texts = caption_lists.of_all([*our_keys, *their_keys], known, captions)
            places = measuring.captions(texts.values())
            keys["tcnp"] = (
                {path: places[texts[path]] for path in our_keys},
                {path: places[texts[path]] for path in their_keys},
            )
        judged = {
            method: judging.judge(*both, measuring.finder(method, bool(texts)), options)
            for method, both in keys.items()
        }
        warnings = _warnings(our_keys, their_keys)
        if texts:
            different = set(keys["tcnp"][1].values())
            warnings += _few("captions", len(different), "tcnp can call nothing")
        drawn: dict[str, Pictures] = {}
        if "iip" in judged:
            chosen = showing.most_suspicious(judged["iip"].targets, pictures)
            places_asked = ours.remote_places
            drawn, more = showing.pictures(
                denoiser, chosen, options, max_pixels, places_asked, progress
            )
            warnings += more
        weighed: dict[str, Tokens] = {}
        if texts:
            chosen = showing.most_suspicious(judged["tcnp"].targets, pictures)
            chosen_texts = {path: texts[path] for path in chosen}
            weighed = showing.tokens(denoiser, chosen_texts, options, batch, progress)
    report = ProbeReport(
        model=model,
        fingerprint=denoiser.fingerprint,
        options=options.described(prompts.chosen(options)),
        probes=tuple(
            Probe(
                path,
                {method: one.targets[path] for method, one in judged.items()},
                drawn.get(path),
                weighed.get(path, ()),
            )
            for path in sorted(our_keys, key=os.fsencode)
        ),
        reference_scores={method: one.reference_scores for method, one in judged.items()},
        thresholds={method: one.threshold for method, one in judged.items()},
        captioned=bool(texts),
        target_failures=ours.all_failures(),
        reference_failures=theirs.all_failures(),
        warnings=tuple(warnings),
        targets=ours.sources,
        references=theirs.sources,
    )
    return report if labels is None else labelled(report, labels, options.seed)


def _check_methods(methods: Sequence[str], captions: str | None) -> None:
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        wrong = f"{unknown[0]}: no such method" if unknown else "no method was given"
        raise InputError(f"{wrong}; there are {', '.join(METHODS)}")
    if captions is not None and "tcnp" not in methods:
        raise InputError(f"{captions}: captions are for the method tcnp, which was not asked for")


def _images(paths: list[str], selection: Selection, role: str, max_pixels: int) -> Images:
    listings = hashed.separate(list_images(paths, selection, role))
    require_images(listings, "a probe")
    return Images(listings, max_pixels)


def _require_enough(images: Images, keys: Keys) -> None:
    """Raise InputError where the reference is too small to have a deviation."""
    count = len(set(keys.values()))
    if count < references.LEAST:
        raise InputError(
            f"{images.names}: different images that can be measured: {count}; a reference needs "
            f"at least {references.LEAST}, and {references.ENOUGH} for a verdict at "
            f"{100 * RATE:g} %"
        )


def _require_any(images: Images, keys: Keys) -> None:
    """Raise InputError where there is no target left to judge."""
    if not keys:
        first = images.failures[0]
        raise InputError(
            f"{images.names}: no target can be measured (first {first.path}: {first.message})"
        )


def _warnings(targets: Keys, reference: Keys) -> list[str]:
    """What there is to say about the reference."""
    different = set(reference.values())
    found = _few("images", len(different), "nothing can be called")
    if len(different) < len(reference):
        found.append(
            "reference images that are equal to others and do not count: "
            f"{len(reference) - len(different)}"
        )
    both = [path for path, key in targets.items() if key in different]
    if both:
        found.append(
            f"targets that are reference images as well: {len(both)}, such as {both[0]}; either "
            "it is known that these are not remembered, or they do not belong in the reference"
        )
    return found


def _few(what: str, count: int, not_possible: str) -> list[str]:
    """A warning where the reference is too small for a verdict."""
    if count >= references.ENOUGH:
        return []
    return [
        f"different {what} in the reference: {count}; with fewer than {references.ENOUGH} "
        f"{not_possible} memorised at {100 * RATE:g} %, however it scores"
    ]
