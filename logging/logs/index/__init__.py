"""The embedded store: tantivy's indices, one a day or, when many lines come, several. They are dropped whole.

`index.part` is one of them, `index.parts` all, with their bounds and `index.losses`; `index.writer` takes documents in and
commits them in groups, `index.backend` answers searches, `index.compile` turns a query's tree into tantivy's.
"""
