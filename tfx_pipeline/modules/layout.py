"""Transform's outputs for each feature of a contract, and how the network uses them.

One declaration that preprocessing, network and trainer share. Pure: no TensorFlow.

Ids keep zero, empty and missing apart. Categorical ids: 0 missing, 1 the empty string, then the
vocabulary by falling frequency, then the out-of-vocabulary buckets. Bucket, cycle and cell ids: 0
missing, then the value. A cross hashes "missing" as a separate value. Word ids: 0 padding, 1
missing, then as above; an empty text has no words, so it is all padding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from goldlake_core.contracts.sections import Feature, Words

MISSING = 0
EMPTY = 1
RESERVED = 2
"""Ids before the first vocabulary entry: missing and empty; for words padding and missing."""
MISSING_FLAG = "__missing"
"""Ending of the output that tells whether a number is missing."""
OWN = "own__features"
"""Output that holds the use case's own numeric columns, side by side."""


@dataclass(frozen=True)
class IdOutput:
    """An integer output, int64 [n] (words: [n, width]).

    Attributes:
        name: Name of Transform's output.
        fixed_size: Number of ids, when there is no vocabulary.
        vocabulary: Name of the vocabulary that has the remaining ids, or "".
        wide: Whether it has a weight per id in the wide part.
        embedding: Width in the deep part; 0 for none.
        is_one_hot: Whether it enters the deep part one-hot.
        width: Ids per row.
    """

    name: str
    fixed_size: int
    vocabulary: str = ""
    wide: bool = True
    embedding: int = 0
    is_one_hot: bool = False
    width: int = 1

    def size(self, vocabulary_size: Callable[[str], int]) -> int:
        """Number of ids, given a function from the name of a vocabulary to its size."""
        return self.fixed_size + (vocabulary_size(self.vocabulary) if self.vocabulary else 0)


@dataclass(frozen=True)
class Layout:
    """All outputs of Transform in a fixed order.

    Attributes:
        ids: One id per row.
        words: Several ids per row; the deep part takes the mean of their embeddings.
        floats: Names of the float32 [n] outputs.
        has_own: Whether there is the output `OWN`, float32 [n, k].
        vectors: Names of the float32 [n, d] outputs of encoders.
    """

    ids: tuple[IdOutput, ...]
    words: tuple[IdOutput, ...]
    floats: tuple[str, ...]
    has_own: bool = False
    vectors: tuple[str, ...] = ()


def cycle_length(feature: Feature) -> int:
    """Whole steps of a cyclic feature's period."""
    return math.ceil(feature.params["period"])


def max_words(feature: Feature) -> int:
    """Words that a text feature reads of one text."""
    return int(feature.params.get("max_words", Words().max_words))


def ngrams(feature: Feature) -> int:
    """Greatest length of the runs of words that are tokens of a text feature."""
    return int(feature.params.get("ngrams", Words().ngrams))


def layout_of(features: tuple[Feature, ...], *, has_own: bool = False) -> Layout:
    """The outputs for a contract's features.

    Args:
        features: The contract's features, in model order.
        has_own: Whether the contract names its own preprocessing function.
    """
    ids: list[IdOutput] = []
    words: list[IdOutput] = []
    floats: list[str] = []
    vectors: list[str] = []
    for feature in features:
        name, params = feature.name, feature.params
        if feature.kind == "categorical":
            width = int(params["embedding"])
            size = RESERVED + int(params["oov_buckets"])
            ids.append(IdOutput(name, size, name, embedding=width, is_one_hot=width == 0))
        elif feature.kind == "numeric":
            floats += [f"{name}__z", f"{name}{MISSING_FLAG}"]
            if params["buckets"]:
                ids.append(IdOutput(f"{name}__bucket", int(params["buckets"]) + 1))
        elif feature.kind == "cyclic":
            floats += [f"{name}__sin", f"{name}__cos"]
            ids.append(IdOutput(f"{name}__cycle", cycle_length(feature) + 1))
        elif feature.kind == "position":
            cells = int(params["cells"]) ** 2 + 1
            width = int(params["embedding"])
            ids.append(IdOutput(f"{name}__cell", cells, embedding=width, is_one_hot=width == 0))
        elif feature.kind == "crossed":
            size, width = int(params["buckets"]), int(params["embedding"])
            ids.append(IdOutput(f"{name}__cross", size, embedding=width))
        elif params.get("encoder"):
            vectors.append(f"{name}__encoded")
            floats.append(f"{name}{MISSING_FLAG}")
        else:
            words.append(
                IdOutput(
                    f"{name}__words",
                    RESERVED + 1,
                    f"{name}__words",
                    wide=False,
                    embedding=int(params["embedding"]),
                    width=max_words(feature) * ngrams(feature),
                )
            )
    return Layout(tuple(ids), tuple(words), tuple(floats), has_own, tuple(vectors))
