"""100,000 small tasks in a pool of eight processes."""
import multiprocessing


def task(n):
    total = 0
    for i in range(n % 50):
        total += i * n
    return total


def main():
    with multiprocessing.get_context("fork").Pool(8) as pool:
        sum(pool.imap_unordered(task, range(100000), chunksize=10))
        pool.close()
        pool.join()


if __name__ == "__main__":
    main()
