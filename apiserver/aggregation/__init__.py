"""API servers beside this one (`APIService`): requests are passed on to them, in the name of who made them.

`proxy` passes on, `checks` asks from time to time whether they are there and what they serve, `target` is the way to them.
"""
