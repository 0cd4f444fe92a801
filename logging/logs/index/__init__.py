"""The embedded store: one tantivy index a day, in folders that whole days are dropped with.

`index.days` keeps the folders and their retention, `index.writer` takes documents in and commits them in groups,
`index.backend` answers searches, `index.compile` turns a query's tree into tantivy's.
"""
