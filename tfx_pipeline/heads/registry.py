"""The heads by name."""

from __future__ import annotations

from collections.abc import Mapping

from goldlake_core.contracts.heads import HeadKind
from tfx_pipeline.heads.base import Head
from tfx_pipeline.heads.binary import Binary
from tfx_pipeline.heads.count import Count
from tfx_pipeline.heads.multiclass import Multiclass
from tfx_pipeline.heads.regression import Regression

HEADS: Mapping[HeadKind, Head] = {
    head.kind: head for head in (Binary(), Multiclass(), Regression(), Count())
}
