"""The metrics of our own processes: counting them, and who may read them.

counting.py   counters, gauges and histograms in plain dictionaries: counting costs next to nothing
requests.py   what is asked of the API server
page.py       rendered by prometheus_client, which is imported when somebody first asks
exporter.py   a small HTTPS server for processes that have none
"""
