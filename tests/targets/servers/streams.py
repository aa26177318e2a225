import asyncio

import handler


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    method, path, _ = first.split()
    headers = dict(line.lower().split(": ", 1) for line in rest if line)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, path, headers, body


async def serve(reader, writer):
    while True:
        try:
            method, path, headers, body = await read_request(reader)
        except asyncio.IncompleteReadError:
            break
        status, answer = handler.answer(method, path, body)
        writer.write(f"HTTP/1.1 {status} Yes\r\nContent-Length: {len(answer)}\r\n\r\n".encode())
        writer.write(answer)
        await writer.drain()
        if headers.get("connection") == "close":
            break
    writer.close()
