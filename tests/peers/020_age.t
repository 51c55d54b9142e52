#!/usr/bin/env python3
"""Sealed files are read as the format's test vectors say (C2SP CCTV, age), and exchanged with filippo.io/age."""
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import outside  # noqa: E402

outside.build()
from veilleuse_site import done, note, ok, same  # noqa: E402

SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
note(f"SEED={SEED}")
chance = random.Random(SEED)
EVERYBODY = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"  # the vectors' own
TOOLS = [path for path in (os.path.join(outside.ROOT, f"build/{mode}/tests/peers/age_file") for mode in ("release", "asan"))
         if os.path.exists(path)]


def age_file(tool, *words, data=b""):
    """Gives (exit code, what came out, what was said)."""
    finished = subprocess.run([tool, *map(str, words)], input=data, capture_output=True, timeout=300)
    return finished.returncode, finished.stdout, finished.stderr.decode(errors="replace").strip()


def is_ours(identity):
    return identity.startswith("AGE-SECRET-KEY-1")


def reason_to_skip(vector):
    if vector["armored"]:
        return "armor: nothing of ours is armored"
    if vector["passphrases"] and not vector["identities"]:
        return "scrypt: nothing of ours has a passphrase"
    if vector["identities"] and not any(map(is_ours, vector["identities"])):
        return "mlkem768x25519: not a recipient of ours"
    if vector["unknown"]:
        return "it has keys that this test does not know: " + " ".join(vector["unknown"])
    return None


def judged(tool, vector, data, step):
    """The verdict and what came out, for the first identity that is not told that nothing is for it."""
    for identity in filter(is_ours, vector["identities"] or [EVERYBODY]):
        _, plain, said = age_file(tool, "open", identity, step, data=data)
        if said != "no match":
            break
    return said, plain


def try_vector(tool, vector, data):
    for step in sorted({1, 4096, 1000000} if len(data) < 100000 else {65552, 1000000}):
        said, plain = judged(tool, vector, data, step)
        wanted = vector["expect"]
        if not ok(said == wanted, f"{vector['name']}: {wanted}", f"in slices of {step}: {said}"):
            return
        if vector["payload"]:
            same(hashlib.sha256(plain).hexdigest(), vector["payload"], f"{vector['name']}: what came out")
        else:
            same(plain, b"", f"{vector['name']}: nothing came out")


def vectors(tool):
    with open(os.path.join(work, "index.json"), encoding="utf-8") as file:
        index = json.load(file)
    skipped = {}
    tried = 0
    for vector in index:
        why = reason_to_skip(vector)
        if why:
            skipped.setdefault(why, []).append(vector["name"])
            continue
        with open(os.path.join(work, vector["name"]), "rb") as file:
            try_vector(tool, vector, file.read())
        tried += 1
    for why, names in sorted(skipped.items()):
        ok(True, f"{len(names)} vectors # SKIP {why}")
        note(" ".join(names))
    note(f"{tried} vectors tried, {len(index) - tried} passed over")
    ok(tried >= 60, "the vectors were there", tried)


def exchanges(tool):
    """The edges of chunks, both ways; a file for two, the second of them us."""
    _, out, _ = age_file(tool, "recipient", EVERYBODY)
    recipient = out.decode().strip()
    other = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
    for size in (0, 1, 65535, 65536, 65537, 131072, chance.randrange(1 << 20)):
        plain = chance.randbytes(size)
        step = chance.choice([1000, 65536, 1000000])
        code, sealed, said = age_file(tool, "seal", recipient, step, data=plain)
        same(code, 0, f"{size} bytes sealed here")
        code, opened = outside.peers("age-open", EVERYBODY, input=sealed, text=False)
        ok(code == 0 and opened == plain, f"{size} bytes: age opens what we sealed", opened[:200])
        code, sealed = outside.peers("age-seal", recipient, input=plain, text=False)
        code, opened, said = age_file(tool, "open", EVERYBODY, step, data=sealed)
        ok(code == 0 and opened == plain, f"{size} bytes: we open what age sealed", said)
    code, sealed = outside.peers("age-seal", other, recipient, input=b"for two", text=False)
    code, opened, said = age_file(tool, "open", EVERYBODY, 7, data=sealed)
    ok(code == 0 and opened == b"for two", "we open what age sealed for another and us", said)
    code, sealed = outside.peers("age-seal", other, input=b"for another", text=False)
    code, opened, said = age_file(tool, "open", EVERYBODY, 7, data=sealed)
    same((code, opened, said), (1, b"", "no match"), "what is for another is not for us")


work = tempfile.mkdtemp(prefix="veilleuse-age.")
try:
    same(outside.peers("vectors", work), (0, ""), "the vectors are laid out")
    ok(TOOLS, "age_file is built (make unit-tests)")
    for each in TOOLS:
        note(each)
        vectors(each)
        exchanges(each)
finally:
    shutil.rmtree(work, ignore_errors=True)
done()
