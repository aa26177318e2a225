"""asyncio's subprocesses."""
import asyncio
import sys

from children import command, say


async def one(name, shell=False):
    words = command(name)
    how = dict(stdout=asyncio.subprocess.PIPE)
    if shell:
        p = await asyncio.create_subprocess_shell(" ".join(words), **how)
    else:
        p = await asyncio.create_subprocess_exec(*words, **how)
    out, _ = await p.communicate()  # hit
    return out, p.returncode  # hit


async def main():
    say(await one("exec"))
    say(await one("shell", shell=True))
    say(await asyncio.gather(*(one("many_%d" % i) for i in range(4))))  # hit


asyncio.run(main())
