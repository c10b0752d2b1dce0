"""Hashing in other processes: what they are asked, and what they answer, in JSON."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any, Iterable

from memscan import decode, engines
from memscan.crew import Crew, WorkerError, serve
from memscan.errors import InputError
from memscan.recipe import Named, Recipe, Stamped, hash_files, hash_items
from memscan.records import Failure, HashedImage, Stage
from memscan.stamps import Stamp


def start(jobs: int, stack: contextlib.ExitStack) -> Crew | None:
    """Start some workers, which end with ``stack``.

    None where no process can be had, be it a limit or no interpreter: threads then do the work.
    """
    try:
        return stack.enter_context(Crew(jobs, __name__, answer_requests.__name__))
    except (OSError, WorkerError):
        return None


def answer_requests() -> None:
    """Hash files and containers for another process: what runs in a :class:`Crew`."""

    def answer(request: dict[str, Any]) -> list[Any]:
        recipe = Recipe.of(request["options"])
        with decode.pixel_limit(recipe.max_pixels):
            if "paths" in request:
                return [_to_json(result) for result in hash_files(request["paths"], recipe)]
            return _hash_container(request["container"], recipe)

    serve(answer)


def ask_for_files(crew: Crew, options: dict[str, Any], paths: Iterable[str]) -> list[Stamped]:
    """What :func:`hash_files` gives, from another process."""
    chunk = list(paths)
    try:
        return list(map(_from_json, crew.ask({"paths": chunk, "options": options})))
    except WorkerError:  # an image brought its decoder down: find out which one
        return [_ask_alone(crew, path, options) for path in chunk]


def _ask_alone(crew: Crew, path: str, options: dict[str, Any]) -> Stamped:
    try:
        return _from_json(crew.ask({"paths": [path], "options": options})[0])
    except WorkerError:
        return None, Failure(path, Stage.DECODE, "the process that decoded it came to an end")


def ask_for_containers(
    crew: Crew, options: dict[str, Any], containers: Iterable[str]
) -> list[list[Named]]:
    """The images of each container, from another process."""
    answers: list[list[Named]] = []
    for path in containers:
        try:
            answer = crew.ask({"container": path, "options": options})
        except WorkerError:
            lost = Failure(path, Stage.READ, "the process that read it came to an end")
            answers.append([(path, "", lost)])
            continue
        if answer and isinstance(answer[0], str):
            raise InputError(answer[0])
        answers.append([(uri, mapping, _from_json(rest)[1]) for uri, mapping, *rest in answer])
    return answers


def _hash_container(path: str, recipe: Recipe) -> list[Any]:
    """The images of a container as JSON can write them, or the sentence of an InputError."""
    from memscan.sources import items

    named: list[Any] = []
    some = items.read_container(path, recipe.max_pixels)
    try:
        while chunk := list(itertools.islice(some, engines.CHUNK)):
            for uri, mapping, outcome in hash_items(chunk, recipe):
                named.append([uri, mapping, *_to_json((None, outcome))])
    except InputError as error:
        return [str(error)]
    return named


def _to_json(result: Stamped) -> list[Any]:
    stamp, image = result
    if isinstance(image, Failure):
        return [stamp, [image.path, image.stage.value, image.message]]
    return [stamp, [image.words, image.low_information, image.size, image.quality]]


def _from_json(value: list[Any]) -> Stamped:
    stamp, fields = value
    image: HashedImage | Failure
    if isinstance(fields[0], str):
        image = Failure(fields[0], Stage(fields[1]), fields[2])
    else:
        words, low_information, (width, height), quality = fields
        image = HashedImage(tuple(words), low_information, (width, height), quality)
    return None if stamp is None else Stamp(*stamp), image
