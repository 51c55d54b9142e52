#!/usr/bin/env python3
"""The second reader (tools/verify) on vaults that were made by hand after docs/format/vault.md: what is whole, every kind of
damage with its place, reading, proofs. Nothing of the program takes part."""
import base64
import hashlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import tempfile

import vault_maker as maker
from veilleuse_site import ROOT, done, note, ok, same

READER = os.environ.get("VEILLEUSE_VERIFY", os.path.join(ROOT, "build/verify/veilleuse-verify"))
SEED = int(os.environ.get("SEED", "1"))
work = tempfile.mkdtemp(prefix="veilleuse-second.")


def reader(*arguments):
    process = subprocess.run([READER, *map(str, arguments)], capture_output=True, timeout=120)
    return process.returncode, process.stdout, process.stderr.decode(errors="replace")


def read(path):
    with open(path, "rb") as file:
        return file.read()


# ---- a vault with everything in it ----
vault = maker.Vault(os.path.join(work, "site/vault"), SEED)
wanted = []  # (kind, body, other members)


def add(kind, body, **fields):
    index = vault.message(body, kind, **fields)
    wanted.append((index, {1: "message", 2: "fact", 5: "note"}[kind], body, fields))


vault.epoch_begin()
for i in range(400):
    text = f"MSH|^~\\&|GAM|CHV|||{i}||ADT^A01|{i}|P|2.5\rPID|1||{i}^^^CHV||Ménard^Zoé\r".encode()
    add(1, text if i % 5 else text.decode().encode("latin-1"))
    if i in (0, 3, 100, 259, 299):
        vault.publish()
add(2, b'{"resourceType":"Observation"}', m="application/fhir+json", s="Camille Lef\u00e8vre", a="camille", o="nurse", f=1)
add(5, b"up", m="text/plain", s="node")
add(1, b"\x00\x01\x02\x7f\xff\"\\\n", s="mllp/feed", f=3)
add(1, b"", compressed=False)
blobs = {}
for body in (b"", b"%PDF" + vault.rng.randbytes(200000), bytes(65536), b"x" * 65537, vault.rng.randbytes(131072)):
    blobs[vault.blob(body)] = body
vault.state("1.2", vault.key_file(1, "1.2", [maker.x25519_public(vault.rng.randbytes(32))], extra="unknown line\n"))
vault.epoch_begin()
vault.origin_next()
for i in range(360):
    add(1, f"PID|1||{i}||DUPONT^Marie".encode())
add(1, b"again", i=3, w=77)
root = vault.publish()
size = len(vault.entries)
places = vault.segment(size - 60, [30, 30])
line = vault.verifier_line()
identity = vault.identity_file(os.path.join(work, "identity"))
key = ("--key", line)

# ---- whole ----
code, out, err = reader(*key, work + "/site")
ok(code == 0 and out.decode().startswith(f"whole: {vault.origins[-1]}, {size} entries published, {size} durable, root {maker.b64(root)},"),
   "a site is whole, with this root and size", out, err)
ok(b" 6 kept checkpoints, 5 blobs" in out, "kept checkpoints and blobs are counted", out)
same(reader(*key, vault.dir)[:2], (code, out), "so is its vault directory")
shutil.copytree(vault.dir, work + "/copy", ignore=shutil.ignore_patterns("wal"))
same(reader(*key, work + "/copy/")[:2], (code, out), "so is a copy")
code, out, err = reader(work + "/copy")
ok(code == 0 and "only accidents" in err, "without a key from elsewhere it says what that is worth", err)
same(reader("--key-file", vault.dir + "/verifier", work + "/copy")[0], 0, "a file of verifier lines is a key")
same(reader("--key", vault.verifier_line(vault.origins[1]), work + "/copy")[0], 0, "a line of a later epoch is the same key")
shutil.copytree(work + "/copy", work + "/old")
many = [vault.verifier_line(f"{vault.stem}{n}-{n:08x}") for n in range(3, 2003)]
maker.put(work + "/old/verifier", read(vault.dir + "/verifier") + ("\n".join(many) + "\n").encode())
same(reader(*key, work + "/old")[:2], (code, out), "two thousand epochs of the origin are no harm")
other = maker.Vault(os.path.join(work, "other"), SEED + 1)
code, out, err = reader("--key", other.verifier_line(), work + "/copy")
ok(code == 65 and out.startswith(b"DAMAGED: checkpoint: it is signed by another key"), "another key does not vouch for it", out)
maker.put(work + "/keys-at-hand", (other.verifier_line() + "\n" + line + "\n").encode())
same(reader("--key-file", work + "/keys-at-hand", work + "/copy")[0], 0, "several keys at hand")

# ---- wrong use ----
same(reader()[0], 64, "nothing")
same(reader("--nonsense", work + "/copy")[0], 64, "an option that is none")
same(reader("--key", line[:-3], work + "/copy")[0], 64, "a key that is none")
same(reader("--proof", identity)[0], 64, "a proof without a key")
same(reader("--from", "1", work + "/copy")[0], 64, "a range without an identity")
same(reader(*key, work + "/none")[0], 66, "a vault that is not there")
same(reader(*key, work)[0], 66, "a directory that is none")

# ---- reading ----
code, out, err = reader("--identity", identity, work + "/site")
lines = [json.loads(text) for text in out.splitlines()]
ok(code == 0 and [entry["index"] for entry in lines] == list(range(size)), "every entry is read", code, err, len(lines))
bad = []
for index, kind, body, fields in wanted:
    entry = lines[index]
    got = base64.b64decode(entry["body_base64"]) if "body_base64" in entry else entry["body"].encode()
    try:
        body.decode()
        as_text = True
    except UnicodeDecodeError:
        as_text = False
    if (got, entry["kind"], entry["body_bytes"], "body" in entry) != (body, kind, len(body), as_text):
        bad.append((index, entry))
    if entry["media_type"] != fields.get("m", "application/hl7-v2") or entry["source"] != fields.get("s", "mllp/feed"):
        bad.append((index, entry))
    if entry["flags"] != fields.get("f", 0) or entry.get("author") != fields.get("a") or entry.get("role") != fields.get("o"):
        bad.append((index, entry))
    if entry.get("restates_index") != fields.get("i") or entry.get("restates_clock") != fields.get("w"):
        bad.append((index, entry))
same(bad, [], "as it was written")
ok(all(a["clock"] < b["clock"] for a, b in zip(lines, lines[1:])), "clocks rise")
ok(all(re.fullmatch(r"2023-11-1\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["received_at"]) for entry in lines), "times are RFC 3339", lines[5])
ok(lines[0]["kind"] == "key" and base64.b64decode(lines[0].get("body_base64") or "") == hashlib.sha256(vault.read("keys/1")).digest(),
   "entry 0 holds the hash of keys/1")
ok(lines[1]["kind"] == "dictionary" and lines[1]["epoch"] == 1, "entry 1 is the epoch's dictionary")
for index, body in blobs.items():
    code, out, err = reader("--identity", identity, "--raw", "--from", index, "--to", index + 1, work + "/site")
    ok(code == 0 and out == body and lines[index]["body_bytes"] == len(body), f"a blob of {len(body)} bytes is read", code, err)
everything = b"".join(body for _, _, body, _ in sorted(
    [w for w in wanted if w[1] != "note"] + [(i, 0, b, 0) for i, b in blobs.items()], key=lambda w: w[0]))
code, out, err = reader("--identity", identity, "--raw", work + "/copy")
ok(code == 0 and out == everything, "and all bodies in a row", code, len(out), len(everything), err)
code, out, err = reader("--identity", identity, "--from", 700, "--to", 702, work + "/copy")
same([json.loads(text) for text in out.splitlines()], lines[700:702], "a range is read without what is before it")
stranger = other.identity_file(os.path.join(work, "stranger"))
code, out, err = reader("--identity", stranger, "--from", 5, "--to", 6, work + "/copy")
ok(code == 65 and out == b"" and "identity" in err, "who is no recipient reads nothing", out, err)
same(reader("--identity", work + "/absent", work + "/copy")[0], 66, "an identity that is not there")
same(reader("--identity", vault.dir + "/verifier", work + "/copy")[0], 64, "an identity that is none")

# A key that a passphrase locks.
salt, nonce = vault.rng.randbytes(16), vault.rng.randbytes(24)
sealed = maker.secretbox(maker.age_identity(vault.identity).encode() + b"\n", nonce, maker.argon2id("é secret".encode(), salt, 2, 1 << 23))
maker.put(work + "/locked", f"veilleuse-locked-key/1 {maker.b64(salt)} 2 {1 << 23} {maker.b64(nonce + sealed)}\n".encode())
maker.put(work + "/passphrase", "é secret\n".encode())
code, out, err = reader("--identity", work + "/locked", "--passphrase-file", work + "/passphrase", "--from", 700, "--to", 702, work + "/copy")
same([json.loads(text) for text in out.splitlines()], lines[700:702], "a locked identity opens with its passphrase")
same(reader("--identity", work + "/locked", "--passphrase-file", identity, work + "/copy")[0], 64, "and with no other")

# The page's own example, to the byte.
example = maker.Vault(os.path.join(work, "example"))
example.epoch_begin(key=bytes(range(32)))
plain = bytes.fromhex("016b0001057300046e6f646563000800000000000000017200080000000000000000427570")
entry = bytes.fromhex("01000000000000000001404142434445464748494a4b4c4d4e4f5051525354555657"
                      "d5520571d5937912e19be3dbcc9c6d9292baadc4135952e86a39fd450904239016f9401b25a61aeb1805aadec584c6cdd06b44fb95")
same(maker.leaf_hash(entry).hex(), "bb391396873653fc52e7de495e0b176788932a1ed17519abe77ffa391e6df492", "the page's example: its leaf")
same(maker.envelope(5, b"up", s="node", c=1, r=0), plain, "its envelope")
example.append(entry)
example.publish()
code, out, err = reader("--identity", example.identity_file(work + "/example-identity"), "--from", 2, example.dir)
shown = json.loads(out) if code == 0 else {}
same((shown.get("kind"), shown.get("source"), shown.get("clock"), shown.get("received_at"), shown.get("body")),
     ("note", "node", 1, "1970-01-01T00:00:00.000000Z", "up"), "it is read as the page says")

# ---- proofs ----
for index, of in ((0, size), (size - 1, size), (77, size), (256, 300), (5, 6), (0, 1)):
    proof = vault.proof(index, of)
    maker.put(work + "/proof", proof)
    code, out, err = reader(*key, "--proof", work + "/proof")
    ok(code == 0 and f"entry {index} of {vault.origins[-1]}, among {of} entries".encode() in out, f"entry {index} of {of} is proven", out, err)
proven = 0
proof = vault.proof(77, 300)
for bit in random.Random(SEED).sample(range(len(proof) * 8), 300):
    changed = bytearray(proof)
    changed[bit // 8] ^= 1 << bit % 8
    maker.put(work + "/proof", bytes(changed))
    proven += reader(*key, "--proof", work + "/proof")[0] != 65
same(proven, 0, "with any bit of it changed it proves nothing")
maker.put(work + "/proof", proof)
same(reader("--key", other.verifier_line(), "--proof", work + "/proof")[0], 65, "nor against another key")

# ---- damage ----
stem = os.path.join(work, "damaged")


def changed(path=work + "/site/vault"):
    """A fresh copy to damage; what was there is gone."""
    shutil.rmtree(stem, ignore_errors=True)
    shutil.copytree(path, stem)
    return maker_of(stem)


class maker_of:
    def __init__(self, directory):
        self.dir = directory

    def read(self, name):
        return read(f"{self.dir}/{name}")

    def write(self, name, data):
        maker.put(f"{self.dir}/{name}", data)

    def remove(self, *names):
        for name in names:
            os.unlink(f"{self.dir}/{name}")

    def flip(self, name, bit):
        data = bytearray(self.read(name))
        data[bit // 8] ^= 1 << bit % 8
        self.write(name, bytes(data))


def damaged(name, title, entry=None, path=stem):
    code, out, err = reader(*key, path)
    first = out.decode(errors="replace").splitlines()[0] if out else ""
    where = f"DAMAGED: {name}" + (f", entry {entry}" if entry is not None else "")
    return ok(code == 65 and re.match(re.escape(where) + "[,:]", first), title, f"wanted {where}", f"{code} {first}", err)


def whole(title, path=stem, wanted_key=key):
    code, out, err = reader(*wanted_key, path)
    ok(code == 0 and b"whole: " in out, title, code, out, err)
    return out


# One bit anywhere, but for the segment, where the durable size of a record may change to one that is right as well.
rng = random.Random(SEED)
files = sorted(os.path.relpath(os.path.join(d, f), vault.dir) for d, _, fs in os.walk(vault.dir) for f in fs if "/wal" not in d)
missed = []
for turn in range(400):
    name = files[turn] if turn < len(files) else rng.choice(files)
    bit = rng.randrange(os.path.getsize(f"{vault.dir}/{name}") * 8)
    copy = maker_of(vault.dir)
    copy.flip(name, bit)
    code, out, err = reader(*key, vault.dir)
    copy.flip(name, bit)
    named = re.match(rb"DAMAGED: ([^,:]+)", out)
    if code != 65 or not named or named[1].decode() != name:
        missed.append((name, bit, code, out[:200], err[:200]))
same(missed, [], f"400 single bits, in each of {len(files)} files: noticed, and the file is named")

copy = changed()
offsets, at, bundle = [], 0, copy.read("tile/entries/001")
while at < len(bundle):
    offsets.append(at)
    at += 2 + struct.unpack_from(">H", bundle, at)[0]
offsets.append(at)
piece = lambda i: bundle[offsets[i]:offsets[i + 1]]
copy.write("tile/entries/001", bundle[:offsets[7]] + piece(9) + piece(8) + piece(7) + bundle[offsets[10]:])
damaged("tile/entries/001", "two entries changed places", 256 + 7)
copy.write("tile/entries/001", bundle + b"\0")
damaged("tile/entries/001", "a byte behind a bundle")
copy.write("tile/entries/001", bundle[:offsets[200]])
damaged("tile/entries/001", "a bundle that ends early", 256 + 200)
copy.write("tile/entries/001", bundle[:offsets[200]] + bundle[offsets[201]:])
damaged("tile/entries/001", "an entry taken out", 256 + 200)
copy.write("tile/entries/001", bundle[:offsets[200]] + piece(199) + bundle[offsets[200]:])
damaged("tile/entries/001", "an entry put in", 256 + 200)
last = f"tile/entries/003.p/{size % 256}"
for name in ("tile/entries/001", "tile/0/001", last, f"tile/0/003.p/{size % 256}", "tile/1/000.p/3", "verifier", "checkpoint", "keys/1.2"):
    copy = changed()
    copy.remove(name)
    damaged(name, f"{name} is missing")
copy = changed()
copy.remove("tile/entries/001", "tile/0/001")
damaged("tile/entries/001", "a bundle and its tile are missing")
blob = next(f for f in files if f.startswith("blob/"))
copy = changed()
copy.remove(blob)
damaged(blob, "a blob is missing")
copy = changed()
copy.write(blob, copy.read(blob) + b"\0")
damaged(blob, "a byte behind a blob")
copy = changed()
copy.write("tile/0/001", copy.read("tile/0/001")[:-1])
damaged("tile/0/001", "a tile that ends early")
copy = changed()
copy.write("tile/1/000.p/3", copy.read("tile/1/000.p/3") + bytes(32))
damaged("tile/1/000.p/3", "a hash behind a tile")
copy = changed()
copy.flip("tile/entries/000", 80000)
copy.flip("tile/0/002", 8 * 100)
code, out, err = reader(*key, stem)
ok(code == 65 and re.search(rb"^DAMAGED: tile/entries/000,", out, re.M) and re.search(rb"^DAMAGED: tile/0/002,", out, re.M) and out.count(b"DAMAGED") == 2,
   "two damages at once: both are named, and nothing else", out)

# Old states.
def old_checkpoint(of):
    return vault.note(of, vault.roots[of], origin=vault.origins[0])


copy = changed()
copy.write("checkpoint", old_checkpoint(262))
damaged("checkpoint", "an old checkpoint was put back", 262)
copy.remove(*[f for f in files if f.startswith("checkpoints/") and int(f[12:]) > 262])
damaged(f"wal/{size - 60:020d}", "without the kept ones behind it the segments tell", 262)
shutil.rmtree(stem + "/wal")
damaged("keys/1.2", "without them, a key file that came later")
copy.remove("keys/1.2")
out = whole("a whole old state, alone, looks sound: the page says so")
ok(b" 262 entries published" in out, "and says its size", out)
os.unlink(stem + "/tile/1/000.p/1")
damaged("tile/1/000.p/1", "if nothing of it is missing")

# Another tree, signed: what only the holder of the signing key can do.
fork = list(vault.leaves)
fork[10] = bytes(32)
copy = changed()
kept = max(int(f[12:]) for f in files if f.startswith("checkpoints/") and int(f[12:]) < size)
copy.write(f"checkpoints/{kept}", vault.note(kept, maker.tree_hash(fork[:kept]), origin=vault.origins[0]))
damaged(f"checkpoints/{kept}", "a kept checkpoint of another tree", kept)
copy = changed()
copy.write("checkpoint", vault.note(size, maker.tree_hash(fork)))
damaged("checkpoint", "a checkpoint of another tree", size)

# Notes.
copy = changed()
good = copy.read("checkpoint")
copy.write("checkpoint", good + "— witness.example/w Zm9yIGEgd2l0bmVzcw==\n".encode() * 16)
whole("lines of witnesses are passed over")
for wrong, title in ((good + b"no signature\n", "a line that is no signature"), (good[:-1], "a cut note"),
                     (good.replace(b"\n\n", b"\nextension\n\n"), "an extension line"),
                     (good.replace(b"\n\n", b"\n\n\n"), "an empty line too many"), (b"", "an empty note"),
                     (good.replace(f"\n{size}\n".encode(), f"\n0{size}\n".encode()), "a leading zero"),
                     (b"\0" + good, "a zero byte"), (re.sub(rb"[+/](?=[^ ]*\n$)", lambda m: bytes([m[0][0] | 128]), good), "a letter that is none"), (good * 400, "a note without end")):
    copy.write("checkpoint", wrong)
    damaged("checkpoint", "the checkpoint: " + title)
copy.write("checkpoint", vault.note(size, root, origin=vault.stem + "3-00000000"))
damaged("checkpoint", "an origin that verifier does not name")
copy.write("checkpoint", vault.note(size, root, secret=other.secret))
damaged("checkpoint", "signed by somebody else")
copy.write("checkpoint", vault.note(size, root, lines=vault.note(size, root, secret=other.secret).decode().split("\n\n")[1]))
damaged("checkpoint", "one good signature and one that does not hold")
copy = changed()
copy.write("verifier", vault.read("verifier") + other.verifier_line().encode() + b"\n")
whole("a line of another key in verifier, as a recovery adds one, changes nothing")
for wrong, title in ((b"", "empty"), (line.encode(), "a line without end"), (line.encode() + b"\n\n", "an empty line"),
                     (line.replace("+", " ", 1).encode() + b"\n", "no key"), ((line + "\n").encode() * 20000, "without end")):
    copy.write("verifier", wrong)
    damaged("verifier", "verifier: " + title)
# A recovered vault: the later origins are signed by a key of its own.
copy = changed()
copy.write("verifier", vault.read("verifier") + other.verifier_line(vault.stem + "3-0badcafe").encode() + b"\n")
recovered = other.verifier_line(vault.stem + "3-0badcafe")
text = f"{vault.stem}3-0badcafe\n{size}\n{maker.b64(root)}\n"
signature = bytes.fromhex(recovered.split("+")[1]) + maker.sign(text.encode(), other.secret)
copy.write("checkpoint", (text + f"\n\u2014 {vault.stem}3-0badcafe {maker.b64(signature)}\n").encode())
damaged("checkpoint", "a recovered vault, whose new key is not vouched for")
whole("and once the new key came by another way", stem, ("--key", recovered))

# keys/
copy = changed()
copy.write("keys/1.3", copy.read("keys/1"))
damaged("keys/1.3", "a key file that nobody stated")
copy = changed()
copy.write("keys/1", copy.read("keys/2"))
damaged("keys/1", "a key file in another's place", 0)
copy = changed()
copy.write("keys/note", b"")
damaged("keys/note", "a file in keys/ that is none")
copy = changed()
copy.write("keys/3", b"of an epoch to come")
copy.write("keys/2.2.new", b"unfinished")
copy.write("checkpoint.new", b"unfinished")
copy.write("tile/0/009.new", b"unfinished")
whole("an epoch that has not begun, and unfinished files")
copy.remove("keys/1", "keys/1.2", blob)
out = whole("an erased epoch, and a blob of its")
ok(b"erased: epoch 1, none of its key files is there," in out, "is said", out)
ok(re.search(rb"^erased in all: 1 epochs from 1 to 1, [1-9][0-9]* entries, 1 blobs removed$", out, re.M), "and how much it is", out)
code, out, err = reader("--identity", identity, "--from", 600, "--to", 601, stem)
ok(code == 0, "what is not erased is read", code, err)
same(reader("--identity", identity, "--from", 5, "--to", 6, stem)[0], 65, "what is erased is not")

# Partial tiles and bundles.
more = maker.Vault(os.path.join(work, "more"), SEED)
more.epoch_begin()
for i in range(300):
    more.message(b"%d" % i)
more.publish()
while len(more.entries) < 512:
    more.message(b"more")
state = {f: more.read(f) for f in ("checkpoint",)}
more.publish(keep=False)
more.write("checkpoint", state["checkpoint"])
mkey = ("--key", more.verifier_line())
whole("full tiles ahead of the checkpoint: a writer that was killed before it", more.dir, mkey)
shutil.rmtree(more.dir + "/tile/0/001.p")
shutil.rmtree(more.dir + "/tile/entries/001.p")
whole("partial ones gone: the beginning of the full ones", more.dir, mkey)
copy = maker_of(more.dir)
copy.write("tile/entries/001.p/7", copy.read("tile/entries/001")[:100])
ok(reader(*mkey, more.dir)[1].startswith(b"DAMAGED: tile/entries/001.p/7:"), "a narrower bundle that is cut")
copy.write("tile/entries/001.p/7", b"")
ok(reader(*mkey, more.dir)[1].startswith(b"DAMAGED: tile/entries/001.p/7:"), "and an empty one")

# ---- entries that are signed, but not as the page says ----


def conform(change, name, title, entry=None):
    wrong = maker.Vault(os.path.join(work, "wrong"), SEED)
    shutil.rmtree(wrong.dir, ignore_errors=True)
    wrong.write_verifier()
    wrong.epoch_begin()
    wrong.message(b"before")
    change(wrong)
    wrong.publish()
    return damaged(name, title, entry, wrong.dir)


def state_raw(plain, form=4, dictionary=0, epoch=0):
    return lambda v: v.append(bytes([1, form]) + struct.pack(">II", dictionary, epoch) + plain)


first = "tile/entries/000.p/4"
digest = hashlib.sha256(b"").digest()
good_plain = maker.envelope(3, digest, s="vault/keys/9")
conform(state_raw(maker.envelope(5, b"x" * 32, s="vault/keys/9")), first, "an open entry of another kind", 3)
conform(state_raw(maker.envelope(3, digest, s="keys/9")), first, "a statement about no key file", 3)
conform(state_raw(maker.envelope(3, digest, s="vault/keys/09")), first, "a statement about a name that is none", 3)
conform(state_raw(maker.envelope(3, digest[:31], s="vault/keys/9")), first, "a statement of 31 bytes", 3)
conform(state_raw(good_plain, form=5), first, "open and compressed", 3)
conform(state_raw(good_plain, epoch=1), first, "open, of an epoch", 3)
conform(state_raw(good_plain, form=8), first, "a form bit of a later version", 3)
conform(state_raw(good_plain[:-33]), first, "an envelope without body", 3)
conform(lambda v: v.append(b"\x01\x04"), first, "an entry of two bytes", 3)
conform(lambda v: v.append(b""), first, "an entry of none", 3)
conform(lambda v: v.append(v.seal(b"\x01B", version=2)), first, "a newer version", 3)
conform(lambda v: v.append(v.seal(b"\x01B", epoch=2, key=bytes(32))), first, "an epoch that has not begun", 3)
conform(lambda v: v.append(v.seal(b"\x01B", blob=bytes(32))), "blob/00/" + "00" * 32, "a blob that never was", 3)
conform(lambda v: v.append(v.seal(bytes(51300))), first, "an entry that is too large", 3)
wrong = maker.Vault(os.path.join(work, "first"), SEED)
wrong.epoch, wrong.epochs = 1, {1: bytes(32)}
wrong.message(b"first", compressed=False)
wrong.publish()
damaged("tile/entries/000.p/1", "a log that does not begin with keys/1", 0, wrong.dir)

# ---- segments ----


def segments(published, build, title, fault=None, entry=None, durable=None):
    v = maker.Vault(os.path.join(work, "segments"), SEED)
    shutil.rmtree(v.dir, ignore_errors=True)
    v.write_verifier()
    v.epoch_begin()
    for i in range(38):
        v.message(b"%d" % i)
    v.publish(published)
    build(v)
    code, out, err = reader("--key", v.verifier_line(), v.dir)
    if fault:
        where = f"DAMAGED: {fault}" + (f", entry {entry}" if entry is not None else "")
        return ok(code == 65 and re.match(re.escape(where) + "[,:]", out.decode()), title, where, code, out)
    return ok(code == 0 and f" {durable} durable,".encode() in out, title, code, out)


def flip(v, start, at):
    maker_of(v.dir).flip(f"wal/{start:020d}", at * 8)


def batches(v, *parts):
    """(start, batches) for each segment; gives the places of the first one's records."""
    return [v.segment(start, counts) for start, counts in parts][0]


wal0 = "wal/00000000000000000000"
segments(40, lambda v: batches(v, (0, [1]), (1, [19, 20])), "all published", durable=40)
segments(10, lambda v: batches(v, (0, [1]), (1, [19]), (20, [5, 5])), "ten published, thirty durable", durable=30)
segments(10, lambda v: batches(v, (0, [5, 10, 5])), "within a batch", durable=20)
segments(10, lambda v: (v.write("wal/blob-3", b"x"), batches(v, (10, [5]))), "a blob that is being written does not count", durable=15)
segments(10, lambda v: batches(v, (11, [5])), "the first segment begins too late", "wal/00000000000000000011", 10)
segments(10, lambda v: batches(v, (5, [10]), (16, [5])), "an entry is missing between segments", "wal/00000000000000000005", 15)
segments(20, lambda v: batches(v, (5, [10]), (16, [5])), "what is before the last segment that begins below the published size is about to go", durable=21)
for at, what in ((0, "magic"), (7, "size"), (15, "index"), (40, "hash"), (70, "entry")):
    segments(10, lambda v: flip(v, 0, batches(v, (0, [10, 5, 5, 5]))[12] + at), f"the {what} of a durable record, published before", wal0, 12)
    segments(20, lambda v: flip(v, 0, batches(v, (0, [10, 5, 5, 5]))[12] + at), f"the {what} of a record that is published", wal0, 12)
    segments(10, lambda v: flip(v, 0, batches(v, (0, [10, 5, 5]))[17] + at), f"the {what} in the last batch: torn", durable=17)
segments(10, lambda v: flip(v, 0, batches(v, (0, [10, 5, 5]))[12] + 23), "the durable size of a record", wal0, 12)
segments(10, lambda v: flip(v, 0, batches(v, (0, [10, 5, 5]), (20, [5]))[17] + 70), "the last batch, but a segment comes behind it", wal0, 17)
segments(10, lambda v: flip(v, 0, batches(v, (0, [10, 5, 5]), (17, [5]))[17] + 70), "and one that begins at what was missing", durable=22)
segments(30, lambda v: flip(v, 0, batches(v, (0, [10, 5, 5]), (17, [5, 10]))[17] + 70), "so also when it was published", durable=32)
segments(10, lambda v: v.write(wal0, b"VREC" + bytes([0, 0, 255, 255]) + b"\xff" * 4000), "a segment of nonsense", wal0, 0)
segments(10, lambda v: v.write(wal0, b""), "an empty segment", wal0, 0)
segments(10, lambda v: v.write("wal/00000000000000000010", b""), "an empty segment that was just begun", durable=10)
code, out, err = reader("--identity", maker.Vault(os.path.join(work, "x"), SEED).identity_file(work + "/wal-identity"), "--from", 9, work + "/segments")
segments(10, lambda v: batches(v, (0, [1]), (1, [19]), (20, [5, 5])), "once more", durable=30)
code, out, err = reader("--identity", work + "/wal-identity", "--from", 9, work + "/segments")
same((code, [json.loads(t)["index"] for t in out.splitlines()]), (0, list(range(9, 30))), "entries in segments are read, too")


def unstated(v):
    v.rng.seed(SEED)
    v.append(v.seal(b"\x01B", epoch=7, key=bytes(32)))
    v.segment(10, [31])


segments(10, unstated, "an entry in a segment, of an epoch that has not begun", "wal/00000000000000000010", 40)

# ---- many tiles: three levels, groups behind x ----
if os.environ.get("FAST") != "1":
    large = maker.Vault(os.path.join(work, "large"), SEED)
    large.epoch_begin()
    some = [large.seal(maker.envelope(1, b"%d" % i, **large.tick())) for i in range(97)]
    for i in range(2, 256 * 1003 + 5):
        large.append(some[i % 97])
        if i in (65535, 65536, 70000):
            large.publish()
    large.publish()
    out = whole("256,773 entries: tiles of three levels, names with x", large.dir, ("--key", large.verifier_line()))
    ok(os.path.exists(large.dir + "/tile/0/x001/002") and b"256773 entries" in out, "1,004 tiles at level 0", out)
    for name in ("tile/1/003.p/235", "tile/2/000.p/3", "tile/1/002", "tile/0/x001/001"):
        maker_of(large.dir).flip(name, 8 * 40)
        code, out, err = reader("--key", large.verifier_line(), large.dir)
        maker_of(large.dir).flip(name, 8 * 40)
        ok(code == 65 and out.startswith(f"DAMAGED: {name},".encode()), f"a bit of {name}", out)

shutil.rmtree(work)
done()
