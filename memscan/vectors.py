"""Embeddings in the words of hashes, so that they travel, are kept and are joined as hashes are.

An image described by an embedding of D numbers has 1 + ceil(D / 2) words: its pHash, which names
it, and the float32 numbers of the embedding, two in a word, the last one padded by 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Embeddings = npt.NDArray[np.float32]


_ROUNDING = 0.01  # of a squared length, by a network that counts in half precision


def words_of(dimensions: int) -> int:
    """The number of words of an image with an embedding of so many numbers."""
    return 1 + (dimensions + 1) // 2


def pack(hashes: Words, embeddings: Embeddings) -> Words:
    """Words of shape (n, W) from pHashes (n,) and embeddings (n, D)."""
    count, dimensions = embeddings.shape
    words = np.zeros((count, words_of(dimensions)), np.uint64)
    words[:, 0] = hashes
    put(words, embeddings)
    return words


def put(words: Words, embeddings: Embeddings) -> None:
    """Write embeddings (n, D) into words of shape (n, W) that are contiguous in memory."""
    words.view(np.float32)[:, 2 : 2 + embeddings.shape[1]] = embeddings


def unpack(words: Words, dimensions: int) -> Embeddings:
    """The embeddings (n, D) in words of shape (n, W); a view of them if they are contiguous."""
    numbers: Embeddings = np.ascontiguousarray(words).view(np.float32)[:, 2 : 2 + dimensions]
    return numbers


def have_cosines(embeddings: Embeddings) -> npt.NDArray[np.bool_]:
    """Which rows (n, D) have cosines as their products: those of length 1, or of zeros.

    Zeros are the answer of a network that sees nothing in an image. Rows with infinite numbers, or
    with what is no number, have none.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", embeddings, embeddings)
        found: npt.NDArray[np.bool_] = (np.abs(squares - 1) <= _ROUNDING) | (squares == 0)
    return found
