"""Readers of the formats that profiles are written in: each makes stacks of it, {(frame, ...): samples}, outermost first.

What a format demands is checked on the way. A frame is (function, file, line).
"""

import gzip
import json
import re
import xml.etree.ElementTree as xml
from collections import Counter

FRAME = re.compile(r"(.*) \((.*?)(?::(\d+))?\)$", re.DOTALL)


def frame_of(text):
    found = FRAME.match(text)
    return (found[1], found[2], int(found[3] or 0)) if found else (text, "", 0)


def folded(data):
    stacks = Counter()
    for line in data.decode().splitlines():
        text, _, count = line.rpartition(" ")
        stacks[tuple(map(frame_of, text.split(";")))] += int(count)
    return stacks


SVG = "{http://www.w3.org/2000/svg}"


def flamegraph(data):
    """By the places of the frames: each lies within its caller, and beside the others."""
    root = xml.fromstring(data)
    assert root.tag == SVG + "svg" and len(root.findall(SVG + "script")) == 1
    stacks, path, ends = Counter(), [], []
    for element in root.find(f"{SVG}g[@id='frames']"):
        title = element.find(SVG + "title").text
        x, width = int(element.get("data-x")), int(element.get("data-w"))
        depth = (int(element.get("y")) - 84) // 18
        assert element.find(SVG + "rect") is not None
        del path[depth:], ends[depth + 1:]
        assert depth == len(path) and (depth == 0 or ends[depth - 1][0] <= x and x + width <= ends[depth - 1][1])
        assert len(ends) <= depth or ends[depth][1] <= x
        del ends[depth:]
        path.append(frame_of(title.split("\n")[0]))
        ends.append((x, x + width))
        stacks[tuple(path[1:])] += width
        if depth:
            stacks[tuple(path[1:-1])] -= width
    return Counter({stack: count for stack, count in stacks.items() if count})


def speedscope(data):
    file = json.loads(data)
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = [(f["name"], f["file"], f.get("line", 0)) for f in file["shared"]["frames"]]
    stacks = Counter()
    for profile in file["profiles"]:
        assert profile["type"] == "sampled" and profile["unit"] == "nanoseconds" and profile["name"]
        samples, weights = profile["samples"], profile["weights"]
        assert len(samples) == len(weights)
        assert sum(weights) == profile["endValue"] - profile["startValue"]
        for stack in samples:
            if stack:  # else nothing was seen for a while
                stacks[tuple(frames[i] for i in stack)] += 1
    return stacks


def column(table, name):
    assert len(table[name]) == table["length"], name
    return table[name]


def gecko(data):
    file = json.loads(data)
    assert file["meta"]["preprocessedProfileVersion"] == 60
    shared = file["shared"]
    strings = shared["stringArray"]
    sources = [strings[i] for i in column(shared["sources"], "filename")]
    functions = [(strings[name], sources[source]) for name, source in
                 zip(column(shared["funcTable"], "name"), column(shared["funcTable"], "source"))]
    frames = [(*functions[function], line or 0) for function, line in
              zip(column(shared["frameTable"], "func"), column(shared["frameTable"], "line"))]
    paths = []
    for i, (frame, prefix) in enumerate(zip(column(shared["stackTable"], "frame"),
                                            column(shared["stackTable"], "prefix"))):
        assert prefix is None or prefix < i
        paths.append((() if prefix is None else paths[prefix]) + (frames[frame],))
    for table in ("frameTable", "funcTable", "nativeSymbols", "resourceTable"):
        for name in set(shared[table]) - {"length"}:
            column(shared[table], name)
    stacks = Counter()
    for thread in file["threads"]:
        samples = thread["samples"]
        assert isinstance(thread["pid"], str) and isinstance(thread["tid"], int)
        assert column(samples, "time") == sorted(samples["time"])
        column(samples, "weight")
        for stack in column(samples, "stack"):
            stacks[() if stack is None else paths[stack]] += 1
    return stacks


def fields(data):
    """The fields of a protobuf message: (number, value); a value is a number or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            assert tag & 7 == 2, tag
            size = varint()
            assert at + size <= len(data)
            at += size
            yield tag >> 3, data[at - size:at]


def packed(data):
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
    assert shift == 0


def pprof(data):
    top = {}
    for number, value in fields(gzip.decompress(data)):
        top.setdefault(number, []).append(value)
    strings = [text.decode() for text in top[6]]
    assert strings[0] == ""
    types = [dict(fields(message)) for message in top[1]]
    assert [strings[t[1]] for t in types] == ["samples", "wall", "cpu", "gil"]
    functions = {f[1]: (strings[f.get(2, 0)], strings[f.get(4, 0)]) for f in map(dict, map(fields, top[5]))}
    locations = {}
    for location in map(dict, map(fields, top[4])):
        line = dict(fields(location[4]))
        locations[location[1]] = (*functions[line[1]], line.get(2, 0))
    stacks = Counter()
    for sample in top.get(2, []):
        path, values, labels = (), None, {}
        for number, value in fields(sample):
            if number == 1:
                path = tuple(locations[i] for i in packed(value))[::-1]
            elif number == 2:
                values = list(packed(value))
            else:
                label = dict(fields(value))
                labels[strings[label[1]]] = label.get(3) or strings[label.get(2, 0)]
        assert len(values) == len(types) and "pid" in labels and "tid" in labels
        stacks[path] += values[0]
    return stacks


READERS = {"folded": folded, "flamegraph": flamegraph, "speedscope": speedscope, "gecko": gecko, "pprof": pprof}
