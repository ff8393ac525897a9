"""The plug-in ``police_uk``: reads street-level crimes from the API of data.police.uk.

``source.dataset`` is the category, such as ``all-crime``, and ``source.options`` names the area.
Months are read in their order, each whole, and ``source.overlap`` says how far back a later poll
asks again: outcomes are amended for months. `lakehouse.sources.police_uk.records` says what a
landed line is.
"""

from lakehouse.sources.base import SourceKind
from lakehouse.sources.police_uk.connector import PoliceUkConnector
from lakehouse.sources.police_uk.options import OPTIONS, SCHEMA, problems

KIND = SourceKind(
    connector=PoliceUkConnector, options=OPTIONS, problems=problems, options_schema=SCHEMA
)
