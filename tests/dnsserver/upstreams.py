"""A DNS server on loopback that answers as told; by dnslib, so by an implementation that is not ours."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import dnslib

from tests.ports import free_port


class FakeUpstream(asyncio.DatagramProtocol):
    """`reply(query)` gives the reply, None for silence. Over UDP `cut` replies come truncated."""

    def __init__(self, reply: Callable[[dnslib.DNSRecord], dnslib.DNSRecord | None], cut: bool = False) -> None:
        self.reply, self.cut = reply, cut
        self.asked: list[str] = []
        self.address = ("127.0.0.1", 0)

    async def start(self) -> FakeUpstream:
        loop = asyncio.get_running_loop()
        self.address = ("127.0.0.1", free_port())
        self.streams = await asyncio.start_server(self._serve, *self.address)
        self.datagrams, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=self.address)
        return self

    def stop(self) -> None:
        self.streams.close()
        self.datagrams.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is not None:
            self.datagrams.sendto(answer.truncate().pack() if self.cut else answer.pack(), addr)

    def _answer(self, data: bytes) -> dnslib.DNSRecord | None:
        query = dnslib.DNSRecord.parse(data)
        self.asked.append(str(query.q.qname))
        return self.reply(query)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self._answer(await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0]))
        if answer is not None:
            data = answer.pack()
            writer.write(struct.pack("!H", len(data)) + data)
        writer.close()


def records(text: str, code: str = "NOERROR", authority: str = "") -> Callable[[dnslib.DNSRecord], dnslib.DNSRecord]:
    """A reply with the records of a zone file, and EDNS."""

    def reply(query: dnslib.DNSRecord) -> dnslib.DNSRecord:
        answer = query.reply()
        answer.header.rcode = getattr(dnslib.RCODE, code)
        answer.add_answer(*dnslib.RR.fromZone(text)) if text else None
        if authority:
            answer.add_auth(*dnslib.RR.fromZone(authority))
        answer.add_ar(dnslib.EDNS0(udp_len=1232))
        return answer

    return reply
