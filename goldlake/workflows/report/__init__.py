"""`goldlake report`: one HTML file about a model version, or about the data of a use case.

Everything comes from the typed views `goldlake.workflows.views`, `goldlake.workflows.data_views`
and `goldlake.workflows.model_views`. No JVM is started.
"""
