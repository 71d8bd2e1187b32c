"""The store's tables, once: `Sink` fills them, `Reader` asks them, migrations create them. Holds no behaviour.

Rows have local integer keys, given by the sink; ids are bytes, times UTC nanoseconds, money pico-USD, JSON is text. The
big tables (span, span_payload, metric_point, rich_point) declare no foreign keys: only the sink writes them, and the
checks would cost a look-up a row.
"""

from weft.tracking.store.schema.artifacts import artifact as artifact
from weft.tracking.store.schema.artifacts import artifact_alias as artifact_alias
from weft.tracking.store.schema.artifacts import artifact_drop as artifact_drop
from weft.tracking.store.schema.artifacts import artifact_edit as artifact_edit
from weft.tracking.store.schema.artifacts import artifact_gone as artifact_gone
from weft.tracking.store.schema.artifacts import artifact_link as artifact_link
from weft.tracking.store.schema.artifacts import artifact_version as artifact_version
from weft.tracking.store.schema.artifacts import manifest_part as manifest_part
from weft.tracking.store.schema.artifacts import registry_alias as registry_alias
from weft.tracking.store.schema.artifacts import registry_collection as registry_collection
from weft.tracking.store.schema.artifacts import registry_event as registry_event
from weft.tracking.store.schema.artifacts import registry_link as registry_link
from weft.tracking.store.schema.base import metadata as metadata
from weft.tracking.store.schema.calls import score as score
from weft.tracking.store.schema.calls import span as span
from weft.tracking.store.schema.calls import span_payload as span_payload
from weft.tracking.store.schema.calls import text_queue as text_queue
from weft.tracking.store.schema.calls import text_state as text_state
from weft.tracking.store.schema.calls import trace as trace
from weft.tracking.store.schema.ledger import meta as meta
from weft.tracking.store.schema.ledger import project as project
from weft.tracking.store.schema.ledger import segment as segment
from weft.tracking.store.schema.ledger import tombstone as tombstone
from weft.tracking.store.schema.ledger import writer as writer
from weft.tracking.store.schema.metrics import metric_chunk as metric_chunk
from weft.tracking.store.schema.metrics import metric_definition as metric_definition
from weft.tracking.store.schema.metrics import metric_key as metric_key
from weft.tracking.store.schema.metrics import metric_point as metric_point
from weft.tracking.store.schema.metrics import rich_point as rich_point
from weft.tracking.store.schema.metrics import run_rewind as run_rewind
from weft.tracking.store.schema.metrics import summary_value as summary_value
from weft.tracking.store.schema.runs import alert as alert
from weft.tracking.store.schema.runs import console_line as console_line
from weft.tracking.store.schema.runs import run as run
from weft.tracking.store.schema.runs import run_file as run_file
