"""The validation gate: what happened to a period of a feed, by how it differs from earlier ones.

A table is divided into periods of its event time. Each is reduced to counts once (`counts`), under
a `baseline` that fixes levels and bins. `judging` compares a period's counts with the earlier ones:
each statistic of the `families` has a limit that follows from how the earlier periods differ among
themselves (`limits`). Nothing here reads a file.
"""
