#!/usr/bin/env python3
"""Outside verifiers and ours agree, both ways: golang.org/x/mod/sumdb and Tessera's fsck accept our vaults as they lie on
disk, our `verify` accepts the logs that Tessera writes, and each refuses what is damaged. SEED=n repeats a run."""
import base64
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import outside  # noqa: E402

outside.build()
from veilleuse_site import Node, adt, done, note, ok, run, same  # noqa: E402

SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
note(f"SEED={SEED}")
chance = random.Random(SEED)
sites = []
LARGE = 70000  # 273 full tiles of level 0, one of level 1, and so a level 2


class Site:
    """A site that grows by imports; each import ends with a publication."""

    def __init__(self, name):
        self.dir = os.path.join(work, name)
        self.vault = os.path.join(self.dir, "vault")
        self.sent = 0
        code, _, err = run("init", self.dir, "--site", name)
        if code:
            raise RuntimeError("init: " + err)
        sites.append(self)

    def size(self):
        code, out, err = run("verify", self.dir, "--json")
        if code:
            raise RuntimeError(f"verify: {out} {err}")
        return json.loads(out)["published"]

    def take(self, path):
        code, _, err = run("import", self.dir, path)
        if code:
            raise RuntimeError("import: " + err)

    def add(self, count):
        path = os.path.join(work, "messages.hl7")
        with open(path, "wb") as file:
            for number in range(self.sent, self.sent + count):
                file.write(adt(f"P{number}", number, "x" * (number * 7 % 300)))
        self.sent += count
        self.take(path)

    def grow(self, size):
        """To exactly `size` entries; the vault itself may write some (keys), so it goes by steps. The size reached."""
        here = self.size()
        while here < size:
            self.add(size - here if here > 2 or size - here < 3 else 1)
            here = self.size()
        return here


def outside_accepts(vault, name, kept=True):
    """sumdb: notes, tiles, entries, growth; fsck: the whole tree made again, for each kept checkpoint."""
    code, said = outside.peers("sumdb", "-seed", SEED, "-leaves", 1000 if kept else 500, "-pairs", 200, vault)
    ok(code == 0, f"{name}: golang.org/x/mod/sumdb accepts it", said)
    if code == 0:
        note(f"{name}: {said.strip()}")
    code, said = outside.peers("fsck", "-kept", vault)
    ok(code == 0, f"{name}: Tessera's fsck accepts it", said)


def flipped(path, at=None):
    """Turn one bit of a file, by chance; gives what puts it back."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    was = bytes(data)
    at = chance.randrange(len(data)) if at is None else at
    bit = 1 << chance.randrange(8)
    data[at] ^= bit
    with open(path, "wb") as file:
        file.write(data)
    def back():
        with open(path, "wb") as file:
            file.write(was)
    return back, f"byte {at}, bit {bit}"


def tree_files(root, kind, size):
    """The files of one kind that a tree of `size` needs: 'entries', or a level's number."""
    level = 0 if kind == "entries" else int(kind)
    hashes = size >> (8 * level)
    found = []
    for number in range((hashes + 255) // 256):
        text = f"{number % 1000:03}"
        rest = number // 1000
        while rest:
            text = f"x{rest % 1000:03}/{text}"
            rest //= 1000
        path = f"tile/{kind}/{text}"
        if not os.path.exists(os.path.join(root, path)):
            path += f".p/{hashes - number * 256}"
        found.append(path)
    return found


def signed_part(path):
    """Where the bits of a checkpoint stand that matter to every reader: all but the last letters of a signature, whose
    spare bits some base64 readers pass over."""
    with open(path, "rb") as file:
        data = file.read()
    return data.index(b"\n\n") + 1 + 60


def damage(root, size, times):
    """One bit turned in each kind of file in turn: (path, put it back, what was done)."""
    levels = [str(level) for level in range(3) if size >> (8 * level)]
    for kind in ["entries", *levels]:
        for _ in range(times):
            path = chance.choice(tree_files(root, kind, size))
            back, what = flipped(os.path.join(root, path))
            yield path, back, what
    for _ in range(times):
        path = os.path.join(root, "checkpoint")
        back, what = flipped(path, chance.randrange(signed_part(path)))
        yield "checkpoint", back, what


# ---- our vault, their verifiers ----

def fresh_vaults():
    for size in (256, 257, 1000):
        site = Site(f"fresh{size}")
        same(site.grow(size), size, f"a vault of {size} entries, published at once")
        outside_accepts(site.vault, f"fresh {size}")


def growing_vault():
    """One vault, published after every step: partial tiles of several widths stand, the full ones take their place."""
    site = Site("growing")
    for size in (1, 2, 255, 256, 257, 300, 511, 512, 600, 1000):
        reached = site.grow(size)
        if size <= 2 and reached != size:
            note(f"the vault begins with {reached} entries of its own")
        else:
            same(reached, size, f"the growing vault holds {size} entries")
        outside_accepts(site.vault, f"growing {reached}")
    return site


def large_vault():
    """A simulated hospital's day and night, a document too large for an entry, and as much more as is wanting."""
    site = Site("large")
    path = os.path.join(work, "hospital.hl7")
    run("simulate", "--beds", 300, "--hours", 24, "--seed", SEED, "--out", path)
    site.take(path)
    with open(path, "wb") as file:
        file.write(adt("DOCUMENT", 1, base64.b64encode(chance.randbytes(150000)).decode()))
    site.take(path)
    os.unlink(path)
    ok(os.path.isdir(os.path.join(site.vault, "blob")), "the large vault holds a blob")
    same(site.grow(LARGE), LARGE, f"the large vault holds {LARGE} entries")
    outside_accepts(site.vault, f"large {LARGE}", kept=False)
    return site


def keys_of(vault):
    with open(os.path.join(vault, "verifier"), encoding="utf-8") as file:
        return file.read().splitlines()


def memory_of(key):
    """Where the machine remembers, outside the disk, what was signed last under this key's name."""
    name, _, typed = key.split("+", 2)
    return "/dev/shm/veilleuse-" + hashlib.sha256(name.encode() + base64.b64decode(typed)[1:]).hexdigest()[:16]


def forget(vault):
    for key in keys_of(vault):
        if os.path.exists(memory_of(key)):
            os.unlink(memory_of(key))


def epochs_of_the_origin(site):
    """A disk that comes back without the memory of what was signed last begins the origin's next epoch."""
    same(len(keys_of(site.vault)), 1, "one epoch of the origin so far")
    for count in (2, 3):
        before = keys_of(site.vault)
        ok(os.path.exists(memory_of(before[-1])), "what was signed last is remembered outside the disk")
        forget(site.vault)
        site.add(3)
        now = keys_of(site.vault)
        ok(len(now) == count and now[:-1] == before, "the next epoch's key stands behind the others", now)
        outside_accepts(site.vault, f"{count} epochs")
    for key in keys_of(site.vault):
        code, out, err = run("verify", site.vault, "--key", key, "--json")
        ok(code == 0 and json.loads(out)["whole"], "verify accepts it with the key of any one epoch", out, err)


def damaged_vault(site, size):
    """What they are shown here differs from the vault in one bit."""
    copy = os.path.join(work, "damaged")
    shutil.copytree(site.vault, copy, ignore=shutil.ignore_patterns("wal"))
    for path, back, what in damage(copy, size, 6):
        for tool in ("sumdb", "fsck"):
            code, said = outside.peers(tool, copy)
            ok(code == 1, f"{path}: {what}: {tool} refuses", f"exit {code}: {said}")
        back()
    kept = os.path.join(copy, "checkpoints", chance.choice(os.listdir(os.path.join(copy, "checkpoints"))))
    back, what = flipped(kept, chance.randrange(signed_part(kept)))
    code, said = outside.peers("sumdb", copy)
    ok(code == 1 and kept in said, f"a kept checkpoint: {what}: sumdb refuses, and names it", said)
    back()
    outside_accepts(copy, "put back")


def served_vault():
    """What a living node published, at its clean stop."""
    node = Node()
    try:
        node.start()
        path = os.path.join(work, "sent.hl7")
        with open(path, "wb") as file:
            for number in range(300):
                file.write(adt(f"S{number}", number))
        code, report, err = node.send(path)
        ok(code == 0, "messages are sent to a node", report, err)
        same(node.stop(), 0, "the node stops")
        outside_accepts(os.path.join(node.dir, "vault"), "served")
        forget(os.path.join(node.dir, "vault"))
    finally:
        node.close()


# ---- proofs of single entries, exchanged ----

def changed(text):
    """One bit of a proof turned, but where some base64 readers look at no bit: at the end of a line, and of a signature."""
    last = text.rindex(b"\n\n") + 1 + 60
    while True:
        at = chance.randrange(last)
        end = text.find(b"\n", at)
        if end - at > 2:
            bit = 1 << chance.randrange(8)
            return text[:at] + bytes([text[at] ^ bit]) + text[at + 1:], f"byte {at}, bit {bit}"


def both(text, path):
    """The file at `path` holds the proof as it is, and then a changed one: (is it good, what was done)."""
    for is_good, (data, what) in ((True, (text, "as it is")), (False, changed(text))):
        with open(path, "wb") as file:
            file.write(data)
        yield is_good, what


def proofs(site, size):
    """Of our vault for sumdb, of Tessera's log for us; changed ones hold for nobody."""
    path = os.path.join(work, "proof")
    log, key = os.path.join(work, f"tessera{size}"), os.path.join(work, f"tessera{size}.key.pub")
    with open(key, encoding="utf-8") as file:
        verifier = file.read().strip()
    for index in sorted({0, 1, 255, 256, size - 1, chance.randrange(size)}):
        code, text, err = run("prove", site.dir, index)
        ok(code == 0, f"we prove entry {index} of our vault", err)
        for is_good, what in both(text, path):
            code, said = outside.peers("proof", "-verifier", os.path.join(site.vault, "verifier"), path)
            same(code, 0 if is_good else 1, f"{index}, {what}: what sumdb says of the proof")
        code, text = outside.peers("prove", "-verifier", key, "-index", index, log)
        ok(code == 0, f"sumdb proves entry {index} of Tessera's log", text)
        if "extra \n" in text:
            continue  # an empty entry: there is nothing to show
        for is_good, what in both(text.encode(), path):
            code, _, _ = run("verify", path, "--key", verifier)
            same(code, 0 if is_good else 65, f"{index}, {what}: what we say of the proof")


# ---- Tessera's logs, our verify ----

def root_of(log):
    with open(os.path.join(log, "checkpoint"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    return int(lines[1]), lines[2]


def written(name, counts, *options):
    """A log that Tessera wrote in as many goes as there are counts, and its verifier key."""
    log, key = os.path.join(work, name), os.path.join(work, name + ".key")
    for count in counts:
        code, said = outside.peers("write", "-key", key, "-add", count, "-seed", SEED, *options, log)
        if code:
            raise RuntimeError("Tessera does not write: " + said)
    with open(key + ".pub", encoding="utf-8") as file:
        return log, file.read().strip()


def we_accept(log, key, size, name):
    code, out, err = run("verify", log, "--key", key, "--json")
    try:
        report = json.loads(out)
    except ValueError:
        report = {}
    ok(code == 0 and report.get("whole") is True, f"{name}: veilleuse verify accepts it", code, out, err)
    same((report.get("published"), report.get("root")), root_of(log), f"{name}: and says size and root of its checkpoint")
    same(report.get("published"), size, f"{name}: {size} entries")


def tesseras_logs():
    for size in (0, 1, 255, 256, 257, 1000, LARGE):
        log, key = written(f"tessera{size}", [size])
        we_accept(log, key, size, f"Tessera's log of {size}")
    steps = [1, 100, 155, 1, 43, 255, 700]
    log, key = written("tessera-grown", steps, "-batch", 64)
    we_accept(log, key, sum(steps), "Tessera's log, grown in steps")
    log, key = written("tessera-collected", steps, "-batch", 64, "-collect")
    ok(not os.path.exists(os.path.join(log, "tile/0/000.p")), "its partial tiles were removed")
    we_accept(log, key, sum(steps), "Tessera's log, its partial tiles removed")
    for name, options in (("late", []), ("late-collected", ["-collect"])):
        log, key = written("tessera-" + name, [300])
        shutil.copy(os.path.join(log, "checkpoint"), os.path.join(work, "older"))
        written("tessera-" + name, [700], *options)
        os.replace(os.path.join(work, "older"), os.path.join(log, "checkpoint"))
        we_accept(log, key, 300, f"Tessera's log, its tiles ahead of its checkpoint ({name})")
    log, key = written("tessera-cosigned", [300], "-cosigned")
    with open(os.path.join(log, "checkpoint"), encoding="utf-8") as file:
        same(file.read().count("\u2014 "), 2, "two signatures stand under the checkpoint")
    we_accept(log, key, 300, "Tessera's log, signed by two")


def we_refuse(log, key, name, wanted, *or_else):
    """Exit 65, and the file named."""
    code, out, err = run("verify", log, "--key", key, "--json")
    try:
        named = json.loads(out)["damage"]["file"]
    except (ValueError, KeyError):
        named = ""
    ok(code == 65 and named and os.path.relpath(named, log) in (wanted, *or_else), f"{name}: refused, and named",
       f"exit {code}: {out.decode()} {err}")
    code, out, _ = run("verify", log, "--key", key)
    ok(code == 65 and b"DAMAGED" in out, f"{name}: in words, too", out)


def damaged_logs():
    for size, times in ((1000, 5), (LARGE, 2)):
        log, key = os.path.join(work, f"tessera{size}"), os.path.join(work, f"tessera{size}.key.pub")
        with open(key, encoding="utf-8") as file:
            key = file.read().strip()
        for path, back, what in damage(log, size, times):
            # An entry and its hash differ: where that is so, the bundle may be named though the tile was changed.
            we_refuse(log, key, f"{size}: {path}: {what}", path, path.replace("tile/0/", "tile/entries/"))
            back()
        for kind in ("entries", "0", "1"):
            path = chance.choice(tree_files(log, kind, size))
            os.rename(os.path.join(log, path), os.path.join(work, "aside"))
            we_refuse(log, key, f"{size}: {path} is not there", path)
            os.rename(os.path.join(work, "aside"), os.path.join(log, path))
        we_accept(log, key, size, f"{size}: put back")
    # Another log of the same size and name: its key, a bundle of it, all its tiles.
    other, other_key = written("tessera-other", [1000], "-seed", SEED + 1)
    log = os.path.join(work, "tessera1000")
    we_refuse(log, other_key, "with another log's key", "checkpoint")
    shutil.copy(os.path.join(log, "tile/entries/001"), os.path.join(other, "tile/entries/001"))
    we_refuse(other, other_key, "a bundle of another log", "tile/entries/001")
    shutil.copytree(os.path.join(log, "tile"), os.path.join(other, "tile"), dirs_exist_ok=True)
    we_refuse(other, other_key, "the tiles and bundles of another log", "checkpoint")


work = tempfile.mkdtemp(prefix="veilleuse-peers.")
try:
    fresh_vaults()
    growing = growing_vault()
    damaged_vault(growing, 1000)
    epochs_of_the_origin(growing)
    served_vault()
    large = large_vault()
    tesseras_logs()
    proofs(large, LARGE)
    damaged_logs()
finally:
    for each in sites:
        forget(each.vault)
    shutil.rmtree(work, ignore_errors=True)
done()
