#!/usr/bin/env python3
"""Two readers that share no code, on one vault: the program, and tools/verify, which was written from docs/format/vault.md alone.
They say the same of what is whole, of what is damaged and where, and of what stands in it, to the byte. SEED=n for other bits."""
import base64
import glob
import hashlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import threading
import time

from veilleuse_site import Node, ROOT, Sender, adt, done, note, ok, run, same

READER = os.environ.get("VEILLEUSE_VERIFY", os.path.join(ROOT, "build/verify/veilleuse-verify"))
SEED = int(os.environ.get("SEED", "1"))


def reader(*arguments):
    process = subprocess.run([READER, *map(str, arguments)], capture_output=True, timeout=300)
    return process.returncode, process.stdout, process.stderr.decode(errors="replace")


WHOLE = re.compile(r"whole: (\S+), (\d+) entries published, (\d+) durable, root (\S{44})")


ERASED = re.compile(r"^erased(?: in all)?: (?:epoch (\d+)|(\d+) epochs from (\d+) to (\d+)), (\d+) entries, (\d+) blobs removed$", re.M)


def erased_in(text):
    """(epochs, first, last, entries, blobs removed), or None."""
    found = ERASED.search(text)
    if not found:
        return None
    one, count, first, last, entries, gone = found.groups()
    return tuple(map(int, (1, one, one, entries, gone) if one else (count, first, last, entries, gone)))


def both(path, *key):
    """(exit code, what is whole or None, the file that is named or None, how much is erased or None) of the program, then of
    the reader."""
    answers = []
    for code, out, err in (run("verify", path, *key), reader(*key, path)):
        text = out.decode(errors="replace")
        whole = WHOLE.match(text)
        named = re.match(r"DAMAGED: ([^,:]+)", text)
        place = named and named[1].replace(path.rstrip("/") + "/", "")
        answers.append((code, whole and whole.groups(), place and re.sub(r"^vault/", "", place), erased_in(text)))
    return answers


def agree(path, name, *key):
    program, second = both(path, *key)
    return ok(program == second and second[0] == 0, name, program, second)


def flip(path, bit):
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte[0] ^ 1 << bit % 8]))


def files_of(directory):
    return sorted(os.path.relpath(os.path.join(at, name), directory) for at, _, names in os.walk(directory) for name in names)


def forget(node):
    """As if the machine had started anew: what it signed last is forgotten, so the next epoch of the origin begins."""
    with open(node.dir + "/vault/verifier", encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        origin, _, key = line.split("+", 2)
        name = hashlib.sha256(origin.encode() + base64.b64decode(key)[1:]).hexdigest()[:16]
        for path in glob.glob(f"/dev/shm/veilleuse-{name}*"):
            os.unlink(path)


node = Node()
try:
    shutil.rmtree(node.dir)
    code, out, err = run("init", node.dir, "--site", "test", "--name", "Essai")
    shares = re.findall(rb"share \d+ of 5:\n([a-z ]+)\n", out)
    vault, identity = node.dir + "/vault", node.dir + "/keys/node.key"
    agree(node.dir, "a new site: both say whole, of the same origin, sizes and root")
    key_path = node.base + "/day-one"
    shutil.copy(vault + "/verifier", key_path)
    key = ("--key-file", key_path)

    # ---- a vault with something of everything ----
    node.start()
    sender = Sender(node.mllp_port)
    for number in range(400):
        sender.ask(adt(f"A{number}", 4000 + number))
    big = [adt(f"D{i}", 4800 + i) + b"NTE|1||" + random.Random(i).randbytes(size).hex().encode() + b"\r"
           for i, size in enumerate((24400, 24600, 40000, 200000))]
    for message in big:
        sender.ask(message)
    sender.ask(adt("L1", 4900, text="\u00e9").decode().encode("latin-1"))
    sender.socket.sendall(b"line noise\r\r")
    sender.ask(adt("N1", 4901))
    sender.close()
    same(node.stop(), 0, "stop")
    agree(node.dir, "two bundles and documents", *key)

    stop, answers = threading.Event(), []

    def watch():
        while not stop.is_set():
            answer = reader(*key, node.dir)
            if b"no entry of the log states this file" in answer[1]:
                # A key file is there a moment before the entry that states it: looked at again, as its README says.
                time.sleep(1)
                answer = reader(*key, node.dir)
            answers.append(answer)

    node.start()
    watcher = threading.Thread(target=watch)
    watcher.start()
    sender = Sender(node.mllp_port)
    same(run("key", "rotate", node.dir)[0], 0, "an epoch begins")
    for number in range(500):
        sender.ask(adt(f"B{number}", 5000 + number))
    big.append(adt("D9", 4900) + b"NTE|1||" + random.Random(9).randbytes(40000).hex().encode() + b"\r")
    sender.ask(big[-1])
    same(run("key", "add-recipient", node.dir, "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
             "--label", "court", "--past")[0], 0, "somebody else may read, the past too")
    for number in range(20):
        sender.ask(adt(f"C{number}", 5000 + number))
    sender.close()
    stop.set()
    watcher.join()
    ok(answers and all(code == 0 for code, _, _ in answers), f"{len(answers)} times whole while the node was writing",
       [a for a in answers if a[0]][:2])
    same(node.stop(), 0, "stop")
    forget(node)
    node.start()
    sender = Sender(node.mllp_port)
    sender.ask(adt("E1", 6000))
    sender.close()
    same(node.stop(), 0, "stop")
    with open(vault + "/verifier", encoding="utf-8") as file:
        same(len(file.read().splitlines()), 2, "the second epoch of the origin")
    for path, name in ((node.dir, "the site"), (vault, "its vault")):
        agree(path, f"{name}, with its own verifier")
        agree(path, f"{name}, with the key of day one", *key)
    copy = node.base + "/copy"
    shutil.copytree(vault, copy, ignore=shutil.ignore_patterns("wal"))
    agree(copy, "a copy", *key)

    # ---- what stands in it ----
    code, wanted, err = run("cat", node.dir, "--raw")
    code, got, err = reader("--identity", identity, "--raw", node.dir)
    ok(code == 0 and got == wanted and all(message in got for message in big), "all bodies, documents among them, are the same bytes", code, err)
    entries = node.entries()
    code, out, err = reader("--identity", identity, copy)
    read = [json.loads(line) for line in out.splitlines()]
    same((code, len(read)), (0, len(entries)), "as many entries")
    different = []
    for theirs, ours in zip(entries, read):
        names = ["index", "kind", "media_type", "source", "clock", "body_bytes", "blob"]
        if ours["kind"] != "blob":  # of a document the program shows the beginning, the reader all that the entry holds
            names += ["body", "body_base64"]
        pairs = [(theirs.get(name), ours.get(name)) for name in names]
        pairs.append((theirs["received_at"][:-1], ours["received_at"][:len(theirs["received_at"]) - 1]))
        pairs.append(((theirs["clock_doubtful"], theirs["unframed"]), (bool(ours["flags"] & 1), bool(ours["flags"] & 2))))
        if any(a != b for a, b in pairs):
            different.append((theirs, ours))
    same(different[:1], [], "with the same members")
    kinds = {entry["kind"] for entry in read}
    same(kinds, {"key", "dictionary", "message", "blob"} | kinds & {"note"}, "of these kinds")
    ok(any(entry["flags"] & 2 for entry in read), "one of them was no frame")
    for start, end in ((0, 3), (255, 257), (403, 408), (700, 701)):
        pair = [run("cat", node.dir, "--raw", "--from", start, "--to", end)[1],
                reader("--identity", identity, "--raw", "--from", start, "--to", end, node.dir)[1]]
        ok(pair[0] == pair[1], f"bodies {start} to {end}", *pair)

    # ---- proofs ----
    proof = node.base + "/proof"
    for index in (0, 1, 255, 256, len(entries) - 1):
        if os.path.exists(proof):
            os.unlink(proof)
        run("prove", node.dir, index, "--out", proof)
        code, out, err = reader(*key, "--proof", proof)
        ok(code == 0 and f"entry {index} of ".encode() in out, f"the program's proof of entry {index}", out, err)
        same(run("verify", proof, "--key-file", vault + "/verifier")[0], 0, "both hold it for true")
    same(run("verify", proof, *key)[0], 0, "the key of day one vouches for a proof of a later epoch of the origin")
    rng = random.Random(SEED)
    with open(proof, "rb") as file:
        size = len(file.read())
    verdicts = []
    for bit in rng.sample(range(size * 8), 60):
        flip(proof, bit)
        verdicts.append((run("verify", proof, "--key-file", vault + "/verifier")[0], reader(*key, "--proof", proof)[0]))
        flip(proof, bit)
    same(set(verdicts), {(65, 65)}, "and both see any bit changed")

    # ---- one bit anywhere ----
    files = files_of(vault)
    for kind in ("tile/entries/", "tile/0/", "tile/1/", "blob/", "checkpoints/", "keys/", "wal/"):
        ok(any(name.startswith(kind) for name in files), f"there are {kind}")
    # Where the two may differ: `recovery` is in no list of what is verified, both pass over it. Of `verifier` the program says on stderr
    # that it is no key, and nothing when the key came from elsewhere. Of a segment the part with records is taken: behind it there
    # are zeros only, and a bit there is no damage to either; nor is one that makes the durable size of a record another one that fits.
    wrong, different, seen = [], [], 0
    used = {name: os.path.getsize(f"{vault}/{name}") for name in files}
    for name in used:
        if name.startswith("wal/"):
            with open(f"{vault}/{name}", "rb") as file:
                used[name] = max(len(file.read(1 << 22).rstrip(b"\0")), 1)
    for turn in range(300):
        name = files[turn] if turn < len(files) else rng.choice(files)
        bit = rng.randrange(used[name] * 8)
        flip(f"{vault}/{name}", bit)
        program, second = both(vault, *key)
        flip(f"{vault}/{name}", bit)
        seen += second[0] == 65
        segment, quiet = name.startswith("wal/"), name == "recovery"
        if not (second[2] == name or (quiet and second[0] == 0) or (segment and second == program)):
            wrong.append((name, bit, second))
        if program[0] != second[0] or (program[2] != second[2] and name != "verifier"):
            different.append((name, bit, program, second))
    same(wrong, [], f"300 single bits (SEED={SEED}): the reader notices and names the file ({seen} were noticed)")
    lines = [d for d in different if d[0] == "verifier"]
    same(lines, [], "of `verifier` too")
    same([d for d in different if d not in lines], [], "the program says the same")

    # ---- whole files and entries ----
    def damage(name, change, wanted, program_wanted=None):
        shutil.rmtree(copy)
        shutil.copytree(vault, copy, ignore=shutil.ignore_patterns("wal"))
        change()
        program, second = both(copy, *key)
        ok(second[0] == 65 and second[2] == wanted, f"{name}: the reader names {wanted}", second)
        alike = program[0] == 65 and program[2] in (program_wanted or (wanted,))
        ok(alike, f"{name}: the program", program)

    def remove(*names):
        return lambda: [os.unlink(f"{copy}/{name}") for name in names]

    def edit(name, how):
        def change():
            with open(f"{copy}/{name}", "rb") as file:
                data = file.read()
            with open(f"{copy}/{name}", "wb") as file:
                file.write(how(data))
        return change

    def pieces(bundle):
        out, at = [], 0
        while at < len(bundle):
            size = 2 + struct.unpack_from(">H", bundle, at)[0]
            out.append(bundle[at:at + size])
            at += size
        return out

    def exchange(bundle):
        parts = pieces(bundle)
        parts[20], parts[21] = parts[21], parts[20]
        return b"".join(parts)

    blob = next(name for name in files if name.startswith("blob/"))
    newest = max(int(name[12:]) for name in files if name.startswith("checkpoints/"))
    older = sorted(int(name[12:]) for name in files if name.startswith("checkpoints/"))[-2]
    for name in ("tile/entries/001", "tile/0/001", blob):
        damage(f"{name} removed", remove(name), name)
    upper = [name for name in files if name.startswith("tile/1/")][-1]
    damage(f"{upper} removed", remove(*[n for n in files if n.startswith("tile/1/")]), f"tile/1/000.p/{newest // 256}")
    damage("two entries exchanged", edit("tile/entries/001", exchange), "tile/entries/001")
    damage("the last entry of a bundle cut off", edit("tile/entries/001", lambda b: b"".join(pieces(b)[:-1])), "tile/entries/001")
    damage("a byte behind a bundle", edit("tile/entries/001", lambda b: b + b"\0"), "tile/entries/001")

    def put_back():
        shutil.copy(f"{copy}/checkpoints/{older}", f"{copy}/checkpoint")

    damage("an old checkpoint put back", put_back, "checkpoint", [f"checkpoints/{newest}"] + [n for n in files if n.startswith("checkpoints/")])

    shutil.rmtree(copy)
    shutil.copytree(vault, copy)
    put_back()
    os.unlink(f"{copy}/checkpoints/{newest}")
    program, second = both(copy, *key)
    ok(program == second and second[1] and second[1][1:3] == (str(older), str(newest)), "the end cut off: the segments still have it", program, second)
    shutil.rmtree(copy + "/wal")
    program, second = both(copy, *key)
    ok(program == second and second[0] == 0 and second[1][1] == str(older), "and altogether: a whole old state looks sound", program, second)
    damage("keys/1 in the place of keys/2", lambda: shutil.copy(copy + "/keys/1", copy + "/keys/2"), "keys/2")
    damage("a key file that no entry states", lambda: shutil.copy(copy + "/keys/1", copy + "/keys/1.7"), "keys/1.7")
    damage("a file in keys/ of no such name", lambda: shutil.copy(copy + "/keys/1", copy + "/keys/x"), "keys/x")
    damage("one of an epoch's files removed", remove("keys/1.2"), "keys/1.2")
    for name in ("checkpoint", "verifier"):
        damage(f"{name} removed", remove(name), name)
    shutil.rmtree(copy)
    shutil.copytree(vault, copy)
    for path in glob.glob(copy + "/keys/1*"):
        os.unlink(path)
    of_one = [e for e in read if e.get("epoch") == 1 and e["kind"] != "key"]
    gone = next(e["blob"] for e in of_one if "blob" in e)
    os.unlink(f"{copy}/blob/{gone[:2]}/{gone}")
    agree(copy, "an epoch is erased, and a document of its is gone", *key)
    same(both(copy, *key)[0][3], (1, 1, 1, len(of_one), 1), "both say how much: its entries, and the document")
    for name in [e["blob"] for e in of_one if "blob" in e]:
        if os.path.exists(f"{copy}/blob/{name[:2]}/{name}"):
            os.unlink(f"{copy}/blob/{name[:2]}/{name}")
    agree(copy, "all its documents are gone", *key)
    same(both(copy, *key)[1][3], (1, 1, 1, len(of_one), sum("blob" in e for e in of_one)), "both say how many")
    of_two = next(e["blob"] for e in read if e.get("epoch") != 1 and "blob" in e)
    os.rename(f"{copy}/blob/{of_two[:2]}/{of_two}", copy + "/aside")
    program, second = both(copy, *key)
    ok(program[0] == second[0] == 65 and program[2] == second[2] == f"blob/{of_two[:2]}/{of_two}", "a document of a living epoch may not be gone", program, second)
    os.rename(copy + "/aside", f"{copy}/blob/{of_two[:2]}/{of_two}")
    with open(f"{copy}/keys/1.2", "wb") as file:
        file.write(b"of no use")
    program, second = both(copy, *key)
    ok(program[0] == second[0] == 65, "an erased epoch of which a file comes back is damage", program, second)
    os.unlink(f"{copy}/keys/1.2")
    # An erasing that was cut off: its mark counts, whatever is left of the files; for the epoch in use it does not.
    shutil.copy(vault + "/keys/1", copy + "/keys/1")
    with open(copy + "/keys/1.erasing", "w", encoding="ascii") as file:
        file.write("veilleuse-erasing/1\n")
    agree(copy, "an erasing that was cut off is one", *key)
    same(both(copy, *key)[1][3][:3], (1, 1, 1), "of that epoch")
    os.rename(copy + "/keys/1.erasing", f"{copy}/keys/{max(e['epoch'] for e in read if e.get('epoch'))}.erasing")
    os.unlink(copy + "/keys/1")
    agree(copy, "a mark on the epoch in use says nothing", *key)
    same(both(copy, *key)[0][3][:3], (1, 1, 1), "nor is that epoch counted")
    os.rename(f"{copy}/blob/{of_two[:2]}/{of_two}", copy + "/aside")
    program, second = both(copy, *key)
    ok(program[0] == second[0] == 65, "nor does it excuse a document that is missing", program, second)
    os.rename(copy + "/aside", f"{copy}/blob/{of_two[:2]}/{of_two}")
    for name in glob.glob(copy + "/keys/*.erasing"):
        os.unlink(name)
    code, out, _ = run("verify", copy, "--json", *key)
    report = json.loads(out)
    same((code, report["erased_epochs"], report["erased_entries"], report["erased_blobs"]), (0, 1, len(of_one), sum("blob" in e for e in of_one)), "as JSON too")

    shutil.rmtree(copy)
    shutil.copytree(vault, copy)
    os.unlink(copy + "/keys/1.2")
    with open(copy + "/keys/1.erasing", "w") as file:
        file.write("veilleuse-erasing/1\n")
    agree(copy, "an epoch that is being erased", *key)

    # ---- entries that are durable and not published yet ----
    node.start()
    sender = Sender(node.mllp_port)
    for number in range(60):
        sender.ask(adt(f"F{number}", 7000 + number))
    node.kill_all()
    agree(node.dir, "a node that was killed")
    program, second = both(node.dir)
    note(f"{second[1][1]} published, {second[1][2]} durable" if second[1] else second)
    ok(run("cat", node.dir, "--raw")[1] == reader("--identity", identity, "--raw", node.dir)[1], "the bodies, to the last one")
    segment = max(glob.glob(vault + "/wal/[0-9]*"))
    with open(segment, "rb") as file:
        size = len(file.read(1 << 22).rstrip(b"\0"))
    different = []
    for _ in range(60):
        bit = rng.randrange(max(size, 1) * 8)
        flip(segment, bit)
        program, second = both(vault)
        flip(segment, bit)
        if program != second:
            different.append((bit, program, second))
    same(different, [], "60 bits of its newest segment: both say the same")

    # ---- a node that was lost ----
    again = node.base + "/again"
    shutil.rmtree(copy)
    node.start()
    same(node.stop(), 0, "stop")
    shutil.copytree(vault, copy, ignore=shutil.ignore_patterns("wal"))
    code, out, err = run("key", "recover", copy, again, input=b"\n".join(shares[:3]))
    same(code, 0, "recovered from a copy and three shares")
    agree(again, "the recovered site")
    agree(again, "with the keys of both lives", "--key-file", again + "/vault/verifier")
    code, out, err = reader(*key, again)
    ok(code == 65 and b"another key than the one given" in out, "the key of day one does not vouch for the new node's", out)
    same(run("verify", again, *key)[0], 65, "to the program either")
    with open(again + "/vault/verifier") as file:
        agree(again, "the recovered site, with the new node's key alone", "--key", file.read().splitlines()[-1])
    ok(reader("--identity", again + "/keys/node.key", "--raw", again)[1] == run("cat", node.dir, "--raw")[1], "it reads what there was")
    code, _, err = run("key", "drop-epoch", node.dir, "1", "--why", "asked for")
    if ok(code == 0, "the program erases an epoch", err):
        agree(node.dir, "what is left", *key)
        program, second = both(node.dir, *key)
        ok(program[3] and program[3] == second[3] and program[3][:3] == (1, 1, 1) and program[3][4] == sum("blob" in e for e in of_one),
           "both say how much went", program, second)
        note(f"{program[3][3]} entries and {program[3][4]} blobs of it are erased")
        code, out, err = reader("--identity", identity, node.dir)
        ok(code == 65 and b'"epoch":1' not in out and b'"epoch":2' in out, "of which the rest is read")
finally:
    node.close()
done()
