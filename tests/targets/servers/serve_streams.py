"""asyncio's streams: serve_streams.py SOCKET [uvloop]"""
import asyncio
import signal
import sys

import streams


async def main(path):
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await asyncio.start_unix_server(streams.serve, path, backlog=64)
    await end.wait()


if sys.argv[2:]:
    import uvloop

    uvloop.install()
asyncio.run(main(sys.argv[1]))
