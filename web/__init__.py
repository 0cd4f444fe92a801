"""HTTP/1.1, for everything here that listens or asks and is neither the API server, the dashboard nor the kubelet.

| file | what it is |
| --- | --- |
| `limits` | what a listening socket grants to whoever connects |
| `http1` | the protocol without I/O: bytes in, requests or responses out; llhttp (httptools) parses |
| `server` | a server on asyncio |
| `thread` | a loop in a thread of its own, for processes without one |
| `client` | `Connection`, `Pool` (to many servers) and `HttpSession` (to one), on asyncio |
| `blocking` | one request, for threads |
| `address` | what a URL says |

Nothing of this project is imported here. docs/adr/0010-one-http.md says who uses what, and why.
"""
