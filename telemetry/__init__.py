"""The metrics of our own processes: counting them, and showing them.

counting.py   counters, gauges and histograms in plain dictionaries: counting costs next to nothing
requests.py   what is asked of the API server
exposition.py the text format, and what a process counted in it
exporter.py   a small HTTPS server for processes that have none
"""
