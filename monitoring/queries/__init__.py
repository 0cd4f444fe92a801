"""Ranges of figures, for pages.

ask.py         what is asked, read from a URL's query; errors name the parameter and what to write instead
grid.py        samples -> one value for each step
answer.py      what both backends answer: the greatest, and the rest as one
embedded.py    from our own history
prometheus.py  from a Prometheus
"""
