"""API Priority and Fairness: nobody's requests, watches or bytes keep others from being served.

| file | what it is |
| --- | --- |
| `match` | which FlowSchema a request belongs to, and to which of its flows |
| `levels` | PriorityLevelConfigurations at work: seats and their lending, queues, whose turn it is |
| `accounts` | what one user holds: connections, requests, watches, bytes that wait for him |
| `control` | follows the stored objects, lets requests in, and writes what the objects' status says |

All bounds are of one process: where several API servers run, each counts its own.
"""
