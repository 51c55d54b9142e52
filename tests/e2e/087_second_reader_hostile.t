#!/usr/bin/env python3
"""The second reader on what an attacker may hand to it, under the address and undefined-behaviour sanitizers: files changed
at random, and vaults that are soundly signed over entries, blobs, keys and segments that are not as they should be.
ROUNDS=4000 for more; SEED=n for others."""
import os
import random
import shutil
import struct
import subprocess
import tempfile

import vault_maker as maker
from veilleuse_site import ROOT, done, note, ok, same

READER = os.path.join(ROOT, "build/verify/veilleuse-verify-asan")
SEED = int(os.environ.get("SEED", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "50" if os.environ.get("FAST") == "1" else "120"))
work = tempfile.mkdtemp(prefix="veilleuse-hostile.")
failures, codes = [], {}


def reader(what, *arguments):
    try:
        process = subprocess.run([READER, *map(str, arguments)], capture_output=True, timeout=60)
        code, err = process.returncode, process.stderr
    except subprocess.TimeoutExpired:
        code, err = "timeout", b""
    codes[code] = codes.get(code, 0) + 1
    if code not in (0, 64, 65, 66) or b"Sanitizer" in err or b"runtime error" in err:
        failures.append((what, code, err.decode(errors="replace")[:3000]))


def change(data, rng):
    """The data, with one to three changes."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        way = rng.randrange(7)
        if way == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif way == 1 and data:
            data[at % len(data)] = rng.choice((0, 1, 10, 32, 43, 127, 128, 254, 255))
        elif way == 2:
            del data[at:]
        elif way == 3:
            del data[at:at + rng.randrange(1, 64)]
        elif way == 4:
            data[at:at] = rng.randbytes(rng.randrange(1, 64))
        elif way == 5:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start:start + rng.randrange(1, 300)]
        elif way == 6:
            data[at:at + 8] = struct.pack(">Q", rng.choice((0, 1, 255, 256, 65535, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)))
    return bytes(data)


def make(directory, seed, rng=None):
    """A small vault; with rng, one whose parts were changed before they were sealed, hashed and signed."""
    vault = maker.Vault(directory, seed)

    def maybe(data, one_in=6):
        return change(data, rng) if rng and rng.randrange(one_in) == 0 else data

    vault.epoch_begin(dictionary=maybe(maker.DICTIONARY, 3))
    for i in range(rng.randrange(40) if rng else 20):
        plain = maybe(maker.envelope(rng.randrange(8) if rng else 1, b"MSH|%d" % i * (i + 1), m="m", s="s", a="a", **vault.tick()))
        way = rng.randrange(6) if rng else i % 3
        sealed = vault.seal(plain, way % 3 > 0, vault.dictionary if way % 3 == 2 else 0)
        if way == 3:  # a dictionary that is none
            sealed = vault.seal(plain, True, rng.choice((1, 2, 3, 50, 1 << 31, (1 << 32) - 1)))
        if way == 4:  # a frame that was changed before it was sealed
            sealed = vault.seal(change(maker.compress(plain), rng), form=1)
        vault.append(maybe(sealed))
        if i == 4:
            vault.publish()
    for body in (b"", b"x" * 70000):
        index = vault.blob(body)
        if rng and rng.randrange(2):  # an age file that was changed, under a name that fits and an entry that names it
            secret = maker.hashlib.blake2b(b"veilleuse blob identity/1", digest_size=32, key=vault.epochs[1]).digest()
            data = change(maker.age_encrypt(body, maker.x25519_public(secret), vault.rng), rng)
            name = maker.hashlib.sha256(data).digest()
            vault.write(f"blob/{name.hex()[:2]}/{name.hex()}", data)
            plain = maker.envelope(4, body[:4096], n=len(body), **vault.tick())
            sealed = vault.seal(plain, blob=name)
            vault.entries[index], vault.leaves[index] = sealed, maker.leaf_hash(sealed)
    if rng:
        data = vault.key_file(1, "1.2", [maker.x25519_public(vault.identity)])
        data = maybe(data, 2)
        vault.write("keys/1.2", data)
        vault.append(maybe(b"\x01\x04" + bytes(8) + maker.envelope(3, maker.hashlib.sha256(data).digest(), s="vault/keys/1.2"), 3))
        if rng.randrange(2):
            data = maybe(vault.read("keys/1"), 2)
            vault.write("keys/1", data)
            vault.state("1", data)
    vault.origin_next()
    if rng and rng.randrange(3) == 0:
        vault.entries += [b""] * 3
        vault.leaves += [maker.leaf_hash(b"")] * 3
    size = len(vault.entries)
    vault.publish(rng.randrange(size // 2, size + 1) if rng else size)
    start = rng.randrange(size) if rng else 0
    if vault.entries[start:] and all(vault.entries[start:]):
        vault.segment(start, [1] * ((size - start) // 2) + [size - start - (size - start) // 2])
    if rng and rng.randrange(2):
        name = f"wal/{start:020d}"
        if os.path.exists(f"{directory}/{name}"):
            vault.write(name, change(vault.read(name)[:rng.choice((500, 5000, 1 << 16))], rng))
    return vault


def look(what, vault, identity):
    key = vault.verifier_line()
    reader(what, "--key", key, vault.dir)
    reader(what, "--identity", identity, vault.dir)
    reader(what, "--identity", identity, "--raw", "--from", "3", vault.dir)


base = make(work + "/base/vault", SEED)
identity = base.identity_file(work + "/identity")
files = sorted(os.path.join(d, f) for d, _, fs in os.walk(base.dir) for f in fs)
for turn in range(ROUNDS):
    rng = random.Random(f"{SEED} files {turn}")
    path = rng.choice(files)
    with open(path, "rb") as file:
        kept = file.read()
    way = rng.randrange(12)
    if way == 0:
        os.unlink(path)
    elif way == 1:
        os.unlink(path)
        rng.choice((os.mkfifo, os.mkdir, lambda p: os.symlink("/dev/zero", p), lambda p: os.symlink(p, p)))(path)
    else:
        maker.put(path, change(kept, rng))
    look(f"files {turn}", base, identity)
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)
    maker.put(path, kept)
same(failures[:3], [], f"{ROUNDS} vaults with files changed at random (SEED={SEED})")
note(f"exit codes {codes}")
ok(codes.get(65, 0) > ROUNDS // 2, "most of it was noticed")

failures.clear()
codes.clear()
for turn in range(ROUNDS):
    rng = random.Random(f"{SEED} made {turn}")
    shutil.rmtree(work + "/made", ignore_errors=True)
    vault = make(work + "/made", SEED + turn, rng)
    look(f"made {turn}", vault, vault.identity_file(work + "/made-identity"))
same(failures[:3], [], f"{ROUNDS} vaults signed over what is not as it should be")
note(f"exit codes {codes}")

failures.clear()
codes.clear()
proof, key = base.proof(7), base.verifier_line()
with open(identity, "rb") as file:
    plain_identity = file.read()
salt, nonce = bytes(16), bytes(24)
sealed = maker.b64(nonce + maker.secretbox(plain_identity, nonce, maker.argon2id(b"secret", salt, 1, 8192)))
locked = f"veilleuse-locked-key/1 {maker.b64(salt)} 1 8192 {sealed}\n".encode()
maker.put(work + "/passphrase", b"secret")
for turn in range(ROUNDS // 2):
    rng = random.Random(f"{SEED} others {turn}")
    maker.put(work + "/file", change(proof, rng))
    reader(f"proof {turn}", "--key", key, "--proof", work + "/file")
    maker.put(work + "/file", change(rng.choice((plain_identity, locked)), rng))
    reader(f"identity {turn}", "--identity", work + "/file", "--passphrase-file", work + "/passphrase", "--to", "3", base.dir)
    maker.put(work + "/file", change(key.encode(), rng))
    reader(f"key {turn}", "--key-file", work + "/file", "--proof", work + "/file")
same(failures[:3], [], f"{ROUNDS // 2} proofs, identities and keys changed at random")
note(f"exit codes {codes}")
shutil.rmtree(work)
done()
