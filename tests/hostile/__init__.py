"""What no client should send, to every socket of the project: nothing may answer 5xx, die, hang or keep the memory.

    python -m tests.hostile                          # all targets, the long form: 100,000 and 20,000 requests
    python -m tests.hostile apiserver --requests 2000 --seed 7

Requests are drawn from what a server serves (`api` reads its OpenAPI documents) and from recorded valid objects, then
bent (`words`); `drive` sends them and judges the answers; `server` and `live` start what is asked.
"""
