import asyncio


async def worker(queue, results):
    while True:
        item = await queue.get()  # hit
        if item is None:
            break  # hit
        results.append(item * 2)  # hit
    return len(results)  # hit


async def main():
    queue = asyncio.Queue()
    results = []
    workers = [asyncio.ensure_future(worker(queue, results)) for _ in range(10)]
    for i in range(200):
        await queue.put(i)  # hit
    for _ in workers:
        await queue.put(None)
    await asyncio.gather(*workers)
    process = await asyncio.create_subprocess_exec("true")
    print(await process.wait())  # hit
    loop = asyncio.get_event_loop()
    print(await loop.run_in_executor(None, in_thread))
    try:
        await asyncio.wait_for(asyncio.sleep(100), 0.001)
        print("no")  # miss
    except asyncio.TimeoutError:
        print("timeout")  # hit
    return sum(results)


def in_thread():
    return 42  # hit


print(asyncio.run(main()))
