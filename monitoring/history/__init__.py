"""The samples of the past, kept on disk: every scrape for a day, five-minute figures for thirty.

figures.py   which figures there are, their units, which of them only grow
columns.py   the samples of one entity as bytes: differences in the narrowest integers, compressed
entities.py  what is measured: nodes, pods, containers, workloads, namespaces; those that are gone too
head.py      the half hour that is still open, in memory
rollup.py    five-minute figures of a closed half hour
store.py     the file (SQLite): what is written when, what is dropped when
history.py   the parts together: `add` a scrape, `samples` of an entity
"""
