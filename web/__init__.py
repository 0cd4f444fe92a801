"""What listens and asks over HTTP/1.1; and what every listening socket of the project grants to who connects.

| file | what it is |
| --- | --- |
| `limits` | what a listening socket grants to whoever connects |
| `door` | listening: connections are counted, and what is awaited of them has its time |
| `http1` | the protocol without I/O: bytes in, requests or responses out; llhttp (httptools) parses |
| `server` | a server on asyncio |
| `asgi`, `aio` | uvicorn (API server, dashboard) and aiohttp (kubelet) within the same limits |
| `thread` | a loop in a thread of its own, for processes without one |
| `client` | `Connection`, `Pool` (to many servers) and `HttpSession` (to one), on asyncio |
| `blocking` | one request, for threads |
| `address` | what a URL says |

Nothing of this project but its settings is imported here. docs/adr/0010-one-http.md says who uses what, and why.
"""
