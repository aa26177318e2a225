"""CPU-bound: strings, dictionaries, generators and sorting."""
TEXT = ("it was the best of times it was the worst of times it was the age of wisdom it was the age "
        "of foolishness it was the epoch of belief it was the epoch of incredulity ")


def words(text, rounds):
    for i in range(rounds):
        for word in text.split():
            yield word if i % 3 else word.upper()


def count(rounds):
    counts = {}
    for word in words(TEXT, rounds):
        key = word.lower().strip("e")
        if key in counts:
            counts[key] += 1
        else:
            counts[key] = 1
    return counts


def main():
    for _ in range(20):
        counts = count(5000)
        table = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        "\n".join("%-12s %6d" % item for item in table)


main()
