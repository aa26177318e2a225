"""Data files from anywhere: what old coverage.py wrote, and what is no data file or a damaged one."""

import os
import sqlite3

from harness import FULL, LIMIT, TARGETS, case, read_data

from cases.combine import contents

SCHEMA = (TARGETS / "datafiles" / "coverage-7.0.0-lines.sql").read_text()
FILES = ["/srv/project/never.py", "/srv/project/program.py"]
ARCS = (TARGETS / "datafiles" / "coverage-7.0.0-branches.sql").read_text()


def make(path, *statements, base=SCHEMA, before=""):
    """A data file with some changes."""
    db = sqlite3.connect(path)
    db.executescript(before + base)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


@case(only="debian-3.11")
def of_old_versions(t):
    program = t.write("app.py", "a = 1\n")
    dumps = sorted((TARGETS / "datafiles").glob("*.sql"))
    t.expect(len(dumps) >= 10, "there are dumps", dumps)
    for dump in dumps:
        old = t.dir / "old"
        make(old, base=dump.read_text())
        expected = contents(old)
        run = t.run([t.program, "combine", "--keep", "--data-file=new", "old"])
        t.expect_equal(run.status, 0, f"combine of {dump.name}: {run}")
        t.expect_equal(contents(t.dir / "new"), expected, f"what {dump.name} says")
        before = old.read_bytes()
        run = t.run([t.program, "--append", "--data-file=old", "--", *t.py(program)])
        if "branches" in dump.name:
            t.expect(run.status == 1 and "branches" in run.errors, f"--append to {dump.name}", run)
            t.expect_equal(old.read_bytes(), before, "the file")
        else:
            t.expect_equal(run.status, 0, f"--append to {dump.name}: {run}")
            got = contents(old)
            t.expect_equal(got[1], sorted(expected[1] + [(program, "", [1])]), f"lines of {dump.name} and the new")
        old.unlink()


REFUSED = {
    "schema 6": ["update coverage_schema set version = 6"],
    "schema of text": ["update coverage_schema set version = 'new'"],
    "no schema": ["delete from coverage_schema"],
    "no tables": ["drop table line_bits"],
    "text for numbits": ["update line_bits set numbits = 'text'"],
    "a number for numbits": ["update line_bits set numbits = 5"],
    "lines and arcs": ["insert into arc values (1, 1, 1, 2)"],
    "a path that is none": ["insert into file (path) values (x'ff00')"],
    "an empty path": ["insert into file (path) values ('')"],
    "a path of Latin-1": ["insert into file (path) values (cast(x'2fe9' as text))"],
    "a context that is none": ["update context set context = x'ff'"],
    "a view": ["drop table file", "create view file as with recursive r(id) as (select 1 union all select id + 1 from r)"
               " select id, 'p' || id as path from r"],
    "a trap": ["drop table file", "create table f (id, path)", "create view file as select id, load_extension('x') path"
               " from f"],
    "huge numbits": ["update line_bits set numbits = zeroblob(300000000)"],
    "lines above 2^31": ["update line_bits set numbits = zeroblob(268435456) || x'02'"],
    "an endless view": ["drop table line_bits", "create view line_bits as with recursive r(file_id) as (select 1 union all"
                        " select file_id from r) select file_id, 1 as context_id, x'02' as numbits from r"],
}
ACCEPTED = {
    "odd names": ["insert into file (path) values ('/a\nb\x1b[31m''\"\\x.py')"],
    "an odd context": ["update context set context = 'a\nb''\"\\'"],
    "a context that is missing": ["delete from context"],
    "no meta": ["delete from meta"],
    "no arc table": ["drop table arc"],
    "other tables": ["create table more (x)", "insert into meta values ('more', 'x')"],
    "zeros behind numbits": ["update line_bits set numbits = x'36" + "00" * 100000 + "'"],
    "empty numbits": ["update line_bits set numbits = x''"],
    "a file id that is missing": ["insert into line_bits values (99, 1, x'02')"],
    "WAL": ["pragma journal_mode = wal"],
}


def junk(t):
    """Files that are no data files at all: name and contents, or how large."""
    make(t.dir / "good")
    good = (t.dir / "good").read_bytes()
    (t.dir / "good").unlink()
    middle = bytearray(good)
    for i in range(100, len(middle), 97):
        middle[i] ^= 0x55
    yield "cut", good[:len(good) // 2], 0
    yield "a header", good[:100], 0
    yield "noise", bytes(middle), 0
    yield "text", b"no database\n" * 1000, 0
    yield "old JSON", b"!coverage.py: This is a private format, don't read it directly!{}", 0
    yield "10 GiB of zeros", b"", 10 << 30
    yield "10 GiB behind a header", good[:100], 10 << 30
    yield "10 GiB behind noise", bytes(range(256)) * 16, 10 << 30


def refused(t, program, name, size):
    """Nothing is started, written or removed, and one line says why."""
    path = t.dir / name
    before = None if size else path.read_bytes()
    for args in (["--append", f"--data-file={name}", "--", *t.py(program)], ["report", f"--data-file={name}"]):
        run = t.run([t.program, *args])
        t.expect(run.status == 1 and run.errors.startswith("pycov-trace: ") and run.errors.count("\n") == 1,
                 f"{args[0]} with {name}", run)
        t.expect(name in run.errors, f"the name is said by {args[0]}", run)
    run = t.run([t.program, "combine", "--data-file=out", name])
    t.expect(run.status == 1 and f"cannot combine {path}" in run.errors, f"combine of {name}", run)
    t.expect_equal((os.path.exists(t.dir / "started"), (t.dir / "out").exists()), (False, False), f"made with {name}")
    if size:
        t.expect_equal(path.stat().st_size, size, f"size of {name}")
    else:
        t.expect_equal(path.read_bytes(), before, f"contents of {name}")


@case(only="debian-3.11")
def refused_before_the_program_starts(t):
    program = t.write("touch.py", "open('started', 'w').close()\n")
    for name, statements in REFUSED.items():
        make(t.dir / name, *statements)
        size = (t.dir / name).stat().st_size
        refused(t, program, name, size if size > 1 << 24 else 0)
        (t.dir / name).unlink()
    make(t.dir / "arcs and lines", "insert into line_bits values (1, 1, x'02')", base=ARCS)
    refused(t, program, "arcs and lines", 0)
    for name, content, size in junk(t):
        with open(t.dir / name, "wb") as f:
            f.write(content)
            if size:
                f.truncate(size)
        refused(t, program, name, size)
        (t.dir / name).unlink()


@case(only="debian-3.11")
def accepted(t):
    program = t.write("app.py", "a = 1\n")
    for name, statements in ACCEPTED.items():
        make(t.dir / "data", *statements)
        files = sorted(read_data(t.dir / "data")) if "missing" not in name else FILES
        run = t.run([t.program, "combine", "--data-file=out", "--keep", "data"])
        t.expect_equal(run.status, 0, f"combine with {name}: {run}")
        # slashes for backslashes: coverage.py combines data of Windows
        t.expect_equal(contents(t.dir / "out")[0], [f.replace("\\", "/") for f in files], f"files with {name}")
        run = t.run([t.program, "--append", "--data-file=data", "--", *t.py(program)])
        t.expect_equal((run.status, run.err), (0, b""), f"--append with {name}: {run}")
        t.expect_equal(contents(t.dir / "data")[0], sorted(files + [program]), f"files after --append with {name}")
        (t.dir / "data").unlink()
    make(t.dir / "data", before="pragma encoding = 'UTF-16le';")
    run = t.run([t.program, "combine", "--data-file=out", "data"])
    t.expect_equal(run.status, 0, f"combine with UTF-16: {run}")
    make(t.dir / "data", "delete from context")
    t.run([t.program, "combine", "--data-file=out", "data"])
    t.expect_equal([row[1:] for row in contents(t.dir / "out")[1]], [("", [1, 2, 4, 5])], "lines without a context")


@case(only="debian-3.11")
def no_regular_files(t):
    """Nothing blocks."""
    program = t.write("touch.py", "open('started', 'w').close()\n")
    os.mkfifo(t.dir / "fifo")
    (t.dir / "folder").mkdir()
    for name in ("fifo", "folder", "/dev/zero", "/dev/null"):
        for args in (["--append", f"--data-file={name}", "--", *t.py(program)], [f"--data-file={name}", *t.py(program)],
                     ["report", f"--data-file={name}"], ["combine", f"--data-file={name}"]):
            run = t.run([t.program, *args])
            t.expect(run.status == 1 and run.errors.count("\n") == 1, f"{args} with {name}", run)
    t.expect(not (t.dir / "started").exists(), "nothing was started")


@case(only="debian-3.11")
def locked(t):
    program = t.write("touch.py", "open('started', 'w').close()\n")
    make(t.data_file)
    make(t.dir / "other")
    held = sqlite3.connect(t.data_file, isolation_level=None)
    held.execute("begin exclusive")
    run = t.run(t.traced(t.py(program), ["--append"]))
    t.expect(run.status == 1 and "locked" in run.errors and not (t.dir / "started").exists(), "--append", run)
    # the other has the same contents, and is combined nevertheless
    run = t.run([t.program, "combine", "--data-file=out", t.data_file, "other"])
    t.expect_equal((run.status, run.errors.splitlines()[-1]), (0, "Combined 1 file, 1 file errored"), f"combine: {run}")
    t.expect(t.data_file.exists() and not (t.dir / "other").exists(), "what is left")
    held.close()


@case(only="debian-3.11")
def many_files(t):
    """As many as a million."""
    n = 1000000 if FULL else 30000
    db = sqlite3.connect(t.data_file)
    db.executescript(SCHEMA)
    db.executemany("insert into file (id, path) values (?, ?)", ((i + 10, f"/srv/p/d{i % 999}/f{i}.py") for i in range(n)))
    db.execute("insert into line_bits select id, 1, x'16' from file where id >= 10")
    db.commit()
    db.close()
    run = t.run([t.program, "combine", "--data-file=out", "--keep", t.data_file], limit=600 if FULL else 3 * LIMIT)
    t.expect_equal(run.status, 0, f"combine: {run}")
    db = sqlite3.connect(t.dir / "out")
    t.expect_equal(db.execute("select count(*) from file").fetchone()[0], n + 2, "files")
    t.expect_equal(db.execute("select count(*) from line_bits where numbits = x'16'").fetchone()[0], n, "lines")
    db.close()
    program = t.write("app.py", "a = 1\n")
    run = t.run(t.traced(t.py(program), ["--append"]), limit=600 if FULL else 3 * LIMIT)
    t.expect_equal(run.status, 0, f"--append: {run}")
    db = sqlite3.connect(t.data_file)
    t.expect_equal(db.execute("select count(*) from file").fetchone()[0], n + 3, "files after --append")
    db.close()
