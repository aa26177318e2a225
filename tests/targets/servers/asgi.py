import asyncio

import handler


async def parts(receive):
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def application(scope, receive, send):
    body = b""
    async for part in parts(receive):
        body += part
    await asyncio.sleep(0)
    status, answer = handler.answer(scope["method"], scope["path"], body)
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    half = len(answer) // 2
    await send({"type": "http.response.body", "body": answer[:half], "more_body": True})
    await send({"type": "http.response.body", "body": answer[half:]})
