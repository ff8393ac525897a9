"""What somebody accepted at the validation gate, in ML Metadata."""

from __future__ import annotations

from goldlake_core.documents.gate import Acceptance
from goldlake_core.storage.home import Home
from metadata.store import Store

ACCEPT = "goldlake.Accept"
ACCEPTED = "goldlake.Acceptance"


def record(home: Home, acceptance: Acceptance) -> int:
    """Records an acceptance as an artifact of an execution, once.

    Args:
        home: The home whose metadata is written.
        acceptance: Who accepted what, when and why.

    Returns:
        Id of the execution.
    """
    store = Store(home, is_writer=True)
    about = {"run_id": acceptance.run_id, "table": acceptance.table, "column": acceptance.column}
    for execution in store.executions_of_type(ACCEPT):
        if all(execution.properties.get(name) == value for name, value in about.items()):
            return execution.id
    properties: dict[str, int | str] = {
        **about,
        "periods": ",".join(acceptance.periods),
        "because": acceptance.because,
        "who": acceptance.who,
        "time": acceptance.at,
    }
    return store.put_execution(ACCEPT, properties, [], (ACCEPTED, properties))
