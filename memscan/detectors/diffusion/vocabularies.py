"""A vocabulary for CLIP's tokenizer from some captions: byte-pair encoding (Sennrich et al., 2016).

All bytes are tokens, so that no text is unknown; the pairs that are seen most often are merged,
until the words of the captions are tokens or there are enough of these.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Mapping, Sequence

from memscan.detectors.diffusion import clip

END_OF_WORD = "</w>"


@dataclass(frozen=True)
class Vocabulary:
    """The number of each token, and the pairs in the order in which they are merged."""

    numbers: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]


def learn(captions: Sequence[str], most: int) -> Vocabulary:
    """The vocabulary of captions, of at most ``most`` tokens, and at least 514."""
    alphabet = [_letter(byte) for byte in range(256)]
    plain = _vocabulary([*alphabet, *(letter + END_OF_WORD for letter in alphabet)], ())
    tokenizer = clip.build_tokenizer(plain.numbers, ())
    words: Counter[str] = Counter()
    for caption in captions:
        plain_text = clip.characters(caption)
        text = tokenizer.backend_tokenizer.normalizer.normalize_str(plain_text)
        words.update(
            word for word, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
        )
    merges = merges_of(words, most - len(plain.numbers))
    tokens = list(plain.numbers)[:-2]
    tokens += dict.fromkeys(first + second for first, second in merges)
    return _vocabulary(tokens, merges)


def merges_of(words: Mapping[str, int], most: int) -> tuple[tuple[str, str], ...]:
    """The pairs to merge in words that are seen so often; the first of those equally often."""
    cut = {word: [*word[:-1], word[-1] + END_OF_WORD] for word in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < most:
        seen: Counter[tuple[str, str]] = Counter()
        for word, pieces in cut.items():
            for pair in zip(pieces, pieces[1:]):
                seen[pair] += words[word]
        if not seen:
            break
        best = min(seen, key=lambda pair: (-seen[pair], pair))
        merges.append(best)
        cut = {word: _merged(pieces, best) for word, pieces in cut.items()}
    return tuple(merges)


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    found: list[str] = []
    for piece in pieces:
        if found and (found[-1], piece) == pair and not found[-1].endswith(END_OF_WORD):
            found[-1] += piece
        else:
            found.append(piece)
    return found


def _vocabulary(tokens: Sequence[str], merges: tuple[tuple[str, str], ...]) -> Vocabulary:
    every = [*tokens, clip.BEGIN, clip.END]
    return Vocabulary({token: number for number, token in enumerate(every)}, merges)


def _letter(byte: int) -> str:
    """How byte-level tokenizers write a byte: as itself where it is seen, else from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    if byte in seen:
        return chr(byte)
    return chr(0x100 + sorted(set(range(256)) - set(seen)).index(byte))
